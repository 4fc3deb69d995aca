"""Jobs side by side on a GPU or a node: how much slower they make each other, and what it draws."""
