"""ADA-LP's probes at every rung: their texts, how they are fitted, kept and measured."""
