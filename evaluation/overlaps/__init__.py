"""Prompts that stand in two places, the same or nearly."""
