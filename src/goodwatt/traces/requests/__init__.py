"""Requests to inference services: traces of them, rate profiles, readers, sources for a simulation, a generator."""
