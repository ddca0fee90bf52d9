"""Fits a probe of one model at one place and keeps it in a folder; what is already there is read back."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.defenses.any_depth.collecting import Corpus, Reading, States, collect
from erosion.defenses.any_depth.controls import shuffled
from erosion.defenses.any_depth.fitting import fit, matched
from erosion.defenses.any_depth.linear_probe import SETTINGS, LinearProbe, ProbeSettings
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.evaluation.probes.corpus import corpus_of
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import GuardOptions, ProbeCorpus, Source
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that is read.

    Attributes:
        model: With the weights in place.
        name: Its name or hub id.
        weights_digest: Of those weights.
        revision: Its hub revision.
    """

    model: PreTrainedModel
    name: str
    weights_digest: str
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a probe reads.

    Attributes:
        span_ids: The Safety Tokens up to the one that is read; none for the answer's own last token.
        hook: The part of a block.
        layers: Blocks that are tried.
    """

    span_ids: tuple[int, ...]
    hook: Hook
    layers: tuple[int, ...]


class Fitter:
    """Fits probes on one corpus.

    Args:
        tokenizer: Renders the corpus.
        section: The recipe's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, section: ProbeCorpus) -> None:
        self.tokenizer, self.section = tokenizer, section
        self._corpora: dict[str, Corpus] = {}

    def place(self, model: PreTrainedModel, options: GuardOptions, *, last_token: bool = False) -> Place:
        """Where a defence with these options reads a model.

        Raises:
            RecipeError: The span has fewer tokens, or the model fewer blocks.
        """
        span = safety_span(self.tokenizer, options.span)
        if -options.token > len(span):
            raise mistake("evaluation.defenses.token", options.token, f"-1 to -{len(span)} in this span")
        blocks = model.config.get_text_config().num_hidden_layers
        layers = (options.layer,) if options.layer is not None else self.section.layers or range(blocks)
        if max(layers) >= blocks:
            raise mistake("evaluation.probe.layers", max(layers), f"0 to {blocks - 1} in this model")
        return Place(
            span_ids=() if last_token else tuple(span[: len(span) + options.token + 1]),
            hook=options.hook or self.section.hook,
            layers=tuple(layers),
        )

    def fit(
        self, subject: Subject, place: Place, folder: Path, *, shuffle_labels: bool = False
    ) -> LinearProbe:
        """The probe in the folder if it is this one, else a new one; collected states are dropped then."""
        train = self.corpus(self.section.sources)
        train = shuffled(train) if shuffle_labels else train
        settings = ProbeSettings(
            model=subject.name, hidden_size=subject.model.config.get_text_config().hidden_size,
            span_ids=place.span_ids, layer=-1, hook=place.hook, weights_digest=subject.weights_digest,
            corpus_digest=train.digest, revision=subject.revision,
        )  # fmt: skip
        held_out = self.corpus(self.section.validation)
        how = _digest(held_out.digest, self.section.depths, place.layers)
        if (kept := _kept(folder, settings, "fitted_by", how)) is not None:
            return kept
        probe = fit(
            self._states(subject, place, train, folder),
            self._states(subject, place, held_out, folder),
            settings,
        )
        return _saved(probe, folder, "fitted_by", how)

    def match(self, probe: LinearProbe, subject: Subject, folder: Path) -> LinearProbe:
        """The probe with its threshold matched on the calibration conversations; kept in the folder."""
        calibration = self.corpus(self.section.calibration)
        if any(calibration.labels):
            raise RecipeError("evaluation.probe.calibration: holds harmful sources, allowed benign ones only")
        how = _digest(calibration.digest, self.section)
        if (kept := _kept(folder, probe.settings, "matched_by", how)) is not None:
            return kept
        own = probe.settings
        place = Place(span_ids=own.span_ids, hook=own.hook, layers=(own.layer,))
        states = self._states(subject, place, calibration, folder)
        benign = probe.probabilities(states.of_layer(own.layer))
        found = matched(probe, benign, self.section.rate, lowest=self.section.lowest_threshold)
        return _saved(found, folder, "matched_by", how)

    def corpus(self, named: tuple[Source, ...]) -> Corpus:
        """A list of sources as token ids, rendered once."""
        key = repr(named)
        if key not in self._corpora:
            self._corpora[key] = corpus_of(self.tokenizer, named, longest=max(self.section.depths))
        return self._corpora[key]

    def _states(self, subject: Subject, place: Place, corpus: Corpus, folder: Path) -> States:
        reading = Reading(
            span_ids=place.span_ids, depths=self.section.depths, layers=place.layers,
            hook=place.hook, batch_size=self.section.batch_size,
        )  # fmt: skip
        return collect(subject.model, subject.weights_digest, corpus, reading, folder / "states")


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _kept(folder: Path, wanted: ProbeSettings, key: str, how: str) -> LinearProbe | None:
    """A probe made before of the same model, texts and places, in the same way."""
    if not (folder / SETTINGS).is_file():
        return None
    probe = LinearProbe.from_pretrained(folder)
    own = probe.settings
    chosen: dict[str, Any] = {"metrics": wanted.metrics, "threshold": wanted.threshold}
    if wanted.layer < 0:
        chosen["layer"] = wanted.layer
    return probe if replace(own, **chosen) == wanted and own.metrics.get(key) == how else None


def _saved(probe: LinearProbe, folder: Path, key: str, how: str) -> LinearProbe:
    """The probe with a note of how it was made, saved; the states it was made from are dropped."""
    metrics = probe.settings.metrics | {key: how}
    noted = replace(probe, settings=replace(probe.settings, metrics=metrics))
    noted.save_pretrained(folder)
    shutil.rmtree(folder / "states")
    return noted
