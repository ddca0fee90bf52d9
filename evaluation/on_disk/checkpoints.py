"""Checkpoints of a run: the ladder's manifest, and digests that tell if a rung's files are as written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erosion.evaluation.jsonl import read_lines
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.parsing import RecipeError, mistake

MANIFEST = "ladder.jsonl"
GONE = "its weights were removed on purpose once they were measured (save_total_limit)"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One rung of a ladder.

    Attributes:
        run: The run's folder.
        step: The optimizer step it was saved at.
        path: Its folder, relative to the run's.
        weights_digest: Of its weights and the base model's.
        base_digest: Of the base model's weights.
        recipe_digest: Of the recipe it was trained by.
        dataset_digest: Of the tokens it was trained on.
        training_loss: Loss logged at that step; None at step 0.
        removed: Whether its files were removed on purpose, once all was measured of them.
    """

    run: Path
    step: int
    path: str
    weights_digest: str
    base_digest: str
    recipe_digest: str
    dataset_digest: str
    training_loss: float | None
    removed: bool = False

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.run / self.path

    @property
    def is_adapter(self) -> bool:
        """Whether it is a PEFT adapter on a base model; otherwise it is a whole model."""
        return (self.folder / "adapter_config.json").is_file()

    def line(self) -> dict[str, Any]:
        """Its line in the manifest."""
        own = {key: value for key, value in vars(self).items() if key != "run"}
        return own if self.removed else {key: value for key, value in own.items() if key != "removed"}

    def is_intact(self) -> bool:
        """Whether its files are there and still what the manifest says."""
        there = self.folder.is_dir() and not self.removed
        return there and weights_digest(self.folder, self.base_digest) == self.weights_digest


def read_ladder(run: Path) -> list[Checkpoint]:
    """The rungs a run has completed, by step; the last line of a step counts.

    Raises:
        RecipeError: The folder holds no run.
    """
    if not run.is_dir():
        raise RecipeError(f"run: given {str(run)!r}, and there is no such folder")
    rungs = {line["step"]: Checkpoint(run=run, **line) for line in read_lines(run / MANIFEST)}
    return [rungs[step] for step in sorted(rungs)]


def rung_at(rungs: Sequence[Checkpoint], step: int | None) -> Checkpoint:
    """The rung of a step, the last when None, with its files as they were written.

    Raises:
        RecipeError: The ladder has no such rung, or its files have changed or were removed.
    """
    steps = [rung.step for rung in rungs]
    if step is not None and step not in steps:
        nearest = min(steps, key=lambda other: abs(other - step))
        raise mistake("step", step, f"{', '.join(map(str, steps))}; the nearest is {nearest}")
    rung = rungs[-1 if step is None else steps.index(step)]
    if rung.removed:
        raise RecipeError(f"step {rung.step}: {GONE}")
    if not rung.is_intact():
        raise RecipeError(f"step {rung.step}: {rung.folder} does not match its digest")
    return rung


def weights_digest(folder: Path, base: str = "") -> str:
    """SHA-256 (16 hex digits) of a folder's weights, its adapter's settings and the base's digest.

    The adapter's own note of where its base lies is left out: it is a path of one machine.

    Raises:
        RecipeError: A folder without weights.
    """
    sha = hashlib.sha256(base.encode())
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not files:
        raise RecipeError(f"{folder}: no weights (*.safetensors)")
    for file in files:
        sha.update(file.name.encode())
        for block in _blocks(file):
            sha.update(block)
    sha.update(_adapter_settings(folder).encode())
    return sha.hexdigest()[:16]


def base_digest(name: str, *, revision: str | None = None, seed: int = 0) -> str:
    """Digest of a base model, given as an embedded name, a folder or a hub id.

    A folder without weights starts from random ones: its configuration and the seed stand for them. On the
    hub the commit stands for the weights.
    """
    folder = Path(resolve(name))
    if not folder.is_dir():
        return f"hub-{_sha(f'{name}@{_hub_commit(name, revision)}'.encode())}"
    if is_untrained(str(folder)):
        return f"random-{_sha((folder / 'config.json').read_bytes() + str(seed).encode())}"
    return weights_digest(folder)


def _hub_commit(name: str, revision: str | None) -> str:
    from transformers.utils import cached_file

    return Path(str(cached_file(name, "config.json", revision=revision))).parent.name


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(1 << 24):
            yield block


def _adapter_settings(folder: Path) -> str:
    file = folder / "adapter_config.json"
    if not file.is_file():
        return ""
    settings = json.loads(file.read_text(encoding="utf-8"))
    kept = {
        key: value for key, value in settings.items() if key not in ("base_model_name_or_path", "revision")
    }
    return json.dumps(
        {k: sorted(v) if isinstance(v, list) else v for k, v in kept.items()}, sort_keys=True, default=str
    )
