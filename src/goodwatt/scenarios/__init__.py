"""Scenarios: everything that a run needs besides policies, under one name. `library` has those that ship."""
