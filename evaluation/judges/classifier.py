"""A local judge model by folder or hub id, in the format it was trained on.

A format is a file in `evaluation/classifiers/`, the option `rubric` names it. WildGuard and classifiers of
refusals tell refusals; HarmBench's classifier, Llama Guard and StrongREJECT's tell harm alone: their
`complied` is harmful compliance, their `scored` anything else, and they are in no refusal rate.
The model reads the last user turn and the new text, HarmBench's two a turn's context apart; a guard's halt
and an empty text it is not asked of. An answer that does not fit into its context is unscored, never cut.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

from erosion.evaluation import classifiers
from erosion.evaluation.classifiers._models import (
    ClassModel,
    LanguageModel,
    Pair,
    meanings,
    model_digest,
    prompt_tokens,
    settings,
)
from erosion.evaluation.classifiers.base import Format, Meaning, Output
from erosion.evaluation.judging.work import JudgeWork, longest_answers
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.named_suite import parts_of
from erosion.evaluation.records import Completion, HigherIs, Label, Verdict
from erosion.evaluation.tally import Tally
from erosion.recipes.chat import Message
from erosion.recipes.discovery import find, names
from erosion.recipes.judge_options import JudgeOptions
from erosion.recipes.parsing import RecipeError, mistake

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from erosion.evaluation.cells import Cell

VERSION = "1"
HONOURS = frozenset({"rubric", "model", "revision", "batch_size", "refused", "complied"})
FORMATS: dict[str, Format] = {name: find(classifiers, name, "rubric").FORMAT for name in names(classifiers)}
RUBRICS: dict[str, Mapping[str, HigherIs]] = {name: format.tells for name, format in FORMATS.items()}


def make(options: JudgeOptions) -> Classifier:
    """The judge; its model is loaded when it is first asked."""
    return Classifier(options=options, format=FORMATS[str(options.rubric)])


def check(options: JudgeOptions, where: str) -> None:
    """Checks the model's name and its labels by its configuration alone.

    Raises:
        RecipeError: No model, one that cannot be reached or is of another kind, or labels nobody explains.
    """
    _means(options, FORMATS[str(options.rubric)], f"{where}: {options.label}")


def work(options: JudgeOptions, cells: Sequence[Cell], tokenizer: PreTrainedTokenizerBase) -> JudgeWork:
    """Its prompts at most, by its own tokenizer where that can be reached, else by the run's."""
    format, note = FORMATS[str(options.rubric)], ""
    name = _model(options, format)
    try:
        tokenizer = load_tokenizer(name, revision=options.revision)
    except RecipeError:
        note = f"in the studied model's tokens, since the tokenizer of {name} cannot be reached"
    asked = [(_request(prompt.case.messages), new) for prompt, new in longest_answers(cells)]
    empty = {request: len(prompt_tokens(tokenizer, format, request, "")) for request, _ in asked}
    return JudgeWork(
        judge=options.label, verdicts=len(asked), read=sum(empty[request] + new for request, new in asked),
        written=len(asked) * format.new_tokens, reader="own", note=note,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A judge that asks a model.

    Attributes:
        options: As they were given.
        format: The named one.
        tally: What its model has read and written.
    """

    options: JudgeOptions
    format: Format
    tally: Tally = field(default_factory=Tally, compare=False)

    @property
    def name(self) -> str:
        """`classifier/wildguard`."""
        return self.options.label

    @cached_property
    def version(self) -> str:
        """Of this file, the format, the weights, and what labels were said to mean."""
        told = {"refused": self.options.refused, "complied": self.options.complied}
        labels = f"-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]}" if any(told.values()) else ""
        digest = model_digest(_model(self.options, self.format), self.options.revision)
        return f"{VERSION}.{self.format.version}-{digest}{labels}"

    @property
    def tells(self) -> Mapping[str, HigherIs]:
        """The format's metrics."""
        return self.format.tells

    @property
    def use_cpu(self) -> bool:
        """Whether an accelerator is left alone."""
        return False

    @property
    def batch_size(self) -> int:
        """Answers the model reads together."""
        return self.options.batch_size

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Tokens its model has read and written until now."""
        return self.tally.prompt_tokens, self.tally.generated_tokens, 0

    def judge_all(self, completions: Sequence[Completion]) -> Iterator[Verdict]:
        """A verdict for every completion, batch by batch."""
        for start in range(0, len(completions), self.batch_size):
            yield from self._batch(completions[start : start + self.batch_size])

    @cached_property
    def model(self) -> LanguageModel | ClassModel:
        """What is asked."""
        name, revision = _model(self.options, self.format), self.options.revision
        means = _means(self.options, self.format, self.name)
        if self.format.classes is None:
            return LanguageModel(name, revision, self.format, self.tally)
        return ClassModel(name, revision, self.format, means, self.tally)

    def _batch(self, completions: Sequence[Completion]) -> list[Verdict]:
        known = [self._unasked(completion) for completion in completions]
        pairs = [
            self._asked(completion)
            for completion, verdict in zip(completions, known, strict=True)
            if verdict is None
        ]
        said = iter(self.model.ask(pairs) if pairs else [])
        return [
            verdict or self._verdict(completion, next(said))
            for completion, verdict in zip(completions, known, strict=True)
        ]

    def _asked(self, completion: Completion) -> Pair:
        """What its format makes a prompt of."""
        whole = _request(completion.case.messages)
        if self.format.reads_context:
            context, request = parts_of(completion.case, whole)
            if context:
                return request, completion.text, context
        return whole, completion.text

    def _unasked(self, completion: Completion) -> Verdict | None:
        """A verdict for which no model is needed."""
        if completion.stopped_by == "guard":
            return Verdict(label="halted", judge=self.name)
        if not completion.text.strip():
            return Verdict(label="incoherent", judge=self.name, detail="no text")
        if self.format.reads_request and not _request(completion.case.messages):
            return Verdict(label="unscored", judge=self.name, detail="no prompt")
        return None

    def _verdict(self, completion: Completion, said: Output | None) -> Verdict:
        if said is None:
            return Verdict(label="unscored", judge=self.name, detail="longer than the judge's context")
        read = self.format.read(said)
        recovered = read.label == "refused" and completion.case.depth > 0
        label: Label = "recovered" if recovered else read.label
        weighed = said.probabilities and not said.text
        raw = json.dumps(dict(said.probabilities)) if weighed else said.text
        return Verdict(label=label, judge=self.name, detail=read.detail, score=read.score, raw=raw)


def _model(options: JudgeOptions, format: Format) -> str:
    return str(options.model or format.model)


def _means(options: JudgeOptions, format: Format, where: str) -> dict[str, Meaning]:
    """What a classifier's labels mean; nothing for a language model."""
    if options.model is None and format.model is None:
        raise mistake(f"{where}: model", None, "a sequence classifier's folder or hub id")
    _check_format(options, where)
    _, config = settings(_model(options, format), options.revision, f"{where}: model")
    classifies = any("SequenceClassification" in each for each in config.get("architectures") or [])
    if classifies != (format.classes is not None):
        wanted = "a language model" if format.classes is None else "a sequence classifier"
        raise RecipeError(f"{where}: model: given {options.model!r}, allowed {wanted}")
    if format.classes is None:
        if given := [*options.refused, *options.complied]:
            raise mistake(f"{where}: labels", given[0], "none, since this model writes its verdict")
        return {}
    if config.get("problem_type") == "multi_label_classification":
        raise RecipeError(f"{where}: model: {options.model!r} gives several labels at once, allowed one")
    labels = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    return meanings(list(labels.values()), format, options.refused, options.complied, where)


def _check_format(options: JudgeOptions, where: str) -> None:
    """A published model is asked in the format it was trained on, on the hub, in its cache or in a folder."""
    place = PurePath(options.model or "")
    for rubric, format in FORMATS.items():
        if format.model is None or rubric == options.rubric:
            continue
        if (
            place.name == PurePath(format.model).name
            or f"models--{format.model.replace('/', '--')}" in place.parts
        ):
            raise RecipeError(f"{where}: model: {options.model!r} is asked by the rubric {rubric!r}")


def _request(messages: Sequence[Message]) -> str:
    """The last user turn."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return asked[-1] if asked else ""
