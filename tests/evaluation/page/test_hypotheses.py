"""The page's section of hypotheses: every run's own, and in how many seeds each held."""

from pathlib import Path

import pytest

from erosion.evaluation.comparing import compare_runs
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.report.page.collect import checked
from erosion.evaluation.report.page.contents import Table, Text
from erosion.evaluation.report.page.groups import grouped
from erosion.evaluation.report.page.hypotheses import hypothesis_parts
from erosion.evaluation.report.page.origins import origin_parts
from erosion.evaluation.report.page.runs import read_runs
from erosion.recipes.schema import load_recipe

REFUSED = {"suite": "pocket/refusal", "metric": "refusal_rate", "defense": "none", "depth": 0}
HYPOTHESES = [
    {"says": "A share is at most 1 <b>everywhere</b>.", "left": REFUSED, "relation": "at_most", "right": 1},
    {"says": "It never falls.", "left": REFUSED, "relation": "at_least", "right": {"step": 0}},
    {"says": "All is there.", "left": {"metric": "missing"}, "relation": "at_most", "right": 0},
]
SMALL = {
    "steps": (0, 50),
    "depths": (0,),
    "defenses": ("none",),
    "suites": ("pocket/refusal",),
    "prompts": 12,
}


@pytest.fixture(scope="module")
def seeds(made_runs, tmp_path_factory) -> list[Path]:
    """Three seeds of one recipe; in the last one a number of step 50 is gone."""
    folder = tmp_path_factory.mktemp("seeds")
    made = [
        made_runs.make_run(
            folder / f"seed{seed}", made_runs.Made(seed=seed, recipe=(("hypotheses", HYPOTHESES),), **SMALL)
        )
        for seed in (1, 2, 3)
    ]
    file = made[-1] / "measurements.jsonl"
    write_lines(file, [line for line in read_lines(file) if line["step"] == 0])
    return made


def tables(folders: list[Path]) -> list[Table]:
    runs = read_runs(folders)
    return [part for part in hypothesis_parts((), grouped(runs), checked(runs)) if isinstance(part, Table)]


def words(table: Table) -> list[list[str]]:
    return [[cell.says for cell in row] for row in table.rows]


def test_a_run_s_hypotheses_are_a_table_of_their_own(seeds):
    (table,) = tables(seeds[:1])
    assert table.caption == "seed1"
    assert [row[1] for row in words(table)] == [each["says"] for each in HYPOTHESES]
    assert [row[2] for row in words(table)] == ["held", "did not hold", "held"]
    fell = {line["step"]: line["value"] for line in read_lines(seeds[0] / "measurements.jsonl")
            if (line["metric"], line["judge"]) == ("refusal_rate", "phrases")}  # fmt: skip
    assert fell[50] < fell[0]
    assert f"refusal_rate, {fell[50]:.4g} against {fell[0]:.4g}" in words(table)[1][3]


def test_over_seeds_it_is_told_in_how_many_each_held_and_undecided_is_not_held(seeds):
    over, *own = tables(seeds)
    assert [table.caption for table in own] == ["seed1", "seed2", "seed3"]
    assert [table.folded for table in (over, *own)] == [False, True, True, True]
    assert [row[2:] for row in words(over)] == [
        ["held in 2 of 3 seeds", "undecided in seed3"],
        ["held in 0 of 3 seeds", "did not hold in seed1; did not hold in seed2; undecided in seed3"],
        ["held in 2 of 3 seeds", "did not hold in seed3"],
    ]
    assert [row[2].tone for row in over.rows] == ["missing", "bad", "bad"]


def test_without_any_it_is_said_where_they_come_from(two_runs):
    runs = read_runs(two_runs)
    (part,) = hypothesis_parts((), grouped(runs), checked(runs))
    assert isinstance(part, Text)
    assert "has a section of hypotheses" in part.says


def test_what_was_expected_makes_no_two_recipes_differ(made_runs, seeds, tmp_path):
    """The run without the section is the same recipe's, with another seed."""
    plain = made_runs.make_run(tmp_path / "seed4", made_runs.Made(seed=4, **SMALL))
    runs = read_runs([seeds[0], plain])
    told = [part for part in origin_parts(runs, safe=False) if isinstance(part, Table)]
    assert {row[0].says for row in told[0].rows} == {"seed"}
    assert len(grouped(runs)) == 1
    assert load_recipe(plain / "recipe.yaml").hypotheses == ()


def test_the_section_is_on_the_page_and_in_the_text_with_its_words_escaped(opened, seeds, tmp_path):
    compare_runs(seeds, out=tmp_path)
    text = (tmp_path / "report.md").read_text()
    section = text[text.index("## Hypotheses") :].split("\n## ")[0]
    assert "held in 2 of 3 seeds" in section
    assert "&lt;b&gt;everywhere" in section
    with opened(tmp_path) as page:
        over = page.locator("#hypotheses table").first
        assert "<b>everywhere</b>" in over.text_content()
        assert over.locator("tbody tr").count() == len(HYPOTHESES)
        assert over.locator("b").count() == 0
        assert over.get_by_text("held in 0 of 3 seeds").is_visible()
        assert page.locator("#hypotheses details").count() == 3
