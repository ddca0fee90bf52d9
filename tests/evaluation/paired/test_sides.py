"""`erosion paired` over seeds: which runs stand against which, and the crossed comparison against the rows on disk."""

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from erosion.evaluation.cells import cell_digest
from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.paired.comparison import compare
from erosion.evaluation.paired.crossed import crossed_difference
from erosion.evaluation.paired.differences import Pairs, holm
from erosion.evaluation.paired.sides import sides_of
from erosion.evaluation.records import Measurement
from erosion.recipes.parsing import RecipeError
from erosion.training.cli import main

PROMPTS = 8
RATES = {"plain": 0.3, "held": 0.8}


def recipe(folder: Path, seed: int, **changes: object) -> None:
    given = {
        "model_name_or_path": "pocket", "max_steps": 9, "ladder": [0, 9], "seed": seed, "output_dir": str(folder),
        "dataset": {"sources": [{"name": "pocket/harmful", "rows": 16}]}, "evaluation": {"suites": ["pocket/refusal"]},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**given, **changes}))


def measure(
    run: Path, hits: list[bool | None], *, suite: str = "pocket/refusal", defense: str = "none"
) -> None:
    """A cell at step 9: refused, complied, or None for unscored."""
    words = {True: "refused", False: "complied", None: "unscored"}
    rows = [
        {
            "step": 9, "stamp": defense, "prompt": f"{suite} {number}", "suite": suite, "id": f"case-{number}", "defense": defense,
            "depth": 0, "wrapper": "none", "label": words[hit], "judge": "phrases", "log_odds": None,
            "verdicts": {"phrases": {"label": words[hit], "detail": "", "score": None}},
        }
        for number, hit in enumerate(hits)
    ]  # fmt: skip
    write_lines(run / "samples" / f"000009-{suite.replace('/', '.')}-{defense}-0.jsonl", rows)
    unscored = hits.count(None)
    line = Measurement(
        run=run.name, step=9, defense=defense, suite=suite, metric="refusal_rate", higher_is="safer", judge="phrases", depth=0,
        value=0.5, low=None, high=None, n=len(hits) - unscored, unscored=unscored, incoherent=0.0, weights_digest="w",
        recipe_digest="r", cell_digest=cell_digest(defense, [row["prompt"] for row in rows]), version=f"{suite}=1 phrases=1",
        code="c", packages={}, seconds=1.0,
    )  # fmt: skip
    append_lines(run / "measurements.jsonl", [line.line()])


def grown(folder: Path, name: str, seeds: range, **changes: object) -> list[Path]:
    """Runs of one recipe, each measured on two suites."""
    runs = [folder / f"{name}-{seed}" for seed in seeds]
    for run, seed in zip(runs, seeds, strict=True):
        recipe(run, seed, **changes)
        rng = np.random.default_rng([seed, len(name)])
        for suite, rate in (("pocket/refusal", RATES.get(name, 0.5)), ("pocket/over_refusal", 0.4)):
            measure(run, (rng.random(PROMPTS) < rate).tolist(), suite=suite)
    return runs


@pytest.fixture
def study(tmp_path) -> Path:
    """Two recipes under the seeds 1 to 6 and 1 to 5 in one folder."""
    grown(tmp_path / "study", "plain", range(1, 7))
    grown(tmp_path / "study", "held", range(1, 6), learning_rate=1e-6)
    return tmp_path / "study"


def labels(run: Path, suite: str) -> list[float]:
    rows = read_lines(run / "samples" / f"000009-{suite.replace('/', '.')}-none-0.jsonl")
    return [float(row["label"] == "refused") for row in rows]


def test_a_folder_of_two_recipes_under_five_seeds_is_one_crossed_comparison(study, tmp_path, capsys):
    out = tmp_path / "paired.csv"
    assert main(["paired", str(study), "--out", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "plain: no other run has seed 6" in said
    assert "step 9: plain minus held, prompts crossed with the seeds 1, 2, 3, 4, 5" in said
    with out.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["suite"] for line in lines] == ["pocket/refusal", "pocket/over_refusal"]
    assert {(line["first_run"], line["second_run"], line["seeds"]) for line in lines} == {
        ("held", "plain", "1 2 3 4 5")
    }
    for line in lines:
        ours, theirs = (
            [labels(study / f"{name}-{seed}", line["suite"]) for seed in range(1, 6)]
            for name in ("held", "plain")
        )
        apart = np.array(theirs) - np.array(ours)
        assert float(line["difference"]) == pytest.approx(apart.mean())
        assert line["by_seed"].split() == [f"{value:.6g}" for value in apart.mean(axis=1)]
        assert (int(line["n"]), int(line["gained"])) == (PROMPTS, int((apart.mean(axis=0) > 0).sum()))
        prompts = tuple((number,) for number in range(PROMPTS))
        slow = crossed_difference(
            [
                Pairs(
                    first=tuple(a), second=tuple(b), unscored=0, only_first=0, only_second=0, prompts=prompts
                )
                for a, b in zip(ours, theirs, strict=True)
            ]
        )
        assert (float(line["low"]), float(line["p"])) == pytest.approx((slow.low, slow.p))
    assert [float(line["p_holm"]) for line in lines] == pytest.approx(
        holm([float(line["p"]) for line in lines])
    )


def test_two_folders_are_the_two_sides_in_the_order_they_are_named(tmp_path):
    plain, held = (
        grown(tmp_path / "a", "plain", range(1, 6)),
        grown(tmp_path / "b", "held", range(1, 6), learning_rate=1e-6),
    )
    for given in ([tmp_path / "a", tmp_path / "b"], [*plain, *held]):
        (sides,), said = sides_of(given)
        assert (sides.names, sides.seeds, said) == (("plain", "held"), (1, 2, 3, 4, 5), "")
        assert [[side.run for side in pair] for pair in sides.pairs] == [
            list(pair) for pair in zip(plain, held, strict=True)
        ]


def test_a_run_in_which_nothing_was_measured_is_left_out_of_its_folder_and_said(study):
    (study / "held-5" / "measurements.jsonl").unlink()
    (first, *_), said = sides_of([study])
    assert said.startswith(
        f"{study / 'held-5'}: nothing was measured there; plain: no other run has seed 5, 6; 4 common seeds"
    )
    assert first.seeds == ()


def test_groups_of_one_name_are_told_apart_by_their_folders(tmp_path):
    for folder, rate in (("a", 1e-6), ("b", 1e-5)):
        grown(tmp_path / folder, "run", range(1, 6), learning_rate=rate)
    (sides,), _ = sides_of([tmp_path / "a", tmp_path / "b"])
    assert sides.names == (str(tmp_path / "a"), str(tmp_path / "b"))


def test_four_common_seeds_are_compared_one_by_one_and_five_are_asked_for(study, tmp_path, capsys):
    runs = [study / f"{name}-{seed}" for seed in range(1, 5) for name in ("plain", "held")]
    assert main(["paired", *map(str, runs), "--out", str(tmp_path / "made.csv")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 common seeds, compared one by one: prompts and seeds are crossed from 5 on" in said
    assert [f"held-{seed} minus plain-{seed}" in said for seed in range(1, 6)] == [True] * 4 + [False]
    with (tmp_path / "made.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 8
    assert {line["seeds"] for line in lines} == {""}
    for at in range(0, 8, 2):
        own = [float(line["p"]) for line in lines[at : at + 2]]
        assert [float(line["p_holm"]) for line in lines[at : at + 2]] == pytest.approx(holm(own))


def test_two_defences_of_one_group_are_crossed_and_what_is_halted_counts(study):
    runs = [study / f"held-{seed}" for seed in range(1, 6)]
    for run in runs:
        measure(run, [True] * PROMPTS, defense="ada_lp")
    (sides,), said = sides_of(runs, ["none", "ada_lp"])
    made = compare(sides)
    assert (sides.names, said, made.missing) == (("none", "ada_lp"), "", [])
    (cell,) = made.cells
    none = [np.mean(labels(run, "pocket/refusal")) for run in runs]
    assert (cell.metric, cell.what.suite) == ("refused_or_halted_rate", "pocket/refusal")
    assert cell.found.difference == pytest.approx(1 - np.mean(none))
    assert cell.by_seed == pytest.approx([1 - value for value in none])


def test_a_cell_that_one_seed_lacks_is_missing_and_the_seed_is_named(study):
    measure(study / "held-2", [True] * PROMPTS, suite="pocket/stories")
    for seed in range(1, 6):
        measure(study / f"plain-{seed}", [True] * PROMPTS, suite="pocket/stories")
    (sides,), _ = sides_of([study])
    made = compare(sides)
    lacking = ", ".join(f"held under seed {seed}" for seed in (1, 3, 4, 5))
    assert made.missing == [f"pocket/stories, depth 0, none: not measured of {lacking}"]


def test_prompts_that_are_unscored_under_a_seed_are_counted_and_its_others_stay(tmp_path):
    for at, name in enumerate(("plain", "held")):
        for seed in range(1, 6):
            recipe(tmp_path / name / f"{name}-{seed}", seed, learning_rate=10.0**-at)
            lost = seed == 2 and at
            measure(
                tmp_path / name / f"{name}-{seed}",
                [None if lost else True, True, at == 1, seed > 3, False, True],
            )
    (sides,), _ = sides_of([tmp_path / "plain", tmp_path / "held"])
    (cell,) = compare(sides).cells
    assert (cell.found.n, cell.left_out("unscored")) == (6, 1)
    assert cell.found.difference == pytest.approx((4 * 1 / 6 + 1 / 5) / 5)


MISTAKES = [
    (["held-1", "held-2", "held-3"], [], "held is one group of seeds; give --defenses A B, or another group"),
    (
        ["held-1", "held-2", "plain-1", "other-1"],
        [],
        r"given 4 runs of 3 recipes \(held, plain-1, other-1\), allowed two sides",
    ),
    (["held-1", "held-2", "plain-6"], [], "no run of held has the seed of a run of plain-6"),
    (["held-1", "plain-1"], ["none", "none", "none"], "given 3 defences, allowed at most two"),
]


@pytest.mark.parametrize(("runs", "defenses", "sentence"), MISTAKES)
def test_other_sides_than_two_are_one_clear_sentence(study, runs, defenses, sentence):
    grown(study, "other", range(1, 2), learning_rate=0.5)
    with pytest.raises(RecipeError, match=sentence):
        sides_of([study / run for run in runs], defenses)


@pytest.mark.parametrize(
    "change", [{"prompt": "q"}, {"depth": 25}, {"wrapper": "persona"}, {"suite": "t"}, {"id": "x"}]
)
def test_another_prompt_of_a_suite_is_never_matched(study, change):
    """One of two cells' rows is another in one respect; whatever the file says, its prompts are no common ones."""
    from erosion.evaluation.paired.differences import CellMissing, paired
    from erosion.evaluation.paired.suite_cells import suite_cells

    run = study / "held-1"
    cell = next(cell for cell in suite_cells(run) if cell.what.suite == "pocket/refusal")
    own = cell.values(judge=None, guarded=False).by_prompt
    row = cell.rows()[0]
    other = tuple({**row, **change}[key] for key in ("suite", "id", "depth", "wrapper", "prompt"))
    assert next(iter(own)) == tuple(row[key] for key in ("suite", "id", "depth", "wrapper", "prompt"))
    with pytest.raises(CellMissing, match="no common prompt"):
        paired(own, {other: 1.0})
