"""Goodwatt: a scheduler and power controller for GPU clusters that does the most useful work per joule."""

__version__ = "0.1.0"
