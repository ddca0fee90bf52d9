"""What a run should hold: every cell that is expected, and what has become of it."""
