"""The grammar of `erosion status`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "how complete runs are: cells measured, missing and why, stale, not applicable"


def add(verb: argparse.ArgumentParser) -> None:
    """Adds its arguments."""
    verb.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the runs' folders")
    verb.set_defaults(verb=_status)


def _status(given: argparse.Namespace) -> int:
    from erosion.evaluation.completeness.completeness import completeness

    found = [completeness(run) for run in given.runs]
    for each in found:
        print(f"{each.run}: {each}")
        for cell in (*each.of("missing"), *each.of("stale"), *each.shortened):
            print(f"  {cell}")
    return 0 if all(each.is_complete for each in found) else 1
