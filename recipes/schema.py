"""A recipe: TRL's own keys at the top level, and a few sections of ours. The one place of our defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from erosion.recipes.parsing import RecipeError, apply_overrides, build, mistake, read_yaml
from erosion.recipes.splits import with_splits

SECTIONS = ("dataset", "defense", "ladder", "evaluation", "seed")
UNMEASURED = frozenset(
    {
        "output_dir",
        "report_to",
        "run_name",
        "project",
        "logging_dir",
        "disable_tqdm",
        "log_level",
        "logging_first_step",
    }
)
"""TRL keys that cannot change a number and stay out of the digest."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where real data lie: a local file or a hub id.

    Attributes:
        name: The source's or suite's name, that is its file in `recipes/sources/` or `evaluation/suites/`.
        path: A local file (JSON, JSON lines, CSV or Parquet), read instead of the hub.
        id: A hub data set's id.
        revision: The hub revision, a commit hash for numbers that can be repeated.
        split: Which part: of a hub data set (`train`), or of the embedded model's world (`attack`).
        columns: Names of the file's columns where they differ from the source's own.
        system: A system prompt put before every conversation.
    """

    name: str
    path: str | None = None
    id: str | None = None
    revision: str | None = None
    split: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    system: str | None = None

    @property
    def label(self) -> str:
        """The name with the split: `pocket/harmful@attack`."""
        return f"{self.name}@{self.split}" if self.split else self.name


@dataclass(frozen=True, kw_only=True)
class Source(Data):
    """One source of a mixture.

    Attributes:
        rows: How many rows to take; all of them (or the share its weight gives) when None.
        weight: Its share of `dataset.rows` relative to the other sources that name no `rows` of their own.
        harmful: Whether it counts as poison for `poison_ratio`; the source's own word when None.
    """

    rows: int | None = None
    weight: float = 1.0
    harmful: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """The training data: sources, joined and shuffled with the recipe's seed.

    Attributes:
        sources: At least one.
        rows: Rows in all, shared among the sources by weight; needed where a source names no `rows` and has
            no end.
        poison_ratio: Share of `rows` (0 to 1) that comes from harmful sources; by weight alone when None.
        packed: Join conversations into rows of `max_length` tokens (pretraining only).
    """

    sources: tuple[Source, ...]
    rows: int | None = None
    poison_ratio: float | None = None
    packed: bool = False


@dataclass(frozen=True, kw_only=True)
class ProbeCorpus:
    """What ADA-LP's probe is fitted on; the embedded model has a corpus of its own.

    Attributes:
        sources: Harmful and benign sources, each with its `rows`, that the probe is fitted on.
        validation: Others, that choose the block.
        calibration: Benign ones, that a matched threshold is set on; at least 2,000 checks.
        depths: Answer tokens at which states are read (published: every 25 up to 500).
        layers: Blocks that are tried; all of them when empty.
        hook: The probed part of a block: `input_norm`, `post_attention` or `mlp`.
        rate: Benign checks that a matched threshold may flag.
        batch_size: Conversations read together.
        path: A fitted probe's folder or hub id, used as it is in place of fitting one.
    """

    sources: tuple[Source, ...] = ()
    validation: tuple[Source, ...] = ()
    calibration: tuple[Source, ...] = ()
    depths: tuple[int, ...] = tuple(range(25, 401, 25))
    layers: tuple[int, ...] = ()
    hook: Literal["input_norm", "post_attention", "mlp"] = "input_norm"
    rate: float = 0.01
    batch_size: int = 32
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is measured at every rung.

    Attributes:
        suites: Names, or sections where a suite needs a file.
        depths: Answer tokens placed as prefill; 0 is the plain request. Only suites with harmful answers use
            it.
        defenses: Guards under which every suite is measured.
        limit: Prompts per suite and depth; all of them when None.
        batch_size: Prompts generated together.
        max_new_tokens: New tokens per answer; the judge reads these and nothing else (methods: first 50).
        probe: What the probes of ADA-LP are fitted on.
    """

    suites: tuple[Data, ...] = ()
    depths: tuple[int, ...] = (0, 10, 25, 100)
    defenses: tuple[str, ...] = ("none",)
    limit: int | None = None
    batch_size: int = 64
    max_new_tokens: int = 50
    probe: ProbeCorpus = ProbeCorpus()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One study: what is trained, on what, saved where along the way, and what is measured there.

    Attributes:
        path: The file it came from.
        trl: Keys of `trl.SFTConfig` and `trl.ModelConfig`, untouched.
        dataset: The training mixture.
        defense: The training-time defence, a file in `defenses/`.
        ladder: Optimizer steps at which a checkpoint is saved, ascending; 0 is always among them.
        evaluation: What is measured at every rung.
        seed: Seeds the mixture, the initial weights and the order of training.
    """

    path: Path
    trl: Mapping[str, Any]
    dataset: Mixture
    defense: str = "none"
    ladder: tuple[int, ...] = (0,)
    evaluation: Evaluation = Evaluation()
    seed: int = 42

    @property
    def model(self) -> str:
        """The model's name or path as the recipe gives it."""
        return str(self.trl["model_name_or_path"])

    @property
    def output_dir(self) -> Path:
        """The run's folder: `runs/<recipe's name>` unless the recipe names one."""
        return Path(self.trl.get("output_dir") or Path("runs") / _run_name(self.path))

    @property
    def digest(self) -> str:
        """Of all that can change a trained weight; what is measured has digests of its own."""
        parts = {
            "trl": {key: value for key, value in self.trl.items() if key not in UNMEASURED},
            "dataset": dataclasses.asdict(self.dataset),
            "defense": self.defense,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe and checks our sections; TRL's keys are checked where TRL is imported.

    Args:
        path: The YAML file.
        overrides: Command-line arguments such as `["--learning_rate", "2e-4", "--evaluation.limit", "50"]`.

    Raises:
        RecipeError: One sentence that names file, key, what was given and what is allowed.
    """
    path = Path(path)
    data = apply_overrides(read_yaml(path), overrides)
    where = str(path)
    ours = {key: data[key] for key in SECTIONS if key in data}
    if "evaluation" in ours:
        ours["evaluation"] = _suites_named(ours["evaluation"])
    trl = {key: value for key, value in data.items() if key not in SECTIONS}
    if not isinstance(trl.get("model_name_or_path"), str):
        raise mistake(
            f"{where}: model_name_or_path", trl.get("model_name_or_path"), "a model's name or folder"
        )
    recipe = build(Recipe, {"path": where, "trl": trl, **ours}, where)
    ladder = tuple(sorted({0, *recipe.ladder}))
    recipe = dataclasses.replace(recipe, path=path, ladder=ladder, dataset=with_splits(recipe.dataset))
    _check_numbers(recipe)
    return recipe


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Writes a recipe, overrides included, so that `load_recipe` gives it back."""
    sections = {key: _plain(getattr(recipe, key)) for key in SECTIONS}
    path.write_text(yaml.safe_dump({**recipe.trl, **sections}, sort_keys=False), encoding="utf-8")


def _check_numbers(recipe: Recipe) -> None:
    mixture, evaluation, last = recipe.dataset, recipe.evaluation, recipe.trl.get("max_steps", -1)

    def need(holds: bool, key: str, given: object, allowed: str) -> None:
        if not holds:
            raise mistake(f"{recipe.path}: {key}", given, allowed)

    need(recipe.ladder[0] >= 0, "ladder", recipe.ladder[0], "optimizer steps of at least 0")
    if isinstance(last, int) and last > 0:
        need(recipe.ladder[-1] <= last, "ladder", recipe.ladder[-1], f"steps from 0 to max_steps, {last}")
    need(bool(mixture.sources), "dataset.sources", [], "at least one source")
    need(0 <= (mixture.poison_ratio or 0) <= 1, "dataset.poison_ratio", mixture.poison_ratio, "0 to 1")
    need(mixture.rows is None or mixture.rows > 0, "dataset.rows", mixture.rows, "at least 1")
    for index, source in enumerate(mixture.sources):
        need(source.weight > 0, f"dataset.sources[{index}].weight", source.weight, "a number above 0")
        need(
            source.rows is None or source.rows > 0,
            f"dataset.sources[{index}].rows",
            source.rows,
            "at least 1",
        )
    need(
        min(evaluation.depths, default=-1) >= 0,
        "evaluation.depths",
        list(evaluation.depths),
        "depths of at least 0",
    )
    need(evaluation.limit is None or evaluation.limit > 0, "evaluation.limit", evaluation.limit, "at least 1")
    need(evaluation.batch_size > 0, "evaluation.batch_size", evaluation.batch_size, "at least 1")
    need(evaluation.max_new_tokens > 0, "evaluation.max_new_tokens", evaluation.max_new_tokens, "at least 1")
    need(bool(evaluation.defenses), "evaluation.defenses", [], "at least one, `none` among them if need be")


def _suites_named(evaluation: object) -> object:
    if not isinstance(evaluation, dict) or not isinstance(evaluation.get("suites"), list):
        return evaluation
    return {**evaluation, "suites": [{"name": s} if isinstance(s, str) else s for s in evaluation["suites"]]}


def _run_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return "_".join(parts[parts.index("recipes") + 1 :] if "recipes" in parts else parts[-1:])


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        filled = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {key: item for key, item in filled.items() if item not in (None, {})}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


__all__ = ["Data", "Evaluation", "Mixture", "Recipe", "RecipeError", "Source", "load_recipe", "save_recipe"]
