"""Which prompts of a run stand in two places, told before it starts: ids and counts, never a text."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from datasets.exceptions import DatasetsError

from erosion import defenses
from erosion.evaluation.cells import Cell
from erosion.evaluation.overlaps.overlap import Overlap, Place, overlaps
from erosion.evaluation.plan import PROBE_PARTS
from erosion.evaluation.probes.corpus import corpus_rows, probe_corpus
from erosion.evaluation.records import LM_EVAL, Case
from erosion.evaluation.utility.questions import are_local, questions
from erosion.recipes.chat import Message, Row
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe

FILE = "overlap.json"
SHOWN = 3
"""Ids in the warning for every two places; all of them stand in the file."""

UNCOMPARED = "it is not compared with other prompts"

log = logging.getLogger(__name__)


def places(recipe: Recipe, rows: Sequence[Row], cells: Sequence[Cell]) -> list[Place]:
    """Training data, each part of the probe's corpus where a probe is fitted, every suite and local task.

    Sentences of the embedded model's language often differ in the thing alone: only the same are told there.

    Args:
        recipe: The recipe.
        rows: Its mixture's.
        cells: Its cells; what a wrapper puts around a request is left out.
    """
    found = [
        _of_rows("training", enumerate(rows)),
        *_of_probe(recipe),
        *_of_suites(cells),
        *_of_tasks(recipe),
    ]
    alike = speaks_pocket(recipe.model)
    return [replace(place, alike=alike) for place in found]


def report_overlaps(run: Path, found_in: Sequence[Place]) -> list[Overlap]:
    """Writes the run's `overlap.json`, and warns where a prompt stands in two places."""
    found = overlaps(found_in)
    beside = run / f".{FILE}.{os.getpid()}"
    held = {place.name: len(place.ids) for place in found_in}
    told = {"prompts": held, "overlaps": [asdict(each) for each in found]}
    beside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, run / FILE)
    if found:
        log.warning("prompts in two places (all in %s):\n%s", run / FILE, "\n".join(map(_line, found)))
    return found


def _line(found: Overlap) -> str:
    ids = [second for _, second in [*found.exact, *found.near]]
    more = ", ..." if len(ids) > SHOWN else ""
    counts = f"{len(found.exact)} the same, {len(found.near)} nearly"
    where = f"{found.first} and {found.second}"
    return f"  {where}: {counts}, of {found.prompts} ({', '.join(ids[:SHOWN])}{more})"


def _of_probe(recipe: Recipe) -> Iterator[Place]:
    fitted = any(find(defenses, o.name, "defenses").make().probe_arm for o in recipe.evaluation.defenses)
    given = recipe.evaluation.probe
    if fitted and given.path and not given.sources:
        log.warning("probe %s: what it was fitted on is unknown, so %s", given.path, UNCOMPARED)
    if not fitted or (given.path and not given.sources):
        return
    section = probe_corpus(recipe)
    for part in PROBE_PARTS:
        rows = chain.from_iterable(corpus_rows(source) for source in getattr(section, part))
        try:
            yield replace(_of_rows(f"probe {part}", enumerate(rows)), measured=part == "test")
        except RecipeError as error:
            log.warning("probe %s is not compared with other prompts: %s", part, error)


def _of_tasks(recipe: Recipe) -> Iterator[Place]:
    """The questions of lm-eval's tasks; what lies on the hub is fetched only as it is measured."""
    for task in recipe.evaluation.tasks:
        if not are_local(task):
            log.warning("task %s: its questions are in no local file, so %s", task.shown, UNCOMPARED)
            continue
        try:
            asked = list(questions(task, task.limit or recipe.evaluation.limit))
        except (ValueError, LookupError, OSError, DatasetsError) as error:
            log.warning("task %s is not compared with other prompts: %s", task.shown, error)
            continue
        name = f"{LM_EVAL}{task.shown}"
        yield Place(name=name, ids=[i for i, _ in asked], texts=[text for _, text in asked], measured=True)


def _of_suites(cells: Sequence[Cell]) -> Iterator[Place]:
    cases: dict[str, dict[str, Case]] = {}
    suites = {cell.name: cell.suite for cell in cells}
    for cell in cells:
        if cell.wrapper == "none":
            cases.setdefault(cell.name, {}).update({prompt.case.id: prompt.case for prompt in cell.prompts})
    for name, own in cases.items():
        texts = [_asked(case.messages)[-1] for case in own.values()]
        parts = [suites[name].parts(text) for text in texts]
        bare = {number: request for number, (context, request) in enumerate(parts) if context}
        yield Place(name=name, ids=list(own), texts=texts, bare=bare, measured=True)


def _of_rows(name: str, rows: Iterable[tuple[int, Row]]) -> Place:
    """Every user turn of the rows, by its file and line or, where it has none, by the row's number."""
    turns = [
        (row.get("where", f"{name} row {number}"), text)
        for number, row in rows
        for text in _asked(row["messages"])
    ]
    return Place(name=name, ids=[where for where, _ in turns], texts=[text for _, text in turns])


def _asked(messages: Sequence[Message]) -> list[str]:
    return [turn["content"] for turn in messages if turn["role"] == "user"]
