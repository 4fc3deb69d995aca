"""The wires between GPUs: how long the exchange of a gang takes, and who shares its links."""
