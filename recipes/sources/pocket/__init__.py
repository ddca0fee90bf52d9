"""Sources of the embedded model's world."""
