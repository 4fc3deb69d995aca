"""What is written down of a run, and what is told of it afterwards."""
