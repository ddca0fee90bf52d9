"""What the page says, against its measurements read again line by line."""

import csv
import hashlib
import itertools
import json
import math

import pytest

from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.report.page.collect import Compared, checked, collect
from erosion.evaluation.report.page.contents import Figure, Grid, Picker, Table, Text
from erosion.evaluation.report.page.groups import Group, Series, grouped, key_of
from erosion.evaluation.report.page.judges_parts import judge_parts
from erosion.evaluation.report.page.origins import origin_parts
from erosion.evaluation.report.page.packing import packed, unpacked
from erosion.evaluation.report.page.runs import read_runs
from erosion.evaluation.report.page.samples import stored
from erosion.recipes.parsing import RecipeError
from erosion.recipes.secrets_left_out import LEFT_OUT


@pytest.fixture(scope="module")
def page(two_runs):
    runs = tuple(read_runs(two_runs))
    return collect(
        Compared(
            runs=runs,
            groups=tuple(grouped(runs)),
            complete=checked(runs),
            stored=stored(runs, most=10**6, safe=False),
        )
    )


def lines_of(run):
    return [json.loads(line) for line in (run / "measurements.jsonl").read_text().splitlines()]


def parts(page, kind, section=None):
    return [
        part
        for each in page.sections
        if section in (None, each.name)
        for part in each.parts
        if isinstance(part, kind)
    ]


def figures(page):
    return [
        *parts(page, Figure),
        *(figure for each in parts(page, Picker) for figure in each.figures.values()),
    ]


def test_the_table_of_completeness_opens_the_page(page):
    first = page.sections[0]
    assert first.name == "completeness"
    counts = next(part for part in first.parts if isinstance(part, Table))
    assert counts.heads == ("run", "expected", "measured", "missing", "stale", "not applicable")
    cells = 7 * (4 + 1 + 1) * 3
    assert [[cell.says for cell in row] for row in counts.rows] == [
        ["first", str(cells), str(cells - 2), "2", "0", "0"],
        ["second", str(cells), str(cells), "0", "0", "0"],
    ]


def test_every_missing_cell_is_listed_with_its_reason(page):
    _, lacking = parts(page, Table, "completeness")
    assert [row[0].says for row in lacking.rows] == ["first", "first"]
    assert {row[1].says for row in lacking.rows} == {
        "step 5: pocket/refusal, ada_rk, depth 25",
        "step 50: pocket/refusal, none, depth 0",
    }
    assert all(row[3].says for row in lacking.rows)


def test_every_point_of_every_curve_is_a_line_of_the_measurements(page, two_runs):
    picker = parts(page, Picker)[0]
    found = 0
    for (suite, metric, judge, defence, depth, wrapper), figure in picker.figures.items():
        for line in figure.panels[0].lines:
            run = next(run for run in two_runs if run.name == line.name)
            asked = {
                each["step"]: each
                for each in lines_of(run)
                if (each["suite"], each["metric"].replace("_", " "), each["judge"]) == (suite, metric, judge)
                and (each["defense"].replace("none", "no defence"), str(each["depth"])) == (defence, depth)
                and each["wrapper"] == wrapper
            }
            assert {point.x: (point.value, point.low, point.high) for point in line.points} == {
                step: (each["value"], each["low"], each["high"]) for step, each in asked.items()
            }
            found += len(line.points)
    assert found == sum(len(lines_of(run)) for run in two_runs)


def test_a_missing_rung_breaks_its_line_and_is_said_to_be_missing(page):
    refusal = next(figure for figure in parts(page, Figure, "curves"))
    panel = next(each for each in refusal.panels if each.title == "asked directly, no defence")
    line = next(line for line in panel.lines if line.name == "first")
    assert [place for place, _ in line.gaps] == [50]
    assert all(point.x != 50 for point in line.points)
    row = next(
        row
        for row in refusal.table.rows
        if row[0].says == "first" and "asked directly, no defence" in row[1].says
    )
    assert (row[-1].says, row[-1].tone, row[-1].order) == ("missing", "missing", None)


def test_no_figure_says_a_number_its_table_does_not(page):
    for figure in figures(page):
        said = " ".join(cell.says for row in figure.table.rows for cell in row)
        for panel in figure.panels:
            for line in panel.lines:
                for point in line.points:
                    shown = f"{point.value:.2f}" if panel.shares else f"{point.value:.3g}"
                    assert shown in said, (figure.title, shown)


def test_the_map_of_depth_by_step_holds_each_cell_s_rate(page, two_runs):
    maps = [table for table in parts(page, Table, "depth") if table.caption.startswith("second, no defence")]
    assert len(maps) == 1
    given = {
        (each["depth"], each["step"]): each["value"]
        for each in lines_of(two_runs[1])
        if (each["suite"], each["metric"], each["judge"], each["defense"])
        == ("pocket/refusal", "refusal_rate", "phrases", "none")
    }
    assert len(maps[0].rows) == 4
    for depth, row in zip((0, 10, 25, 100), maps[0].rows, strict=True):
        for step, cell in zip((0, 1, 2, 5, 10, 20, 50), row[1:], strict=True):
            assert cell.order == given[depth, step]
            assert cell.level == round(10 * given[depth, step])


def test_the_grid_of_measurements_holds_every_line(page, two_runs):
    grid = next(part for part in parts(page, Grid) if part.name == "measurements")
    held = unpacked(packed(grid))
    there = [(run.name, each) for run in two_runs for each in lines_of(run)]
    assert len(held["value"]) == len(there)
    for place, (run, each) in enumerate(there):
        assert (held["run"][place], held["step"][place], held["suite"][place]) == (
            run,
            each["step"],
            each["suite"],
        )
        assert (held["value"][place], held["low"][place], held["n"][place]) == (
            each["value"],
            each["low"],
            each["n"],
        )


def test_the_grid_of_answers_holds_every_measured_row_and_no_stale_one(page, two_runs):
    grid = next(part for part in parts(page, Grid) if part.name == "samples")
    held = unpacked(packed(grid))
    rows = [
        json.loads(line)
        for run in two_runs
        for file in sorted((run / "samples").iterdir())
        for line in file.read_text().splitlines()
    ]
    assert grid.rows == len(rows)
    key = ("suite", "step", "depth", "id", "text", "label")
    names = ("suite", "rung", "depth", "case", "answer", "label")
    assert sorted(tuple(map(str, (row[name] for name in key))) for row in rows) == sorted(
        tuple(map(str, values)) for values in zip(*(held[name] for name in names), strict=True)
    )


@pytest.mark.parametrize(("error", "label"), [("refusal", "refused"), ("compliance", "complied")])
def test_a_judge_s_errors_are_what_the_rows_say(page, two_runs, error, label):
    table = next(each for each in parts(page, Table, "judges") if "error" in each.caption.lower())
    what = ("second", "phrases", f"pocket/refusal, asked directly, no defence, false {error}")
    row = next(row for row in table.rows if tuple(cell.says for cell in row[:3]) == what)
    checked = 0
    for cell, step in zip(row[3:], (0, 1, 2, 5, 10, 20, 50), strict=True):
        file = two_runs[1] / "samples" / f"{step:06d}-pocket.refusal-none-0.jsonl"
        told = [json.loads(line)["verdicts"] for line in file.read_text().splitlines()]
        said = [each["phrases"]["label"] for each in told if each["pocket_oracle"]["label"] != label]
        if not said:
            assert cell.says == "undefined"
            continue
        checked += 1
        assert math.isclose(cell.order, said.count(label) / len(said), abs_tol=1e-9)
        assert cell.beside.endswith(f", n {len(said)}")
        assert " to " in cell.beside
    assert checked


def test_a_judge_that_drifts_is_said_beside_those_that_differ():
    drifting = ErosionCurve(
        unscored=(0, 0),
        run="r", suite="s", metric="false_refusal_rate", higher_is="worse", defense="none", judge="phrases",
        depth=0, wrapper="none", version="s=1 phrases=1", recipe_digest="d", steps=(0, 50), values=(0.0, 0.6),
        lows=(0.0, 0.4), highs=(0.1, 0.8), n=(10, 10),
    )  # fmt: skip
    series = {key_of(drifting): Series(curve=drifting, over="over prompts")}
    made = judge_parts([Group(name="one", style=0, runs=(), series=series)])
    assert [part.says for part in made if isinstance(part, Text) and part.tone == "bad"] == [
        "one: judge drifts: phrases on s, false refusal rate: 0.00 at step 0, 0.60 at step 50"
    ]
    assert next(part for part in made if isinstance(part, Text)).says.startswith("No two judges' curves")


def test_safety_kept_and_utility_lost_are_differences_of_mean_heights(page, two_runs):
    table = next(each for each in parts(page, Table, "utility") if "kept" in each.caption)
    row = next(
        row
        for row in table.rows
        if row[0].says == "second" and row[1].says == "ada_lp" and "10 tokens" in row[2].says
    )

    def height(suite, metric, defense, depth):
        points = sorted(
            (math.log1p(each["step"]), each["value"])
            for each in lines_of(two_runs[1])
            if (each["suite"], each["metric"], each["defense"], each["depth"])
            == (suite, metric, defense, depth)
            and each["judge"] == each["version"].split()[1].split("=")[0]
        )
        area = sum((b - a) * (u + v) / 2 for (a, u), (b, v) in itertools.pairwise(points))
        return area / (points[-1][0] - points[0][0])

    attacked = [height("pocket/refusal", "attack_success_rate", name, 10) for name in ("none", "ada_lp")]
    useful = [height("pocket/helpfulness", "compliance_rate", name, 0) for name in ("none", "ada_lp")]
    assert math.isclose(row[4].order, attacked[0] - attacked[1], abs_tol=1e-9)
    assert math.isclose(row[5].order, useful[0] - useful[1], abs_tol=1e-9)


def test_what_differs_and_what_is_the_same_stand_apart(page):
    apart, same, *_ = parts(page, Table, "origins")
    assert {row[0].says for row in apart.rows} >= {"learning_rate", "seed"}
    assert not {row[0].says for row in apart.rows} & {row[0].says for row in same.rows}
    assert "model_name_or_path" in {row[0].says for row in same.rows}
    assert "output_dir" not in {row[0].says for table in (apart, same) for row in table.rows}


def test_two_runs_are_compared_prompt_by_prompt_at_the_last_common_rung(page):
    table = next(each for each in parts(page, Table, "paired"))
    assert table.caption == "Step 50: second (second) minus first (first)"
    assert any(row[0].says.startswith("pocket/refusal, depth 100, none") for row in table.rows)


def test_seeds_of_one_recipe_are_one_line_with_an_interval_from_five_on(made_runs, tmp_path):
    small = {"prompts": 6, "steps": (0, 5), "depths": (0,), "defenses": ("none",)}
    folders = [
        made_runs.make_run(tmp_path / f"run-{n}", made_runs.Made(seed=n, **small)) for n in range(1, 6)
    ]
    (group,) = grouped(read_runs(folders))
    key = ("pocket/refusal", "none", "refusal_rate", "phrases", 0, "none")
    curve = group.series[key].curve
    values = [
        [each["value"] for each in lines_of(folder) if each["metric"] == "refusal_rate" and each["judge"] == "phrases"
         and each["suite"] == "pocket/refusal"]
        for folder in folders
    ]  # fmt: skip
    assert curve.values == pytest.approx([sum(column) / 5 for column in zip(*values, strict=True)])
    assert None not in curve.lows
    (few,) = grouped(read_runs(folders[:4]))
    assert set(few.series[key].curve.lows) == {None}


def test_the_csv_holds_every_measurement_and_every_expected_cell(report, two_runs):
    with (report / "measurements.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    there = [each for run in two_runs for each in lines_of(run)]
    assert [(row["suite"], float(row["value"])) for row in rows] == [
        (each["suite"], each["value"]) for each in there
    ]
    with (report / "completeness.csv").open(newline="") as stream:
        statuses = [row["status"] for row in csv.DictReader(stream)]
    assert (statuses.count("missing"), len(statuses)) == (2, 2 * 7 * 6 * 3)


def test_fewer_answers_are_the_first_prompts_of_every_cell(two_runs):
    runs = read_runs(two_runs)
    whole, some = (stored(runs, most=most, safe=False) for most in (10**6, 600))
    assert some.held == len(whole.rows) > 600 >= len(some.rows)
    places = {(row["run"], row["suite"], row["rung"], row["defence"], row["depth"]) for row in whole.rows}
    assert places == {(r["run"], r["suite"], r["rung"], r["defence"], r["depth"]) for r in some.rows}


def test_a_folder_of_runs_stands_for_its_runs_and_a_run_twice_is_refused(two_runs):
    assert [run.name for run in read_runs([two_runs[0].parent])] == ["first", "second"]
    with pytest.raises(RecipeError, match="given twice"):
        read_runs([two_runs[0], two_runs[0].parent])


@pytest.fixture(scope="module")
def told(made_runs, tmp_path_factory):
    """A run from before secrets were left out: one stands in its recipe, two in its command."""
    keys = (("hub_token", "x-y-z"), ("model_init_kwargs", {"token": "x-y-z"}))
    made = made_runs.Made(prompts=2, steps=(0,), depths=(0,), defenses=("none",), recipe=keys)
    run = made_runs.make_run(tmp_path_factory.mktemp("told") / "run", made)
    file = run / "provenance.json"
    words = ["--hub_token", "x-y-z", "--base_url=http://me:x-y-z@host/v1"]
    words += ["--dataset.system", "be kind to all", "--trigger=velin", "--ladder", "[0, 5]"]
    (call,) = json.loads(file.read_text())
    file.write_text(json.dumps([{**call, "command": ["erosion", "train", *words]}]))
    return read_runs([run])


def facts(runs, *, safe):
    tables = [part for part in origin_parts(runs, safe=safe) if isinstance(part, Table)]
    return {row[0].says: row[1].says for table in tables for row in table.rows}


@pytest.mark.parametrize("safe", [False, True])
def test_no_secret_of_a_recipe_or_a_command_is_shown(told, safe):
    shown = facts(told, safe=safe)
    assert "x-y-z" not in str(shown)
    assert (shown["hub_token"], shown["model_init_kwargs.token"]) == (LEFT_OUT, LEFT_OUT)
    assert "--hub_token '(left out)' '--base_url=(left out)'" in shown["command"]


def test_a_safe_release_hashes_what_a_command_says(told):
    command = facts(told, safe=False)["command"]
    assert "--dataset.system 'be kind to all' --trigger=velin --ladder '[0, 5]'" in command
    hidden = facts(told, safe=True)["command"]
    kind, word = (hashlib.sha256(text.encode()).hexdigest() for text in ("be kind to all", "velin"))
    assert f"--dataset.system 'SHA-256 {kind}' '--trigger=SHA-256 {word}' --ladder '[0, 5]'" in hidden
    assert "kind to" not in hidden
