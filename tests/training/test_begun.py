"""Hypotheses are written before a run: what its folder began with stands, whatever the file says later."""

import json
import shutil
from pathlib import Path

import pytest

from erosion.evaluation.sweeping import sweep
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import load_recipe
from erosion.training.run import run

FIRST = {"suite": "pocket/refusal", "metric": "refusal_rate", "step": 0}


def expecting(right: float) -> str:
    return json.dumps([{"says": f"At least {right}.", "left": FIRST, "relation": "at_least", "right": right}])


def stated(folder: Path) -> list[str]:
    return [each.says for each in load_recipe(folder / "recipe.yaml").hypotheses]


@pytest.fixture
def copied(trained_run, tmp_path):
    """The shared run's recipe, and a folder with or without its rungs."""

    def make(*, trained: bool) -> tuple[Path, Path]:
        folder = tmp_path / "run"
        if trained:
            shutil.copytree(trained_run, folder)
        return trained_run.parent / "recipe.yaml", folder

    return make


def call(recipe: Path, folder: Path, right: float) -> None:
    run(recipe, ["--output_dir", str(folder), "--hypotheses", expecting(right)], evaluate=False)


def test_the_first_call_s_stand_and_a_later_file_s_are_said_to_differ(copied, capsys):
    recipe, folder = copied(trained=False)
    call(recipe, folder, 0.5)
    rungs = (folder / "ladder.jsonl").read_bytes()
    assert "not checked" not in capsys.readouterr().out
    call(recipe, folder, 0.9)
    assert stated(folder) == ["At least 0.5."]
    said = f"{folder} began with other hypotheses, and they stand: those of {recipe} are not checked"
    assert said in capsys.readouterr().out
    call(recipe, folder, 0.5)
    assert "not checked" not in capsys.readouterr().out
    assert (folder / "ladder.jsonl").read_bytes() == rungs, "another expectation is no other run"


def test_a_run_that_began_without_any_is_given_none_afterwards(copied, capsys):
    recipe, folder = copied(trained=True)
    call(recipe, folder, 0.5)
    assert stated(folder) == []
    assert f"{folder} began without hypotheses: those of {recipe} are not checked" in capsys.readouterr().out


def test_a_run_without_a_rung_has_not_begun(copied):
    recipe, folder = copied(trained=True)
    (folder / "ladder.jsonl").unlink()
    for rung in folder.glob("checkpoint-*"):
        shutil.rmtree(rung)
    call(recipe, folder, 0.5)
    assert stated(folder) == ["At least 0.5."]


def test_a_changed_evaluation_is_taken_over_and_the_hypotheses_stay(copied, trained_run, capsys):
    recipe, folder = copied(trained=False)
    call(recipe, folder, 0.5)
    limit = ["--evaluation.limit", "4", "--hypotheses", "[]"]
    run(recipe, ["--output_dir", str(folder), *limit], evaluate=False)
    kept = load_recipe(folder / "recipe.yaml")
    assert (kept.evaluation.limit, stated(folder)) == (4, ["At least 0.5."])


def test_a_sweep_checks_the_run_s_own_and_takes_no_others(copied, capsys):
    """The exit status is that of what is missing: a failed hypothesis is a finding."""
    recipe, folder = copied(trained=False)
    small = [
        "--evaluation.suites",
        '["pocket/refusal"]',
        "--evaluation.depths",
        "[0]",
        "--evaluation.limit",
        "4",
    ]
    call_with = ["--output_dir", str(folder), "--hypotheses", expecting(1.5)]
    run(recipe, [*call_with, *small], evaluate=False)
    with pytest.raises(RecipeError, match="hypotheses"):
        sweep(folder, ["--hypotheses", "[]"])
    capsys.readouterr()
    assert sweep(folder) == []
    said = capsys.readouterr().out
    assert "1. At least 1.5. did not hold: in 0 of 1 comparisons" in said
    assert "not at least 1.5" in said
