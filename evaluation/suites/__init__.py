"""Suites, one a file: which cases, which judges, which direction. Each file holds a `SUITE`."""
