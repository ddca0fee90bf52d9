"""What cells will ask of a model: prompts, tokens read and tokens written, as upper bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from erosion import defenses
from erosion.defenses.base import Defense
from erosion.evaluation.cells import Cell
from erosion.evaluation.utility.task_cells import TaskCell
from erosion.recipes.discovery import find
from erosion.recipes.schema import GuardOptions, Recipe, Source
from erosion.recipes.sections import INTERVAL

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

ROW_BYTES, TOKEN_BYTES = 700, 12
"""Of a stored answer: what stands in every row, and a new token as text and as id."""
SAID = 160
"""Characters of what went wrong that are told."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One cell's work at one rung.

    Attributes:
        suite: Suite, task or what else is measured.
        defense: The guard's label.
        wrapper: What the attack puts around the request.
        depth: Answer tokens placed as prefill.
        prompts: How many; None where a task's questions cannot be read here.
        read: Tokens read at most: prompts, choices, openers, and what a guard reads again; None likewise.
        written: Tokens written at most, a guard's lookaheads included; None likewise.
        stored: Bytes of its answers on disk, roughly.
        unknown: Why its numbers are not known; empty where they are.
    """

    suite: str
    defense: str
    wrapper: str = "none"
    depth: int = 0
    prompts: int | None
    read: int | None
    written: int | None
    stored: int = 0
    unknown: str = ""


def suite_work(cell: Cell, cells: Sequence[Cell], tokenizer: PreTrainedTokenizerBase) -> Work:
    """A suite's cell; `cells` are all of its recipe, since guards share the answers of an unguarded one."""
    defense: Defense = find(defenses, cell.options.name, "evaluation.defenses").make()
    read, new = sum(len(prompt.ids) for prompt in cell.prompts), cell.max_new_tokens
    written = len(cell.prompts) * new
    if cell.prompts[0].choices:
        read, written = sum(len(p.ids) + len(c) for p in cell.prompts for c in p.choices), 0
    if cell.openers is not None:
        read += read + len(cell.prompts) * sum(len(ids) for group in cell.openers for ids in group)
    if defense.halts_only:
        again, ahead = _checked(defense, cell.options, tokenizer, len(cell.prompts) * _checks(cell))
        again += (read + written) * (_checks(cell) if "model" in defense.honours else 1)
        shares = _has_plain(cell, cells)
        read, written = again + (0 if shares else read), ahead + (0 if shares else written)
    return Work(
        suite=cell.name, defense=cell.defense, wrapper=cell.wrapper, depth=cell.depth,
        prompts=len(cell.prompts), read=read, written=written, stored=_stored(cell),
    )  # fmt: skip


def task_work(task: TaskCell, tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> Work | None:
    """A task's; None where its defence can change nothing.

    Where its questions or the code it needs cannot be reached, its numbers are not known.
    """
    try:
        return _task_work(task, tokenizer, config)
    except Exception as error:
        why = f"{task}: {type(error).__name__}: {' '.join(str(error).split())[:SAID]}"
        return Work(
            suite=task.suite, defense=task.options.label, prompts=None, read=None, written=None, unknown=why
        )


def _task_work(task: TaskCell, tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> Work | None:
    if not task.parts:
        return None
    from erosion.evaluation.utility.counting import counted

    members = [
        m for part in task.parts for m in (part.get_all_tasks() if hasattr(part, "get_all_tasks") else [part])
    ]
    asked = sum(sum(1 for _ in islice(member.eval_docs, task.task.limit)) for member in members)
    found = counted(task.task, task.parts, tokenizer, config)
    read, written = found.read, sum(found.answers)
    defense: Defense = find(defenses, task.options.name, "evaluation.defenses").make()
    if defense.halts_only:
        checks = sum(longest // _interval(task.options) for longest in found.answers)
        again, ahead = _checked(defense, task.options, tokenizer, checks)
        read, written = read + written + again, written + ahead
    return Work(suite=task.suite, defense=task.options.label, prompts=asked, read=read, written=written)


def probe_tokens(recipe: Recipe) -> int:
    """Tokens that are read once to fit the recipe's probes, at most; 0 where none is fitted.

    Of a probe fitted at every rung only the first fit is counted.
    """
    made = [
        find(defenses, options.name, "evaluation.defenses").make() for options in recipe.evaluation.defenses
    ]
    probe = recipe.evaluation.probe
    if probe.path or not any(defense.probe_arm not in (None, "text") for defense in made):
        return 0
    return sum(source.rows or 0 for source in _corpus(recipe)) * max(probe.depths)


def _corpus(recipe: Recipe) -> Iterator[Source]:
    probe = recipe.evaluation.probe
    yield from (*probe.sources, *probe.validation)
    if any(options.name == "ada_lp_matched" for options in recipe.evaluation.defenses):
        yield from probe.calibration


def _has_plain(cell: Cell, cells: Sequence[Cell]) -> bool:
    where = (cell.name, cell.depth, cell.wrapper, "none")
    return any((c.name, c.depth, c.wrapper, c.defense) == where for c in cells)


def _checks(cell: Cell) -> int:
    """Checks of one answer, if every one up to the longest answer is made."""
    interval = _interval(cell.options)
    return (cell.depth + cell.max_new_tokens) // interval - max(0, cell.depth - 1) // interval


def _checked(
    defense: Defense, options: GuardOptions, tokenizer: PreTrainedTokenizerBase, checks: int
) -> tuple[int, int]:
    """Tokens of spans, and of lookaheads."""
    ahead = options.lookahead if "lookahead" in defense.honours else 0
    return checks * len(defense.span_ids(tokenizer)), checks * ahead


def _interval(options: GuardOptions) -> int:
    return INTERVAL if options.interval == "adaptive" else options.interval


def _stored(cell: Cell) -> int:
    texts = sum(len(json.dumps(p.case.messages)) + len(p.case.prefill) for p in cell.prompts)
    return texts + len(cell.prompts) * (ROW_BYTES + cell.max_new_tokens * TOKEN_BYTES)
