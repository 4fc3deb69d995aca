"""Service policies, a file each."""
