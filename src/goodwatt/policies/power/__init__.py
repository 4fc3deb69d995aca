"""Power policies that ship with the package: one file each, found by its name."""
