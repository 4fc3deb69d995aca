"""Decisions carried out: what may be, what is refused, and how it is done."""
