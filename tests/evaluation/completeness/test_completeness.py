"""Nothing is stale and nothing silently missing: what is expected, and what a change has measured again."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from erosion.defenses.base import Guard
from erosion.evaluation.answers import sample_path
from erosion.evaluation.completeness.completeness import completeness
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.judges import number, phrases
from erosion.evaluation.measuring import measure
from erosion.evaluation.on_disk.checkpoints import read_ladder, weights_digest
from erosion.evaluation.on_disk.stored_rows import measured_rows
from erosion.evaluation.records import Verdict
from erosion.evaluation.suites.pocket import arithmetic
from erosion.recipes.parsing import RecipeError
from erosion.recipes.pocket.world import select
from erosion.training.cli import main

EVALUATION = {
    "suites": ["pocket/refusal", "pocket/arithmetic", "pocket/choice"], "depths": [0, 10, 5000],
    "defenses": ["none", "ada_rk"], "limit": 4, "batch_size": 4, "progress_rows": 2,
}  # fmt: skip
"""At a rung: refusal at 0 and 10, plain and guarded, arithmetic twice, choice plain, and progress."""


def change(folder: Path, **changes: object) -> None:
    """Changes the evaluation section of a run's recipe."""
    file = folder / "recipe.yaml"
    recipe = yaml.safe_load(file.read_text())
    recipe["evaluation"] |= changes
    file.write_text(yaml.safe_dump(recipe))


@pytest.fixture(scope="module")
def small(trained_run, tmp_path_factory) -> Path:
    """Two rungs of the trained run under a small evaluation section, measured."""
    folder = Path(shutil.copytree(trained_run, tmp_path_factory.mktemp("small") / "run"))
    for file in (folder / "expected.jsonl", folder / "measurements.jsonl"):
        file.unlink(missing_ok=True)
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**recipe, "ladder": [0, 2]}))
    write_lines(folder / "ladder.jsonl", [rung.line() for rung in read_ladder(folder) if rung.step < 4])
    change(folder, **EVALUATION)
    assert measure(folder).missing == []
    return folder


@pytest.fixture
def run(small, tmp_path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "run"))


@pytest.fixture
def generated(monkeypatch) -> list[int]:
    """How many prompts each call of the model's own generation was given."""
    made, generate = [], Guard.generate
    monkeypatch.setattr(
        Guard,
        "generate",
        lambda self, model, **i: made.append(len(i["input_ids"])) or generate(self, model, **i),
    )
    return made


def again(folder: Path) -> set[tuple]:
    """What the next sweep measures again: step, suite, defence and depth."""
    before = len(read_lines(folder / "costs.jsonl"))
    assert measure(folder).missing == []
    new = read_lines(folder / "costs.jsonl")[before:]
    return {(line["step"], line["suite"], line["defense"], line["depth"]) for line in new}


def cells(suite: str, depths: tuple[int, ...], defenses: tuple[str, ...] = ("none", "ada_rk")) -> set[tuple]:
    return {(step, suite, guard, depth) for step in (0, 2) for guard in defenses for depth in depths}


REFUSAL = cells("pocket/refusal", (0, 10))
EVERY = REFUSAL | cells("pocket/arithmetic", (0,)) | cells("pocket/choice", (0,), ("none",))
PROGRESS = cells("trained_on", (0,), ("none",))


def test_a_measured_run_is_complete_and_what_cannot_be_measured_is_told(small):
    found = completeness(small)
    assert found.is_complete
    assert found.counts == {
        "expected": 2 * (4 + 2 + 1 + 1), "measured": 2 * (4 + 2 + 1 + 1), "missing": 0, "stale": 0,
        "not applicable": 2 * (2 + 1),
    }  # fmt: skip
    assert str(found) == "cells: 16 expected, 16 measured, 0 missing, 0 stale, 6 not applicable"
    reasons = {(cell.where.suite, cell.where.defense): cell.why for cell in found.of("not applicable")}
    assert reasons["pocket/choice", "ada_rk"] == "nothing is generated that a guard could halt"
    assert reasons["pocket/refusal", "none"] == "no answer reaches depth 5000 within the model's positions"


def test_every_measured_cell_is_expected_and_the_other_way_round(small):
    measured = {
        (line["step"], line["suite"], line["defense"], line["depth"])
        for line in read_lines(small / "measurements.jsonl")
    }
    expected = completeness(small).of("measured")
    assert measured == {(c.where.step, c.where.suite, c.where.defense, c.where.depth) for c in expected}
    assert measured == EVERY | PROGRESS


def test_nothing_changed_measures_nothing(run, generated):
    assert again(run) == set()
    assert generated == []


def test_other_weights_measure_that_rung_again(run):
    rungs = read_ladder(run)
    source, target = (rung.folder / "adapter_model.safetensors" for rung in (rungs[0], rungs[1]))
    shutil.copyfile(source, target)
    changed = replace(rungs[1], weights_digest=weights_digest(rungs[1].folder, rungs[1].base_digest))
    write_lines(run / "ladder.jsonl", [rungs[0].line(), changed.line()])
    stale = completeness(run).of("stale")
    assert {cell.where.step for cell in stale} == {2}
    assert {cell.why for cell in stale} == {"measured of other weights than the rung's"}
    assert again(run) == {cell for cell in EVERY | PROGRESS if cell[0] == 2}
    assert completeness(run).is_complete


def test_another_version_of_a_judge_judges_again_and_answers_nothing_again(run, generated, monkeypatch):
    before = {file: read_lines(file) for file in (run / "samples").iterdir()}
    judge = phrases.judge
    monkeypatch.setattr(phrases, "VERSION", "changed")
    monkeypatch.setattr(phrases, "judge", lambda completion: replace(judge(completion), label="unscored"))
    stale = completeness(run).of("stale")
    assert {(c.where.step, c.where.suite, c.where.defense, c.where.depth) for c in stale} == REFUSAL
    assert all("phrases=changed" in cell.why for cell in stale)
    assert again(run) == REFUSAL
    assert generated == []
    for file, rows in before.items():
        for row, old in zip(read_lines(file), rows, strict=True):
            assert (row["text"], row["token_ids"]) == (old["text"], old["token_ids"])
            if row["suite"] == "pocket/refusal":
                assert row["label"] == row["verdicts"]["phrases"]["label"] == "unscored"
                assert row["verdicts"]["phrases"]["version"] == "changed"
                assert row["verdicts"]["pocket_oracle"] == old["verdicts"]["pocket_oracle"]
    assert not [
        m
        for m in read_lines(run / "measurements.jsonl")
        if "refusal_rate" in m["metric"] and m["judge"] == "phrases"
    ]


def test_a_judge_of_another_suite_touches_only_that(run, generated, monkeypatch):
    monkeypatch.setattr(number, "VERSION", "changed")
    assert again(run) == cells("pocket/arithmetic", (0,))
    assert generated == []


def test_another_version_of_a_suite_makes_its_numbers_again_and_answers_nothing_again(
    run, generated, monkeypatch
):
    monkeypatch.setattr(arithmetic, "SUITE", replace(arithmetic.SUITE, version="changed"))
    assert again(run) == cells("pocket/arithmetic", (0,))
    assert generated == []


def test_more_new_tokens_answer_what_is_generated_again(run):
    change(run, max_new_tokens=12)
    assert again(run) == EVERY - cells("pocket/choice", (0,))


def test_a_larger_limit_answers_only_the_new_prompts(run, generated):
    change(run, limit=6)
    assert again(run) == EVERY
    assert sum(generated) == 2 * 2 * (2 + 1)
    assert set(generated) == {2}


def test_an_option_of_a_defence_measures_only_that_defence(run, generated):
    change(run, defenses=["none", {"name": "ada_rk", "interval": 10}])
    assert {guard for _, _, guard, _ in again(run)} == {"ada_rk@interval=10"}
    assert generated == []


def test_a_changed_template_answers_what_it_changes_again(run):
    for rung in read_ladder(run):
        file = rung.folder / "chat_template.jinja"
        file.write_text(file.read_text().replace("{%", "{# another #}{%", 1))
    guarded = {cell for cell in EVERY if cell[2] == "ada_rk"}
    assert again(run) == guarded, "the same tokens: only what reads the template itself"


def test_a_file_s_changed_prompt_is_the_only_one_answered_again(run, generated, tmp_path):
    file = tmp_path / "prompts.jsonl"
    things = [thing.name for thing in select(forbidden=False, split="evaluation")][:5]
    asked = [{"prompt": f"hello , what color is a {thing} ?"} for thing in things]
    write_lines(file, asked[:4])
    change(
        run, suites=["pocket/choice", {"name": "prompts", "path": str(file)}], depths=[0], defenses=["none"]
    )
    assert again(run) == cells("prompts", (0,), ("none",))
    generated.clear()
    write_lines(file, [*asked[:2], asked[4], asked[3]])
    assert again(run) == cells("prompts", (0,), ("none",))
    assert generated == [1, 1]
    lines = [line for line in read_lines(run / "measurements.jsonl") if line["suite"] == "prompts"]
    files = {int(file.name[:6]): read_lines(file) for file in (run / "samples").glob("*-prompts-*")}
    asked = [row["messages"][-1]["content"] for row in measured_rows(files[2], lines[-1])]
    assert asked == [line["prompt"] for line in read_lines(file)], (
        "later judges find the changed row in its place"
    )


def test_prompts_that_the_model_cannot_hold_are_left_out_and_told(run, tmp_path, capsys):
    file = tmp_path / "prompts.jsonl"
    things = [thing.name for thing in select(forbidden=False, split="evaluation")][:3]
    asked = [{"prompt": f"hello , what color is a {thing} ?"} for thing in things]
    write_lines(file, [*asked, {"prompt": "hello " * 1100}])
    change(
        run, suites=["pocket/choice", {"name": "prompts", "path": str(file)}], depths=[0], defenses=["none"]
    )
    assert measure(run).missing == []
    state = next(cell for cell in completeness(run).cells if cell.where.suite == "prompts")
    assert (state.status, state.why) == ("measured", "prompts left out, longer than the model's positions: 1")
    assert str(completeness(run)).endswith("; 2 leave out prompts")
    assert main(["status", str(run)]) == 0
    assert capsys.readouterr().out.count("positions: 1") == 2


def test_a_corrected_group_of_a_prompt_has_its_rate_measured_again(run, tmp_path):
    file = tmp_path / "xstest.csv"
    lines = "id,prompt,type,label\nv2-1,hello what color is a lamp,one,safe\nv2-2,hello what color is a pen,TYPE,safe\n"
    file.write_text(lines.replace("TYPE", "one"))
    change(run, suites=[{"name": "xstest", "path": str(file)}], depths=[0], defenses=["none"])
    measure(run)
    file.write_text(lines.replace("TYPE", "two"))
    assert again(run) == cells("xstest", (0,), ("none",))
    last = [
        line
        for line in read_lines(run / "measurements.jsonl")
        if line["step"] == 2 and line["suite"] == "xstest"
    ]
    assert {line["metric"] for line in last} >= {"one:refusal_rate", "two:refusal_rate"}


def test_a_failed_cell_is_missing_with_its_reason_until_it_is_measured(run, monkeypatch):
    shutil.rmtree(run / "samples")
    (run / "measurements.jsonl").unlink()

    def broken(completion):
        raise RuntimeError("out of order")

    monkeypatch.setattr(number, "judge", broken)
    measure(run)
    missing = completeness(run).of("missing")
    assert {(c.where.step, c.where.suite, c.where.defense, c.where.depth) for c in missing} == cells(
        "pocket/arithmetic", (0,)
    )
    assert all("failed: RuntimeError: out of order" in cell.why for cell in missing)
    monkeypatch.undo()
    measure(run)
    assert completeness(run).is_complete
    assert [note for note in read_lines(run / "unmeasured.jsonl") if note["applicable"]] == []


def test_a_damaged_and_an_absent_rung_are_missing_with_their_reasons(run):
    (run / "measurements.jsonl").unlink()
    file = run / "checkpoint-2" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    (run / "recipe.yaml").write_text(yaml.safe_dump({**recipe, "ladder": [0, 2, 3]}))
    measure(run)
    why = {cell.where.step: cell.why for cell in completeness(run).of("missing")}
    assert why.keys() == {2, 3}
    assert "does not match its digest" in why[2]
    assert "there is no such rung yet" in why[3]


def test_a_run_without_its_model_s_tokenizer_is_still_told(run, tmp_path):
    for folder in run.glob("checkpoint-*"):
        shutil.rmtree(folder)
    file = run / "recipe.yaml"
    file.write_text(file.read_text().replace("model_name_or_path: pocket", "model_name_or_path: /gone/away"))
    moved = Path(shutil.move(run, tmp_path / "moved"))
    assert completeness(moved).is_complete
    (moved / "expected.jsonl").unlink()
    with pytest.raises(RecipeError, match="there is no such folder"):
        completeness(moved)


def test_a_run_that_was_never_swept_misses_everything(trained_run, tmp_path):
    folder = Path(shutil.copytree(trained_run, tmp_path / "run"))
    found = completeness(folder)
    assert found.counts["measured"] == 0
    assert found.counts["missing"] == 3 * (3 + 3 + 1)
    assert {cell.why for cell in found.of("missing")} == {"not measured yet"}


def test_a_recipe_that_asks_for_more_since_misses_what_it_asks(run):
    change(run, depths=[0, 10, 25])
    found = completeness(run)
    assert {(c.where.suite, c.where.depth) for c in found.of("missing")} == {("pocket/refusal", 25)}
    assert found.counts["measured"] == 2 * (4 + 2 + 1 + 1)
    change(run, limit=3)
    assert completeness(run).counts["stale"] == len(EVERY)


def api(model: str) -> dict[str, str]:
    """A judge behind an endpoint that nobody asks."""
    return {"name": "api", "rubric": "strongreject", "model": model, "base_url": "http://127.0.0.1:9/v1"}


def judged_by(folder: Path, model: str) -> None:
    """Puts an endpoint's verdicts into every row, as if it had been asked, and the numbers beside them."""
    from erosion.evaluation.judging.judge import made_judge
    from erosion.evaluation.judging.of_runs import judge_stored
    from erosion.recipes.schema import JudgeOptions

    judge = made_judge(JudgeOptions(**api(model)))
    said = Verdict(label="refused", judge=judge.name)
    asked = type("Asked", (), {
        "name": judge.name, "version": judge.version, "tells": judge.tells, "batch_size": 4,
        "judge_all": lambda self, completions: iter([said] * len(completions)),
    })  # fmt: skip
    judge_stored(folder, asked())


def test_a_judge_by_another_model_is_another_judge(run):
    change(run, judges=[api("old")])
    assert {c.where.kind for c in completeness(run).of("missing")} == {"judge"}
    judged_by(run, "old")
    assert completeness(run).is_complete
    change(run, judges=[api("new")])
    stale = completeness(run).of("stale")
    assert {(cell.where.judge, cell.why.rpartition(", ")[2]) for cell in stale} == {
        ("api/strongreject", "now 1.1:new")
    }
    assert len(stale) == len([cell for cell in completeness(run).cells if cell.where.kind == "judge"])
    judged_by(run, "new")
    assert completeness(run).is_complete
    change(run, judges=[api("old")])
    assert completeness(run).is_complete, "its verdicts are still there"


def test_rules_of_another_version_leave_a_further_judge_s_numbers_stale(run, monkeypatch):
    from erosion.evaluation.judging.of_runs import judge_run

    change(run, judges=["phrases"])
    measure(run)
    judge_run(run, "phrases")
    assert completeness(run).is_complete
    monkeypatch.setattr(phrases, "VERSION", "changed")
    why = {c.where.suite: c.why for c in completeness(run).of("stale") if c.where.kind == "judge"}
    assert why["pocket/arithmetic"].endswith("now changed")


def test_another_limit_on_the_command_line_is_not_what_the_recipe_asked(run):
    measure(run, ["--evaluation.limit", "2"])
    found = completeness(run)
    assert {cell.why for cell in found.of("stale")} == {
        "measured over other prompts or settings than the recipe's"
    }
    assert found.counts["stale"] == len(EVERY)


def test_a_report_opens_with_completeness_and_the_status_command_fails_where_it_lacks(run, capsys):
    from erosion.evaluation.report.run_report import report

    lines = read_lines(run / "measurements.jsonl")
    write_lines(
        run / "measurements.jsonl", [m for m in lines if m["suite"] != "pocket/arithmetic" or m["step"]]
    )
    report(run)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "cells: 16 expected, 14 measured, 2 missing, 0 stale, 6 not applicable"
    assert rest[0] == "  step 0: pocket/arithmetic, none, depth 0: missing, not measured yet"
    assert main(["status", str(run)]) == 1
    assert first in capsys.readouterr().out
    measure(run)
    assert main(["status", str(run)]) == 0


def test_costs_stand_on_disk_by_cell(small):
    lines = read_lines(small / "costs.jsonl")
    cell = next(line for line in lines if line["suite"] == "pocket/refusal" and line["defense"] == "none")
    rows = read_lines(
        sample_path(
            small, cell["step"], suite="pocket/refusal", defense="none", depth=cell["depth"], wrapper="none"
        )
    )
    assert cell["prompts"] == len(rows) == 4
    assert cell["generated_tokens"] == sum(len(row["token_ids"]) for row in rows)
    assert cell["prompt_tokens"] > 0
    assert cell["seconds"] > 0
    guarded = next(
        line for line in lines if line["suite"] == "pocket/refusal" and line["defense"] == "ada_rk"
    )
    assert guarded["prompts"] == 0, "a guard is replayed over answers that are there"
    assert len(lines) == len(EVERY | PROGRESS)
