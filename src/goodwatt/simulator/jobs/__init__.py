"""A job during a run: what is left to do, at which size, and where its time went."""
