"""What every judge is: one interface, options that are checked, verdicts kept as they come."""

import json
from pathlib import Path

import pytest

from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.judges import phrases
from erosion.evaluation.judging.judge import JudgeStopped, RuleJudge, check_judge, made_judge, tells_of
from erosion.evaluation.judging.of_files import Columns, judge_file
from erosion.evaluation.judging.of_runs import judge_stored
from erosion.evaluation.records import Case, Completion, Verdict
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import JudgeOptions, load_recipe, save_recipe
from erosion.training.cli import main

SAID = ["I cannot help with that.", "Mix the flour and bake.", "the " * 40, ""]


@pytest.fixture
def run(measured_run):
    return measured_run


def samples(folder, suite: str = "xstest") -> list[dict]:
    rows = read_lines(folder / "samples" / f"000000-{suite}-none-0.jsonl")
    return [row for row in rows if row["stamp"] == "stamp"]


def completion(text: str) -> Completion:
    case = Case(suite="s", id="1", messages=[{"role": "user", "content": "?"}])
    return Completion(case=case, text=text, token_ids=[], stopped_by="end_of_turn")


class Paid:
    """A judge whose budget ends after some verdicts; it knows what it was asked."""

    name, version, batch_size = "paid/rubric", "1", 2
    tells = {"refusal_rate": "worse"}  # noqa: RUF012

    def __init__(self, budget: int) -> None:
        self.budget, self.asked = budget, []

    def judge_all(self, completions):
        for each in completions:
            if len(self.asked) == self.budget:
                raise JudgeStopped("the budget is spent")
            self.asked.append(each.text)
            yield Verdict(label="complied", judge=self.name, raw=f"said of {each.text}")


def test_a_file_of_rules_is_a_judge():
    judge = made_judge(JudgeOptions(name="phrases"))
    assert (judge.name, judge.version, judge.tells) == ("phrases", phrases.VERSION, phrases.TELLS)
    assert [v.label for v in judge.judge_all([completion(SAID[0]), completion(SAID[1])])] == [
        "refused",
        "complied",
    ]
    assert isinstance(judge, RuleJudge)
    assert judge.batch_size is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "phrase"}, "did you mean 'phrases'?"),
        ({"name": "number"}, "which needs the target of every case"),
        ({"name": "phrases", "revision": "abc"}, "phrases: given 'revision', allowed no options"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(options, sentence):
    with pytest.raises(RecipeError, match="x: ") as raised:
        check_judge(JudgeOptions(**options), "x")
    assert sentence in str(raised.value)


def test_what_a_key_tells():
    assert tells_of("phrases@1") == phrases.TELLS
    with pytest.raises(RecipeError, match="did you mean 'phrases'"):
        tells_of("phrase")


def test_verdicts_are_stored_as_they_come_and_a_later_call_goes_on(run):
    """Of 8 answers 5 are paid for: the first cell is whole, the second has one verdict and no number."""
    found = judge_stored(run, first := Paid(5))
    assert (found.verdicts, len(first.asked)) == (5, 5)
    assert found.missing == [
        "step 0: pocket/arithmetic, none, depth 0, judged by paid/rubric: the budget is spent"
    ]
    held = [row["verdicts"].get("paid/rubric") for row in samples(run, "pocket.arithmetic")]
    assert [verdict and verdict["raw"] for verdict in held] == [f"said of {SAID[0]}", None, None, None]
    assert {m["judge"] for m in read_lines(run / "measurements.jsonl")[2:]} == {
        "paid/rubric",
        "phrases~paid/rubric",
    }
    again = judge_stored(run, second := Paid(9))
    assert (second.asked, again.missing) == (SAID[1:], [])


def test_a_killed_call_keeps_whole_batches(run):
    class Killed(Paid):
        def judge_all(self, completions):
            yield from super().judge_all(completions[:3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge_stored(run, Killed(9))
    assert sum("paid/rubric" in row["verdicts"] for row in samples(run)) == 2


def test_a_judge_that_can_score_nothing_is_missing_there(run):
    class Blind(Paid):
        def judge_all(self, completions):
            return (Verdict(label="unscored", judge=self.name) for _ in completions)

    found = judge_stored(run, Blind(9))
    assert (
        found.missing[0]
        == "step 0: xstest, none, depth 0, judged by paid/rubric: it could score none of 4 answers"
    )
    assert (found.lines, found.labels["unscored"]) == (0, 8)


def test_a_file_keeps_what_was_paid_for(tmp_path, monkeypatch):
    given, out = tmp_path / "in.jsonl", tmp_path / "out.csv"
    write_lines(given, [{"completion": text} for text in ["a", "b", "c", "a"]])
    first, second = Paid(2), Paid(9)
    monkeypatch.setattr("erosion.evaluation.judging.of_files.made_judge", lambda options: first)
    found = judge_file(given, JudgeOptions(name="x"), Columns(), out=out)
    assert found.missing == ["1 of 4 rows: the budget is spent"]
    assert out.read_text().splitlines()[3] == "c,,not judged"
    kept = read_lines(tmp_path / "out.csv.verdicts.jsonl")
    assert [(line["judge"], line["version"], line["raw"]) for line in kept] == [
        ("paid/rubric", "1", "said of a"),
        ("paid/rubric", "1", "said of b"),
    ]
    monkeypatch.setattr("erosion.evaluation.judging.of_files.made_judge", lambda options: second)
    assert judge_file(given, JudgeOptions(name="x"), Columns(), out=out).labels == {"complied": 4}
    assert second.asked == ["c"]


def test_a_recipe_names_judges_and_keeps_their_options(write_recipe, tmp_path):
    judges = ["coherence", {"name": "phrases", "batch_size": 4}]
    recipe = load_recipe(write_recipe(evaluation={"suites": ["pocket/refusal"], "judges": judges}))
    assert recipe.evaluation.judges == (
        JudgeOptions(name="coherence"),
        JudgeOptions(name="phrases", batch_size=4),
    )
    save_recipe(recipe, tmp_path / "saved.yaml")
    assert load_recipe(tmp_path / "saved.yaml").evaluation.judges == recipe.evaluation.judges


@pytest.mark.parametrize(
    ("judges", "sentence"),
    [
        (["coherense"], "evaluation.judges[0]: given 'coherense'"),
        (["phrases", "phrases"], "stands twice"),
        (
            [{"name": "coherence", "model": "none"}, {"name": "coherence"}],
            "evaluation.judges[0]: 'coherence' stands twice; a run keeps one judge of a label",
        ),
        ([{"name": "phrases", "rubrik": "x"}], "did you mean 'rubric'?"),
        ([{"name": "phrases", "timeout": 0}], "evaluation.judges[0].timeout: given 0"),
        ([{"name": "phrases", "rubric": "x"}], "phrases: given 'rubric', allowed no options"),
    ],
)
def test_a_recipe_s_mistake_is_found_before_training(write_recipe, judges, sentence):
    from erosion.training.run import check

    with pytest.raises(RecipeError) as raised:
        check(load_recipe(write_recipe(evaluation={"suites": ["pocket/refusal"], "judges": judges})))
    assert sentence in str(raised.value)


def test_the_command_line_knows_every_option(run, capsys):
    assert main(["judge", str(run), "--judge", "phrases", "--requests-per-minute", "0"]) == 2
    assert "phrases: given 'requests_per_minute', allowed no options" in capsys.readouterr().err
    assert main(["judge", str(run), "--judge", "phrases", "--batch_size", "some"]) == 2
    assert "judge.batch_size: given 'some', allowed int" in capsys.readouterr().err


@pytest.fixture
def trained(trained_run, tmp_path):
    import shutil

    return Path(shutil.copytree(trained_run, tmp_path / "trained"))


SMALL = [
    "--evaluation.suites",
    "[pocket/refusal]",
    "--evaluation.limit",
    "4",
    "--evaluation.depths",
    "[0, 10]",
]


def test_a_recipe_s_judges_are_asked_of_every_cell_after_the_sweep(trained):
    from erosion.evaluation.sweeping import sweep

    assert sweep(trained, [*SMALL, "--evaluation.judges", "[coherence]"]) == []
    phases = json.loads((trained / "provenance.json").read_text())[-1]["phases"]
    assert (phases["measuring"]["cost"]["cells"], phases["judging"]["cost"]["cells"]) == (3 * (2 + 1), 3 * 2)
    assert phases["judging"]["cost"]["prompts"] == 3 * 2 * 4
    lines = read_lines(trained / "measurements.jsonl")
    found = {(m["step"], m["depth"]): m for m in lines if m["metric"] == "coherence_rate"}
    assert set(found) == {(step, depth) for step in (0, 2, 4) for depth in (0, 10)}
    rows = read_lines(next((trained / "samples").glob("000004-*-none-10.jsonl")))
    kept = [row["verdicts"]["coherence"] for row in rows]
    assert all(verdict["version"] in found[4, 10]["version"] for verdict in kept)
    assert {json.loads(verdict["raw"]).keys() >= {"tokens"} for verdict in kept if verdict["raw"]} == {True}
    assert {row["verdicts"]["phrases"]["version"] for row in rows} == {phrases.VERSION}


def test_a_judge_that_fails_is_missing_and_stops_no_other(trained, monkeypatch):
    from erosion.evaluation.judging import of_runs as judging
    from erosion.evaluation.sweeping import sweep

    real = judging.made_judge

    def broken(options, *, run):
        if options.name == "phrases":
            raise RuntimeError("no memory")
        return real(options, run=run)

    monkeypatch.setattr(judging, "made_judge", broken)
    judges = "[phrases, {name: coherence, model: none}]"
    missing = sweep(trained, [*SMALL, "--evaluation.judges", judges])
    assert missing == ["judge phrases failed: RuntimeError: no memory"]
    assert "coherence_rate" in {m["metric"] for m in read_lines(trained / "measurements.jsonl")}
