"""Two sides compared prompt by prompt: runs, groups of seeds, or two defences."""
