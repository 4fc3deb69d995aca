"""The cluster as data: jobs, GPU kinds, nodes, domains, and which of it is in use."""
