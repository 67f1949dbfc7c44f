"""Layer 3: schedules. A step is a frozen value that checks and rewrites loops; see `step.py`."""
