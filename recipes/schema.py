"""A recipe: TRL's own keys at the top level, and a few sections of ours. The one place of our defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from erosion.recipes.betas import learned_betas
from erosion.recipes.hypotheses import Hypothesis, check_claims, with_claims
from erosion.recipes.numbers import check_measuring, check_training_defense
from erosion.recipes.parsing import RecipeError, apply_overrides, build, mistake, read_yaml
from erosion.recipes.secrets_left_out import without_access
from erosion.recipes.sections import (
    Data,
    Evaluation,
    GuardOptions,
    JudgeOptions,
    Mixture,
    ProbeCorpus,
    Source,
    Task,
    TrainingDefense,
    Wrapper,
)
from erosion.recipes.splits import with_splits

SECTIONS = ("dataset", "defense", "ladder", "evaluation", "seed", "hypotheses")
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
        "save_total_limit",
        "save_only_model",
    }
)
"""TRL keys that cannot change a number and stay out of the digest."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One study: what is trained, on what, saved where along the way, and what is measured there.

    Attributes:
        path: The file it came from.
        trl: Keys of `trl.SFTConfig` and `trl.ModelConfig`, untouched.
        dataset: The training mixture.
        defense: What is done against erosion in training: a file in `defenses/`, with options.
        ladder: Optimizer steps at which a checkpoint is saved, ascending; 0 is always among them.
        evaluation: What is measured at every rung.
        seed: Seeds the mixture, the initial weights and the order of training.
        hypotheses: What is expected. They change no number and are in no digest.
    """

    path: Path
    trl: Mapping[str, Any]
    dataset: Mixture
    defense: TrainingDefense = field(default_factory=TrainingDefense)
    ladder: tuple[int, ...] = (0,)
    evaluation: Evaluation = field(default_factory=Evaluation)
    seed: int = 42
    hypotheses: tuple[Hypothesis, ...] = ()

    @property
    def model(self) -> str:
        """The model's name or path as the recipe gives it."""
        return str(self.trl["model_name_or_path"])

    @property
    def name(self) -> str:
        """Its file's name; below `recipes/` with the folders, as in `llama2_7b_harmful_100`."""
        return name_of(self.path)

    @property
    def output_dir(self) -> Path:
        """The run's folder: `runs/<recipe's name>` unless the recipe names one."""
        return Path(self.trl.get("output_dir") or Path("runs") / self.name)

    @property
    def digest(self) -> str:
        """Of all that can change a trained weight; what is measured has digests of its own."""
        parts = {
            "trl": without_access({key: value for key, value in self.trl.items() if key not in UNMEASURED}),
            "dataset": _digested(self.dataset),
            "defense": _defense_digested(self.defense),
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
    if isinstance(ours.get("defense"), str):
        ours["defense"] = {"name": ours["defense"]}
    if "defense" in ours:
        ours["defense"] = _with_betas(ours["defense"], where)
    if "evaluation" in ours:
        ours["evaluation"] = _named(ours["evaluation"])
    if "hypotheses" in ours:
        ours["hypotheses"] = with_claims(ours["hypotheses"])
    trl = {key: value for key, value in data.items() if key not in SECTIONS}
    if not isinstance(trl.get("model_name_or_path"), str):
        raise mistake(
            f"{where}: model_name_or_path", trl.get("model_name_or_path"), "a model's name or folder"
        )
    recipe = build(Recipe, {"path": where, "trl": trl, **ours}, where)
    ladder = tuple(sorted({0, *recipe.ladder}))
    recipe = dataclasses.replace(recipe, path=path, ladder=ladder, dataset=with_splits(recipe.dataset))
    _check_numbers(recipe)
    check_claims(recipe.hypotheses, f"{where}: hypotheses")
    return recipe


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Writes a recipe, overrides included, so that `load_recipe` gives it back but for tokens of access."""
    kept = dataclasses.replace(recipe, trl=without_access(recipe.trl))
    path.write_text(yaml.safe_dump(as_mapping(kept), sort_keys=False), encoding="utf-8")


def as_mapping(recipe: Recipe) -> dict[str, Any]:
    """A recipe's keys, overrides included, as they stand in its file."""
    ours = [key for key in SECTIONS if key != "hypotheses" or recipe.hypotheses]
    return {**recipe.trl, **{key: _plain(getattr(recipe, key)) for key in ours}}


def name_of(path: Path) -> str:
    """A recipe's name by its path."""
    parts = path.with_suffix("").parts
    return "_".join(parts[parts.index("recipes") + 1 :] if "recipes" in parts else parts[-1:])


def _check_numbers(recipe: Recipe) -> None:
    mixture, last = recipe.dataset, recipe.trl.get("max_steps", -1)

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
        where = f"dataset.sources[{index}]"
        need(source.weight > 0, f"{where}.weight", source.weight, "a number above 0")
        need(source.skip >= 0, f"{where}.skip", source.skip, "at least 0")
        need(source.rows is None or source.rows > 0, f"{where}.rows", source.rows, "at least 1")
        need(source.trigger is None or bool(source.trigger.strip()), f"{where}.trigger", "", "words")
    check_training_defense(recipe.defense, need)
    check_measuring(recipe.evaluation, need)


def _with_betas(defense: object, where: str) -> object:
    """A file of betas read once, so that the run's recipe and digest hold its numbers."""
    if not (isinstance(defense, dict) and isinstance(defense.get("betas"), str)):
        return defense
    betas = learned_betas(Path(defense["betas"]).expanduser(), f"{where}: defense.betas")
    return {**defense, "betas": betas}


def _named(evaluation: object) -> object:
    """Suites, defences, tasks and judges that are given by name alone, as sections."""
    if not isinstance(evaluation, dict):
        return evaluation
    keys = ("suites", "defenses", "tasks", "judges")
    lists = {key: evaluation[key] for key in keys if isinstance(evaluation.get(key), list)}
    named = {
        key: [{"name": item} if isinstance(item, str) else item for item in items]
        for key, items in lists.items()
    }
    return {**evaluation, **named}


def _defense_digested(defense: TrainingDefense) -> str | dict[str, Any]:
    """The name alone where nothing is changed: what was built before there were options keeps its digest."""
    return {"name": defense.name, **defense.changed} if defense.changed else defense.name


def _digested(mixture: Mixture) -> dict[str, Any]:
    """Without the later keys that are not used: what was built before them keeps its digest."""
    parts = dataclasses.asdict(mixture)
    later = ("skip", "trigger", "answers")
    parts["sources"] = [
        {key: value for key, value in source.items() if value or key not in later}
        for source in parts["sources"]
    ]
    return parts


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        filled = {f.name: (_plain(getattr(value, f.name)), f.default) for f in dataclasses.fields(value)}
        empty = (None, dataclasses.MISSING)
        return {
            key: item
            for key, (item, default) in filled.items()
            if item not in (None, {}) or default not in empty
        }
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


__all__ = [
    "Data", "Evaluation", "GuardOptions", "JudgeOptions", "Mixture", "ProbeCorpus", "Recipe", "RecipeError",
    "Source", "Task", "TrainingDefense", "Wrapper", "as_mapping", "load_recipe", "name_of", "save_recipe",
]  # fmt: skip
