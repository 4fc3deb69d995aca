"""What placements mean in speed and watts: the contract, the ideal and the full physics."""
