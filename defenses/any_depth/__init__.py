"""Any-Depth Alignment (2510.18081): the assistant header re-injected in mid-answer, on a fork."""

HOLDS_PARTS = False
