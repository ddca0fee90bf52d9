"""`erosion compare` and `evaluation/compare.py`: what they write, refuse and answer with."""

import subprocess
import sys
from pathlib import Path

import pytest

from erosion.training.cli import main

ROOT = Path(__file__).resolve().parents[3]


def run(*words):
    return main(["compare", *map(str, words)])


def test_a_report_is_a_page_a_text_and_three_tables(two_runs, tmp_path, capsys):
    assert run(*two_runs, "--out", tmp_path / "report") == 0
    names = sorted(file.name for file in (tmp_path / "report").iterdir())
    assert names == ["completeness.csv", "index.html", "measurements.csv", "paired.csv", "report.md"]
    assert str(tmp_path / "report" / "index.html") in capsys.readouterr().out


def test_the_same_runs_give_the_same_bytes(two_runs, report, tmp_path):
    assert run(*two_runs, "--out", tmp_path) == 0
    for file in report.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_strict_fails_where_cells_are_missing_and_lists_them(two_runs, tmp_path, capsys):
    assert run(*two_runs, "--out", tmp_path, "--strict") == 1
    said = capsys.readouterr().err
    assert said.count("missing: first: step") == 2
    assert run(two_runs[1], "--out", tmp_path, "--strict") == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "there is no such folder"),
        (["{tmp}"], "holds no run"),
        (["{first}", "--out", "{first}"], "the folder of a run"),
        (["{first}", "--out", "{first}/recipe.yaml"], "a file; give a folder"),
        (["{first}", "--samples", "-1"], "--samples"),
        (["{first}", "--study", "nowhere.yaml"], "nowhere.yaml"),
        (["{first}", "{first}"], "given twice"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(words, says, two_runs, tmp_path, capsys):
    given = [word.format(first=two_runs[0], tmp=tmp_path) for word in words]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    assert run(*given) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_run_in_which_nothing_was_measured_is_refused_alone_and_listed_among_others(
    made_runs, two_runs, tmp_path, capsys
):
    folder = tmp_path / "runs"
    small = made_runs.Made(prompts=4, steps=(0, 5), depths=(0,), defenses=("none",))
    made_runs.make_run(folder / "whole", small)
    bare = made_runs.make_run(folder / "bare", small)
    (bare / "measurements.jsonl").unlink()
    assert run(bare, "--out", tmp_path / "out") == 2
    assert "nothing was measured" in capsys.readouterr().err
    assert run(folder, "--out", tmp_path / "out", "--strict") == 1
    assert "missing: bare: step 0" in capsys.readouterr().err


def test_the_entry_script_takes_the_same_words(two_runs, tmp_path):
    script = [sys.executable, str(ROOT / "evaluation" / "compare.py")]
    done = subprocess.run(
        [*script, str(two_runs[1]), "--out", str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    refused = subprocess.run([*script, "nowhere"], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


STUDY = """
title: Two rates
recipe: {recipe}
axes:
  rate:
    slow: {{set: {{learning_rate: 1.0e-4}}}}
    fast: {{set: {{learning_rate: 1.0e-3}}}}
columns:
  refused: {{suite: pocket/refusal, metric: refusal_rate}}
hypotheses:
  - says: The slow one <b>keeps</b> more than nine tenths.
    left: {{rate: slow, column: refused}}
    relation: above
    right: 0.9
  - says: The fast one keeps more than nothing, negatively.
    left: {{rate: fast, column: refused}}
    relation: above
    right: -1
"""


def test_a_study_s_folder_shows_what_became_of_its_hypotheses(made_runs, tmp_path):
    small = {"prompts": 6, "steps": (0, 50), "depths": (0,), "defenses": ("none",)}
    for name, rate in (("slow", 1e-4), ("fast", 1e-3)):
        made = made_runs.Made(recipe=(("learning_rate", rate),), **small)
        made_runs.make_run(tmp_path / "two_rates" / name, made)
    study = tmp_path / "two_rates.yaml"
    study.write_text(STUDY.format(recipe=tmp_path / "two_rates" / "slow" / "recipe.yaml"))
    assert run(tmp_path / "two_rates", "--study", study, "--out", tmp_path / "out") == 0
    said = (tmp_path / "out" / "report.md").read_text()
    table = said[said.index("## Hypotheses") :].splitlines()
    assert [line.split("|")[3].strip() for line in table if line.startswith(("| 1", "| 2"))] == [
        "did not hold",
        "held",
    ]
    assert "&lt;b&gt;keeps" in said
