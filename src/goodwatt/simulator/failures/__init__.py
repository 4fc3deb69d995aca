"""What fails in a run and what that does to nodes and jobs."""
