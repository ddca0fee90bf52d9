"""Judges, one a file: `judge(completion)` gives a verdict; `VERSION` rises when a verdict would change."""
