"""What a run is told before it begins: engine, objective, guardrails, prices, how often things fail."""
