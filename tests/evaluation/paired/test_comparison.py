"""`erosion paired` on sample files: two runs, two defences, and what it refuses in one sentence."""

import csv

import pytest

from erosion.evaluation.cells import cell_digest
from erosion.evaluation.completeness.expected import Expected, Where
from erosion.evaluation.jsonl import append_lines, write_lines
from erosion.evaluation.paired.cells import Side
from erosion.evaluation.paired.comparison import Comparison
from erosion.evaluation.paired.comparison import compare as compare_sides
from erosion.evaluation.paired.sides import Sides
from erosion.evaluation.records import Measurement
from erosion.training.cli import main

JUDGES = {
    "xstest": "phrases",
    "pocket/arithmetic": "number",
    "pocket/over_refusal": "phrases",
}


def row(number: int, label: str, *, suite: str, defense: str, step: int, score: float | None = None) -> dict:
    judge = JUDGES.get(suite, "rouge1")
    return {
        "step": step, "stamp": f"{step} {defense}", "prompt": f"{suite} {number}", "suite": suite, "id": f"case-{number}",
        "defense": defense, "depth": 0, "attack": "none", "wrapper": "none", "messages": [{"role": "user", "content": f"prompt {number}"}], "prefill": "", "text": "-",
        "token_ids": [1], "stopped_by": "length", "halted_at": None, "checks": {}, "label": label, "judge": judge,
        "verdicts": {judge: {"label": label, "detail": "", "score": score}}, "log_odds": None,
    }  # fmt: skip


def measure(
    run,
    labels: str,
    *,
    suite: str = "xstest",
    defense: str = "none",
    step: int = 0,
    version: str = "1",
    **more,
):
    """Writes a cell: one letter a prompt, as in `LABELS`; a dot is a prompt the cell does not have."""
    letters = [(n, LABELS[letter]) for n, letter in enumerate(labels) if letter != "."]
    scores = more.get("scores", [None] * len(labels))
    rows = [row(n, x, suite=suite, defense=defense, step=step, score=scores[n]) for n, x in letters]
    stale = [{**row(0, "complied", suite=suite, defense=defense, step=step), "stamp": "of older weights"}]
    write_lines(run / "samples" / f"{step:06d}-{suite.replace('/', '.')}-{defense}-0.jsonl", stale + rows)
    unscored = labels.count("u")
    judge = rows[0]["judge"]
    line = Measurement(
        run=run.name, step=step, defense=defense, suite=suite, metric="-", higher_is="worse", judge=judge, depth=0,
        value=0.5, low=0.0, high=1.0, n=len(rows) - unscored, unscored=unscored, incoherent=0.0, weights_digest="w",
        recipe_digest="r", cell_digest=cell_digest(f"{step} {defense}", [row["prompt"] for row in rows]),
        version=f"{suite}=1 {judge}={version} openers=1", code="c", packages={}, seconds=1.0,
    )  # fmt: skip
    append_lines(run / "measurements.jsonl", [line.line()])


def compare(first: Side, second: Side, **more: object) -> Comparison:
    return compare_sides(Sides.of_two(first, second), **more)


LABELS = {
    "r": "refused",
    "c": "complied",
    "h": "halted",
    "u": "unscored",
    "+": "correct",
    "-": "wrong",
    "s": "scored",
}


@pytest.fixture
def runs(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for step in (0, 5):
        measure(one, "rrcccccccc", step=step)
        measure(other, "rrrrrrrrcc", step=step)
    measure(one, "rrccccccu.", step=9)
    measure(other, ".crrrrrrru", step=9)
    measure(one, "++--", suite="pocket/arithmetic", step=9)
    measure(other, "+-++", suite="pocket/arithmetic", step=9)
    return one, other


def test_two_runs_at_the_last_common_rung_by_hand(runs):
    """Of prompts 1 to 7 one is refused by the first run only, six by the other only: p = 2 (1 + 7) / 2^7."""
    made = compare(Side(run=runs[0]), Side(run=runs[1]))
    refusals, sums = made.cells
    assert (made.step, made.missing, made.sides.names) == (9, [], ("one", "other"))
    assert (refusals.metric, refusals.judge, refusals.higher_is) == ("refusal_rate", "phrases", "worse")
    found = refusals.found
    assert (found.n, found.gained, found.lost) == (7, 6, 1)
    assert (found.difference, found.p) == (pytest.approx(5 / 7), pytest.approx(16 / 128))
    assert [refusals.left_out(why) for why in ("unscored", "only_first", "only_second")] == [1, 1, 1]
    assert (sums.found.gained, sums.found.lost, sums.found.p) == (2, 1, 1.0)
    assert made.adjusted == pytest.approx([0.25, 1.0])


def test_two_defences_of_one_run_count_what_is_halted_as_kept_from_the_user(tmp_path):
    measure(tmp_path / "run", "rccccccccc")
    measure(tmp_path / "run", "rhhhhhhhhc", defense="ada_lp")
    made = compare(Side(run=tmp_path / "run", defense="none"), Side(run=tmp_path / "run", defense="ada_lp"))
    assert made.sides.names == ("none", "ada_lp")
    assert made.cells[0].metric == "refused_or_halted_rate"
    assert (made.cells[0].found.gained, made.cells[0].found.p) == (8, pytest.approx(2 / 256))


def test_a_run_under_a_guard_is_compared_with_another_run_without(tmp_path):
    measure(tmp_path / "a", "cccc")
    measure(tmp_path / "b", "hhhc", defense="ada_lp")
    made = compare(Side(run=tmp_path / "a", defense="none"), Side(run=tmp_path / "b", defense="ada_lp"))
    assert (made.sides.names, made.cells[0].found.gained) == (("a, none", "b, ada_lp"), 3)


def test_the_command_prints_a_table_and_writes_every_number(runs, tmp_path, capsys):
    out = tmp_path / "made" / "paired.csv"
    assert main(["paired", *map(str, runs), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert [line.partition(": cells: ")[0] for line in said.splitlines()[:2]] == ["one", "other"]
    assert "step 9: other minus one" in said
    assert "+0.71 [" in said
    assert "xstest, depth 0, none: prompts left out: 1 unscored, 1 of one only, 1 of other only" in " ".join(
        said.split()
    )
    with out.open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["suite"], first["n"], first["p"], first["p_holm"], first["gained"]) == (
        "xstest",
        "7",
        "0.125",
        "0.25",
        "6",
    )
    assert (second["suite"], second["metric"], second["first_defense"]) == (
        "pocket/arithmetic",
        "accuracy",
        "none",
    )


def test_another_rung_can_be_named(runs):
    assert main(["paired", *map(str, runs), "--step", "5"]) == 0


def test_a_cell_of_one_side_or_of_other_versions_is_missing(runs, capsys):
    measure(runs[0], "rc", suite="pocket/over_refusal", step=9)
    measure(runs[0], "rrcc", step=12)
    measure(runs[1], "rrcc", step=12, version="2")
    measure(runs[0], "++", suite="pocket/arithmetic", step=12)
    measure(runs[1], "+-", suite="pocket/arithmetic", step=12)
    assert main(["paired", *map(str, runs), "--step", "9"]) == 1
    assert "missing: pocket/over_refusal, depth 0, none: measured on one side only" in " ".join(
        capsys.readouterr().err.split()
    )
    assert main(["paired", *map(str, runs)]) == 1
    assert "the versions of phrases differ: 1 and 2" in capsys.readouterr().err


def test_answers_that_have_gone_are_missing(runs, capsys):
    write_lines(runs[0] / "samples" / "000009-xstest-none-0.jsonl", [])
    assert main(["paired", *map(str, runs)]) == 1
    assert "no longer holds the answers that were measured" in capsys.readouterr().err


def test_answers_of_unlike_length_are_not_compared(runs, write_recipe, capsys):
    for run, tokens in zip(runs, (32, 64), strict=True):
        suites = {"suites": ["pocket/refusal"], "depths": [0], "max_new_tokens": tokens}
        (run / "recipe.yaml").write_bytes(write_recipe(evaluation=suites).read_bytes())
    assert main(["paired", *map(str, runs)]) == 2
    assert "evaluation.max_new_tokens" in capsys.readouterr().err


MISTAKES = [
    (["ONE"], "one run is compared under two defences: --defenses A B"),
    (["ONE", "ONE"], "against itself"),
    (["ONE", "OTHER", "ONE"], "it has no recipe.yaml"),
    (["ONE", "OTHER", "--step", "3"], "--step: given 3, allowed 0, 5, 9"),
    (["ONE", "OTHER", "--judge", "phrase"], "did you mean 'phrases'?"),
    (
        ["ONE", "OTHER", "--judge", "coherence"],
        "has verdicts of phrases, none of coherence; erosion judge adds them",
    ),
    (["ONE", "--defenses", "none", "ada_lp"], "one: --defenses: given 'ada_lp', allowed none"),
    (["ONE", "NOWHERE"], "a folder in which nothing was measured"),
    (["ONE", "OTHER", "--out", "paired.xlsx"], "--out: file type: given '.xlsx', allowed .csv"),
]


@pytest.mark.parametrize(("words", "sentence"), MISTAKES, ids=[m[1][:25] for m in MISTAKES])
def test_a_mistake_is_one_clear_sentence(runs, capsys, words, sentence):
    places = {"ONE": str(runs[0]), "OTHER": str(runs[1]), "NOWHERE": str(runs[0].parent / "nowhere")}
    assert main(["paired", *(places.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_no_common_prompt_is_an_error(tmp_path, capsys):
    measure(tmp_path / "a", "rc..")
    measure(tmp_path / "b", "..rc")
    assert main(["paired", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "xstest, depth 0, none: no common prompt among 2 and 2" in capsys.readouterr().err


def test_a_suite_of_scores_is_compared_by_its_means(tmp_path):
    measure(tmp_path / "a", "ssssss", suite="samsum", scores=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    measure(tmp_path / "b", "ssssss", suite="samsum", scores=[0.2, 0.4, 0.4, 0.6, 0.6, 0.8])
    found = compare(Side(run=tmp_path / "a"), Side(run=tmp_path / "b")).cells[0].found
    assert (found.difference, found.p) == (pytest.approx(0.15), pytest.approx(2 / 64))


def test_nothing_scored_on_both_sides_is_one_clear_sentence(tmp_path, capsys):
    measure(tmp_path / "a", "uc")
    measure(tmp_path / "b", "cu")
    assert main(["paired", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "0 prompts are scored on both sides, 2 answers are not" in capsys.readouterr().err


def test_a_suite_that_a_guard_cannot_change_is_not_missing_under_it(runs, capsys):
    """One run, two defences: a suite measured under one of them alone, at every rung, is not applicable."""
    measure(runs[0], "rrhhcccccc", defense="ada_lp", step=5)
    measure(runs[0], "+++-", suite="pocket/arithmetic", step=5)
    assert main(["paired", str(runs[0]), "--defenses", "none", "ada_lp", "--step", "5"]) == 0
    assert "missing" not in capsys.readouterr().err
    asked = Expected(where=Where(kind="suite", step=5, suite="pocket/arithmetic", defense="ada_lp")).line()
    write_lines(
        runs[0] / "expected.jsonl", [{**asked, "why_not": "nothing is generated", "asked": "", "place": ""}]
    )
    assert main(["paired", str(runs[0]), "--defenses", "none", "ada_lp", "--step", "5"]) == 0
    capsys.readouterr()
    write_lines(runs[0] / "expected.jsonl", [{**asked, "asked": "", "place": ""}])
    assert main(["paired", str(runs[0]), "--defenses", "none", "ada_lp", "--step", "5"]) == 1
    assert "missing: pocket/arithmetic, depth 0: measured on one side only" in capsys.readouterr().err
    (runs[0] / "expected.jsonl").unlink()
    measure(runs[0], "+++-", suite="pocket/arithmetic", defense="ada_lp", step=9)
    assert main(["paired", str(runs[0]), "--defenses", "none", "ada_lp", "--step", "5"]) == 1
    assert "pocket/arithmetic, depth 0: measured on one side only" in " ".join(
        capsys.readouterr().err.split()
    )
