"""Job traces: readers of public formats, statistics, the generator, writing and fetching."""
