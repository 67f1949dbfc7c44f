"""Layer 2: the programs themselves, as immutable values, and what it means to run them."""
