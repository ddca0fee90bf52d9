"""Runs that differ in their seed alone: groups, mean curves, and intervals that cross prompts and seeds."""
