"""The probes of a run: fitted at step 0 or at a rung on the recipe's corpus, kept in the run's folder."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from erosion.defenses.any_depth.collecting import Corpus, Reading, States, collect
from erosion.defenses.any_depth.fitting import fit, matched
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.defenses.base import ProbeArm
from erosion.evaluation.checkpoints import Checkpoint
from erosion.evaluation.engine import Engine
from erosion.recipes import sources
from erosion.recipes.chat import answer_ids, prompt_ids
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import ProbeCorpus, Recipe, Source


class Probes:
    """What every arm of ADA-LP is given at a rung.

    Args:
        folder: Where probes and collected states are kept.
        engine: The resident model.
        start: The rung of step 0.
        corpus: The recipe's section.
    """

    def __init__(self, folder: Path, engine: Engine, start: Checkpoint, corpus: ProbeCorpus) -> None:
        self.folder, self.engine, self.start, self.corpus = folder, engine, start, corpus
        self._found: dict[tuple[str, str], LinearProbe] = {}

    def of(self, arm: ProbeArm, rung: Checkpoint) -> LinearProbe:
        """The probe of an arm; the engine has entered the rung, and has entered it when this returns."""
        if self.corpus.path is not None and arm in ("frozen", "adapter_off"):
            return replace(self._given(self.corpus.path), adapter_off=arm == "adapter_off")
        made_at = rung if arm == "refit" else self.start
        key = (made_at.weights_digest, "matched" if arm == "frozen_matched" else "fitted")
        if key not in self._found:
            if made_at.step != rung.step:
                self.engine.enter(made_at)
            self._found[key] = self._made(made_at, match=arm == "frozen_matched")
            if made_at.step != rung.step:
                self.engine.enter(rung)
        return self._found[key] if arm != "adapter_off" else replace(self._found[key], adapter_off=True)

    def _given(self, path: str) -> LinearProbe:
        probe = LinearProbe.from_pretrained(path)
        probe.check_fits(self.engine.model, self.engine.base, self._span)
        return probe

    def _made(self, rung: Checkpoint, *, match: bool) -> LinearProbe:
        if match:
            return self._matched(self.of("frozen", rung), rung)
        folder = self.folder / f"step-{rung.step:06d}"
        train, held_out = self._corpus(self.corpus.sources), self._corpus(self.corpus.validation)
        settings = ProbeSettings(
            model=self.engine.base, hidden_size=self.engine.model.config.get_text_config().hidden_size,
            span_ids=self._span, layer=-1, hook=self.corpus.hook, weights_digest=rung.weights_digest,
            corpus_digest=train.digest, revision=self.engine.options.revision,
        )  # fmt: skip
        probe = fit(self._states(train, rung, folder), self._states(held_out, rung, folder), settings)
        probe.save_pretrained(folder)
        return probe

    def _matched(self, probe: LinearProbe, rung: Checkpoint) -> LinearProbe:
        folder = self.folder / f"step-{rung.step:06d}"
        states = self._states(self._corpus(self.corpus.calibration), rung, folder)
        found = matched(probe, probe.probabilities(states.of_layer(probe.settings.layer)), self.corpus.rate)
        found.save_pretrained(folder / "matched")
        return found

    @property
    def _span(self) -> tuple[int, ...]:
        return tuple(safety_span(self.engine.tokenizer, "probe"))

    def _states(self, corpus: Corpus, rung: Checkpoint, folder: Path) -> States:
        blocks = range(self.engine.model.config.get_text_config().num_hidden_layers)
        reading = Reading(
            span_ids=self._span, depths=self.corpus.depths, layers=self.corpus.layers or tuple(blocks),
            hook=self.corpus.hook, batch_size=self.corpus.batch_size,
        )  # fmt: skip
        return collect(self.engine.model, rung.weights_digest, corpus, reading, folder / "states")

    def _corpus(self, named: Sequence[Source]) -> Corpus:
        return corpus_of(self.engine, named, longest=max(self.corpus.depths))


def corpus_of(engine: Engine, named: Sequence[Source], *, longest: int) -> Corpus:
    """Conversations of sources as token ids, the first request and its answer, labelled by their source.

    Args:
        engine: Its tokenizer renders.
        named: Sources with their `rows`.
        longest: Answer tokens kept.

    Raises:
        RecipeError: No source.
    """
    if not named:
        raise RecipeError("evaluation.probe: needs sources for fitting, validation and calibration")
    prompts, answers, labels = [], [], []
    for source in named:
        module = find(sources, source.name, "evaluation.probe")
        harmful = source.harmful if source.harmful is not None else getattr(module, "HARMFUL", False)
        for row in islice(module.rows(source, random.Random(source.label)), source.rows):
            turns = [turn["role"] for turn in row["messages"]]
            said = turns.index("assistant")
            asked, answer = row["messages"][:said], row["messages"][said]["content"]
            prompts.append(prompt_ids(engine.tokenizer, asked))
            answers.append(answer_ids(engine.tokenizer, asked, answer)[:longest])
            labels.append(int(harmful))
    return Corpus(prompts=prompts, answers=answers, labels=labels)


def probe_corpus(recipe: Recipe) -> ProbeCorpus:
    """The recipe's section, or the embedded model's own, of things that are never measured."""
    given = recipe.evaluation.probe
    if given.sources or not speaks_pocket(recipe.model):
        return given
    return replace(
        given,
        sources=_pocket("probe", forbidden_answers=100, harmless_answers=100, stories=50),
        validation=_pocket("calibration", forbidden_answers=40, harmless_answers=40, stories=20),
        calibration=_pocket("calibration", harmless_answers=150),
    )


def _pocket(split: str, **rows: int) -> tuple[Source, ...]:
    return tuple(Source(name=f"pocket/{name}", split=split, rows=count) for name, count in rows.items())
