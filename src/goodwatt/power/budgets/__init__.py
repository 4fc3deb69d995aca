"""A power budget as a tree, and its division among those who draw."""
