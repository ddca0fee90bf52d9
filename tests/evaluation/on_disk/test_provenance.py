"""What made a run: a call is told from its beginning, and a killed one shows how far it came."""

import json
import shutil
from pathlib import Path

import pytest

from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk import provenance
from erosion.evaluation.on_disk.costs import read_costs, total
from erosion.evaluation.on_disk.provenance import FILE, Call, gpu_hours
from erosion.evaluation.records import Measurement
from erosion.evaluation.sweeping import sweep
from erosion.recipes.parsing import RecipeError


def calls(folder: Path) -> list[dict]:
    return json.loads((folder / FILE).read_text())


def test_a_call_that_is_killed_shows_that_it_began_and_how_far_it_came(tmp_path):
    call = Call(tmp_path, {"recipe_digest": "r"})
    call.took("data", 1.5)

    def killed() -> None:
        with call.phase("training", accelerators=0):
            call.reached("training", 5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    (entry,) = calls(tmp_path)
    assert entry["started"]
    assert entry["ended"] is None
    assert entry["phases"]["data"] == {"seconds": 1.5}
    assert (entry["phases"]["training"]["seconds"], entry["phases"]["training"]["reached"]) == (None, 5)


def test_earlier_calls_stay_and_two_at_once_keep_to_their_own_entries(tmp_path):
    first, second = Call(tmp_path, {"recipe_digest": "a"}), Call(tmp_path, {"recipe_digest": "b"})
    first.end()
    second.took("data", 2.0)
    assert [entry["recipe_digest"] for entry in calls(tmp_path)] == ["a", "b"]
    assert [entry["ended"] is None for entry in calls(tmp_path)] == [False, True]


def test_a_damaged_file_is_told_and_not_written_over(tmp_path):
    (tmp_path / "provenance.json").write_text("[{")
    with pytest.raises(RecipeError, match=r"provenance.json: not JSON"):
        Call(tmp_path, {})
    assert (tmp_path / "provenance.json").read_text() == "[{"


def test_a_process_that_is_not_the_first_writes_nothing(tmp_path):
    call = Call(tmp_path, {}, writes=False)
    call.took("data", 1.0)
    call.end()
    assert not (tmp_path / FILE).exists()


def test_a_token_of_the_command_line_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/bin/erosion", "train", "x.yaml", "--hub_token", "x-y-z"])
    Call(tmp_path, {})
    assert calls(tmp_path)[0]["command"] == ["erosion", "train", "x.yaml", "--hub_token", "(left out)"]
    assert "x-y-z" not in (tmp_path / FILE).read_text()


def test_commit_and_dirty_state_stand_apart_and_in_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "git", lambda: {"commit": "0123456789ab", "dirty": True})
    provenance.code.cache_clear()
    Call(tmp_path, {})
    provenance.code.cache_clear()
    (entry,) = calls(tmp_path)
    assert entry["git"] == {"commit": "0123456789ab", "dirty": True}
    assert entry["code"].endswith("@0123456789ab+changes")


def test_libraries_that_are_installed_are_named_with_their_versions(tmp_path):
    import numpy
    import scipy

    Call(tmp_path, {})
    named = calls(tmp_path)[0]["packages"]
    assert (named["numpy"], named["scipy"]) == (numpy.__version__, scipy.__version__)
    assert {"torch", "transformers", "lm_eval", "scikit-learn"} <= named.keys()


def test_hours_count_every_accelerator_and_none_where_there_is_none():
    assert gpu_hours(1800, 4) == 2.0
    assert gpu_hours(1800, 0) == 0.0


def test_a_sweep_s_cost_is_the_sum_of_its_cells_and_a_second_one_costs_nothing(trained_run, tmp_path):
    folder = Path(shutil.copytree(trained_run, tmp_path / "run"))
    words = ["--evaluation.suites", "[pocket/arithmetic]", "--evaluation.limit", "2"]
    assert sweep(folder, words) == []
    phase = calls(folder)[-1]["phases"]["measuring"]
    assert phase["cost"] == total(read_costs(folder))
    assert phase["cost"]["cells"] == 3 * (1 + 1)
    assert phase["reached"] == 4
    tokens = sum(len(row["token_ids"]) for f in folder.glob("samples/*.jsonl") for row in read_lines(f))
    assert phase["cost"]["generated_tokens"] == tokens
    assert phase["gpu_hours"] == phase["cost"]["gpu_hours"] == 0.0
    assert phase["seconds"] >= phase["cost"]["seconds"] > 0
    sweep(folder, words)
    assert calls(folder)[-1]["phases"]["measuring"]["cost"]["cells"] == 0
    assert len(calls(folder)) == 3


def test_a_line_measured_before_there_were_costs_is_still_a_measurement(trained_run, tmp_path):
    folder = Path(shutil.copytree(trained_run, tmp_path / "run"))
    sweep(folder, ["--evaluation.suites", "[pocket/choice]", "--evaluation.limit", "2"])
    line = read_lines(folder / "measurements.jsonl")[0]
    del line["wrapper"]
    assert Measurement(**line).wrapper == "none"
    (folder / "costs.jsonl").unlink()
    assert total(read_costs(folder))["cells"] == 0
