"""The engine: what happens to jobs, GPUs and energy over time, as a policy decides it."""
