"""The suite a section names, with the answers of its second file where it names one."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

from erosion.evaluation import suites
from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.chat import Message
from erosion.recipes.discovery import find
from erosion.recipes.parsing import RecipeError
from erosion.recipes.records import records, text
from erosion.recipes.schema import Data

log = logging.getLogger(__name__)


def suite_of(data: Data) -> Suite:
    """The suite a section names; with a file of answers it is measured at every depth (2510.18081, 3).

    Raises:
        RecipeError: No suite has that name.
    """
    found: Suite = find(suites, data.name, "evaluation.suites").SUITE
    if data.answers is None:
        return found
    return dataclasses.replace(found, prefilled=True, cases=partial(_answered, found.cases))


def cases_of(data: Data, limit: int | None, where: str) -> list[Case]:
    """The first cases of the suite a section names, all of them when `limit` is None.

    Raises:
        RecipeError: It has none, two of one id, or rows that cannot be used.
    """
    cases = [with_system(case, data.system) for case in islice(suite_of(data).cases(data), limit)]
    if not cases:
        raise RecipeError(f"{where}: {data.name} has no cases")
    seen = set[str]()
    for case in cases:
        if case.id in seen:
            raise RecipeError(
                f"{where}: {data.name} has two cases of the id {case.id!r}, allowed one of each"
            )
        seen.add(case.id)
    return cases


def with_system(case: Case, system: str | None) -> Case:
    """The case with a system prompt before its conversation, where there is one."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    return dataclasses.replace(case, messages=[*messages, *case.messages])


def _answered(plain: Callable[[Data], Iterable[Case]], data: Data) -> list[Case]:
    """The cases with the file's answers alone.

    A prompt that has none there has none, a short one of the suite's own included: otherwise small depths
    would be measured on other texts than large ones.
    """
    answers, cases = _answers(data), list(plain(data))
    asked = {_prompt(case) for case in cases}
    if not asked & answers.keys():
        raise RecipeError(f"{data.name}: answers: no prompt of {data.answers} is one of the suite's")
    if strangers := len(answers.keys() - asked):
        log.warning(
            "%s: %d of %d prompts with answers are not the suite's", data.name, strangers, len(answers)
        )
    return [dataclasses.replace(case, answer=answers.get(_prompt(case))) for case in cases]


def _answers(data: Data) -> dict[str, str]:
    """Answers by prompt; of several to one prompt the first."""
    found: dict[str, str] = {}
    repeated = 0
    for where, record in records(Data(name=data.name, path=data.answers)):
        prompt, answer = text(record, "prompt", where), text(record, "answer", where)
        repeated += prompt in found
        found.setdefault(prompt, answer)
    if repeated:
        log.warning("%s: %d further answers to prompts that have one are left out", data.name, repeated)
    return found


def _prompt(case: Case) -> str:
    return case.messages[-1]["content"]
