"""Scheduling policies: orders, placements and what combines them; comparing policies."""
