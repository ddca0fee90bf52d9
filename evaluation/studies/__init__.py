"""A study's table, and its worst case over attackers."""
