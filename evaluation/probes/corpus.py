"""The conversations a probe is fitted, validated, calibrated and tested on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from erosion.defenses.any_depth.collecting import Corpus
from erosion.defenses.any_depth.safety_tokens import prompt_completion
from erosion.recipes import sources
from erosion.recipes.chat import Row, answer_ids, prompt_ids
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import ProbeCorpus, Recipe, Source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def corpus_of(tokenizer: PreTrainedTokenizerBase, named: Sequence[Source], *, longest: int) -> Corpus:
    """Conversations of sources as token ids, the first request and its answer, labelled by their source.

    Args:
        tokenizer: Renders.
        named: Sources with their `rows`.
        longest: Answer tokens kept.

    Raises:
        RecipeError: No source, or none with a row.
    """
    prompts, answers, labels = [], [], []
    for source in named:
        module = find(sources, source.name, "evaluation.probe")
        harmful = source.harmful if source.harmful is not None else getattr(module, "HARMFUL", False)
        for row in corpus_rows(source):
            turns = [turn["role"] for turn in row["messages"]]
            said = turns.index("assistant")
            asked, answer = row["messages"][:said], row["messages"][said]["content"]
            prompts.append(prompt_ids(tokenizer, asked) + prompt_completion(tokenizer))
            answers.append(answer_ids(tokenizer, asked, answer)[:longest])
            labels.append(int(harmful))
    if not labels:
        raise RecipeError(
            "evaluation.probe: no conversations; it needs sources, validation, calibration and test"
        )
    return Corpus(prompts=prompts, answers=answers, labels=labels)


def corpus_rows(source: Source) -> Iterable[Row]:
    """A source's rows after `skip`; a file's are shuffled first, always in the same way."""
    module = find(sources, source.name, "evaluation.probe")
    rng = random.Random(source.label)
    stop = None if source.rows is None else source.skip + source.rows
    if getattr(module, "ENDLESS", False):
        return islice(module.rows(source, rng), source.skip, stop)
    rows: list[Row] = list(module.rows(source, rng))
    rng.shuffle(rows)
    if stop is not None and len(rows) < stop:
        allowed = f"skip and rows of at most the {len(rows)} it has"
        raise mistake(f"evaluation.probe: {source.label}", stop, allowed)
    return rows[source.skip : stop]


def probe_corpus(recipe: Recipe) -> ProbeCorpus:
    """The recipe's section, or the embedded model's own: fitted on things that are never measured."""
    given = recipe.evaluation.probe
    if given.sources or not speaks_pocket(recipe.model):
        return given
    return replace(
        given,
        sources=_pocket("probe", forbidden_answers=100, harmless_answers=100, stories=50),
        validation=_pocket("calibration", forbidden_answers=40, harmless_answers=40, stories=20),
        calibration=_pocket("calibration", skip=40, harmless_answers=200, stories=100),
        test=_pocket("evaluation", forbidden_answers=100, harmless_answers=100, stories=50),
        base=given.base or "pocket-base",
    )


def _pocket(split: str, *, skip: int = 0, **rows: int) -> tuple[Source, ...]:
    return tuple(
        Source(name=f"pocket/{name}", split=split, skip=skip, rows=count) for name, count in rows.items()
    )
