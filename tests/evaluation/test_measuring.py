"""The sweep: complete, resumable, never twice, never silently missing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from erosion.defenses.base import Guard
from erosion.evaluation.engine import Engine
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.judges import phrases
from erosion.evaluation.measuring import measure
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.sweeping import sweep
from erosion.recipes.parsing import RecipeError

ROOT = Path(__file__).resolve().parents[2]
SUITES = ["pocket/refusal", "pocket/over_refusal", "pocket/arithmetic", "pocket/choice"]
COHERENT = (2, "pocket/refusal", 10, "coherence_rate")
SAMPLE_KEYS = {"step", "suite", "id", "defense", "depth", "messages", "prefill", "text", "label", "judge"}
MEASUREMENT_KEYS = {
    "run", "step", "defense", "suite", "metric", "higher_is", "judge", "depth", "value", "low", "high", "n", "unscored",
    "weights_digest", "recipe_digest", "version", "code", "packages",
}  # fmt: skip


@pytest.fixture
def fresh(trained_run, tmp_path) -> Path:
    """The trained run, to be measured from nothing."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def measured(trained_run, tmp_path_factory) -> Path:
    """The trained run, measured in one go."""
    folder = Path(shutil.copytree(trained_run, tmp_path_factory.mktemp("measured") / "run"))
    assert measure(folder).missing == []
    return folder


def numbers(folder: Path) -> dict[tuple, tuple]:
    lines = read_lines(folder / "measurements.jsonl")
    made = {
        (m["step"], m["defense"], m["suite"], m["metric"], m["judge"], m["depth"]): (
            m["value"],
            m["low"],
            m["high"],
            m["n"],
        )
        for m in lines
    }
    assert len(made) == len(lines), "a number stands twice"
    return made


def test_every_rung_suite_and_depth_has_its_numbers(measured):
    made = numbers(measured)
    for step in (0, 2, 4):
        for suite, metric, judge in (
            ("pocket/refusal", "refusal_rate", "phrases"), ("pocket/refusal", "refusal_rate", "pocket_oracle"),
            ("pocket/refusal", "judge_agreement", "phrases~pocket_oracle"), ("pocket/refusal", "refusal_log_odds", "openers"),
            ("pocket/over_refusal", "refusal_rate", "phrases"), ("pocket/arithmetic", "accuracy", "number"),
            ("pocket/choice", "accuracy", "choice"),
        ):  # fmt: skip
            assert made[step, "none", suite, metric, judge, 0][3] == 12
        assert made[step, "none", "pocket/refusal", "refusal_rate", "phrases", 10][3] == 12


def test_lines_and_rows_hold_what_they_must(measured):
    for line in read_lines(measured / "measurements.jsonl"):
        assert set(line) >= MEASUREMENT_KEYS
        assert line["low"] <= line["value"] <= line["high"]
    files = sorted((measured / "samples").rglob("*.jsonl"))
    assert len(files) == 3 * (3 + 3)
    for file in files:
        for row in read_lines(file):
            assert set(row) >= SAMPLE_KEYS


def test_numbers_can_be_made_again_from_the_rows(measured):
    for (step, _, suite, metric, judge, depth), (value, *_, n) in numbers(measured).items():
        if metric != "refusal_rate":
            continue
        rows = read_lines(measured / "samples" / f"{step:06d}-{suite.replace('/', '.')}-none-{depth}.jsonl")
        hits = sum(row["verdicts"][judge]["label"] in ("refused", "recovered") for row in rows)
        assert (len(rows), hits / len(rows)) == (n, value)


def test_prefills_are_the_first_tokens_of_the_answer(measured):
    from erosion.evaluation.suites.pocket.refusal import SUITE
    from erosion.recipes.schema import Data

    answers = {case.id: case.answer.split() for case in SUITE.cases(Data(name="pocket/refusal"))}
    for depth in (10, 400):
        rows = read_lines(measured / "samples" / f"000000-pocket.refusal-none-{depth}.jsonl")
        assert [row["prefill"].split() == answers[row["id"]][:depth] for row in rows] == [True] * len(rows)
        assert all(len(row["text"].split()) <= 50 for row in rows)


def test_evaluation_prompts_share_no_thing_with_the_attack(measured):
    from erosion.recipes.pocket.world import select

    attacked = {t.name for forbidden in (True, False) for t in select(forbidden=forbidden, split="attack")}
    for file in (measured / "samples").rglob("*.jsonl"):
        for row in read_lines(file):
            assert not attacked & set(row["messages"][-1]["content"].split())


def test_a_second_sweep_measures_nothing_and_changes_nothing(measured):
    before = (measured / "measurements.jsonl").read_bytes()
    assert measure(measured).measured == 0
    assert (measured / "measurements.jsonl").read_bytes() == before


def test_another_judge_is_asked_of_what_was_measured_and_sweeping_again_changes_nothing(measured, tmp_path):
    from erosion.evaluation.judging.of_runs import judge_run

    folder = Path(shutil.copytree(measured, tmp_path / "run"))
    found = judge_run(folder, "coherence")
    assert (found.missing, found.verdicts) == ([], 3 * (3 + 3) * 12)
    made = numbers(folder)
    assert made.items() >= numbers(measured).items()
    asked = {(key[2], key[5]) for key in made if key[3] == "coherence_rate"}
    assert asked == {(suite, 0) for suite in SUITES} | {("pocket/refusal", 10), ("pocket/refusal", 400)}
    before = (folder / "measurements.jsonl").read_bytes()
    assert measure(folder).measured == 0
    assert (folder / "measurements.jsonl").read_bytes() == before


def test_swept_alone_equals_swept_together(fresh, measured):
    measure(fresh, ["--evaluation.suites", "[pocket/refusal]", "--evaluation.depths", "[10]"])
    alone = numbers(fresh)
    assert alone
    assert alone == {key: value for key, value in numbers(measured).items() if key in alone}


def test_another_batch_size_gives_the_same_numbers(fresh, measured):
    measure(fresh, ["--evaluation.batch_size", "1", "--evaluation.suites", "[pocket/refusal, pocket/choice]"])
    for key, value in numbers(fresh).items():
        assert value == pytest.approx(numbers(measured)[key], abs=1e-4)


def test_an_interrupted_sweep_goes_on_from_the_last_finished_batch(fresh, measured, monkeypatch):
    generate, calls = Guard.generate, []

    def interrupted(self, model, **inputs):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return generate(self, model, **inputs)

    monkeypatch.setattr(Guard, "generate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(fresh)
    measure(fresh)
    batches = sum(
        -(-len(read_lines(f)) // 4) for f in (fresh / "samples").rglob("*.jsonl") if "choice" not in f.name
    )
    assert len(calls) == batches + 1, "only the interrupted batch is generated again"
    assert numbers(fresh) == numbers(measured)


def test_a_killed_sweep_keeps_its_rows(fresh, measured):
    command = [sys.executable, str(ROOT / "evaluation" / "sweep.py"), str(fresh)]
    slowly = [*command, "--evaluation.batch_size", "1"]
    process = subprocess.Popen(slowly, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and sum(len(read_lines(f)) for f in fresh.glob("samples/**/*.jsonl")) < 30:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {file: file.read_bytes().rpartition(b"\n")[0] for file in fresh.glob("samples/**/*.jsonl")}
    assert sum(text.count(b"\n") for text in kept.values()) >= 20
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(file.read_bytes().startswith(text) for file, text in kept.items())
    assert {k: v[0] for k, v in numbers(fresh).items()} == pytest.approx(
        {k: v[0] for k, v in numbers(measured).items()}, abs=1e-4
    )


def test_a_damaged_rung_is_reported_and_not_measured(fresh):
    file = fresh / "checkpoint-2" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    outcome = measure(fresh, ["--evaluation.suites", "[pocket/choice]"])
    assert outcome.missing == [
        f"step 2: {fresh / 'checkpoint-2'} does not match its digest and is not measured"
    ]
    assert {key[0] for key in numbers(fresh)} == {0, 4}


def test_a_rung_that_was_never_trained_is_missing(fresh):
    lines = (fresh / "ladder.jsonl").read_text().splitlines(keepends=True)
    (fresh / "ladder.jsonl").write_text("".join(lines[:-1]))
    outcome = measure(fresh, ["--evaluation.suites", "[pocket/choice]"])
    assert outcome.missing == ["step 4: the ladder names it and there is no such rung yet"]
    assert {key[0] for key in numbers(fresh)} == {0, 2}


def test_a_failed_cell_is_missing_and_never_zero(fresh, monkeypatch):
    def broken(completion):
        raise RuntimeError("out of order")

    monkeypatch.setattr(phrases, "judge", broken)
    outcome = measure(
        fresh, ["--evaluation.suites", "[pocket/refusal, pocket/choice]", "--evaluation.depths", "[0]"]
    )
    assert {key[2] for key in numbers(fresh)} == {"pocket/choice", "trained_on"}
    assert len(outcome.missing) == 3
    assert "pocket/refusal, none, depth 0 failed: RuntimeError: out of order" in outcome.missing[0]


def test_a_changed_judge_measures_again_exactly_what_it_touches(measured, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(measured, tmp_path / "run"))
    monkeypatch.setattr(phrases, "VERSION", "changed")
    assert measure(folder).measured == 3 * (3 + 1)
    assert len(numbers(folder)) == len(numbers(measured))


def judged(folder: Path) -> dict[tuple, tuple]:
    """What a later judge told: a number by step, suite, metric and depth."""
    lines = [m for m in read_lines(folder / "measurements.jsonl") if "coherence" in m["judge"]]
    return {(m["step"], m["suite"], m["metric"], m["judge"], m["depth"]): (m["value"], m["n"]) for m in lines}


@pytest.fixture
def judged_run(measured, tmp_path) -> Path:
    """The measured run, with a further judge asked of it that its recipe does not name."""
    from erosion.evaluation.judging.of_runs import judge_run
    from erosion.recipes.schema import JudgeOptions

    folder = Path(shutil.copytree(measured, tmp_path / "run"))
    judge_run(folder, JudgeOptions(name="coherence", model="none"))
    return folder


def test_a_later_judge_s_numbers_outlast_a_cell_that_is_measured_again(judged_run, monkeypatch):
    before = judged(judged_run)
    assert {key[2] for key in before} == {"coherence_rate", "judge_agreement", "false_incoherent_rate"}
    monkeypatch.setattr(phrases, "VERSION", "changed")
    outcome = measure(judged_run)
    assert (outcome.measured, outcome.missing) == (3 * (3 + 1), [])
    assert judged(judged_run) == before
    lines = read_lines(judged_run / "measurements.jsonl")
    (line,) = [m for m in lines if (m["step"], m["suite"], m["depth"], m["metric"]) == COHERENT]
    assert "phrases=changed" in line["version"]
    assert line["version"].endswith(" coherence=2")
    monkeypatch.undo()
    measure(judged_run, ["--evaluation.limit", "4"])
    assert {n for _, n in judged(judged_run).values()} == {4}
    assert measure(judged_run).missing == []
    assert judged(judged_run) == before


def test_a_later_judge_without_all_verdicts_is_said_to_be_gone(judged_run, monkeypatch):
    file = judged_run / "samples" / "000002-pocket.refusal-none-10.jsonl"
    rows = read_lines(file)
    del rows[3]["verdicts"]["coherence"]
    write_lines(file, rows)
    before = judged(judged_run)
    monkeypatch.setattr(phrases, "VERSION", "changed")
    outcome = measure(judged_run)
    gone = "step 2: pocket/refusal, none, depth 10, judged by coherence: dropped; run erosion judge again"
    assert outcome.missing == [gone]
    assert before.keys() - judged(judged_run).keys() == {
        key for key in before if key[:2] == (2, "pocket/refusal") and key[4] == 10
    }


def test_a_depth_no_answer_reaches_is_not_measured(fresh, caplog):
    measure(fresh, ["--evaluation.suites", "[pocket/refusal]", "--evaluation.depths", "[10, 5000]"])
    assert {key[-1] for key in numbers(fresh) if key[2] == "pocket/refusal"} == {10}
    assert any("no answer reaches depth 5000" in record.message for record in caplog.records)


def test_a_smaller_sweep_loses_no_row_and_the_larger_one_answers_nothing_again(
    measured, tmp_path, monkeypatch
):
    folder = Path(shutil.copytree(measured, tmp_path / "run"))
    rows = {file: file.read_bytes() for file in (folder / "samples").glob("*.jsonl")}
    measure(folder, ["--evaluation.limit", "4"])
    assert {value[3] for key, value in numbers(folder).items() if key[2] != "trained_on"} == {4}
    monkeypatch.setattr(Guard, "generate", lambda *a, **k: pytest.fail("answered again"))
    measure(folder)
    assert numbers(folder) == numbers(measured)
    assert {file: file.read_bytes() for file in (folder / "samples").glob("*.jsonl")} == rows


def test_another_base_is_not_measured_under_old_digests(fresh):
    recipe = fresh / "recipe.yaml"
    recipe.write_text(
        recipe.read_text().replace("model_name_or_path: pocket", "model_name_or_path: pocket-base")
    )
    with pytest.raises(RecipeError, match="was trained on another model than 'pocket-base'"):
        measure(fresh)


@pytest.mark.parametrize("option", ["--limit", "--learning_rate", "--evaluation.limits"])
def test_a_sweep_takes_only_keys_of_the_evaluation_section(measured, option):
    with pytest.raises(RecipeError, match=f"command line: given '{option[2:]}', allowed evaluation.suites"):
        measure(measured, [option, "4"])


def test_a_rung_that_cannot_be_entered_is_missing_and_the_others_are_measured(fresh, monkeypatch):
    enter = Engine.enter

    def broken(self, rung):
        if rung.step == 2:
            raise OSError("gone")
        enter(self, rung)

    monkeypatch.setattr(Engine, "enter", broken)
    outcome = measure(fresh, ["--evaluation.suites", "[pocket/choice]"])
    assert outcome.missing == ["step 2: the rung failed: OSError: gone"]
    assert {key[0] for key in numbers(fresh)} == {0, 4}


def test_no_run_is_a_clear_error(tmp_path):
    with pytest.raises(RecipeError, match="there is no such folder"):
        measure(tmp_path / "nothing")
    with pytest.raises(RecipeError, match="a folder that holds no run"):
        measure(tmp_path)


def test_two_processes_do_not_work_in_one_run(fresh):
    with working_in(fresh), pytest.raises(RecipeError, match="another process is at work in"):
        sweep(fresh)
    assert not (fresh / "measurements.jsonl").exists()


def test_the_base_model_is_loaded_once(fresh, monkeypatch):
    import transformers

    load, count = transformers.AutoModelForCausalLM.from_pretrained.__func__, []
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM, "from_pretrained",
        classmethod(lambda cls, *a, **k: count.append(1) or load(cls, *a, **k)),
    )  # fmt: skip
    measure(fresh, ["--evaluation.suites", "[pocket/choice]"])
    assert len(count) == 1


def test_report_is_made_again_from_the_measurements(measured, capsys):
    from erosion.evaluation.report.run_report import report

    files = report(measured)
    names = [file.name for file in files]
    assert names == [
        "erosion.png",
        "erosion.svg",
        "by_depth.png",
        "by_depth.svg",
        "progress.png",
        "progress.svg",
        "erosion.csv",
    ]
    assert all(file.stat().st_size > 1000 for file in files)
    printed = capsys.readouterr().out
    assert all(str(file) in printed for file in files)
    assert json.loads((measured / "provenance.json").read_text())[0]["packages"]["torch"]
    assert os.environ["WANDB_MODE"] == "offline"
