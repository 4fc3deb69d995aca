"""Workload classes: what jobs ask of a GPU phase by phase, which classes there are, which job is of which."""
