"""Attacks on prompts, one a file."""
