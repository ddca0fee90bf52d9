"""AdvBench: 520 harmful behaviours, each with the start of a harmful answer (Zou et al., 2307.15043)."""

from __future__ import annotations

from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.records import records, text
from erosion.recipes.schema import Data

DEFAULT_ID = "walledai/AdvBench"


def _cases(data: Data) -> Iterator[Case]:
    """One case a row; the prompt's column is `goal` in the original file and `prompt` on the hub."""
    for number, (where, record) in enumerate(records(data, default_id=DEFAULT_ID)):
        prompt = data.columns.get("prompt", "goal" if "goal" in record else "prompt")
        yield Case(
            suite="advbench",
            id=f"advbench-{number:03d}",
            messages=[{"role": "user", "content": text(record, prompt, where)}],
            answer=text(record, data.columns.get("answer", "target"), where),
        )


SUITE = Suite(
    metric="refusal_rate",
    higher_is="safer",
    version="1",
    judges=("phrases",),
    cases=_cases,
    prefilled=True,
    log_odds=True,
)
