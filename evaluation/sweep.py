"""Measures every rung of trained runs: what is missing, and nothing twice.

accelerate launch evaluation/sweep.py runs/harmful_50steps
accelerate launch evaluation/sweep.py RUN RUN --evaluation.limit 50
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Sweeps runs; exit status 2 for input that cannot be used, 1 where a cell or rung is missing."""
    from erosion.evaluation.sweeping import sweep
    from erosion.recipes.parsing import RecipeError

    first = next((place for place, word in enumerate(arguments) if word.startswith("--")), len(arguments))
    if first == 0:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        missing = [sentence for run in arguments[:first] for sentence in sweep(Path(run), arguments[first:])]
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
