"""The performance and power model of GPUs, and the sums of power above them."""
