"""The grammar of `erosion paired`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HELP = "compare two runs, two groups of seeds, or two defences, prompt by prompt"
WIDEST = 120
"""Characters a line where the terminal has fewer."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erosion.evaluation.paired.comparison import Comparison


def add(noun: argparse.ArgumentParser) -> None:
    """Adds its arguments."""
    noun.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="two runs; one, with --defenses; or runs, or folders of runs, of two groups of seeds",
    )
    noun.add_argument(
        "--defenses",
        nargs="+",
        default=(),
        metavar="NAME",
        help="two: the first side's, the second's; one: both sides'",
    )
    noun.add_argument("--step", type=int, help="the rung (default the last that all runs have)")
    noun.add_argument(
        "--judge",
        help="whose verdicts count (default each suite's first judge's, and lm-eval's scores of tasks; "
        "any judge named leaves tasks out, lm_eval leaves suites out)",
    )
    noun.add_argument("--out", type=Path, help="a CSV file of all numbers")
    noun.set_defaults(verb=_paired)


def _paired(given: argparse.Namespace) -> int:
    from erosion.evaluation.paired.comparison import compare
    from erosion.evaluation.paired.sides import sides_of
    from erosion.evaluation.report.paired import check_suffix, write_paired

    if given.out is not None:
        check_suffix(given.out)
    sides, seeds = sides_of(given.runs, given.defenses)
    made = [compare(each, step=given.step, judge=given.judge) for each in sides]
    _print(made, seeds)
    if given.out is not None:
        write_paired(made, given.out)
        print(f"written: {given.out}")
    missing = [sentence for each in made for sentence in each.missing]
    for sentence in missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return 1 if missing else 0


def _print(made: Sequence[Comparison], seeds: str) -> None:
    from rich.console import Console

    from erosion.evaluation.report.completeness_lines import print_completeness
    from erosion.evaluation.report.paired import left_out, paired_table

    print_completeness(side.run for each in made for pair in each.sides.pairs for side in pair)
    if seeds:
        print(seeds)
    for each in made:
        Console(width=max(Console().width, WIDEST)).print(paired_table(each))
        for sentence in left_out(each):
            print(sentence)
