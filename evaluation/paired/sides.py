"""Which runs stand against which: two alone, or two groups of seeds, each run with the other of its seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.paired.cells import Side
from erosion.evaluation.resampling import FEWEST_SEEDS
from erosion.evaluation.seeds.groups import SeedGroup, seed_groups
from erosion.recipes.parsing import RecipeError


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The two sides of one comparison.

    Attributes:
        pairs: One pair of runs; or one a seed, at least five, whose prompts and seeds are crossed.
        names: What tells the sides apart.
        runs: Where the sides' numbers are from.
        seeds: Of the pairs, in their order; empty of one pair.
    """

    pairs: tuple[tuple[Side, Side], ...]
    names: tuple[str, str]
    runs: tuple[str, str]
    seeds: tuple[int, ...] = ()

    @classmethod
    def of_two(cls, first: Side, second: Side, names: tuple[str, str] | None = None) -> Sides:
        """Two runs, or two defences of one.

        Args:
            first: One side.
            second: The other.
            names: What their runs are called; as their folders when None.

        Raises:
            RecipeError: Twice the same.
        """
        if first == second:
            raise RecipeError(f"paired: {first.run} against itself; name two runs, or --defenses A B")
        called = names or _told_apart([first.run], [second.run], (first.run.name, second.run.name))
        shown = _named(called, first, second, same=first.run == second.run)
        return cls(pairs=((first, second),), names=shown, runs=names or (str(first.run), str(second.run)))


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of one side.

    Attributes:
        name: What they are called together.
        by_seed: Their folders.
        defense: The one that is compared; each of its own when None.
        called: Their own names; as their folders when None.
    """

    name: str
    by_seed: Mapping[int, Path]
    defense: str | None = None
    called: Mapping[int, str] | None = None

    def at(self, seed: int) -> Side:
        """Its run under a seed."""
        return Side(run=self.by_seed[seed], defense=self.defense)


def matched(first: Runs, second: Runs) -> tuple[list[Sides], str]:
    """The comparisons that two groups of seeds allow.

    Returns:
        One over all common seeds where there are five; else one a seed. Then what is to be said of the seeds;
        empty where both sides have the same, enough of them.

    Raises:
        RecipeError: No common seed.
    """
    common = _common(first, second)
    pairs = tuple((first.at(seed), second.at(seed)) for seed in common)
    said = [
        f"{side.name}: no other run has seed {', '.join(map(str, sorted(side.by_seed.keys() - set(common))))}"
        for side in (first, second)
        if side.by_seed.keys() - set(common)
    ]
    if len(common) < FEWEST_SEEDS:
        few = f"{len(common)} common seed{'s' if len(common) > 1 else ''}, compared one by one"
        said.append(f"{few}: prompts and seeds are crossed from {FEWEST_SEEDS} on")
        return one_by_one(first, second), "; ".join(said)
    folders = [[*side.by_seed.values()] for side in (first, second)]
    names = _told_apart(folders[0], folders[1], (first.name, second.name))
    same = folders[0] == folders[1]
    crossed = Sides(
        pairs=pairs, names=_named(names, *pairs[0], same=same), runs=names, seeds=tuple(common)
    )  # fmt: skip
    return [crossed], "; ".join(said)


def one_by_one(first: Runs, second: Runs) -> list[Sides]:
    """A comparison for every common seed.

    Raises:
        RecipeError: There is none.
    """
    return [
        Sides.of_two(
            first.at(seed), second.at(seed),
            (first.called[seed], second.called[seed]) if first.called and second.called else None,
        )
        for seed in _common(first, second)
    ]  # fmt: skip


def _common(first: Runs, second: Runs) -> list[int]:
    common = sorted(first.by_seed.keys() & second.by_seed.keys())
    if not common:
        raise RecipeError(f"paired: no run of {first.name} has the seed of a run of {second.name}")
    return common


def sides_of(given: Sequence[Path], defenses: Sequence[str] = ()) -> tuple[list[Sides], str]:
    """The comparisons that a command asks for, and what is to be said of their runs; see `matched`.

    Args:
        given: Two runs; one with two defences; or runs, or folders that hold runs, of two groups of seeds, or
            of one with two defences. A run in which nothing was measured is left out of a folder.
        defenses: The first side's and the second's, or one for both.

    Raises:
        RecipeError: More or fewer sides than two.
    """
    found = [_runs_in(folder) for folder in given]
    runs, empty = ([run for pair in found for run in pair[at]] for at in (0, 1))
    if len(defenses) > 2:
        raise RecipeError(f"paired: given {len(defenses)} defences, allowed at most two")
    sides, said = _of_runs(runs, (defenses[0], defenses[-1]) if defenses else (None, None))
    lacking = [f"{run}: nothing was measured there" for run in empty]
    return sides, "; ".join([*lacking, *([said] if said else [])])


def _of_runs(runs: Sequence[Path], guards: tuple[str | None, str | None]) -> tuple[list[Sides], str]:
    if len(runs) <= 2:
        if len(runs) == 1 and guards[0] == guards[1]:
            said = "one run is compared under two defences: --defenses A B; or name two runs"
            raise RecipeError(f"paired: {said}")
        first, second = Side(run=runs[0], defense=guards[0]), Side(run=runs[-1], defense=guards[1])
        return [Sides.of_two(first, second)], ""
    groups = seed_groups(runs)
    if len(groups) == 1 and guards[0] == guards[1]:
        said = f"{groups[0].name} is one group of seeds; give --defenses A B, or another group"
        raise RecipeError(f"paired: {said}")
    if len(groups) > 2:
        named = ", ".join(group.name for group in groups)
        raise RecipeError(
            f"paired: given {len(runs)} runs of {len(groups)} recipes ({named}), allowed two sides"
        )
    return matched(_side(groups[0], guards[0]), _side(groups[-1], guards[1]))


def _side(group: SeedGroup, guard: str | None) -> Runs:
    return Runs(name=group.name, by_seed=dict(zip(group.seeds, group.runs, strict=True)), defense=guard)


def _runs_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """A run, or the runs directly inside a folder that is none: those that were measured, then the others."""
    if (folder / MEASUREMENTS).is_file():
        return [folder], []
    inside = sorted(
        {file.parent for name in (MEASUREMENTS, RECIPE_FILE) for file in folder.glob(f"*/{name}")}
    )
    measured = [run for run in inside if (run / MEASUREMENTS).is_file()]
    if (folder / RECIPE_FILE).is_file() or not measured:
        raise RecipeError(f"run: given {str(folder)!r}, a folder in which nothing was measured")
    return measured, [run for run in inside if run not in measured]


def _named(names: tuple[str, str], first: Side, second: Side, *, same: bool) -> tuple[str, str]:
    """The sides' names with what else tells them apart: their defences, which alone do in the same runs."""
    guards = first.defense or "", second.defense or ""
    if guards[0] == guards[1]:
        return names
    return guards if same else (f"{names[0]}, {guards[0]}", f"{names[1]}, {guards[1]}")


def _told_apart(first: Sequence[Path], second: Sequence[Path], names: tuple[str, str]) -> tuple[str, str]:
    """Names, or where other runs share one, the runs' own or the group's folder."""
    if names[0] != names[1] or list(first) == list(second):
        return names
    folders = [runs[0] if len(runs) == 1 else runs[0].parent for runs in (first, second)]
    return (str(folders[0]), str(folders[1])) if folders[0] != folders[1] else (str(first[0]), str(second[0]))
