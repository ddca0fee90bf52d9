"""Cells of lm-eval's tasks: one task under one defence, measured at every rung."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any

from erosion import defenses
from erosion.defenses.base import Defense, Guard
from erosion.evaluation.aggregate import Aggregate
from erosion.evaluation.digests import guard_digest
from erosion.evaluation.records import LM_EVAL
from erosion.evaluation.tally import Tally
from erosion.evaluation.utility.catalogue import loaded
from erosion.evaluation.utility.numbers import halted_rate, numbers, rows
from erosion.recipes.discovery import find
from erosion.recipes.schema import Evaluation, GuardOptions, ProbeCorpus, Task

if TYPE_CHECKING:
    from erosion.evaluation.engine import Engine
    from erosion.evaluation.on_disk.checkpoints import Checkpoint

VERSION = "1"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one task or group of lm-eval's gives.

    Attributes:
        suite: Its name among the measurements.
        version: Its own and lm-eval's; a group's member names the group.
        numbers: Every metric.
        rows: One a question and filter, without texts.
    """

    suite: str
    version: str
    numbers: list[Aggregate]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class TaskCell:
    """One task under one defence.

    Attributes:
        task: As the recipe names it, with `limit` and `batch_size` filled in.
        options: The guard as the recipe names it.
        probe: What its probe is fitted on.
    """

    task: Task
    options: GuardOptions
    probe: ProbeCorpus

    @property
    def suite(self) -> str:
        """The task's name among the measurements."""
        return f"{LM_EVAL}{self.task.shown}"

    def __str__(self) -> str:
        return f"{self.suite}, {self.options.label}"

    @cached_property
    def parts(self) -> list[Any]:
        """The tasks and groups to ask; none where the defence can change nothing.

        A guard halts what is generated: of log-likelihoods it has no number. It is asked only the members of
        a group that generate, and then the group as a whole has none either.
        """
        whole = loaded(self.task)
        members = list(_members(whole))
        if not self._defense.halts_only or all(_generates(member) for member in members):
            return whole
        return [member for member in members if _generates(member)]

    def digest(self, rung: Checkpoint, template: str | None, place: str) -> str:
        """Of all that can change a number: two equal ones are the same measurement.

        Args:
            rung: Its weights.
            template: The chat template.
            place: Device and dtype.
        """
        guard = [self.options.label, guard_digest(self._defense, self.options, self.probe, template)]
        where = [rung.weights_digest, rung.base_digest, place]
        asked = template if self.task.chat_template else None
        return _digest([VERSION, self._questions, asked, guard, where])

    def measure(self, engine: Engine, guard: Guard, tally: Tally | None = None) -> list[Found]:
        """Asks lm-eval.

        Args:
            engine: With the rung entered.
            guard: What stands between model and user; a plain one is left out.
            tally: Counts the tokens read and written.
        """
        from erosion.evaluation.utility.harness import evaluated

        plain = None if type(guard) is Guard else guard
        results, halted = evaluated(engine, plain, self.task, self.parts, tally or Tally())
        found = [self._found(results, name) for name in results["results"]]
        if halts := halted_rate(halted):
            found.append(replace(self._found(results, ""), numbers=halts))
        return found

    @property
    def _defense(self) -> Defense:
        made: Defense = find(defenses, self.options.name, "evaluation.defenses").make()
        return made

    @cached_property
    def _questions(self) -> str:
        """Digest of the task as lm-eval and the recipe have it, and of the questions themselves."""
        given = replace(self.task, path=None, data={}, run_code=False)
        asked = [_asked(member, self.task) for member in _members(self.parts)]
        return _digest([repr(given), version("lm_eval"), asked])

    def _found(self, results: dict[str, Any], name: str) -> Found:
        """One name's numbers; the empty name stands for the task as a whole, which has none of its own."""
        own = name in ("", self.task.name)
        suite = self.suite if own else f"{self.suite}/{name}" if self.task.label else f"{LM_EVAL}{name}"
        lm_eval = f"lm_eval={version('lm_eval')} erosion={VERSION}"
        number = results["versions"].get(name or self.task.name, "group")
        return Found(
            suite=suite,
            version=f"{suite}={number} {lm_eval}{'' if own else f' of={self.task.shown}'}",
            numbers=numbers(results, name) if name else [],
            rows=rows(results.get("samples", {}).get(name, [])),
        )


def task_cells(evaluation: Evaluation) -> list[TaskCell]:
    """Every task under every defence but controls, the plain model first."""
    ordered = sorted(evaluation.defenses, key=lambda each: each.name != "none")
    asked = [options for options in ordered if not _is_control(options)]
    return [
        TaskCell(
            task=replace(
                task,
                limit=task.limit or evaluation.limit,
                batch_size=task.batch_size or evaluation.batch_size,
            ),
            options=options,
            probe=evaluation.probe,
        )
        for task in evaluation.tasks
        for options in asked
    ]


def _is_control(options: GuardOptions) -> bool:
    control: bool = find(defenses, options.name, "evaluation.defenses").make().is_control
    return control


def _members(parts: Sequence[Any]) -> Iterator[Any]:
    for part in parts:
        yield from part.get_all_tasks() if hasattr(part, "get_all_tasks") else [part]


def _generates(member: Any) -> bool:
    return bool(member.OUTPUT_TYPE == "generate_until")


def _asked(member: Any, task: Task) -> list[Any]:
    """A task's configuration, where it lies left out, and its questions and solved examples."""
    config = {key: value for key, value in member.dump_config().items() if key != "dataset_kwargs"}
    config["metadata"] = {k: v for k, v in (config.get("metadata") or {}).items() if k != "config_source"}
    shots = config.get("num_fewshot") if task.few_shot is None else task.few_shot
    texts = [islice(member.eval_docs, task.limit), member.fewshot_docs() if shots else ()]
    return [config, *([_digest(doc) for doc in docs or ()] for docs in texts)]


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_named).encode()).hexdigest()[:16]


def _named(value: object) -> str:
    """A function by its name: where it lies in memory is another place each time."""
    return str(getattr(value, "__qualname__", value))
