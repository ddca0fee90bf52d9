"""What every arm and control of ADA-LP is given at a rung: probes are fitted when first needed and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.defenses.any_depth.controls import ElsewhereProbe, TextProbe
from erosion.defenses.any_depth.linear_probe import LinearProbe
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.defenses.any_depth.shared_reading import SharedReading
from erosion.evaluation.models import load_model, load_tokenizer, random_model
from erosion.evaluation.on_disk.checkpoints import base_digest
from erosion.evaluation.probes.fitting import Fitter, Place, Subject
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import INTERVAL, LOOKAHEAD

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from erosion.defenses.any_depth.checks import Check
    from erosion.defenses.base import ProbeArm
    from erosion.evaluation.engine import Engine
    from erosion.evaluation.on_disk.checkpoints import Checkpoint
    from erosion.recipes.schema import GuardOptions, ProbeCorpus


class Probes:
    """Fitted checks of a run.

    Args:
        folder: Where probes are kept.
        engine: The resident model.
        start: The rung of step 0.
        section: The recipe's probe section.
    """

    def __init__(self, folder: Path, engine: Engine, start: Checkpoint, section: ProbeCorpus) -> None:
        self.folder, self.engine, self.start, self.section = folder, engine, start, section
        self.fitter = Fitter(engine.tokenizer, section)
        self.reading = SharedReading()
        self._others: dict[str, Subject] = {}
        self._found: dict[tuple[str, str, str], Check] = {}

    def of(self, arm: ProbeArm, options: GuardOptions, rung: Checkpoint) -> Check:
        """What an arm is given; the engine has entered the rung, and has entered it when this returns.

        Raises:
            ValueError: The recipe's probe belongs to another model.
            RecipeError: A span, block or base model that cannot be used.
        """
        made_at = rung if arm == "refit" else self.start
        key = (arm, _changed(options), made_at.weights_digest)
        if key not in self._found:
            self._found[key] = self._made(arm, options, made_at, rung)
        return self._found[key]

    def _made(self, arm: ProbeArm, options: GuardOptions, made_at: Checkpoint, rung: Checkpoint) -> Check:
        if arm == "text":
            corpus = self.fitter.corpus(self.section.sources)
            return TextProbe.fit(self.engine.tokenizer, corpus, self.section.depths)
        if arm in ("base_model", "random_weights"):
            return self._elsewhere(arm, options)
        given = self.section.path and arm in ("frozen", "adapter_off")
        probe = self._given() if given else self._fitted(arm, options, made_at, rung)
        return replace(probe, adapter_off=arm == "adapter_off", reader=self.reading)

    def _given(self) -> LinearProbe:
        probe = LinearProbe.from_pretrained(str(self.section.path))
        span = safety_span(self.engine.tokenizer, "probe")
        probe.check_fits(self.engine.model, self.engine.base, span)
        return probe

    def _fitted(
        self, arm: ProbeArm, options: GuardOptions, made_at: Checkpoint, rung: Checkpoint
    ) -> LinearProbe:
        if made_at.step != rung.step:
            if not made_at.is_intact():
                raise RecipeError(f"{made_at.folder} does not match its digest, so no probe is fitted on it")
            self.engine.enter(made_at)
        try:
            return self._fitted_here(arm, options, made_at)
        finally:
            if made_at.step != rung.step:
                self.engine.enter(rung)

    def _fitted_here(self, arm: ProbeArm, options: GuardOptions, rung: Checkpoint) -> LinearProbe:
        subject = Subject(
            model=self.engine.model, name=self.engine.base, weights_digest=rung.weights_digest,
            revision=self.engine.options.revision,
        )  # fmt: skip
        place = self.fitter.place(subject.model, options, last_token=arm == "last_token")
        changed = _changed(options, arm if arm in ("shuffled_labels", "last_token") else "")
        folder = self.folder / f"step-{rung.step:06d}{changed}"
        probe = self.fitter.fit(subject, place, folder, shuffle_labels=arm == "shuffled_labels")
        return self.fitter.match(probe, subject, folder / "matched") if arm == "frozen_matched" else probe

    def _elsewhere(self, arm: ProbeArm, options: GuardOptions) -> Check:
        other = self._others.get(arm) or self._subject(arm)
        self._others[arm] = other
        place: Place = self.fitter.place(other.model, options)
        probe = self.fitter.fit(other, place, self.folder / f"{arm}{_changed(options)}")
        return ElsewhereProbe(probe=replace(probe, reader=self.reading), other=other.model)

    def _subject(self, arm: ProbeArm) -> Subject:
        options = self.engine.options
        if arm == "random_weights":
            model = random_model(self.engine.base, options)
            return Subject(
                model=model, name=f"{self.engine.base}, random weights", weights_digest=f"seed {options.seed}"
            )
        base = str(self.section.base)
        theirs: PreTrainedModel = load_model(base, replace(options, revision=None))
        if load_tokenizer(base).get_vocab() != self.engine.tokenizer.get_vocab():
            raise RecipeError(
                f"evaluation.probe.base: {base!r} has another vocabulary than {self.engine.base!r}"
            )
        return Subject(model=theirs, name=base, weights_digest=base_digest(base, revision=None, seed=0))


def _changed(options: GuardOptions, control: str = "") -> str:
    """What sets a probe's folder apart from the published one."""
    reads = replace(options, name="", interval=INTERVAL, lookahead=LOOKAHEAD, model=None).label
    parts = [part for part in (control, reads.removeprefix("@")) if part]
    return f"@{','.join(parts)}" if parts else ""
