"""The embedded model: its world, its language and its weights."""
