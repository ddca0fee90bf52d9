"""Suites in the embedded model's world; all speak of its evaluation split."""
