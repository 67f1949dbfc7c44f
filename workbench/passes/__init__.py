"""Layer 3: functions from value to value: graph passes, lowering, mapping, clean-ups."""
