"""Time: the clock of a run, what is going to happen when, and chance by name."""
