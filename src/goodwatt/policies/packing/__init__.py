"""The arithmetic of placements that score all nodes at once. It needs numpy: import it where it is used."""
