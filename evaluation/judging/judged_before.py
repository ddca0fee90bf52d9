"""What judges said of answers that are measured again: numbers are made again, or their loss is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erosion.evaluation.aggregate import Aggregate
from erosion.evaluation.judging.judge import tells_of
from erosion.evaluation.judging.numbers import numbers
from erosion.evaluation.suite import Suite
from erosion.recipes.parsing import RecipeError

Row = dict[str, Any]


def numbers_again(rows: Sequence[Row], suite: Suite) -> dict[str, list[Aggregate]]:
    """Numbers of every further judge whose verdicts all measured rows hold; nothing is asked.

    Returns:
        Numbers by the judge's key among the verdicts; of a pair of later judges under both.
    """
    made = dict[str, list[Aggregate]]()
    for key in _held_by_all(rows):
        versions = {str(row["verdicts"][key].get("version", "")) for row in rows}
        if key in suite.judges or len(versions) > 1 or "" in versions:
            continue
        try:
            tells = tells_of(key)
        except RecipeError:  # a judge that this installation does not have
            continue
        made[key] = numbers(rows, key, tells, suite)
    return made


def dropped(before: Sequence[Mapping[str, Any]], made: Mapping[str, Any], suite: Suite) -> list[str]:
    """Keys of further judges that a cell's lines told of and that its rows no longer hold verdicts of.

    Args:
        before: The cell's lines, before it was measured again.
        made: What was made again, see `numbers_again`.
        suite: The suite.
    """
    told = {_key(line) for line in before} - set(suite.judges) - {""}
    return sorted(told - made.keys())


def _held_by_all(rows: Sequence[Row]) -> list[str]:
    return [key for key in rows[0]["verdicts"] if all(key in row["verdicts"] for row in rows)] if rows else []


def _key(line: Mapping[str, Any]) -> str:
    """The judge a line was added for afterwards, whose version ends the line's; empty where it was not."""
    key = str(line["judge"]).rpartition("~")[2]
    return key if str(line["version"]).rpartition(" ")[2].startswith(f"{key}=") else ""
