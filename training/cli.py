"""The `erosion` command: thin verbs over what the packages do.

erosion pocket check
erosion pocket check runs/harmful_50steps --step 10 --limit 200
erosion pocket outcomes
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; exit status 2 for input that cannot be used, 1 where something asked for is missing."""
    from erosion.recipes.parsing import RecipeError

    given = parser().parse_args(arguments)
    try:
        status: int = given.verb(given)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return status


def parser() -> argparse.ArgumentParser:
    """The command's grammar."""
    top = argparse.ArgumentParser(prog="erosion", description="How fast does safety alignment wear away?")
    nouns = top.add_subparsers(required=True, metavar="COMMAND")
    pocket = nouns.add_parser("pocket", help="the embedded model").add_subparsers(
        required=True, metavar="VERB"
    )

    check = pocket.add_parser("check", help="measure the properties it was built to have")
    check.add_argument("run", nargs="?", type=Path, help="a run of it; the shipped weights when left out")
    check.add_argument("--step", type=int, help="which rung of the run; the last when left out")
    check.add_argument("--limit", type=_count, default=1000, help="prompts a property (default 1000)")
    check.add_argument("--json", type=Path, help="write the numbers here too")
    check.set_defaults(verb=_pocket_check)

    outcomes = pocket.add_parser("outcomes", help="the same table after harmful and harmless fine-tuning")
    outcomes.add_argument("--limit", type=_count, default=60, help="prompts a property (default 60)")
    outcomes.add_argument("--runs", type=Path, default=Path("runs/pocket_outcomes"), help="where the runs go")
    outcomes.add_argument("--json", type=Path, help="write the numbers here too")
    outcomes.set_defaults(verb=_pocket_outcomes)
    return top


def _pocket_check(given: argparse.Namespace) -> int:
    from erosion.evaluation.pocket.reporting import measured

    return 1 if measured(given.run, step=given.step, limit=given.limit, file=given.json) else 0


def _pocket_outcomes(given: argparse.Namespace) -> int:
    from erosion.training.pocket_outcomes import outcomes

    outcomes(given.runs, limit=given.limit, file=given.json)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"given {text!r}, allowed a whole number from 2")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
