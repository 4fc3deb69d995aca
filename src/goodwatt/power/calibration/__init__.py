"""From measurements of a GPU to an entry of the catalogue."""
