"""`erosion seeds`: what it prints and writes, by hand."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.report.seeds import half_lives, seed_table, tradeoff_table, write_seeds
from erosion.evaluation.seeds.groups import SeedGroup
from erosion.evaluation.seeds.seed_curves import SeedCurve
from erosion.evaluation.seeds.tradeoff import SeedTradeoff, seed_tradeoff
from erosion.training.cli import main

GROUP = SeedGroup(name="plain", runs=tuple(Path(f"plain-{n}") for n in range(1, 6)), seeds=(1, 2, 3, 4, 5))


def curve(*per_seed: tuple[float, ...], steps: tuple[int, ...] = (0, 10, 20), **changes: object) -> SeedCurve:
    shared = {
        "run": "plain", "suite": "pocket/refusal", "metric": "refusal_rate", "higher_is": "safer", "defense": "none",
        "judge": "phrases", "depth": 0, "wrapper": "none", "version": "pocket/refusal=1 phrases=1", "recipe_digest": "d",
        "steps": steps, "lows": (None,) * len(steps), "highs": (None,) * len(steps), "n": (100,) * len(steps),
        "unscored": (0,) * len(steps), **changes,
    }  # fmt: skip
    own = tuple(ErosionCurve(**shared, values=values) for values in per_seed)
    means = tuple(sum(values) / len(values) for values in zip(*per_seed, strict=True))
    areas = {"steps": (0.5, 0.4, 0.6), "log1p_steps": (0.8, 0.7, 0.9)}
    ends = {"lows": tuple(v - 0.1 for v in means), "highs": tuple(v + 0.1 for v in means)}
    return SeedCurve(
        **{**shared, "values": means, **ends}, seeds=GROUP.seeds[: len(own)], per_seed=own,
        over="prompts and seeds", areas=areas, missing=(),
    )  # fmt: skip


FALLING = curve((1.0, 0.4, 0.0), (1.0, 0.9, 0.1), (1.0, 0.8, 0.2), (1.0, 0.9, 0.6), (1.0, 0.3, 0.0))


def shown(table) -> str:
    from rich.console import Console

    console = Console(width=240)
    with console.capture() as got:
        console.print(table)
    return got.get()


def test_half_lives_are_counted_seed_by_seed():
    assert half_lives(FALLING) == "0 to 10 in 2 of 5, 10 to 20 in 2, not reached in 1"
    assert half_lives(curve((1.0, 0.9, 0.8), (1.0, 0.9, 0.7))) == "not reached in 2 of 2"
    assert half_lives(curve((0.0, 0.0, 0.0))) == "undefined"
    assert half_lives(replace(FALLING, higher_is="worse")) == ""


def test_the_table_has_values_with_intervals_the_area_and_half_lives():
    held = curve((1.0, 0.9), (1.0, 0.8), (1.0, 0.9), (1.0, 0.9), (1.0, 0.9), steps=(0, 20), depth=25)
    lines = shown(seed_table(GROUP, [FALLING, held], grid="log1p_steps")).splitlines()
    assert lines[0].strip() == "plain: 5 seeds (1, 2, 3, 4, 5)"
    (row,) = [line for line in lines if "asked directly" in line]
    for cell in ("1.00 [0.90, 1.10]", "0.66 [0.56, 0.76]", "0.80 [0.70, 0.90]", "0 to 10 in 2 of 5"):
        assert cell in row
    (row,) = [line for line in lines if "prefill of 25 tokens" in line]
    assert row.split("│")[3].strip() == "-", "a rung that was not measured"


def test_a_trade_off_has_both_parts_beside_the_ratio():
    attack = {"metric": "attack_success_rate", "higher_is": "worse"}
    plain, guarded = (
        curve(*((0.0, v, v),) * 5, **attack, defense=d) for v, d in ((0.9, "none"), (0.1, "ada_lp"))
    )
    price = {"suite": "pocket/arithmetic", "metric": "accuracy", "higher_is": "better", "judge": "number"}
    full, dear = (curve(*((0.9, v, v),) * 5, **price, defense=d) for v, d in ((0.9, "none"), (0.7, "ada_lp")))
    made: SeedTradeoff = seed_tradeoff((guarded, plain), (dear, full))
    row = shown(tradeoff_table([made], grid="steps", title="t")).splitlines()[-2]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "ada_lp", "pocket/refusal", "pocket/arithmetic", "0.80", "0.20", "4.0",
    ]  # fmt: skip
    free = seed_tradeoff((guarded, plain), (full, full))
    assert (
        shown(tradeoff_table([free], grid="steps", title="t")).splitlines()[-2].split("│")[-2].strip() == "-"
    )


def test_the_file_has_every_rung_area_and_seed(tmp_path):
    write_seeds([FALLING], tmp_path / "seeds.csv")
    rows = list(csv.DictReader((tmp_path / "seeds.csv").open()))
    assert [row["step"] for row in rows] == ["0", "10", "20", "area over steps", "area over log1p_steps"]
    assert rows[1]["by_seed"] == "0.4 0.9 0.8 0.9 0.3"
    assert float(rows[1]["value"]) == pytest.approx(0.66)
    assert rows[0]["half_lives"] == "0-10 10-20 10-20 >20 0-10"
    assert rows[3]["by_seed"].split()[0] == f"{FALLING.per_seed[0].area('steps'):.6g}"
    assert {row["over"] for row in rows} == {"prompts and seeds"}


def test_a_folder_that_holds_no_run_is_told(tmp_path, capsys):
    assert main(["seeds", str(tmp_path)]) == 2
    assert "a folder that is no run and holds none" in capsys.readouterr().err


def test_another_kind_of_file_is_told_first(tmp_path, capsys):
    assert main(["seeds", str(tmp_path), "--out", "."]) == 2
    assert "--out: file type: given '', allowed .csv" in capsys.readouterr().err


def test_runs_of_the_embedded_model_are_read_from_their_folder(trained_run, tmp_path, capsys):
    """Two copies under two seeds, measured: one group without an interval, and nothing missing."""
    import shutil

    from erosion.evaluation.measuring import measure

    for seed in (3, 4):
        run = Path(shutil.copytree(trained_run, tmp_path / f"run-{seed}"))
        measure(run, ["--evaluation.depths", "[0]", "--evaluation.suites", '["pocket/refusal"]'])
        recipe = (run / "recipe.yaml").read_text()
        (run / "recipe.yaml").write_text(recipe.replace("seed: 3", f"seed: {seed}"))
    capsys.readouterr()
    assert main(["seeds", str(tmp_path), "--out", str(tmp_path / "out.csv")]) == 0
    said = capsys.readouterr().out
    opening = [line.partition(": cells: ") for line in said.splitlines()[:2]]
    assert [run for run, *_ in opening] == ["run-3", "run-4"]
    assert all(" expected, " in counts and " missing, " in counts for *_, counts in opening)
    assert "run: 2 seeds (3, 4), no interval over seeds: it needs at least 5" in said
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert {row["seeds"] for row in rows} == {"3 4"}
    assert {row["low"] for row in rows} == {""}
