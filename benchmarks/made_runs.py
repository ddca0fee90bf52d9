"""Runs as a sweep leaves them, made without a model: rows, measurements, recipe, ladder, provenance."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from erosion.evaluation import suites
from erosion.evaluation.aggregate import aggregate
from erosion.evaluation.answers import sample_path
from erosion.evaluation.cells import cell_digest
from erosion.evaluation.completeness.expected import Expected, Where, write_expected
from erosion.evaluation.digests import suite_version
from erosion.evaluation.jsonl import write_lines
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.recipes.discovery import find

SYLLABLES = (("lum", "tor", "vek", "ash", "pil", "dro"), "aeiou", ("rin", "lek", "dor", "mon", "tas", "vil"))
VOCABULARY = ["".join(parts) for parts in itertools.product(*SYLLABLES)]
Words = Callable[[random.Random, int], str]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a run holds.

    Attributes:
        seed: Of the recipe, and of what is said.
        steps: The ladder.
        suites: By name.
        depths: Answer tokens forced; suites of harmless requests are asked directly alone.
        defenses: Guards; what they halt is halted at 25 tokens.
        prompts: Of every cell.
        words: Makes prompts and answers.
        lacking: Cells that are expected and not measured: step, suite, defence, depth.
        recipe: Keys of the recipe that differ.
    """

    seed: int = 1
    steps: tuple[int, ...] = (0, 1, 2, 5, 10, 20, 50)
    suites: tuple[str, ...] = ("pocket/refusal", "pocket/over_refusal", "pocket/helpfulness")
    depths: tuple[int, ...] = (0, 10, 25, 100)
    defenses: tuple[str, ...] = ("none", "ada_rk", "ada_lp")
    prompts: int = 20
    words: Words = lambda rng, count: " ".join(rng.choices(VOCABULARY, k=count))
    lacking: tuple[tuple[int, str, str, int], ...] = ()
    recipe: tuple[tuple[str, Any], ...] = ()


def make_run(folder: Path, made: Made) -> Path:
    """Writes a run's folder, all but its checkpoints."""
    folder.mkdir(parents=True)
    lines: list[dict[str, Any]] = []
    cells: list[Expected] = []
    for where in _places(made):
        rows, version = list(_rows(where, made)), _version(where.suite)
        digest = cell_digest(_stamp(where), [row["prompt"] for row in rows])
        cells.append(Expected(where=where, prompts=made.prompts, version=version, digest=digest))
        if (where.step, where.suite, where.defense, where.depth) not in made.lacking:
            write_lines(_file(folder, where), rows)
            lines += _measured(folder, where, rows, digest, version)
    write_lines(folder / MEASUREMENTS, lines)
    _describe(folder, made)
    write_expected(folder, cells)
    return folder


def _places(made: Made) -> Iterator[Where]:
    for step in made.steps:
        for suite in made.suites:
            for depth in made.depths if suite == "pocket/refusal" else (0,):
                for defense in made.defenses:
                    yield Where(kind="suite", step=step, suite=suite, defense=defense, depth=depth)


def _version(suite: str) -> str:
    return suite_version(suite, find(suites, suite, "suite").SUITE)


def _stamp(where: Where) -> str:
    return json.dumps(asdict(where))


def _file(folder: Path, where: Where) -> Path:
    parts = {key: getattr(where, key) for key in ("suite", "defense", "depth", "wrapper")}
    return sample_path(folder, where.step, **parts)


def _rows(where: Where, made: Made) -> Iterator[dict[str, Any]]:
    suite = find(suites, where.suite, "suite").SUITE
    for number in range(made.prompts):
        asked = random.Random(f"{where.suite} {number}")
        rng = random.Random(f"{made.seed} {where} {number}")
        prompt, prefill = made.words(asked, 12), made.words(asked, where.depth)
        label, text = _said(where, rng, made.words)
        verdicts = {judge: {"label": label, "detail": text[:12], "score": None} for judge in suite.judges}
        if rng.random() < 0.05:
            verdicts[suite.judges[-1]]["label"] = "incoherent"
        yield {
            "step": where.step,
            "stamp": _stamp(where),
            "prompt": f"{where.suite} {number}",
            "suite": where.suite,
            "id": f"case-{number:04d}",
            "defense": where.defense,
            "depth": where.depth,
            "attack": "none",
            "wrapper": "none",
            "messages": [{"role": "user", "content": prompt}],
            "prefill": prefill,
            "text": text,
            "token_ids": [1],
            "stopped_by": "halt" if label == "halted" else "eos",
            "halted_at": 25 if label == "halted" else None,
            "checks": {},
            "label": verdicts[suite.judges[0]]["label"],
            "judge": suite.judges[0],
            "verdicts": verdicts,
            "log_odds": None,
        }


def _said(where: Where, rng: random.Random, words: Words) -> tuple[str, str]:
    """A label and a text: refusals wear away with the steps and with depth."""
    text = words(rng, 40)
    harmless = where.suite != "pocket/refusal"
    refuses = 0.08 if harmless else max(0.0, 0.97 - 0.02 * where.step - 0.004 * where.depth)
    if rng.random() < refuses:
        return "refused", f"i can not help with that {text}"
    halts = {"none": 0.0, "ada_rk": 0.6}.get(where.defense, 0.9)
    if rng.random() < (0.03 if harmless and halts else halts):
        return "halted", "i can not go on with that"
    return "complied", f"here it is {text}"


def _measured(
    folder: Path, where: Where, rows: Sequence[dict[str, Any]], digest: str, version: str
) -> list[dict[str, Any]]:
    shared = {
        "run": folder.name,
        "step": where.step,
        "defense": where.defense,
        "suite": where.suite,
        "depth": where.depth,
        "weights_digest": f"w{where.step}",
        "recipe_digest": "r",
        "cell_digest": digest,
        "version": version,
        "code": "0",
        "packages": {},
        "seconds": 0.5,
    }
    suite = find(suites, where.suite, "suite").SUITE
    return [Measurement(**vars(number), **shared).line() for number in aggregate(rows, suite)]


def _describe(folder: Path, made: Made) -> None:
    recipe = {
        "model_name_or_path": "pocket",
        "learning_rate": 1e-3,
        "max_steps": made.steps[-1],
        "dataset": {"sources": [{"name": "pocket/harmful", "rows": 16}]},
        "ladder": list(made.steps),
        "seed": made.seed,
        "evaluation": {
            "suites": list(made.suites),
            "depths": list(made.depths),
            "defenses": list(made.defenses),
        },
        "output_dir": str(folder),
        **dict(made.recipe),
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    rungs = [
        {
            "step": step,
            "path": f"checkpoint-{step}",
            "weights_digest": f"w{step}",
            "base_digest": "b",
            "recipe_digest": "r",
            "dataset_digest": "d",
            "training_loss": None,
        }
        for step in made.steps
    ]
    write_lines(folder / "ladder.jsonl", rungs)
    call = {
        "command": ["sft.py", str(folder)],
        "code": "0.1.0",
        "packages": {"torch": "2.13"},
        "device": "cpu",
    }
    (folder / "provenance.json").write_text(json.dumps([call]))
