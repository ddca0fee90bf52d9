"""Training objectives, token by token, and the trainers that use them."""

HOLDS_PARTS = False
