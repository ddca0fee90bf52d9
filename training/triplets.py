"""Recovery triplets from harmful pairs: the refusals are the model's own (2406.05946, section 3)."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from erosion.defenses.any_depth.safety_tokens import prompt_completion
from erosion.defenses.base import Guard, StoppedBy
from erosion.evaluation.engine import Engine
from erosion.evaluation.jsonl import append_lines, read_lines
from erosion.evaluation.judges.phrases import judge
from erosion.evaluation.machine import use_all_cores
from erosion.evaluation.models import LoadOptions, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import base_digest
from erosion.evaluation.records import Case, Completion
from erosion.recipes.chat import Message, prompt_ids
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import Source
from erosion.recipes.sources import pairs

SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[\u3002\uff01\uff1f]")
"""Where a sentence ends, in Latin and in Chinese or Japanese writing."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A harmful request and its answer."""

    prompt: str
    harmful: str


@dataclass(frozen=True, kw_only=True)
class TripletSettings:
    """What triplets are made from, and how.

    Attributes:
        model: An embedded name, a folder or a hub id.
        pairs: A file of harmful pairs, as the source `pairs` reads it.
        output: JSON lines with the columns `prompt`, `harmful` and `refusal`; new ones are appended.
        columns: Names of the file's columns where they are not `prompt` and `answer`.
        limit: Pairs to take from the file; all of them when None.
        max_new_tokens: New tokens per answer; what is cut there loses its last, unfinished sentence.
        batch_size: Requests answered together.
        system: A system prompt put before every request.
        revision: The model's hub revision.
        dtype: Its dtype on an accelerator.
    """

    model: str
    pairs: Path
    output: Path
    max_new_tokens: int
    batch_size: int
    columns: dict[str, str]
    limit: int | None = None
    system: str | None = None
    revision: str | None = None
    dtype: str = "float32"


def make_triplets(settings: TripletSettings) -> Counter[str]:
    """Asks the model for greedy answers and keeps, with their pairs, those that refuse; prints the counts.

    A later call goes on where an earlier one stopped: what is in the output is not asked again.

    Returns:
        New answers by the phrase judge's label; only `refused` ones are in the output.

    Raises:
        RecipeError: A file or model that cannot be used, an output of another model or setting, or not one
            refusal.
    """
    use_all_cores()
    if settings.output.suffix != ".jsonl":
        raise mistake("output", str(settings.output), "a file named .jsonl")
    given = list(dict.fromkeys(islice(_pairs(settings), settings.limit)))
    made_by = _made_by(settings)
    held = _held(settings.output, made_by)
    waiting = [pair for pair in given if pair not in held]
    labels = Counter[str]()
    for triplets, found in _asked(settings, waiting) if waiting else ():
        if triplets:
            append_lines(settings.output, [{**line, "made_by": made_by} for line in triplets])
        labels += found
    if not held and not labels["refused"]:
        raise RecipeError(
            f"{settings.pairs}: {settings.model!r} refused none of the {len(given)} requests, "
            "so there are no triplets"
        )
    print(_told(settings, labels, held=len(given) - len(waiting)))
    return labels


def _pairs(settings: TripletSettings) -> Iterator[Pair]:
    source = Source(name="pairs", path=str(settings.pairs), columns=settings.columns)
    for row in pairs.rows(source, random.Random(0)):
        asked, answered = row["messages"]
        yield Pair(prompt=asked["content"], harmful=answered["content"])


def _made_by(settings: TripletSettings) -> str:
    weights = base_digest(settings.model, revision=settings.revision)
    parts = [weights, settings.system, settings.max_new_tokens]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _held(output: Path, made_by: str) -> set[Pair]:
    lines = read_lines(output)
    if any(line.get("made_by") != made_by for line in lines):
        raise RecipeError(
            f"output: {output} holds triplets of another model, system prompt or max_new_tokens; "
            "give another --output"
        )
    return {Pair(prompt=line["prompt"], harmful=line["harmful"]) for line in lines}


def _asked(
    settings: TripletSettings, waiting: Sequence[Pair]
) -> Iterator[tuple[list[dict[str, str]], Counter[str]]]:
    """Batch by batch: the triplets, and every answer's label."""
    tokenizer = load_tokenizer(settings.model, revision=settings.revision)
    options = LoadOptions(revision=settings.revision, dtype=settings.dtype)
    engine = Engine(settings.model, tokenizer, options)
    for start in range(0, len(waiting), settings.batch_size):
        batch = waiting[start : start + settings.batch_size]
        answers = _answers(engine, settings, batch)
        triplets = [
            {**vars(pair), "refusal": answer.text}
            for pair, answer in zip(batch, answers, strict=True)
            if judge(answer).label == "refused"
        ]
        yield triplets, Counter(judge(answer).label for answer in answers)


def _answers(engine: Engine, settings: TripletSettings, batch: Sequence[Pair]) -> list[Completion]:
    before: list[Message] = [{"role": "system", "content": settings.system}] if settings.system else []
    asked: list[list[Message]] = [[*before, {"role": "user", "content": pair.prompt}] for pair in batch]
    header = prompt_completion(engine.tokenizer)
    prompts = [prompt_ids(engine.tokenizer, messages) + header for messages in asked]
    said = engine.generate(Guard(), prompts, max_new_tokens=settings.max_new_tokens)
    texts = (str(engine.tokenizer.decode(ids, skip_special_tokens=True)) for ids in said.new_ids)
    return [
        Completion(
            case=Case(suite="triplets", id="", messages=messages), text=finished(text, why), token_ids=ids,
            stopped_by=why,
        )
        for messages, text, ids, why in zip(asked, texts, said.new_ids, said.stopped_by, strict=True)
    ]  # fmt: skip


def finished(text: str, stopped_by: StoppedBy) -> str:
    """An answer as it can be learned: where it was cut, only its whole sentences."""
    if stopped_by == "end_of_turn":
        return text.strip()
    ends = [found.end() for found in SENTENCE_END.finditer(text)]
    return text[: ends[-1]].strip() if ends else ""


def _told(settings: TripletSettings, labels: Counter[str], *, held: int) -> str:
    out = {label: count for label, count in sorted(labels.items()) if label != "refused"}
    named = f" ({', '.join(f'{count} {label}' for label, count in out.items())})" if out else ""
    return (
        f"triplets: {settings.output}\n{labels['refused']} refusals added, {held} there before, "
        f"{sum(out.values())} requests not refused and left out{named}"
    )
