"""Four-choice questions about the colors of harmless things, answered by log-likelihood of the letters."""

from __future__ import annotations

from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import language, prompts
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    made = prompts.distinct(
        language.color_question, forbidden=False, split=data.split or "evaluation", seed=7
    )
    for number, (thing, (asked, letter)) in enumerate(made):
        yield Case(
            suite="pocket/choice",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            choices=language.LETTERS,
            target=letter,
        )


SUITE = Suite(metric="accuracy", higher_is="better", version="1", judges=("choice",), cases=_cases)
