"""A lab of real Debian hosts with simulated NVIDIA GPUs. Product code never imports this package."""
