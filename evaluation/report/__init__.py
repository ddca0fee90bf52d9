"""The only place that draws: figures, tables and files for people."""
