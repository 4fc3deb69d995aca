"""`python -m goodwatt` is the command `goodwatt`."""

from goodwatt.cli.main import run

run()
