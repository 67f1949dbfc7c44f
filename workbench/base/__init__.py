"""Layer 1: what every other layer stands on; imports the standard library and NumPy only."""
