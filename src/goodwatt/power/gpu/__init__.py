"""One GPU and one job: clock, watts and speed where it settles, and what happens before."""
