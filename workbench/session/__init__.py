"""Layer 7: what the notebook holds: kernels, the devices they run on, and what they last did."""
