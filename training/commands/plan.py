"""The grammar of `erosion plan`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "what a recipe or a study will take: runs, rungs, suites, tokens, time and disk"
WIDEST = 140
"""Characters a line where the terminal has fewer."""


def add(verb: argparse.ArgumentParser) -> None:
    """Adds its arguments."""
    verb.add_argument("file", type=Path, help="the recipe or study; its keys can be set as in training")
    verb.add_argument(
        "--timing", action=argparse.BooleanOptionalAction, default=None,
        help="time this machine on every model first (default: those on this disk that are small)",
    )  # fmt: skip
    verb.set_defaults(verb=_plan, overridable=True)


def _plan(given: argparse.Namespace) -> int:
    from rich.console import Console

    from erosion.training.plan_table import runs_table, sentences, work_table
    from erosion.training.planning import plan
    from erosion.training.timing import speeds

    runs = plan(given.file, given.overrides)
    found = speeds(runs, given.timing)
    console = Console(width=max(Console().width, WIDEST))
    console.print(work_table(runs[0]) if len(runs) == 1 else runs_table(runs))
    for sentence in sentences(runs, found):
        print(sentence)
    return 0
