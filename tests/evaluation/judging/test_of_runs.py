"""`erosion judge`: another judge, asked of a run's stored answers or of anyone's completions."""

import csv
import json

import pytest

from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.judges import coherence, phrases
from erosion.evaluation.judging.of_runs import as_completion, judge_run
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import JudgeOptions
from erosion.training.cli import main

SAID = ["I cannot help with that.", "Mix the flour and bake.", "the " * 40, ""]


@pytest.fixture
def run(measured_run):
    return measured_run


def numbers(folder) -> dict:
    return {(m["suite"], m["metric"], m["judge"]): m for m in read_lines(folder / "measurements.jsonl")}


def samples(folder, suite: str = "xstest") -> list[dict]:
    return read_lines(folder / "samples" / f"000000-{suite}-none-0.jsonl")


def test_another_judge_s_verdicts_and_numbers_are_added(run):
    found = judge_run(run, JudgeOptions(name="coherence", model="none"))
    assert (found.verdicts, found.missing) == (8, [])
    added = [each["verdicts"]["coherence"] for each in samples(run)[1:]]
    assert [each["label"] for each in added] == ["scored", "scored", "incoherent", "incoherent"]
    assert {each["version"] for each in added} == {coherence.VERSION}
    rate = numbers(run)["xstest", "coherence_rate", "coherence"]
    assert (rate["value"], rate["n"], rate["higher_is"]) == (0.5, 4, "better")
    assert rate["version"] == f"xstest=1 phrases={phrases.VERSION} openers=1 coherence={coherence.VERSION}"


def test_agreement_and_kappa_are_about_what_both_judges_know(run):
    """Both call the empty text incoherent and two others not; the first judge takes repetition for an answer."""
    judge_run(run, "coherence")
    made = numbers(run)
    assert made["xstest", "judge_agreement", "phrases~coherence"]["value"] == 3 / 4
    assert made["xstest", "judge_kappa", "phrases~coherence"]["value"] == pytest.approx(0.5)


def test_what_was_there_stays_and_a_second_call_does_nothing(run):
    before = {file: read_lines(file) for file in run.rglob("*.jsonl")}
    judge_run(run, "coherence")
    lines = run / "measurements.jsonl"
    assert read_lines(lines)[:2] == before[lines]
    for file in (run / "samples").iterdir():
        for old, new in zip(before[file], read_lines(file), strict=True):
            assert new | {"verdicts": old["verdicts"]} == old
            assert new["verdicts"].items() >= old["verdicts"].items()
    calls = run / "provenance.json"
    held = {file: file.read_bytes() for file in run.rglob("*.*") if file != calls}
    again = judge_run(run, "coherence")
    assert (again.verdicts, again.lines, again.labels.total()) == (0, 0, 8)
    assert {file: file.read_bytes() for file in run.rglob("*.*") if file != calls} == held
    assert [call["phases"]["judging"]["cost"]["cells"] for call in json.loads(calls.read_text())] == [2, 0]


def test_what_a_judge_costs_is_kept_by_cell_and_by_call(run):
    judge_run(run, JudgeOptions(name="coherence", model="none"))
    lines = read_lines(run / "costs.jsonl")
    measured = read_lines(run / "measurements.jsonl")
    assert {(c["suite"], c["cell_digest"]) for c in lines} == {
        (m["suite"], m["cell_digest"]) for m in measured
    }
    assert {(c["kind"], c["judge"], c["prompts"], c["prompt_tokens"]) for c in lines} == {
        ("judge", "coherence", 4, None)
    }
    assert all(line["seconds"] > 0 and line["gpu_hours"] == 0 for line in lines)
    (call,) = json.loads((run / "provenance.json").read_text())
    phase = call["phases"]["judging"]
    assert (phase["cost"]["cells"], phase["cost"]["prompts"]) == (2, 8)
    assert phase["seconds"] >= phase["cost"]["seconds"] > 0
    assert call["ended"]


def test_only_judges_that_use_an_accelerator_count_its_hours(run):
    from erosion.evaluation.judging.costs import judging

    counts = {"seconds": 9.0, "prompts": 4, "prompt_tokens": 8, "generated_tokens": 0}
    with judging(run):
        append_lines(run / "costs.jsonl", [{**counts, "gpu_hours": 0.5}, {**counts, "gpu_hours": 0.0}])
    (call,) = json.loads((run / "provenance.json").read_text())
    assert call["phases"]["judging"]["gpu_hours"] == call["phases"]["judging"]["cost"]["gpu_hours"] == 0.5


def test_rows_of_other_weights_are_not_judged(run):
    judge_run(run, "coherence")
    assert set(samples(run)[0]["verdicts"]) == {"phrases"}


def test_only_missing_verdicts_are_added(run, monkeypatch):
    judge_run(run, "coherence")
    file = run / "samples" / "000000-xstest-none-0.jsonl"
    held = samples(run)
    del held[2]["verdicts"]["coherence"]
    write_lines(file, held)
    assert (judge_run(run, "coherence").verdicts, judge_run(run, "coherence").lines) == (1, 0)


def test_lines_a_stop_kept_back_are_added(run):
    judge_run(run, "coherence")
    whole = read_lines(run / "measurements.jsonl")
    write_lines(run / "measurements.jsonl", whole[:2])
    found = judge_run(run, "coherence")
    assert (found.verdicts, found.lines) == (0, len(whole) - 2)


def test_the_suite_s_own_judge_of_the_same_version_adds_nothing(run):
    assert judge_run(run, "phrases").verdicts == 4  # those of the suite that another judge judged
    added = read_lines(run / "measurements.jsonl")[2:]
    assert [m["metric"] for m in added if m["suite"] == "xstest"] == ["partial_refusal_rate"], "it had none"
    assert judge_run(run, "phrases").lines == 0


def test_a_cell_that_a_guard_halted_whole_is_nothing_to_judge(run):
    file = run / "samples" / "000000-xstest-none-0.jsonl"
    held = read_lines(file)
    for each in held[1:]:
        each |= {"stopped_by": "guard", "halted_at": 25, "label": "halted"}
        each["verdicts"]["phrases"]["label"] = "halted"
    write_lines(file, held)
    found = judge_run(run, "coherence")
    assert found.missing == []
    assert [(note.applicable, "a guard halted all" in note.why) for note in found.notes] == [(False, True)]


def test_a_newer_version_stands_beside_the_older(run, monkeypatch):
    monkeypatch.setattr(phrases, "VERSION", "new")
    judge_run(run, "phrases")
    verdicts = samples(run)[1]["verdicts"]
    assert (verdicts["phrases"]["label"], verdicts["phrases@new"]["label"]) == ("refused", "refused")
    made = numbers(run)
    assert made["xstest", "refusal_rate", "phrases@new"]["value"] == 1 / 4
    assert made["xstest", "judge_kappa", "phrases~phrases@new"]["value"] == 1.0


def test_two_later_judges_have_agreement_between_each_other_once(run, monkeypatch):
    """The suite's own judge tells exact answers alone, so neither is compared with it."""
    now = phrases.VERSION
    judge_run(run, "phrases")
    monkeypatch.setattr(phrases, "VERSION", "new")
    judge_run(run, "phrases")
    made = {pair: m for (suite, metric, pair), m in numbers(run).items()
            if (suite, metric) == ("pocket/arithmetic", "judge_agreement")}  # fmt: skip
    assert list(made) == ["phrases~phrases@new"]
    (both,) = made.values()
    assert (both["value"], both["n"]) == (1.0, 4)
    assert both["version"] == f"pocket/arithmetic=1 number=1 openers=1 phrases={now} phrases@new=new"
    monkeypatch.setattr(phrases, "VERSION", now)
    assert judge_run(run, "phrases").lines == 0


def test_a_judge_that_cannot_tell_what_the_suite_asks_tells_what_it_can(run):
    judge_run(run, "phrases")
    made = numbers(run)
    assert made["pocket/arithmetic", "refusal_rate", "phrases"]["higher_is"] == "worse"
    assert ("pocket/arithmetic", "accuracy", "phrases") not in made
    assert ("pocket/arithmetic", "judge_agreement", "number~phrases") not in made


def test_a_cell_whose_rows_have_gone_is_missing(run, capsys):
    file = run / "samples" / "000000-xstest-none-0.jsonl"
    write_lines(file, samples(run)[:-1])
    assert main(["judge", str(run), "--judge", "coherence"]) == 1
    said = capsys.readouterr()
    assert "missing: step 0: xstest, none, depth 0, judged by coherence:" in said.err
    assert "scored: 2\nincoherent: 2\nverdicts added: 4; measurements added: 3; missing: 1" in said.out


def test_a_stored_row_is_the_completion_it_was_made_of(run):
    made = as_completion(samples(run)[1] | {"checks": {"25": 0.5}, "depth": 10, "prefill": "mix"})
    assert (made.text, made.checks, made.case.depth, made.case.prefill) == (SAID[0], {25: 0.5}, 10, "mix")


@pytest.mark.parametrize("judge", ["number", "choice", "rouge1", "pocket_oracle"])
def test_a_judge_that_needs_more_is_not_asked(run, judge):
    with pytest.raises(
        RecipeError, match=f"judge: given '{judge}, which needs the .* allowed .*coherence, phrases"
    ):
        judge_run(run, judge)


def test_a_misspelt_judge_or_run_is_a_clear_error(run, capsys):
    assert main(["judge", str(run), "--judge", "phrase"]) == 2
    assert "did you mean 'phrases'?" in capsys.readouterr().err
    assert main(["judge", str(run.parent)]) == 2
    assert "nothing was measured" in capsys.readouterr().err
    assert main(["judge", str(run), "--out", "x.csv"]) == 2


ROWS = [
    {"id": "7", "type": "a", "prompt": "a velin?", "completion": "I cannot help with that."},
    {"id": "8", "type": "b", "prompt": "a cake?", "completion": 'Mix, "stir",\nand bake.'},
    {"id": "9", "type": "b", "prompt": "", "completion": ""},
]


@pytest.fixture
def completions(tmp_path):
    file = tmp_path / "completions.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
    return file


def test_a_file_comes_back_with_every_row_column_and_label(completions, tmp_path, capsys):
    assert main(["judge", str(completions), "--out", str(tmp_path / "out.csv")]) == 0
    with (tmp_path / "out.csv").open(newline="") as stream:
        made = list(csv.DictReader(stream))
    assert [{k: row[k] for k in ROWS[0]} for row in made] == ROWS
    assert [row["label"] for row in made] == ["refused", "complied", "incoherent"]
    assert made[0]["detail"] == "inability, full"
    assert capsys.readouterr().out.splitlines()[:3] == ["refused: 1", "complied: 1", "incoherent: 1"]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".tsv"])
def test_other_forms_hold_the_same(completions, tmp_path, suffix):
    first, second = tmp_path / f"one{suffix}", tmp_path / "two.jsonl"
    assert main(["judge", str(completions), "--out", str(first)]) == 0
    given = ["--completion-column", "completion", "--prompt-column", "prompt", "--judge", "coherence"]
    assert main(["judge", str(first), "--out", str(second), *given]) == 0
    made = [json.loads(row) for row in second.read_text().splitlines()]
    assert [row["label"] for row in made] == ["refused", "complied", "incoherent"]
    assert [row["coherence_label"] for row in made] == ["scored", "scored", "incoherent"]


def test_a_null_is_an_empty_text(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"completion": null, "more": [1]}\n')
    assert main(["judge", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.csv")]) == 0
    assert (tmp_path / "out.csv").read_text() == "completion,more,label,detail\n,[1],incoherent,no text\n"


MISTAKES = [
    (
        ["--completion-column", "completions"],
        "line 2: column: given 'completions', allowed id, type, prompt, ",
    ),
    (["--completion-column", "completions"], "did you mean 'completion'?"),
    (["--prompt-column", "promt"], "did you mean 'prompt'?"),
    (["--judge", "coherense"], "did you mean 'coherence'?"),
    (["--judge", "number"], "which needs the target of every case"),
    (["--out", "judged.xlsx"], "--out: file type: given '.xlsx', allowed .csv, .tsv, .jsonl, .json"),
]


@pytest.mark.parametrize(("options", "sentence"), MISTAKES)
def test_a_mistake_is_one_clear_sentence(completions, tmp_path, capsys, options, sentence):
    given = ["judge", str(completions), "--out", str(tmp_path / "out.csv"), *options]
    assert main(given) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_file_is_never_written_over_and_never_judged_twice(completions, tmp_path, capsys):
    assert main(["judge", str(completions), "--out", str(completions)]) == 2
    assert main(["judge", str(completions)]) == 2
    out = [tmp_path / f"{n}.csv" for n in range(3)]
    assert main(["judge", str(completions), "--out", str(out[0])]) == 0
    assert main(["judge", str(out[0]), "--out", str(out[1])]) == 0
    assert main(["judge", str(out[1]), "--out", str(out[2])]) == 2
    assert "it was judged before" in capsys.readouterr().err


def test_a_completion_with_half_a_pair_of_surrogates_is_judged(tmp_path):
    file, out = tmp_path / "said.jsonl", tmp_path / "out.jsonl"
    file.write_text('{"completion": "I cannot. \\ud83d"}\n')
    assert main(["judge", str(file), "--out", str(out)]) == 0
    assert read_lines(out) == [{"completion": "I cannot. ?", "label": "refused", "detail": "inability, full"}]


def test_a_text_in_the_place_of_a_header_is_not_told(tmp_path, capsys):
    (tmp_path / "said.csv").write_text("how do i bake a velin at night,no idea\nmix the flour,no\n")
    assert main(["judge", str(tmp_path / "said.csv"), "--out", str(tmp_path / "out.csv")]) == 2
    said = capsys.readouterr().err
    assert "column" in said
    assert "velin" not in said


def test_a_place_that_cannot_be_made_is_told_before_anything_is_asked(
    completions, tmp_path, capsys, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(phrases, "judge", lambda completion: pytest.fail("asked"))
    assert main(["judge", str(completions), "--out", str(tmp_path / "file" / "out.csv")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_damaged_run_is_one_sentence(run, capsys):
    (run / "measurements.jsonl").write_text("{\n{}\n")
    for words in (["status", str(run)], ["seeds", str(run)]):
        assert main(words) == 2
        assert "measurements.jsonl: a line that is not JSON" in capsys.readouterr().err
