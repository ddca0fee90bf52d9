"""The suite a section names, with the answers of its second file where it names one."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Set
from functools import partial
from itertools import islice

from erosion.evaluation import suites
from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.chat import Message
from erosion.recipes.discovery import find, names
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
    return dataclasses.replace(found, prefilled=True, cases=partial(_answered, found))


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


def parts_of(case: Case, turn: str) -> tuple[str, str]:
    """Context, empty where there is none, and bare request of a turn, which stored rows hold as one text."""
    if case.suite not in names(suites):
        return "", turn
    suite: Suite = find(suites, case.suite, "suite").SUITE
    return suite.parts(turn)


def with_system(case: Case, system: str | None) -> Case:
    """The case with a system prompt before its conversation, where there is one."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    return dataclasses.replace(case, messages=[*messages, *case.messages])


def _answered(suite: Suite, data: Data) -> list[Case]:
    """The cases with the file's answers alone, joined by the whole prompt or by its bare request.

    A prompt that has none there has none, a short one of the suite's own included: otherwise small depths
    would be measured on other texts than large ones.
    """
    answers, cases = _answers(data), list(suite.cases(data))
    wholes = [case.messages[-1]["content"].strip() for case in cases]
    bare = [_bare(suite, case) for case in cases]
    times = Counter(request for request in bare if request not in wholes)
    joined = [request if times[request] == 1 else whole for whole, request in zip(wholes, bare, strict=True)]
    unclear = {request for request, count in times.items() if request and count > 1} & answers.keys()
    _check_joined(data, answers.keys(), {*wholes, *joined}, unclear)
    found = [answers.get(w, answers.get(j)) for w, j in zip(wholes, joined, strict=True)]
    return [dataclasses.replace(case, answer=answer) for case, answer in zip(cases, found, strict=True)]


def _check_joined(data: Data, given: Set[str], asked: Set[str], unclear: Set[str]) -> None:
    """Says which answers are not joined; none at all is a mistake."""
    if not asked & given:
        raise RecipeError(f"{data.name}: answers: no prompt of {data.answers} is one of the suite's")
    if unclear:
        told = "%s: %d requests with answers stand in several contexts; give each context with its request"
        log.warning(told, data.name, len(unclear))
    if strangers := len(given - asked - unclear):
        log.warning("%s: %d of %d prompts with answers are not the suite's", data.name, strangers, len(given))


def _answers(data: Data) -> dict[str, str]:
    """Answers by prompt, blanks around it left out; of several to one prompt the first."""
    found: dict[str, str] = {}
    repeated = 0
    for where, record in records(Data(name=data.name, path=data.answers)):
        prompt, answer = text(record, "prompt", where).strip(), text(record, "answer", where)
        repeated += prompt in found
        found.setdefault(prompt, answer)
    if repeated:
        log.warning("%s: %d further answers to prompts that have one are left out", data.name, repeated)
    return found


def _bare(suite: Suite, case: Case) -> str:
    """The request without its context; empty where it has none."""
    context, request = suite.parts(case.messages[-1]["content"])
    return request.strip() if context else ""
