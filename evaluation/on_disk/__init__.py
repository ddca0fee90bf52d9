"""A run's folder: its rungs, its lock, what made it and what it cost."""
