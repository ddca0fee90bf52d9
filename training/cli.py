"""The `erosion` command: thin verbs over what the packages do.

erosion pocket check
erosion pocket check runs/harmful_50steps --step 10 --limit 200
erosion pocket outcomes
erosion probe fit recipes/harmful_50steps.yaml --output probes/pocket
erosion probe evaluate probes/pocket recipes/harmful_50steps.yaml --controls
erosion probe import published.joblib --model google/gemma-2-9b-it --layer 23 --output probes/gemma
erosion plan recipes/harmful_50steps.yaml
erosion plan recipes/studies/few_tokens_deep.yaml --no-timing
erosion status runs/harmful_50steps
erosion study recipes/studies/few_tokens_deep.yaml
erosion diagnose kl pocket pocket-base --output diagnosed
erosion diagnose dynamics runs/harmful_50steps --output diagnosed
erosion diagnose prefixes pocket pocket-base --output diagnosed
erosion judge completions.csv --judge phrases --out judged.csv
erosion judge runs/harmful_50steps --judge coherence
erosion judge runs/harmful_50steps --judge classifier --rubric wildguard --model allenai/wildguard
erosion prefer runs/one@50 runs/other@50 --suite xstest --model NAME --base_url URL --out prefer.csv
erosion paired runs/one runs/other --step 10 --out paired.csv
erosion compare runs/one runs/other --out report
erosion seeds runs/five_seeds --out seeds.csv
erosion wandb-sync runs/harmful_50steps --project erosion
erosion triplets google/gemma-2-9b-it data/harmful_pairs.jsonl --output data/triplets.jsonl
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from erosion.recipes.discovery import find, names
from erosion.training import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; exit status 2 for input that cannot be used, 1 where something asked for is missing."""
    from erosion.recipes.parsing import RecipeError

    given, overrides = parser().parse_known_args(arguments)
    if overrides and not given.overridable:
        parser().error(f"unrecognized arguments: {' '.join(overrides)}")
    given.overrides = overrides
    try:
        status: int = given.verb(given)
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more is to be written to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (RecipeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return status


def parser() -> argparse.ArgumentParser:
    """The command's grammar: a file in `training/commands/` for each; `wandb_sync.py` is `wandb-sync`."""
    top = argparse.ArgumentParser(prog="erosion", description="How fast does safety alignment wear away?")
    top.set_defaults(overridable=False)
    nouns = top.add_subparsers(required=True, metavar="COMMAND")
    for name in names(commands):
        command = find(commands, name, "command")
        command.add(nouns.add_parser(name.replace("_", "-"), help=command.HELP))
    return top


if __name__ == "__main__":
    sys.exit(main())
