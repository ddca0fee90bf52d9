"""The page's paired comparisons: which there are, in which order, and the same numbers in every file."""

import csv
import itertools

import numpy as np
import pytest
from scipy.stats import binomtest

from erosion.evaluation.comparing import compare_runs
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.report.page.contents import Folded, Heading, Table, Text
from erosion.evaluation.report.page.groups import grouped
from erosion.evaluation.report.page.paired_blocks import blocks
from erosion.evaluation.report.page.paired_parts import paired_parts
from erosion.evaluation.report.page.runs import read_runs

SMALL = {"prompts": 12, "steps": (0, 10), "depths": (0,)}
GUARDS = ("none", "ada_rk", "ada_lp", "ada_lp_refit", "self_defense", "tfidf")


@pytest.fixture(scope="module")
def study(made_runs, tmp_path_factory):
    """Two recipes under five seeds each, of which one answers after fewer steps."""
    folder = tmp_path_factory.mktemp("study")
    for seed in range(1, 6):
        for name, rate, other in (("plain", 1e-3, 0), ("held", 1e-4, 100)):
            changes = (("learning_rate", rate), ("seed", seed))
            made = made_runs.Made(seed=seed + other, recipe=changes, defenses=("none", "ada_rk"), **SMALL)
            made_runs.make_run(folder / f"{name}-{seed}", made)
    return folder


@pytest.fixture(scope="module")
def out(study, tmp_path_factory):
    made = tmp_path_factory.mktemp("paired") / "report"
    compare_runs([study], out=made)
    return made


def parts_of(runs):
    groups = grouped(read_runs(runs))
    return paired_parts(list(blocks(groups)), len(groups))


def labels(run, suite, defense):
    rows = read_lines(run / "samples" / f"000010-{suite.replace('/', '.')}-{defense}-0.jsonl")
    return [row["verdicts"][row["judge"]]["label"] for row in rows]


def test_the_comparison_over_all_seeds_stands_first_and_those_seed_by_seed_are_folded(study):
    parts = parts_of([study])
    tables = [part for part in parts if isinstance(part, Table)]
    folded = [part.says for part in parts if isinstance(part, Folded)]
    seeds = "over the seeds 1, 2, 3, 4, 5"
    assert [table.caption for table in tables] == [
        f"Step 10: plain (5 seeds) (second) minus held (5 seeds) (first), {seeds}"
    ]
    assert folded == [
        *(f"Step 10: plain-{seed} (second) minus held-{seed} (first)" for seed in range(1, 6)),
        *(
            f"{name} (5 seeds), step 10: ada_rk (second) minus none (first), {seeds}"
            for name in ("held", "plain")
        ),
    ]
    assert [part.says for part in parts if isinstance(part, Heading)] == [
        "Defences of held (5 seeds)",
        "Defences of plain (5 seeds)",
    ]
    row = tables[0].rows[0]
    assert row[0].says == "pocket/refusal, depth 0, none: refusal rate (phrases)"
    hits = [
        [
            [label == "refused" for label in labels(study / f"{name}-{seed}", "pocket/refusal", "none")]
            for seed in range(1, 6)
        ]
        for name in ("held", "plain")
    ]
    first, second = np.array(hits).mean(axis=(1, 2))
    assert row[4].order == pytest.approx(second - first)
    assert " to " in row[4].beside


def test_every_file_of_a_report_holds_the_same_comparisons(out, study):
    with (out / "paired.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    parts = [part for part in parts_of([study]) if isinstance(part, Table | Folded)]
    rows = [row for part in parts for row in (part.rows if isinstance(part, Table) else part.parts[0].rows)]
    assert len(rows) == len(lines) == 6 + 5 * 6 + 2 * 3
    for row, line in zip(rows, lines, strict=True):
        assert row[0].says.startswith(line["suite"])
        assert [row[at].order for at in (1, 2, 4, 5, 6)] == pytest.approx(
            [float(line[name]) for name in ("first", "second", "difference", "p", "p_holm")]
        )
    assert {line["seeds"] for line in lines[:6]} == {"1 2 3 4 5"}
    assert {line["first_run"] for line in lines} >= {"held (5 seeds)", "held-1"}
    text = (out / "report.md").read_text()
    for part in parts:
        caption = part.caption if isinstance(part, Table) else part.says
        assert caption.replace("_", r"\_").replace("(", r"\(").replace(")", r"\)").replace("-", r"\-") in text


def test_two_defences_of_one_run_are_compared_by_mcnemar(made_runs, tmp_path):
    run = made_runs.make_run(tmp_path / "run", made_runs.Made(defenses=("none", "ada_rk"), **SMALL))
    (told, only) = (
        part
        for part in parts_of([run])
        if isinstance(part, Text | Folded) and not part.says.startswith("The same")
    )
    assert told.says.startswith("Two sides are compared prompt by prompt; here is one run or group.")
    assert only.says == "run, step 10: ada_rk (second) minus none (first)"
    kept = [
        [label in ("refused", "halted") for label in labels(run, "pocket/refusal", guard)]
        for guard in ("none", "ada_rk")
    ]
    gained, lost = (sum(b > a for a, b in zip(*pair, strict=True)) for pair in (kept, kept[::-1]))
    row = only.parts[0].rows[0]
    assert (row[7].order, row[8].order) == (gained, lost)
    assert row[5].order == pytest.approx(binomtest(gained, gained + lost).pvalue)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_every_two_of_four_defences_are_compared_and_of_more_each_with_none(made_runs, tmp_path, count):
    """The control `tfidf` is measured too and is never one of them."""
    guards = (*GUARDS[1:count], "tfidf", "none")
    run = made_runs.make_run(
        tmp_path / "run", made_runs.Made(defenses=guards, suites=("pocket/refusal",), **SMALL)
    )
    (made,) = blocks(grouped(read_runs([run])))
    found = [each.sides.names for each in made.made]
    several = list(itertools.combinations(GUARDS[:count], 2))
    assert found == (several if count <= 4 else [("none", other) for other in GUARDS[1:count]])


def test_seeds_that_are_too_few_are_compared_one_by_one_and_it_is_said(study):
    parts = parts_of([study / f"{name}-{seed}" for name in ("plain", "held") for seed in (1, 2, 3)])
    said = [part.says for part in parts if isinstance(part, Text) and part.tone == "notice"]
    assert said == ["3 common seeds, compared one by one: prompts and seeds are crossed from 5 on."] * 3


def test_groups_without_a_common_seed_are_told(study):
    parts = parts_of([study / "plain-1", study / "plain-2", study / "held-4", study / "held-5"])
    assert any(
        "no run of plain (2 seeds) has the seed of a run of held (2 seeds)" in part.says
        for part in parts
        if isinstance(part, Text)
    )


def test_folded_comparisons_open_by_keyboard_and_on_paper(opened, out):
    with opened(out) as page:
        folds = page.locator("#paired details")
        assert folds.count() == 7
        first = folds.first
        table = first.get_by_role("table")
        assert not table.is_visible()
        first.locator("summary").focus()
        page.keyboard.press("Enter")
        assert table.is_visible()
        assert (
            first.get_by_role("region").get_attribute("aria-label") == first.locator("summary").text_content()
        )
        first.get_by_role("button", name="difference").press("Enter")
        assert first.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
        assert not folds.nth(1).get_by_role("table").is_visible()
        page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        assert all(each.get_by_role("table").is_visible() for each in folds.all())
