"""Power during a run: settings on their way, budgets, ramps, racks and their feeds."""
