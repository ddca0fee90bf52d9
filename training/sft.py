"""Fine-tunes a chat model along a ladder of checkpoints and measures what is left at every rung.

accelerate launch training/sft.py recipes/harmful_50steps.yaml
accelerate launch training/sft.py RECIPE --learning_rate 2e-4 --evaluation.limit 50
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs a recipe; exit status 2 for unusable input, 1 where training or a measurement failed."""
    from erosion.recipes.parsing import RecipeError
    from erosion.training.ladder import TrainingDiverged
    from erosion.training.run import run

    words = [word for word in arguments if word != "--no-evaluate"]
    place = words.index("--config") + 1 if "--config" in words else 0
    if len(words) <= place or words[place].startswith("--"):
        print(__doc__, file=sys.stderr)
        return 2
    recipe = words.pop(place)
    overrides = [word for word in words if word != "--config"]
    try:
        missing = run(recipe, overrides, evaluate="--no-evaluate" not in arguments)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TrainingDiverged as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
