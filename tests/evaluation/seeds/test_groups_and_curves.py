"""Groups of seeds and their curves, against slow loops over the rows on disk."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from erosion.evaluation.cells import cell_digest
from erosion.evaluation.intervals import share
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.resampling import clustered, crossed, expanded_level, freedom
from erosion.evaluation.seeds.crossed_curves import crossed_curve, draws, over_seeds
from erosion.evaluation.seeds.groups import seed_groups, why_apart
from erosion.evaluation.seeds.seed_curves import seed_curves
from erosion.recipes.parsing import RecipeError

STEPS = (0, 4, 9)
LABELS = np.random.default_rng(4).random((6, 5, 3)) < np.array([0.95, 0.6, 0.2])
"""Refused or not, by prompt, seed and rung."""


def recipe(folder: Path, *, seed: int, **changes: object) -> Path:
    given = {
        "model_name_or_path": "pocket", "learning_rate": 1e-3, "max_steps": 9, "ladder": list(STEPS), "seed": seed,
        "output_dir": str(folder), "dataset": {"sources": [{"name": "pocket/harmful", "rows": 16}]},
        "evaluation": {"suites": ["pocket/refusal"]},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**given, **changes}))
    return folder


def row(step: int, prompt: str, label: str) -> dict:
    verdicts = {"phrases": {"label": label, "detail": "", "score": None}}
    return {
        "step": step, "stamp": f"s{step}", "prompt": prompt, "suite": "pocket/refusal", "id": prompt, "verdicts": verdicts,
        "label": label, "judge": "phrases", "log_odds": 1.5 if label == "refused" else -0.5,
    }  # fmt: skip


def measurement(folder: Path, step: int, metric: str, value: float, *, n: int, **changes: object) -> dict:
    digest = cell_digest(f"s{step}", [f"p{at}" for at in range(6)])
    given = {
        "run": folder.name, "step": step, "defense": "none", "suite": "pocket/refusal", "metric": metric, "higher_is": "safer",
        "judge": "phrases", "depth": 0, "value": value, "low": None, "high": None, "n": n, "unscored": 6 - n, "incoherent": 0.0,
        "weights_digest": "w", "recipe_digest": folder.name, "cell_digest": digest, "version": "1", "code": "1", "packages": {},
        "seconds": 1.0,
    }  # fmt: skip
    return {**given, **changes}


def measured(folder: Path, table: np.ndarray, unscored: dict[int, str] | None = None) -> Path:
    """Rows and measurements of one seed: `table` is by prompt and rung."""
    lines = []
    (folder / "samples").mkdir()
    for at, step in enumerate(STEPS):
        labels = ["refused" if hit else "complied" for hit in table[:, at]]
        rows = [row(step, f"p{number}", label) for number, label in enumerate(labels)]
        for lost in [name for when, name in (unscored or {}).items() if when == step]:
            rows[int(lost[1:])]["verdicts"]["phrases"]["label"] = "unscored"
        file = folder / "samples" / f"{step:06d}-pocket.refusal-none-0.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in rows))
        scored = [
            r["verdicts"]["phrases"]["label"] for r in rows if r["verdicts"]["phrases"]["label"] != "unscored"
        ]
        lines += [
            measurement(folder, step, "refusal_rate", scored.count("refused") / len(scored), n=len(scored)),
            measurement(folder, step, "refusal_log_odds", sum(r["log_odds"] for r in rows) / 6, n=6, judge="openers"),
            measurement(folder, step, "auroc", 0.9 - at * table[0, at] / 10, n=6, judge="guard"),
        ]  # fmt: skip
    (folder / "measurements.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    return [
        measured(recipe(tmp_path / f"plain-{seed}", seed=seed), LABELS[:, seed - 1]) for seed in range(1, 6)
    ]


def by_metric(found: list) -> dict:
    return {curve.metric: curve for curve in found}


def test_runs_that_differ_in_the_seed_alone_are_one_group(runs, tmp_path):
    other = recipe(tmp_path / "slow-1", seed=1, learning_rate=1e-4)
    made = seed_groups([runs[3], other, *runs])
    assert [(group.name, group.seeds) for group in made] == [("plain", (1, 2, 3, 4, 5)), ("slow-1", (1,))]
    assert made[0].runs == tuple(runs)
    assert made[0].said == "plain: 5 seeds (1, 2, 3, 4, 5)"
    assert made[1].said == "slow-1: 1 seed (1), no interval over seeds: it needs at least 5"


def test_why_runs_are_apart_is_said(runs, tmp_path):
    assert why_apart(runs[0], runs[1]) is None
    slow = recipe(
        tmp_path / "slow", seed=2, learning_rate=1e-4, evaluation={"suites": ["pocket/refusal"], "limit": 3}
    )
    assert why_apart(runs[0], slow) == (
        "plain-1 and slow are not seeds of one recipe: learning_rate is 0.001 and 0.0001, evaluation.limit is not set and 3"
    )
    again = recipe(tmp_path / "again", seed=1, run_name="x", report_to="none")
    assert why_apart(runs[0], again) == "plain-1 and again are not seeds of one recipe: both have seed 1"
    assert [group.seeds for group in seed_groups([*runs[:2], again])] == [(1, 2), (1,)]


def test_runs_that_were_trained_from_other_weights_are_apart(runs, tmp_path):
    for folder, digest in zip(runs[:2], ("a", "b"), strict=True):
        line = {
            "step": 0,
            "path": "checkpoint-0",
            "weights_digest": "w",
            "recipe_digest": "r",
            "base_digest": digest,
            "dataset_digest": "d",
            "training_loss": None,
        }
        (folder / "ladder.jsonl").write_text(json.dumps(line) + "\n")
    assert "the weights they were trained from differ" in str(why_apart(*runs[:2]))


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(RecipeError, match=r"it has no recipe\.yaml"):
        seed_groups([tmp_path])


def test_a_curve_s_rungs_are_those_of_a_loop_over_rows():
    """Draw by draw: every row as often as its prompt times its seed were drawn."""
    sums, counts = LABELS.astype(float), np.ones(LABELS.shape)
    counts[2, 1, 0] = sums[2, 1, 0] = 0
    drawn = draws(100)
    slow = np.zeros((100, 3))
    for draw, (times, often) in enumerate(zip(drawn(6, "prompts"), drawn(5, "seeds"), strict=True)):
        for rung in range(3):
            means = []
            for seed in range(5):
                rows = [
                    sums[p, seed, rung]
                    for p in range(6)
                    if counts[p, seed, rung]
                    for _ in range(int(times[p]))
                ]
                means += [sum(rows) / len(rows)] * int(often[seed])
            slow[draw, rung] = sum(means) / 5
    thirds = np.array([[1 / 3, 1 / 3, 1 / 3]])
    found = crossed_curve(sums, counts, np.vstack([np.eye(3), thirds]), drawn=drawn)
    expected = [*slow.T, slow.mean(axis=1)]
    by_prompt, by_seed = (sums.sum(axis=axis) / counts.sum(axis=axis) for axis in (1, 0))
    for number, (value, low, high) in enumerate(found):
        of_prompts, of_seeds = (
            means.mean(axis=1) if number == 3 else means[:, number] for means in (by_prompt, by_seed)
        )
        tail = (1 - expanded_level(freedom(of_prompts, of_seeds))) / 2
        assert value == pytest.approx(of_seeds.mean())
        assert (low, high) == pytest.approx(tuple(np.quantile(expected[number], [tail, 1 - tail])), abs=1e-12)


def test_rungs_and_areas_cover_the_truth():
    """Rates whose logit has a prompt's part and a seed's, five seeds; the truth from a table of many."""
    rng, drawn = np.random.default_rng(5), draws(399)
    combine = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])

    def rates(prompts: int, seeds: int) -> np.ndarray:
        part, shift = rng.normal(size=(prompts, 1)), 0.5 * rng.normal(size=(1, seeds))
        return 1 / (1 + np.exp(-np.stack([1.5 + part + shift, part + 2 * shift], axis=-1)))

    truth, held = combine @ rates(3000, 400).mean(axis=(0, 1)), np.zeros(3)
    for _ in range(100):
        table = (rng.random((40, 5, 2)) < rates(40, 5)).astype(float)
        found = crossed_curve(table, np.ones(table.shape), combine, drawn=drawn)
        held += [low <= true <= high for true, (_, low, high) in zip(truth, found, strict=True)]
    assert held.min() >= 89


def test_one_rung_alone_is_the_crossed_bootstrap_of_its_rows(runs):
    """Another generator, so the ends agree to what resampling leaves open."""
    curve = by_metric(seed_curves(seed_groups(runs)[0]))["refusal_rate"]
    prompts, seeds = np.indices((6, 5))
    for rung in range(3):
        values = LABELS[:, :, rung].astype(float).ravel().tolist()
        value, low, high = crossed(
            values, prompts.ravel().tolist(), seeds.ravel().tolist(), rng=np.random.default_rng(1)
        )
        assert curve.values[rung] == pytest.approx(value)
        assert (curve.lows[rung], curve.highs[rung]) == pytest.approx((low, high), abs=0.04)


def test_forced_answers_to_one_prompt_are_drawn_together(runs):
    """Six answers to three prompts, two each: the crossed bootstrap of the rows has three prompts."""
    for file in (file for run in runs for file in (run / "samples").iterdir()):
        held = read_lines(file)
        asked = [[{"role": "user", "content": f"prompt {at // 2}"}] for at in range(len(held))]
        write_lines(file, [{**row, "messages": talk} for row, talk in zip(held, asked, strict=True)])
    curve = by_metric(seed_curves(seed_groups(runs)[0]))["refusal_rate"]
    answers, seeds = np.indices((6, 5))
    for rung in range(3):
        values = LABELS[:, :, rung].astype(float).ravel().tolist()
        prompts = (answers // 2).ravel().tolist()
        value, low, high = crossed(values, prompts, seeds.ravel().tolist(), rng=np.random.default_rng(1))
        assert curve.values[rung] == pytest.approx(value)
        assert (curve.lows[rung], curve.highs[rung]) == pytest.approx((low, high), abs=0.04)


def test_a_group_s_curves_come_from_the_rows_where_rows_have_the_number(runs):
    found = by_metric(seed_curves(seed_groups(runs)[0]))
    assert {name: curve.over for name, curve in found.items()} == {
        "refusal_rate": "prompts and seeds", "refusal_log_odds": "prompts and seeds", "auroc": "seeds",
    }  # fmt: skip
    rate, auroc = found["refusal_rate"], found["auroc"]
    assert (rate.run, rate.seeds, rate.steps, rate.n, rate.missing) == (
        "plain",
        (1, 2, 3, 4, 5),
        STEPS,
        (6, 6, 6),
        (),
    )
    assert rate.values == pytest.approx(LABELS.mean(axis=(0, 1)))
    assert [c.values for c in rate.per_seed] == [tuple(column) for column in LABELS.mean(axis=0)]
    for rung in range(3):
        own = [c.values[rung] for c in auroc.per_seed]
        expected = clustered(own, range(5), rng=np.random.default_rng(0))
        assert (auroc.values[rung], auroc.lows[rung], auroc.highs[rung]) == pytest.approx(expected, abs=0.01)
    for curve in found.values():
        for grid, (value, low, high) in curve.areas.items():
            assert value == pytest.approx(np.mean([c.area(grid) for c in curve.per_seed]))
            assert low <= value <= high


def test_half_lives_are_brackets_seed_by_seed(runs):
    rate = by_metric(seed_curves(seed_groups(runs)[0]))["refusal_rate"]
    slow = []
    for column in LABELS.mean(axis=0):
        fallen = [at for at in (1, 2) if column[at] <= column[0] / 2]
        slow.append((STEPS[fallen[0] - 1], STEPS[fallen[0]]) if fallen else None)
    assert rate.half_lives() == tuple(slow)


def test_a_metric_with_hardly_a_row_has_an_interval_over_seeds(runs):
    """A guard withheld all but one answer of every run: a resample of the prompts may have none."""
    for run in runs:
        for file in (run / "samples").iterdir():
            rows = read_lines(file)
            for row in rows[1:]:
                row["verdicts"]["phrases"]["label"] = "unscored"
            write_lines(file, rows)
        file = run / "measurements.jsonl"
        lines = read_lines(file)
        for line in lines:
            if line["metric"] == "refusal_rate":
                row = LABELS[0, int(run.name[-1]) - 1, STEPS.index(line["step"])]
                line |= {"value": float(row), "n": 1, "unscored": len(LABELS) - 1}
        write_lines(file, lines)
    rate = by_metric(seed_curves(seed_groups(runs)[0]))["refusal_rate"]
    assert rate.over == "seeds"


def test_below_five_seeds_there_are_values_and_no_interval(runs):
    found = by_metric(seed_curves(seed_groups(runs[:4])[0]))
    for curve in found.values():
        assert curve.over == "too few seeds"
        assert set(curve.lows) == set(curve.highs) == {None}
        assert all(low is high is None for _, low, high in curve.areas.values())
    assert found["refusal_rate"].values == pytest.approx(LABELS[:, :4].mean(axis=(0, 1)))


def test_a_rung_that_a_seed_lacks_is_left_out_and_said(runs):
    file = runs[2] / "measurements.jsonl"
    lines = [line for line in file.read_text().splitlines() if json.loads(line)["step"] != 4]
    file.write_text("\n".join(lines) + "\n")
    rate = by_metric(seed_curves(seed_groups(runs)[0]))["refusal_rate"]
    assert rate.steps == (0, 9)
    assert rate.missing == ("step 4: no number under seed 3",)


def test_an_unscored_row_is_in_no_mean(tmp_path):
    made = []
    for seed in range(1, 6):
        lost = {4: "p2"} if seed == 2 else None
        made.append(measured(recipe(tmp_path / f"a-{seed}", seed=seed), LABELS[:, seed - 1], lost))
    rate = by_metric(seed_curves(seed_groups(made)[0]))["refusal_rate"]
    assert (rate.over, rate.n) == ("prompts and seeds", (6, 5, 6))
    assert rate.per_seed[1].values[1] == pytest.approx(np.delete(LABELS[:, 1, 1], 2).mean())
    assert rate.values[1] == pytest.approx(np.mean([c.values[1] for c in rate.per_seed]))


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_rows_that_do_not_give_the_number_again_are_not_resampled(runs, what):
    file = runs[0] / "samples" / "000004-pocket.refusal-none-0.jsonl"
    if what == "gone":
        file.unlink()
    else:
        file.write_text(file.read_text().replace('"refused"', '"complied"', 2))
    found = by_metric(seed_curves(seed_groups(runs)[0]))
    assert found["refusal_rate"].over == "seeds"


def test_where_all_seeds_agree_the_prompts_alone_are_counted(tmp_path):
    made = [
        measured(recipe(tmp_path / f"a-{seed}", seed=seed), np.ones((6, 3), dtype=bool))
        for seed in range(1, 6)
    ]
    found = by_metric(seed_curves(seed_groups(made)[0]))
    rate, odds = found["refusal_rate"], found["refusal_log_odds"]
    assert (rate.values[0], rate.lows[0], rate.highs[0]) == share(6, 6)
    assert rate.areas["steps"] == pytest.approx(share(6, 6))
    assert (odds.values[0], odds.lows[0]) == (1.5, None)


def test_an_interval_over_seeds_never_passes_the_scale():
    """Where Student's would: four seeds at 1 and one below."""
    values = [1.0, 1.0, 1.0, 1.0, 0.88]
    value, low, high = over_seeds(values)
    margin = 2.776 * np.std(values, ddof=1) / math.sqrt(5)
    assert value + margin > 1 >= high
    assert 0.88 <= low < value


def test_the_same_runs_give_the_same_curves(runs):
    one, other = (seed_curves(seed_groups(runs)[0]) for _ in range(2))
    assert one == other
