"""Access to real GPUs: one narrow interface, NVML behind it, and a fake with faults to inject."""
