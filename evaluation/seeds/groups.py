"""Runs that differ in their seed alone: which belong together, and why others do not."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erosion.evaluation.on_disk.checkpoints import read_ladder
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.resampling import FEWEST_SEEDS
from erosion.recipes.models import EMBEDDED, is_untrained, resolve
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import UNMEASURED, load_recipe

OF_A_RUN = UNMEASURED | {"seed", "data_seed"}
"""Keys that may differ within a group: the seed, and what cannot change a number."""


@dataclass(frozen=True, kw_only=True)
class SeedGroup:
    """Runs of one recipe under different seeds.

    Attributes:
        name: What their folders' names share.
        runs: The folders, by seed.
        seeds: Their seeds, ascending.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]

    @property
    def has_interval(self) -> bool:
        """Whether there are seeds enough for an interval over them."""
        return len(self.seeds) >= FEWEST_SEEDS

    @property
    def said(self) -> str:
        """Its seeds in words, and what they are too few for."""
        count = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}"
        named = f"{self.name}: {count} ({', '.join(map(str, self.seeds))})"
        few = f", no interval over seeds: it needs at least {FEWEST_SEEDS}"
        return named if self.has_interval else named + few


def run_folders(given: Sequence[Path]) -> list[Path]:
    """The runs among folders, and those directly inside a folder that is none, as a study's is.

    Raises:
        RecipeError: A folder that neither is a run nor holds one.
    """
    found: list[Path] = []
    for folder in given:
        held = (
            [folder]
            if (folder / RECIPE_FILE).is_file()
            else sorted(file.parent for file in folder.glob(f"*/{RECIPE_FILE}"))
        )
        if not held:
            raise RecipeError(f"run: given {str(folder)!r}, a folder that is no run and holds none")
        found += held
    return found


def seed_groups(runs: Sequence[Path]) -> list[SeedGroup]:
    """Groups runs that differ only in their seed; a run like no other is a group of its own.

    Two runs of one recipe and one seed are no two seeds: the later one begins another group.

    Args:
        runs: Folders with a `recipe.yaml`.

    Returns:
        Groups in the order of their first runs.

    Raises:
        RecipeError: A folder that holds no run.
    """
    groups: list[list[_Run]] = []
    for run in (_Run.read(folder) for folder in dict.fromkeys(runs)):
        own = next((group for group in groups if all(_apart(run, other) is None for other in group)), None)
        if own is None:
            groups.append(own := [])
        own.append(run)
    return _named([sorted(group, key=lambda run: run.seed) for group in groups])


def why_apart(one: Path, other: Path) -> str | None:
    """Why two runs are not of one group, in words; None where they are.

    Raises:
        RecipeError: A folder that holds no run.
    """
    first, second = _Run.read(one), _Run.read(other)
    reason = _apart(first, second)
    return reason and f"{one.name} and {other.name} are not seeds of one recipe: {reason}"


@dataclass(frozen=True, kw_only=True)
class _Run:
    folder: Path
    seed: int
    keys: dict[str, Any]
    base: str | None

    @classmethod
    def read(cls, folder: Path) -> _Run:
        if not (folder / RECIPE_FILE).is_file():
            raise RecipeError(
                f"run: given {str(folder)!r}, a folder that holds no run: it has no {RECIPE_FILE}"
            )
        recipe = load_recipe(folder / RECIPE_FILE)
        parts = {name: getattr(recipe, name) for name in ("dataset", "defense", "ladder", "evaluation")}
        trl = {key: value for key, value in recipe.trl.items() if key not in OF_A_RUN}
        keys, rungs = {**trl, **dict(_flat(parts))}, read_ladder(folder)
        # Weights that are drawn anew belong to the seed.
        drawn = not rungs or _is_drawn(recipe.model)
        base = None if drawn else rungs[0].base_digest
        return cls(folder=folder, seed=recipe.seed, keys=keys, base=base)


def _is_drawn(model: str) -> bool:
    return is_untrained(resolve(model) if model in EMBEDDED else model)


def _flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Nested sections as dotted keys; a list of sections by their places, any other list as one value."""
    if isinstance(value, tuple) and any(map(dataclasses.is_dataclass, value)):
        value = dict(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if not isinstance(value, Mapping):
        yield where, value
        return
    for key, item in value.items():
        yield from _flat(item, f"{where}.{key}" if where else str(key))


def _apart(one: _Run, other: _Run) -> str | None:
    unlike = [
        key
        for key in dict.fromkeys([*one.keys, *other.keys])
        if one.keys.get(key) != other.keys.get(key)
    ]  # fmt: skip
    if unlike:
        shown = [
            f"{key} is {' and '.join(_short(run.keys.get(key)) for run in (one, other))}" for key in unlike
        ]
        more = f", and {len(unlike) - 3} more keys differ" if len(unlike) > 3 else ""
        return ", ".join(shown[:3]) + more
    if one.base and other.base and one.base != other.base:
        return "the weights they were trained from differ"
    return f"both have seed {one.seed}" if one.seed == other.seed else None


def _short(value: object, longest: int = 60) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _named(groups: Sequence[Sequence[_Run]]) -> list[SeedGroup]:
    """With what the runs' names share; where two groups share it too, with the first run's name."""
    shared = [_shared_name(group) for group in groups]
    made = []
    for group, name in zip(groups, shared, strict=True):
        named = name if shared.count(name) == 1 else group[0].folder.name
        runs, seeds = tuple(run.folder for run in group), tuple(run.seed for run in group)
        made.append(SeedGroup(name=named, runs=runs, seeds=seeds))
    return made


def _shared_name(group: Sequence[_Run]) -> str:
    """The runs' names without their seeds; a run alone keeps its own."""
    names = [run.folder.name for run in group]
    if len(group) == 1:
        return names[0]
    without = {
        re.sub(rf"[-_. ]*(seed)?[-_. =]*(?<!\d){run.seed}$", "", name)
        for run, name in zip(group, names, strict=True)
    }
    name = without.pop() if len(without) == 1 else _common(names)
    return name or group[0].folder.resolve().parent.name or names[0]


def _common(names: Sequence[str]) -> str:
    """Their common beginning."""
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same).rstrip("-_. ")
