"""lm-eval's tasks compared question by question: what is matched, what stands for what, and what is said."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from scipy.stats import binomtest

from erosion.evaluation.completeness.expected import Expected, Where
from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.paired.cells import Side
from erosion.evaluation.paired.comparison import Comparison, compare
from erosion.evaluation.paired.differences import newcombe
from erosion.evaluation.paired.sides import Sides
from erosion.evaluation.records import Measurement
from erosion.training.cli import main

Scores = dict[str, list[float]]
"""By metric, such as `acc,none`: one value a question."""


def line(run: Path, suite: str, metric: str, value: float, n: int, **changes: object) -> dict:
    given = {
        "run": run.name, "step": 9, "defense": "none", "suite": suite, "metric": metric, "higher_is": "better", "judge": "lm_eval",
        "depth": 0, "value": value, "low": None, "high": None, "n": n, "unscored": 0, "incoherent": None, "weights_digest": "w",
        "recipe_digest": "r", "cell_digest": "d", "version": f"{suite}=1 lm_eval=0.4 erosion=1", "code": "c", "packages": {},
        "seconds": 1.0,
    }  # fmt: skip
    return Measurement(**{**given, **changes}).line()


def asked(suite: str, filter_: str, number: int, values: dict[str, float], **changes: object) -> dict:
    return {
        "step": 9, "stamp": "d", "doc_id": number, "doc_hash": f"{suite} {number}", "prompt_hash": f"asked {number}",
        "target_hash": "t", "filter": filter_, "metrics": values, **changes,
    }  # fmt: skip


def measure(
    run: Path, name: str, scores: Scores, *, of: str = "", shots: str = "", **changes: object
) -> None:
    """Writes a task's numbers and rows; `shots` are other solved examples before every question."""
    suite, defense = f"lm_eval/{name}", changes.get("defense", "none")
    version = f"{suite}={changes.pop('version', 1)} lm_eval=0.4 erosion=1{f' of={of}' if of else ''}"
    digest = f"{of or name} {defense}"
    filters = dict.fromkeys(metric.partition(",")[2] for metric in scores)
    count = len(next(iter(scores.values())))
    rows = [
        asked(
            suite, by, number, {m.partition(",")[0]: v[number] for m, v in scores.items() if m.endswith(f",{by}")},
            stamp=digest, prompt_hash=f"{shots} asked {number}",
        )
        for number in range(count)
        for by in filters
    ]  # fmt: skip
    stale = [
        asked(suite, by, 0, {"acc": 1.0, "exact_match": 1.0}, stamp="of other weights") for by in filters
    ]
    write_lines(run / "samples" / f"000009-lm_eval.{name}-{defense}-0.jsonl", stale + rows)
    made = [
        line(run, suite, metric, sum(v) / len(v), count, version=version, cell_digest=digest, **changes)
        for metric, v in scores.items()
    ]
    append_lines(run / "measurements.jsonl", made)


def group(run: Path, name: str, metric: str, value: float, n: int, **changes: object) -> None:
    given = {
        "cell_digest": f"{name} {changes.get('defense', 'none')}",
        "version": f"lm_eval/{name}=group lm_eval=0.4 erosion=1",
    }
    append_lines(
        run / "measurements.jsonl", [line(run, f"lm_eval/{name}", metric, value, n, **{**given, **changes})]
    )


def two(first: Path, second: Path, **more: object) -> Comparison:
    return compare(Sides.of_two(Side(run=first), Side(run=second)), **more)


def named(made: Comparison) -> dict:
    return {(cell.what.suite, cell.metric): cell for cell in made.cells}


@pytest.fixture
def runs(tmp_path) -> tuple[Path, Path]:
    return tmp_path / "one", tmp_path / "other"


def test_every_metric_with_a_value_for_each_question_is_compared(runs, capsys, tmp_path):
    """Strict: 4 gained, none lost; flexible: 1 gained, 1 lost; the score by a permutation of 2^6 signs."""
    given = [
        ([0, 0, 0, 0, 1, 1], [1, 1, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        ([1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 1], [0.2, 0.4, 0.4, 0.6, 0.6, 0.8]),
    ]
    for run, (strict, flexible, scores) in zip(runs, given, strict=True):
        measure(run, "sums", {"exact_match,strict": strict, "exact_match,flexible": flexible})
        measure(run, "stories", {"rouge,none": scores}, higher_is="worse")
        append_lines(
            run / "measurements.jsonl",
            [line(run, "lm_eval/sums", "halted_rate", 0.1, 6, judge="guard", cell_digest="sums none")],
        )
    made = two(*runs)
    cells = named(made)
    assert list(cells) == [
        ("lm_eval/sums", "exact_match,strict"), ("lm_eval/sums", "exact_match,flexible"), ("lm_eval/stories", "rouge,none"),
    ]  # fmt: skip
    strict, flexible, story = (cell.found for cell in made.cells)
    assert (strict.n, strict.gained, strict.lost, strict.p) == (
        6,
        4,
        0,
        pytest.approx(binomtest(0, 4).pvalue),
    )
    assert (strict.low, strict.high) == pytest.approx(newcombe(2, 4, 0, 6))
    assert (flexible.gained, flexible.lost, flexible.p) == (1, 1, 1.0)
    assert (story.difference, story.p) == (pytest.approx(0.15), pytest.approx(2 / 64))
    assert [cell.higher_is for cell in made.cells] == ["better", "better", "worse"]
    assert made.adjusted == pytest.approx([0.25, 1.0, 3 * 2 / 64])
    assert (made.missing, made.aside) == ([], [])
    assert main(["paired", *map(str, runs), "--out", str(tmp_path / "made.csv")]) == 0
    assert "lm_eval/stories," in capsys.readouterr().out
    with (tmp_path / "made.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(each["suite"], each["metric"], each["judge"], each["n"]) for each in lines] == [
        (*key, "lm_eval", "6") for key in cells
    ]


def test_another_few_shot_context_is_no_common_question_and_is_said(runs, capsys):
    for run, shots in zip(runs, ("", "two shots"), strict=True):
        measure(run, "sums", {"exact_match,none": [1, 0]}, shots=shots)
        measure(run, "choices", {"acc,none": [1, 0]})
    rows = read_lines(runs[1] / "samples" / "000009-lm_eval.choices-none-0.jsonl")
    rows[-1]["prompt_hash"] = "asked otherwise"
    write_lines(runs[1] / "samples" / "000009-lm_eval.choices-none-0.jsonl", rows)
    assert main(["paired", *map(str, runs)]) == 1
    said = capsys.readouterr()
    assert "missing: lm_eval/sums, none, exact_match,none: no common prompt among 2 and 2" in said.err
    assert "lm_eval/choices, none, acc,none: prompts left out: 1 of one only, 1 of other only" in said.out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"version": 2},
            "the versions of lm_eval/sums differ: lm_eval/sums=1 lm_eval=0.4 erosion=1 and lm_eval/sums=2",
        ),
        ({"digest": "other"}, "the rows of its questions are no longer all there; sweep again"),
        ({"value": 0.75}, "0.7500 was measured, 0.5000 is the mean over its questions"),
        ({"n": 9}, "4 rows are left of 9 questions; sweep again"),
        ({"twice": True}, "the case 3 of lm_eval/sums stands twice"),
    ],
    ids=lambda given: str(given)[:20],
)
def test_what_cannot_be_compared_is_missing_with_a_reason(runs, wrong, said):
    measure(runs[0], "sums", {"acc,none": [1, 0, 1, 0]})
    measure(runs[0], "choices", {"acc,none": [1, 0]})
    measure(runs[1], "choices", {"acc,none": [1, 0]})
    measure(runs[1], "sums", {"acc,none": [1, 0, 1, 0]}, version=wrong.get("version", 1))
    file = runs[1] / "measurements.jsonl"
    lines = read_lines(file)
    lines[-1] |= {key: wrong[key] for key in ("value", "n") if key in wrong}
    lines[-1]["cell_digest"] = wrong.get("digest", lines[-1]["cell_digest"])
    write_lines(file, lines)
    if "twice" in wrong:
        rows = runs[1] / "samples" / "000009-lm_eval.sums-none-0.jsonl"
        append_lines(rows, read_lines(rows)[-1:])
    made = two(*runs)
    assert [cell.what.suite for cell in made.cells] == ["lm_eval/choices"]
    assert len(made.missing) == 1
    assert made.missing[0].startswith(f"lm_eval/sums, none, acc,none: {said}")


def test_a_metric_that_no_question_has_is_left_out_and_said_and_not_missing(runs, capsys):
    for run in runs:
        measure(run, "sums", {"exact_match,none": [1, 0]})
        append_lines(
            run / "measurements.jsonl",
            [line(run, "lm_eval/sums", "unparsed,none", 0.5, 2, cell_digest="sums none")],
        )
    assert main(["paired", *map(str, runs)]) == 0
    assert (
        "lm_eval/sums, none, unparsed,none: left out: no question has a value of its own"
        in capsys.readouterr().out
    )


MEMBERS = {
    "anatomy": ([1, 0, 1, 1], [0, 0, 1, 0]),
    "baking": ([1, 1], [0, 0]),
    "cakes": ([0, 1, 1], [0, 1, 1]),
}


def groups(runs: tuple[Path, Path], *, by_size: bool) -> None:
    """A group of three tasks, two of them in a group of their own."""
    for at, run in enumerate(runs):
        for name, sides in MEMBERS.items():
            measure(run, name, {"acc,none": sides[at], "acc_norm,none": sides[at]}, of="all")
        values = [values[at] for values in MEMBERS.values()]
        means = [sum(each) / len(each) for each in values]
        mean = sum(map(sum, values)) / 9 if by_size else sum(means) / 3
        group(run, "all", "acc,none", mean, 9)
        inner = {"version": "lm_eval/inner=group lm_eval=0.4 erosion=1 of=all", "cell_digest": "all none"}
        group(run, "inner", "acc,none", sum(map(sum, values[:2])) / 6, 6, **inner)


def test_a_group_that_is_the_mean_over_its_questions_is_one_comparison(runs):
    """Of nine questions four are lost and none gained; `acc_norm`, which the group lacks, is its members'."""
    groups(runs, by_size=True)
    made = two(*runs)
    cells = named(made)
    assert {suite for suite, metric in cells if metric == "acc,none"} == {"lm_eval/all"}
    assert sorted(suite for suite, metric in cells if metric == "acc_norm,none") == [
        f"lm_eval/{name}" for name in MEMBERS
    ]
    found = cells["lm_eval/all", "acc,none"].found
    assert (found.n, found.gained, found.lost, found.p) == (9, 0, 4, pytest.approx(2 / 2**4))
    assert math.isclose(found.first, 7 / 9)
    assert (made.missing, made.aside) == ([], [])


def test_a_group_that_is_another_mean_is_compared_by_its_members(runs):
    groups(runs, by_size=False)
    made = two(*runs)
    assert sorted(suite for suite, metric in named(made) if metric == "acc,none") == [
        f"lm_eval/{name}" for name in MEMBERS
    ]
    assert made.missing == []
    assert made.aside == [
        "lm_eval/all, none, acc,none: no mean over the questions of its members on both sides, which are compared",
        "lm_eval/inner, none, acc,none: left out: it is a group inside another, whose members are compared",
    ]


def test_a_group_one_of_whose_members_has_lost_its_rows_is_compared_by_the_others(runs):
    groups(runs, by_size=True)
    (runs[0] / "samples" / "000009-lm_eval.baking-none-0.jsonl").unlink()
    made = two(*runs)
    assert sorted(suite for suite, metric in named(made) if metric == "acc,none") == [
        "lm_eval/anatomy",
        "lm_eval/cakes",
    ]
    lost = [sentence for sentence in made.missing if sentence.endswith("no longer all there; sweep again")]
    assert [sentence.split(",")[0] for sentence in lost] == [
        "lm_eval/baking",
        "lm_eval/baking",
        "lm_eval/inner",
    ]


def test_a_member_s_own_version_counts_in_its_group(runs):
    groups(runs, by_size=True)
    lines = read_lines(runs[1] / "measurements.jsonl")
    for each in lines:
        each["version"] = each["version"].replace("lm_eval/baking=1", "lm_eval/baking=2")
    write_lines(runs[1] / "measurements.jsonl", lines)
    made = two(*runs)
    assert any(
        sentence.startswith("lm_eval/all, none, acc,none: the versions of lm_eval/baking differ")
        for sentence in made.missing
    )


def test_what_a_guard_cannot_change_is_not_missing_under_it_and_the_rest_of_its_group_is_compared(tmp_path):
    """Of the group only `sums` generates; a task of log-likelihoods has no number under a guard."""
    run = tmp_path / "run"
    measure(run, "choices", {"acc,none": [1, 0]}, of="both")
    measure(run, "sums", {"acc,none": [1, 0, 1]}, of="both")
    group(run, "both", "acc,none", 3 / 5, 5)
    measure(run, "letters", {"acc,none": [1, 1]})
    measure(run, "sums", {"acc,none": [0, 0, 1]}, of="both", defense="ada_lp")
    sides = (Side(run=run, defense="none"), Side(run=run, defense="ada_lp"))
    made = compare(Sides.of_two(*sides))
    assert list(named(made)) == [("lm_eval/sums", "acc,none")]
    assert (made.cells[0].found.lost, made.missing) == (1, [])
    assert made.aside == [
        "lm_eval/both, acc,none: no mean over the questions of its members on both sides, which are compared"
    ]


def test_a_group_that_is_not_measured_under_a_guard_at_all_is_missing_there(tmp_path):
    run = tmp_path / "run"
    measure(run, "sums", {"acc,none": [1, 0, 1]}, of="both")
    measure(run, "words", {"acc,none": [1, 0]}, of="both")
    group(run, "both", "acc,none", 3 / 5, 5)
    measure(run, "letters", {"acc,none": [1, 1]})
    measure(run, "letters", {"acc,none": [1, 0]}, defense="ada_lp")
    where = Where(kind="task", step=9, suite="lm_eval/both", defense="ada_lp")
    lines = [Expected(where=each).line() for each in (where, replace(where, suite="lm_eval/letters"))]
    write_lines(run / "expected.jsonl", [{**line, "asked": "", "place": ""} for line in lines])
    made = compare(Sides.of_two(Side(run=run, defense="none"), Side(run=run, defense="ada_lp")))
    assert list(named(made)) == [("lm_eval/letters", "acc,none")]
    assert made.missing == ["lm_eval/both, acc,none: measured on one side only"]


def test_a_named_judge_leaves_out_what_it_does_not_judge_and_says_it(runs, capsys):
    for run in runs:
        measure(run, "sums", {"exact_match,none": [1, 0]})
    assert main(["paired", *map(str, runs), "--judge", "lm_eval"]) == 0
    assert "left out" not in capsys.readouterr().out
    assert main(["paired", *map(str, runs), "--judge", "phrases"]) == 2
    said = capsys.readouterr().err
    assert (
        "no cell can be compared at step 9: lm_eval/sums: left out, as no answer there is judged by phrases"
        in said
    )


def test_answers_of_a_task_of_unlike_length_are_not_compared(runs, write_recipe):
    for run, tokens in zip(runs, (8, 16), strict=True):
        measure(run, "sums", {"exact_match,none": [1, 0]})
        measure(run, "letters", {"acc,none": [1, 0]})
        tasks = [{"name": "sums", "max_new_tokens": tokens}, "letters"]
        evaluation = {"suites": ["pocket/refusal"], "depths": [0], "tasks": tasks}
        (run / "recipe.yaml").write_bytes(write_recipe(evaluation=evaluation).read_bytes())
    made = two(*runs)
    assert [cell.what.suite for cell in made.cells] == ["lm_eval/letters"]
    assert made.missing == [
        "lm_eval/sums, none, exact_match,none: the greatest lengths of an answer differ: 8 and 16"
    ]
    assert (
        yaml.safe_load((runs[0] / "recipe.yaml").read_text())["evaluation"]["tasks"][0]["max_new_tokens"] == 8
    )


def test_a_task_under_five_seeds_is_crossed_and_its_group_counts_where_it_does_under_every_seed(tmp_path):
    """Each seed loses the four questions of `groups`; one group that is another mean has its members compared."""
    pairs = [(tmp_path / f"a-{seed}", tmp_path / f"b-{seed}") for seed in range(5)]
    for pair in pairs:
        groups(pair, by_size=True)
    sides = Sides(
        pairs=tuple((Side(run=one), Side(run=other)) for one, other in pairs), names=("a", "b"), runs=("a", "b"),
        seeds=tuple(range(5)),
    )  # fmt: skip
    whole = named(compare(sides))["lm_eval/all", "acc,none"]
    assert (whole.found.n, whole.found.gained, whole.found.lost) == (9, 0, 4)
    assert whole.by_seed == pytest.approx([-4 / 9] * 5)
    assert whole.found.low < -4 / 9 < whole.found.high
    file = pairs[3][1] / "measurements.jsonl"
    lines = [{**each, "value": 0.5} if each["suite"] == "lm_eval/all" else each for each in read_lines(file)]
    write_lines(file, lines)
    made = named(compare(sides))
    assert sorted(suite for suite, metric in made if metric == "acc,none") == [
        f"lm_eval/{name}" for name in MEMBERS
    ]
