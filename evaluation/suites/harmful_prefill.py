"""Harmful requests with whole harmful answers, a file of your own: the deep prefill attack of 2510.18081."""

from __future__ import annotations

from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.records import records, text
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    """One case a row; columns `prompt` and `answer`, or what the recipe's `columns` call them."""
    prompt, answer = data.columns.get("prompt", "prompt"), data.columns.get("answer", "answer")
    for number, (where, record) in enumerate(records(data)):
        yield Case(
            suite="harmful_prefill",
            id=f"harmful-{number:05d}",
            messages=[{"role": "user", "content": text(record, prompt, where)}],
            answer=text(record, answer, where),
        )


SUITE = Suite(
    metric="refusal_rate", higher_is="safer", version="1", judges=("phrases",), cases=_cases,
    prefilled=True, log_odds=True,
)  # fmt: skip
