"""wandb offline, read back; and a wandb that fails, which stops nothing."""

import base64
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from erosion.evaluation.curves import curves
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.on_disk.run_folder import note_study
from erosion.evaluation.records import Measurement
from erosion.evaluation.sweeping import sweep
from erosion.evaluation.tracking import Tracker
from erosion.evaluation.tracking.publishing import publish
from erosion.recipes.schema import load_recipe
from erosion.recipes.secrets_left_out import LEFT_OUT
from erosion.training.cli import main
from erosion.training.run import run

STEP = "train/global_step"


def stored(file):
    """The records of a wandb file: LevelDB's log format after a header of 7 bytes."""
    data, place, parts = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


class Stored:
    """One session of an offline run; its writer is a process of its own and may still be at it."""

    def __init__(self, file, *, ended=True):
        from wandb.proto import wandb_internal_pb2

        deadline, kinds = time.monotonic() + 30, {}
        while (not kinds or (ended and "exit" not in kinds)) and time.monotonic() < deadline:
            kinds = {}
            for data in stored(file):
                record = wandb_internal_pb2.Record()
                record.ParseFromString(data)
                kinds.setdefault(record.WhichOneof("record_type"), []).append(record)
            time.sleep(0.05)
        self.kinds, self.folder, self.run = kinds, file.parent, kinds["run"][0].run

    @property
    def rows(self):
        """History, media by their first key."""
        for record in self.kinds.get("history", []):
            yield {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }

    @property
    def figures(self):
        """Numbers by step and key."""
        found = {}
        for row in self.rows:
            numbers = {k: v for k, v in row.items() if isinstance(v, int | float) and k[0] != "_"}
            own = {
                k: v for k, v in numbers.items() if not re.search(r"\.(size|width|height|n?cols|nrows)$", k)
            }
            for key in own.keys() - {STEP}:
                assert (own[STEP], key) not in found, "logged twice"
                found[own[STEP], key] = own[key]
        return found

    @property
    def config(self):
        return {item.key: json.loads(item.value_json) for item in self.run.config.update}

    @property
    def axes(self):
        return {r.metric.name or r.metric.glob_name: r.metric.step_metric for r in self.kinds["metric"]}

    @property
    def summary(self):
        found = {}
        for record in self.kinds["summary"]:
            for item in record.summary.update:
                found[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
        return found

    def media(self, key):
        """The file of a table or picture, and the step it stands at."""
        (row,) = [row for row in self.rows if f"{key}.path" in row]
        return self.folder / "files" / row[f"{key}.path"], row[STEP]

    @property
    def artifacts(self):
        found = [record.artifact for record in self.kinds.get("artifact", [])]
        return {each.type: each for each in found if each.type != "run_table"}


def sessions(folder, job=None):
    """A folder's sessions, the first one first."""
    found = [Stored(file) for file in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]
    return [each for each in found if job in (None, each.run.job_type)]


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Path:
    """A run of `pocket` that reported to wandb all along."""
    folder = tmp_path_factory.mktemp("live")
    recipe = {
        "model_name_or_path": "pocket", "use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear",
        "learning_rate": 1e-3, "lr_scheduler_type": "constant", "max_steps": 3, "logging_steps": 1,
        "per_device_train_batch_size": 4, "max_length": 256, "bf16": False, "activation_checkpointing": False,
        "disable_tqdm": True, "dataset": {"sources": [{"name": "pocket/harmful", "rows": 16}]}, "ladder": [0, 2, 3],
        "seed": 3, "evaluation": {"suites": ["pocket/refusal", "pocket/choice"], "depths": [0, 10], "limit": 6},
        "output_dir": str(folder / "run"), "report_to": "wandb", "hub_token": "hf_invented0invented0",
    }  # fmt: skip
    (folder / "small_attack.yaml").write_text(yaml.safe_dump(recipe))
    assert run(folder / "small_attack.yaml") == []
    return folder / "run"


@pytest.fixture(scope="module")
def elsewhere(live, tmp_path_factory) -> Path:
    """The same run as it comes from a machine without wandb."""
    folder = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.copytree(live, folder, ignore=shutil.ignore_patterns("wandb*"))
    recipe = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(recipe.replace("report_to: wandb", "report_to: none"))
    assert main(["wandb-sync", str(folder)]) == 0
    return folder


def measured(folder):
    return [Measurement(**line) for line in read_lines(folder / "measurements.jsonl")]


def test_training_and_evaluation_are_two_runs_of_one_group(live):
    found = sessions(live)
    assert {each.run.job_type for each in found} == {"train", "eval"}
    assert len(found) == 2
    for each in found:
        assert (each.run.run_group, each.run.display_name) == ("small_attack", "small_attack/pocket/3")
        assert each.run.run_id == (live / f"wandb_id_{each.run.job_type}").read_text()
        assert each.run.resume
    assert found[0].run.run_id != found[1].run.run_id


def test_every_figure_stands_against_the_training_step(live):
    for each in sessions(live):
        assert each.axes["*"] == STEP
        assert each.figures.keys() == {(step, key) for step, key in each.figures if 0 <= step <= 3}
    assert {step for step, _ in sessions(live, "train")[0].figures} == {1, 2, 3}
    assert {step for step, _ in sessions(live, "eval")[0].figures} == {0, 2, 3}


def test_losses_are_the_trainer_s_own(live):
    (train,) = sessions(live, "train")
    log_history = json.loads((live / "checkpoint-3" / "trainer_state.json").read_text())["log_history"]
    losses = {(line["step"], "train/loss"): line["loss"] for line in log_history}
    assert losses == {place: value for place, value in train.figures.items() if place[1] == "train/loss"}
    assert len(losses) == 3
    assert train.summary["train/train_runtime"] > 0, "the Trainer's closing line is an outcome, no curve"


def test_measurements_are_those_on_disk(live):
    (evaluated,) = sessions(live, "eval")
    found = measured(live)
    assert {value for (step, key), value in evaluated.figures.items()} == {m.value for m in found}
    assert len(evaluated.figures) == len(found)
    name = "eval/none/pocket/refusal/depth_10/refusal_rate/phrases"
    (line,) = [m for m in found if (m.step, m.depth, m.metric, m.judge) == (2, 10, "refusal_rate", "phrases")]
    assert evaluated.figures[2, name] == line.value


def test_runs_can_be_compared_by_every_key_of_the_recipe(live):
    for each in sessions(live):
        config = each.config
        assert config["recipe"] == "small_attack"
        assert config["learning_rate"] == 1e-3
        assert config["dataset"]["sources"][0]["name"] == "pocket/harmful"
        assert (config["ladder"], config["seed"], config["defense"]["name"]) == ([0, 2, 3], 3, "none")
        assert config["evaluation"]["depths"] == [0, 10]
        rung = read_lines(live / "ladder.jsonl")[0]
        for digest in ("recipe_digest", "base_digest", "dataset_digest"):
            assert config[digest] == rung[digest], digest
        assert config["code"] == config["trained_by"] == measured(live)[0].code
        assert config["packages"]["torch"]
        assert config.get("hub_token", LEFT_OUT) == LEFT_OUT


def test_a_run_s_folder_holds_no_token(live):
    for name in ("recipe.yaml", "provenance.json"):
        assert "hf_invented0" not in (live / name).read_text()


def test_no_secret_prompt_or_answer_reaches_wandb(live):
    texts = [b"hf_invented0invented0"]
    for file in (live / "samples").glob("*.jsonl"):
        texts += [
            text.encode()
            for row in read_lines(file)
            for text in (row["prompt"], row["text"])
            if len(text) > 9
        ]
    texts += [row["prompt"].encode() for row in read_lines(live / "trained_on.jsonl") if "prompt" in row]
    assert len(texts) > 20
    for file in (path for path in (live / "wandb").rglob("*") if path.is_file()):
        data = file.read_bytes()
        assert not [text for text in texts if text in data], file


def test_the_table_of_curves_holds_every_measurement(live):
    (evaluated,) = sessions(live, "eval")
    file, step = evaluated.media("curves/table")
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert step == 3
    assert len(rows) == len(measured(live))
    for m in measured(live):
        (row,) = [
            r for r in rows
            if (r["suite"], r["metric"], r["defense"], r["depth"], r["judge"], r["wrapper"], r["step"])
            == (m.suite, m.metric, m.defense, m.depth, m.judge, m.wrapper, m.step)
        ]  # fmt: skip
        assert (row["value"], row["low"], row["high"], row["n"]) == (m.value, m.low, m.high, m.n)


def test_charts_are_drawn_of_the_same_curves(live):
    (evaluated,) = sessions(live, "eval")
    file, _ = evaluated.media("curves/pocket/refusal/refusal_rate_table")
    chart = json.loads(file.read_text())
    lines = {(label, step): value for step, label, value in chart["data"]}
    for curve in curves(measured(live)):
        if (curve.suite, curve.metric, curve.judge) == ("pocket/refusal", "refusal_rate", "phrases"):
            for step, value in zip(curve.steps, curve.values, strict=True):
                assert lines.pop((f"none, depth {curve.depth}", step)) == value
    assert not lines


def test_pictures_and_the_outcome_at_the_last_rung_are_shown(live):
    (evaluated,) = sessions(live, "eval")
    file, _ = evaluated.media("eval/erosion")
    assert file.read_bytes() == (live / "report" / "erosion.png").read_bytes()
    name = "eval/none/pocket/refusal/refusal_rate/phrases"
    assert evaluated.summary[name] == evaluated.figures[3, name]


def test_measurements_and_report_are_artifacts_that_lie_in_the_run(live):
    (evaluated,) = sessions(live, "eval")
    assert evaluated.artifacts.keys() == {"measurements", "report"}
    names = {"measurements": {"measurements.jsonl"}, "report": {"erosion.csv", "erosion.png", "erosion.svg"}}
    for kind, artifact in evaluated.artifacts.items():
        contents = {item.path: item for item in artifact.manifest.contents}
        assert contents.keys() >= names[kind]
        for path, item in contents.items():
            file = live / path if kind == "measurements" else live / "report" / path
            assert item.digest == base64.b64encode(hashlib.md5(file.read_bytes()).digest()).decode()
            assert (live / "wandb") in Path(item.local_path).parents, "a moved or shared folder can be synced"


def test_a_run_from_elsewhere_is_sent_as_a_live_one_was(live, elsewhere):
    for job in ("train", "eval"):
        (now,), (then,) = sessions(elsewhere, job), sessions(live, job)
        assert now.figures == then.figures
        assert (now.run.run_group, now.run.display_name) == (then.run.run_group, then.run.display_name)
        assert now.axes["*"] == then.axes["*"] == STEP
        differs = {key for key in now.config if now.config[key] != then.config[key]}
        assert differs <= {"report_to", "_wandb"}
    (now,), (then,) = sessions(elsewhere, "eval"), sessions(live, "eval")
    for key in ("curves/table", "eval/erosion"):
        assert now.media(key)[0].read_bytes() == then.media(key)[0].read_bytes()
    assert {k: a.digest for k, a in now.artifacts.items()} == {k: a.digest for k, a in then.artifacts.items()}


def test_sent_twice_is_sent_once(live, elsewhere, capsys):
    for folder in (elsewhere, live):
        before = sorted(folder.glob("wandb/offline-run-*"))
        assert main(["wandb-sync", str(folder)]) == 0
        assert sorted(folder.glob("wandb/offline-run-*")) == before
        told = capsys.readouterr().out
        count = sum(len(each.figures) for each in sessions(folder, "train"))
        assert f"run: train: 0 sent, {count} there already" in told
        assert "run: eval: 0 sent" in told
        assert f"2 offline sessions wait here: wandb sync {folder / 'wandb'}" in told


def test_an_offline_folder_is_what_wandb_s_own_command_takes(elsewhere):
    command = [Path(sys.executable).parent / "wandb", "sync", "--dry-run", elsewhere / "wandb"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Would sync 2 run(s)" in done.stderr + done.stdout


def test_a_sweep_without_news_begins_no_session(live):
    before = sorted(live.glob("wandb/offline-run-*"))
    assert sweep(live) == []
    assert sorted(live.glob("wandb/offline-run-*")) == before


def test_only_what_changed_is_sent_to_the_same_run(elsewhere, tmp_path):
    """A number measured anew at an early rung, and losses of which only the manifest is left."""
    folder = shutil.copytree(elsewhere, tmp_path / "run")
    lines = read_lines(folder / "measurements.jsonl")
    lines[0]["value"] = 0.125
    write_lines(folder / "measurements.jsonl", lines)
    shutil.rmtree(folder / "checkpoint-3")
    assert main(["wandb-sync", str(folder)]) == 0
    assert len(sessions(folder, "train")) == 1
    first, again = sessions(folder, "eval")
    assert first.run.run_id == again.run.run_id
    name = next(key for (step, key), value in again.figures.items())
    assert again.figures == {(lines[0]["step"], name): 0.125}
    assert again.artifacts.keys() == {"measurements"}
    (artifact,), (before,) = again.artifacts.values(), [first.artifacts["measurements"]]
    assert artifact.name == before.name
    assert artifact.digest != before.digest


def test_another_project_is_another_place(elsewhere, tmp_path, monkeypatch):
    """Losses only: of the rungs' own logs none is left, so they come from the manifest."""
    folder = shutil.copytree(elsewhere, tmp_path / "run")
    for file in (*folder.glob("checkpoint-*/trainer_state.json"), folder / "measurements.jsonl"):
        file.unlink()
    monkeypatch.setenv("WANDB_PROJECT", "from-the-environment")
    assert main(["wandb-sync", str(folder), "--entity", "someone"]) == 1, "no measurements: missing"
    *_, last = sessions(folder, "train")
    assert (last.run.project, last.run.entity) == ("from-the-environment", "someone")
    rungs = {line["step"]: line["training_loss"] for line in read_lines(folder / "ladder.jsonl")}
    assert last.figures == {(step, "train/loss"): rungs[step] for step in (2, 3)}


def test_late_figures_land_on_their_own_step_and_studies_are_named(write_recipe, tmp_path):
    recipe = load_recipe(write_recipe(report_to="wandb", run_name="mine"))
    note_study(tmp_path / "run", "few_tokens_deep")
    with Tracker.open(recipe, tmp_path / "run", job="eval") as tracker:
        tracker.log({"eval/none/pocket/refusal/refusal_rate/phrases": 0.75}, step=4)
        tracker.log({"eval/none/pocket/refusal/refusal_rate/phrases": 0.25}, step=2)
        tracker.log({"eval/none/pocket/refusal/refusal_rate/phrases": 0.25}, step=2)
        tracker.log({"eval/none/pocket/refusal/log_odds/phrases": float("nan")}, step=2)
    (found,) = sessions(tmp_path / "run")
    rows = [row for row in found.rows if "eval/none/pocket/refusal/refusal_rate/phrases" in row]
    assert [row[STEP] for row in rows] == [4, 2]
    assert (tracker.sent, tracker.held) == (3, 1)
    assert (found.run.display_name, found.run.run_group) == ("mine", "small")
    assert set(found.run.tags) == {"few_tokens_deep", "eval"}
    assert found.config["study"] == "few_tokens_deep"


def test_numbers_of_no_run_have_an_axis_of_their_own(tmp_path):
    tracker = Tracker.beside(tmp_path, report_to="wandb", axis="diagnose/position", config={"model": "x"})
    tracker.log({"diagnose/kl": 0.5}, step=3)
    tracker.close()
    (found,) = sessions(tmp_path, "diagnose")
    assert found.axes["*"] == "diagnose/position"
    assert [(row["diagnose/position"], row["diagnose/kl"]) for row in found.rows] == [(3, 0.5)]
    Tracker.beside(tmp_path / "none", report_to="none", axis="x", config={}).log({"a": 1.0}, step=1)
    assert not (tmp_path / "none").exists()


def test_what_a_killed_session_left_is_read_back_and_only_the_rest_is_sent(write_recipe, tmp_path):
    recipe, folder = write_recipe(report_to="wandb"), tmp_path / "run"
    code = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "from erosion.evaluation.tracking import Tracker\nfrom erosion.recipes.schema import load_recipe\n"
        f"tracker = Tracker.open(load_recipe({str(recipe)!r}), Path({str(folder)!r}), job='train')\n"
        "def log(steps):\n"
        "    for step in steps:\n        tracker.log({'train/loss': step / 7, 'train/epoch': step}, step=step)\n"
        "log(range(20))\n"
        f"(file,) = Path({str(folder)!r}).glob('wandb/offline-run-*/run-*.wandb')\n"
        "until = time.monotonic() + 60\n"
        "while file.stat().st_size < 4000 and time.monotonic() < until:\n    time.sleep(0.1)\n"
        "log(range(20, 40))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    alone = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    killed = subprocess.run([sys.executable, "-c", code], env=alone, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    size, settled = -1, time.monotonic() + 20
    while file.stat().st_size != size and time.monotonic() < settled:
        size = file.stat().st_size
        time.sleep(1)
    left = Stored(file, ended=False).figures
    assert (0, "train/loss") in left, "the file can be read back as far as it was written"
    with Tracker.open(load_recipe(recipe), folder, job="train") as tracker:
        for step in range(41):
            tracker.log({"train/loss": step / 7, "train/epoch": step}, step=step)
    (then, now) = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))
    rest = Stored(now).figures
    assert then == file
    assert not left.keys() & rest.keys()
    whole = {(step, "train/loss"): step / 7 for step in range(41)}
    assert {**left, **rest} == {**whole, **{(step, "train/epoch"): step for step in range(41)}}


def test_nothing_is_tracked_unless_the_recipe_says_so(write_recipe, tmp_path):
    with Tracker.open(load_recipe(write_recipe()), tmp_path / "run", job="train") as tracker:
        tracker.log({"a": 1.0}, step=1)
        publish(tmp_path / "run", tracker)
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_sent_is_one_sentence(live, tmp_path, monkeypatch, capsys):
    assert main(["wandb-sync", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert main(["wandb-sync", str(live)]) == 2
    assert "WANDB_MODE is 'disabled'" in capsys.readouterr().err
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("WANDB_API_KEY", "NETRC", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    assert main(["wandb-sync", str(live)]) == 2
    assert "run `wandb login`, or set WANDB_MODE=offline" in capsys.readouterr().err


def test_a_wandb_that_cannot_be_reached_warns_once_and_stops_nothing(write_recipe, tmp_path):
    code = (
        "from pathlib import Path\n"
        "from erosion.evaluation.tracking import Tracker\n"
        "from erosion.recipes.schema import load_recipe\n"
        f"recipe = load_recipe({str(write_recipe(report_to='wandb'))!r})\n"
        f"tracker = Tracker.open(recipe, Path({str(tmp_path / 'run')!r}), job='train')\n"
        "tracker.log({'a': 1.0}, step=1)\n"
        "tracker.close()\n"
        "print('went on')\n"
    )
    nowhere = {
        "WANDB_MODE": "online",
        "WANDB_BASE_URL": "http://127.0.0.1:9",
        "WANDB_API_KEY": "a" * 40,
        "WANDB_INIT_TIMEOUT": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **nowhere}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "went on" in done.stdout
    assert done.stderr.count("wandb failed and is left out from here on") == 1


def test_a_wandb_that_fails_later_warns_once_and_stops_nothing(write_recipe, tmp_path, caplog):
    import wandb

    with caplog.at_level(logging.WARNING):
        tracker = Tracker.open(load_recipe(write_recipe(report_to="wandb")), tmp_path / "run", job="train")
        tracker.log({"a": 1.0}, step=1)
        wandb.finish()
        for step in (2, 3):
            tracker.log({"a": 2.0}, step=step)
        tracker.close()
    assert sum("left out from here on" in record.message for record in caplog.records) == 1
    assert tracker.failure
