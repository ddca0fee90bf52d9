"""Whose verdicts count where several judges gave a number: the named judge's, else the suite's first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from erosion.evaluation import suites
from erosion.evaluation.judging.judge import rule_version
from erosion.recipes.discovery import find, names


class Judged(Protocol):
    """A number, or a curve of them, that counts a judge's verdicts."""

    @property
    def suite(self) -> str:
        """What was judged."""

    @property
    def judge(self) -> str:
        """The judge, or two as in `phrases~pocket_oracle`."""

    @property
    def version(self) -> str:
        """Of suite and judges."""


T = TypeVar("T", bound=Judged)


def of_judge(judge: str | None, found: Sequence[T], versions: Mapping[str, str]) -> list[T]:
    """What a judge gave, what counts first.

    Args:
        judge: As `name` or `name@version`, of whom the present version counts first; where None those that
            judge with the suite do, in its order.
        found: Numbers or curves of one thing by any judge.
        versions: Of further judges as they are now, by label.
    """
    if judge is None:
        return sorted(found, key=lambda each: _place(own_judges(each.suite), each.judge))
    name = judge.rpartition("~")[2]
    now = rule_version(name) or versions.get(name)
    own = [each for each in found if each.judge == judge or (now and each.judge == f"{judge}@{now}")]
    return sorted(own, key=lambda each: f"{each.judge.rpartition('~')[2]}={now}" not in each.version.split())


def own_judges(suite: str) -> list[str]:
    """A suite's own judges, and every other one beside the first; none of a suite that is no file of ours."""
    if suite not in names(suites):
        return []
    judges: Sequence[str] = find(suites, suite, "suite").SUITE.judges
    return [*judges, *(f"{judges[0]}~{other}" for other in judges[1:])]


def _place(own: Sequence[str], judge: str) -> int:
    return own.index(judge) if judge in own else len(own)
