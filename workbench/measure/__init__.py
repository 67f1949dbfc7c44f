"""Layer 5: whether the answers are right and how long they took."""
