"""Versions and digests that results are keyed by: what changes one has exactly that measured again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from erosion.defenses.base import Defense
from erosion.evaluation import judges as judge_files
from erosion.evaluation import openers
from erosion.evaluation.on_disk.checkpoints import base_digest
from erosion.evaluation.plan import PROBE_PARTS
from erosion.evaluation.suite import Suite
from erosion.recipes.discovery import find
from erosion.recipes.models import resolve
from erosion.recipes.pocket.world import LANGUAGE_VERSION
from erosion.recipes.schema import GuardOptions, ProbeCorpus

DECODING = "1"
"""Raised when the engine would answer or score otherwise."""
NUMBERS = "4"
"""Raised when other numbers would be made of the same verdicts."""


def suite_version(name: str, suite: Suite) -> str:
    """Of a suite, its judges and what makes numbers of their verdicts.

    A git commit is in no key: it would have everything measured again. Each part raises its own `VERSION`
    when it would give another number; which commit made a number stands beside it as `code`.
    """
    judges = [f"{judge}={find(judge_files, judge, 'judge').VERSION}" for judge in suite.judges]
    return f"{name}={suite.version} {' '.join(judges)} openers={openers.VERSION} numbers={NUMBERS}"


def guard_digest(defense: Defense, options: GuardOptions, probe: ProbeCorpus, template: str | None) -> str:
    """Of what a guard's verdicts depend on beside the model: version, template, probe's texts, judge."""
    parts: list[object] = [defense.version, template]
    if defense.probe_arm:
        named = [source for part in PROBE_PARTS for source in getattr(probe, part)]
        parts += [repr(probe), LANGUAGE_VERSION, *(_content(source.path) for source in named)]
        parts += [_content(file) for file in sorted(Path(probe.path or "-").glob("probe.*"))]
    if options.model and Path(resolve(options.model)).is_dir():
        parts.append(base_digest(options.model))
    return "" if options.name == "none" else digest_of(parts)


def _content(file: str | Path | None) -> str:
    return hashlib.sha256(Path(file).expanduser().read_bytes()).hexdigest() if file else ""


def digest_of(parts: object) -> str:
    """SHA-256 (16 hex digits) of plain data."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
