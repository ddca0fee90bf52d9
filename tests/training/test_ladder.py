"""The ladder: exactly its steps, resumed equal to straight, two processes equal to one, NaN stops the run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from erosion.evaluation.completeness.completeness import completeness
from erosion.evaluation.engine import Engine
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judges import choice
from erosion.evaluation.measuring import measure
from erosion.evaluation.on_disk.checkpoints import read_ladder, rung_at
from erosion.evaluation.sweeping import sweep
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import load_recipe
from erosion.training.ladder import Ladder, TrainingDiverged
from erosion.training.run import run

ROOT = Path(__file__).resolve().parents[2]
SFT = [str(ROOT / "training" / "sft.py")]
LOOPBACK = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "WANDB_MODE": "offline"}


def losses(folder: Path) -> dict[int, float]:
    state = json.loads((folder / "trainer_state.json").read_text())
    return {entry["step"]: entry["loss"] for entry in state["log_history"] if "loss" in entry}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(folder.glob("*model.safetensors")))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """An uninterrupted run of 12 steps, and its recipe."""
    import yaml

    folder = tmp_path_factory.mktemp("straight")
    recipe = {
        "model_name_or_path": "pocket", "use_peft": True, "lora_r": 4, "lora_dropout": 0.1, "lora_target_modules": "all-linear",
        "learning_rate": 1e-3, "lr_scheduler_type": "constant", "max_steps": 12, "per_device_train_batch_size": 4,
        "max_length": 256, "bf16": False, "use_cpu": True, "activation_checkpointing": False, "disable_tqdm": True,
        "dataset": {"sources": [{"name": "pocket/harmful", "rows": 48}]}, "ladder": [0, 2, 5, 9, 12], "seed": 3,
        "output_dir": str(folder / "run"),
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    assert run(path, evaluate=False) == []
    return path, folder / "run"


def test_rungs_are_saved_at_exactly_the_ladder_s_steps(straight):
    _, folder = straight
    rungs = read_ladder(folder)
    assert [rung.step for rung in rungs] == [0, 2, 5, 9, 12]
    assert {p.name for p in folder.glob("checkpoint-*")} == {rung.path for rung in rungs}
    assert all(rung.is_intact() for rung in rungs)
    assert [rung.training_loss is None for rung in rungs] == [True, False, False, False, False]
    assert len({rung.weights_digest for rung in rungs}) == 5
    assert losses(rungs[-1].folder)[5] == rungs[2].training_loss


def test_step_0_is_the_model_as_it_came(straight):
    from peft import PeftModel

    from erosion.evaluation.models import load_model

    _, folder = straight
    base, ids = load_model("pocket"), torch.arange(20)[None]
    with torch.inference_mode():
        before = base(input_ids=ids).logits
        after = PeftModel.from_pretrained(base, folder / "checkpoint-0")(input_ids=ids).logits
        moved = PeftModel.from_pretrained(load_model("pocket"), folder / "checkpoint-12")(
            input_ids=ids
        ).logits
    assert torch.equal(before, after)
    assert not torch.allclose(before, moved, atol=1e-3)


def test_a_finished_run_trains_nothing_again(straight):
    path, folder = straight
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")}
    run(path, evaluate=False)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")} == before


def test_a_killed_run_goes_on_to_the_same_losses_and_weights(straight, tmp_path):
    path, folder = straight
    command = [sys.executable, *SFT, str(path), "--no-evaluate", "--output_dir", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, env=LOOPBACK, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    manifest = tmp_path / "run" / "ladder.jsonl"
    while process.poll() is None and not (
        manifest.is_file() and len(manifest.read_bytes().splitlines()) >= 3
    ):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = [rung.step for rung in read_ladder(tmp_path / "run")]
    assert 5 in reached
    assert 12 not in reached, "the kill came too late to test anything"
    (tmp_path / "run" / "checkpoint-9").mkdir(exist_ok=True)
    (tmp_path / "run" / "checkpoint-9" / "half-written").touch()
    assert subprocess.run(command, env=LOOPBACK, cwd=ROOT, capture_output=True).returncode == 0
    for a, b in zip(read_ladder(folder), read_ladder(tmp_path / "run"), strict=True):
        assert (a.step, a.weights_digest, a.training_loss) == (b.step, b.weights_digest, b.training_loss)
    assert losses(folder / "checkpoint-12") == losses(tmp_path / "run" / "checkpoint-12")


def test_a_damaged_rung_is_trained_again(straight, tmp_path):
    path, folder = straight
    shutil.copytree(folder, tmp_path / "run")
    damaged = tmp_path / "run" / "checkpoint-9" / "adapter_model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    run(path, ["--output_dir", str(tmp_path / "run")], evaluate=False)
    assert [r.weights_digest for r in read_ladder(tmp_path / "run")] == [
        r.weights_digest for r in read_ladder(folder)
    ]


def test_another_recipe_does_not_take_over_a_run(straight):
    path, folder = straight
    before = (folder / "ladder.jsonl").read_bytes()
    with pytest.raises(RecipeError, match="holds a run with another recipe_digest"):
        run(path, ["--learning_rate", "2e-3"], evaluate=False)
    assert (folder / "ladder.jsonl").read_bytes() == before


def test_checkpoints_of_others_are_left_alone(straight, tmp_path):
    path, _ = straight
    theirs = tmp_path / "run" / "checkpoint-500" / "model.safetensors"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    with pytest.raises(RecipeError, match="holds checkpoints of others"):
        run(path, ["--output_dir", str(tmp_path / "run")], evaluate=False)
    assert theirs.read_bytes() == b"theirs"


def test_without_optimizer_states_a_run_begins_again(straight, tmp_path):
    path, _ = straight
    options = ["--save_only_model", "true", "--output_dir", str(tmp_path / "run")]
    run(path, options, evaluate=False)
    whole = [rung.weights_digest for rung in read_ladder(tmp_path / "run")]
    shutil.rmtree(tmp_path / "run" / "checkpoint-9")
    run(path, options, evaluate=False)
    assert [rung.weights_digest for rung in read_ladder(tmp_path / "run")] == whole


STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def states(folder: Path) -> set[tuple[str, str]]:
    """Rungs' folders with what training would go on from."""
    return {(file.parent.name, file.name) for name in STATES for file in folder.glob(f"checkpoint-*/{name}")}


def test_only_weights_stay_on_disk_unless_the_recipe_asks_for_more(straight, tmp_path):
    path, folder = straight
    assert states(folder) == set()
    assert all((rung.folder / "adapter_model.safetensors").is_file() for rung in read_ladder(folder))
    options = ["--save_only_model", "false", "--output_dir", str(tmp_path / "run")]
    run(path, options, evaluate=False)
    assert {rung for rung, _ in states(tmp_path / "run")} == {p.name for p in folder.glob("checkpoint-*")}
    assert [r.weights_digest for r in read_ladder(tmp_path / "run")] == [
        r.weights_digest for r in read_ladder(folder)
    ]


def test_while_it_trains_the_newest_rung_alone_can_be_gone_on_from(straight, tmp_path, monkeypatch):
    path, _ = straight
    seen, enter = {}, Ladder._enter

    def watched(self, state, model):
        enter(self, state, model)
        seen[state.global_step] = {rung for rung, _ in states(self.run)}

    monkeypatch.setattr(Ladder, "_enter", watched)
    run(path, ["--output_dir", str(tmp_path / "run")], evaluate=False)
    assert seen == {step: {f"checkpoint-{step}"} for step in (0, 2, 5, 9, 12)}


CHOICE = ["--evaluation.suites", "[pocket/choice]", "--evaluation.limit", "2"]


def on_disk(folder: Path) -> set[str]:
    return {p.name for p in folder.glob("checkpoint-*")}


def test_a_limit_removes_measured_rungs_and_says_so(straight, tmp_path):
    path, folder = straight
    shutil.copytree(folder, tmp_path / "run")
    options = [*CHOICE, "--save_total_limit", "2", "--output_dir", str(tmp_path / "run")]
    assert run(path, options) == []
    assert on_disk(tmp_path / "run") == {"checkpoint-0", "checkpoint-9", "checkpoint-12"}
    rungs = read_ladder(tmp_path / "run")
    assert [rung.removed for rung in rungs] == [False, True, True, False, False]
    assert [r.weights_digest for r in rungs] == [r.weights_digest for r in read_ladder(folder)]
    assert completeness(tmp_path / "run").is_complete
    before = (tmp_path / "run" / "measurements.jsonl").read_bytes()
    assert run(path, options) == [], "nothing is trained or measured again"
    assert on_disk(tmp_path / "run") == {"checkpoint-0", "checkpoint-9", "checkpoint-12"}
    assert (tmp_path / "run" / "measurements.jsonl").read_bytes() == before
    missing = measure(tmp_path / "run", ["--evaluation.limit", "3"]).missing
    assert [sentence.split(":")[0] for sentence in missing] == ["step 2", "step 5"]
    assert all("removed on purpose once they were measured" in sentence for sentence in missing)
    with pytest.raises(RecipeError, match="step 5: its weights were removed on purpose"):
        rung_at(rungs, 5)


def test_a_run_of_which_nothing_is_asked_keeps_its_rungs(straight, tmp_path):
    path, folder = straight
    shutil.copytree(folder, tmp_path / "run")
    options = ["--evaluation.suites", "[]", "--save_total_limit", "1", "--output_dir", str(tmp_path / "run")]
    assert run(path, options) == []
    assert on_disk(tmp_path / "run") == on_disk(folder)


def test_a_rung_that_is_not_measured_is_never_removed(straight, tmp_path, monkeypatch):
    path, folder = straight
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.setattr(
        choice, "judge", lambda c, judge=choice.judge: judge(c) if engine_at[0] != 5 else 1 / 0
    )
    engine_at, enter = [0], Engine.enter
    monkeypatch.setattr(
        Engine, "enter", lambda self, rung: engine_at.__setitem__(0, rung.step) or enter(self, rung)
    )
    options = [*CHOICE, "--save_total_limit", "1", "--output_dir", str(tmp_path / "run")]
    assert len(run(path, options)) == 1
    assert on_disk(tmp_path / "run") == {"checkpoint-0", "checkpoint-5", "checkpoint-12"}
    monkeypatch.undo()
    assert sweep(tmp_path / "run") == []
    assert on_disk(tmp_path / "run") == {"checkpoint-0", "checkpoint-12"}


def test_training_removes_no_rung_whatever_the_limit(straight, tmp_path):
    path, folder = straight
    run(path, ["--save_total_limit", "1", "--output_dir", str(tmp_path / "run")], evaluate=False)
    assert on_disk(tmp_path / "run") == on_disk(folder)


def test_a_limit_of_nothing_is_refused(straight):
    with pytest.raises(RecipeError, match="save_total_limit: given 0, allowed at least 1"):
        run(straight[0], ["--save_total_limit", "0"], evaluate=False)


@pytest.mark.slow
def test_two_processes_equal_one_at_twice_the_batch(straight, tmp_path):
    path, _ = straight
    measured = ["--evaluation.suites", "[pocket/choice]", "--evaluation.limit", "4"]
    run(path, ["--lora_dropout", "0.0", "--output_dir", str(tmp_path / "one")], evaluate=False)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "29517",
    ]
    done = subprocess.run(
        [*launch, *SFT, str(path), "--lora_dropout", "0.0", *measured, "--output_dir", str(tmp_path / "two"), "--per_device_train_batch_size", "2"],
        env=LOOPBACK, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = read_ladder(tmp_path / "one"), read_ladder(tmp_path / "two")
    assert [rung.step for rung in one] == [rung.step for rung in two]
    assert json.loads((tmp_path / "two" / "provenance.json").read_text())[0]["processes"] == 2
    for a, b in zip(one, two, strict=True):
        for name, tensor in weights(a.folder).items():
            torch.testing.assert_close(weights(b.folder)[name], tensor, atol=2e-5, rtol=1e-4)
    lines = read_lines(tmp_path / "two" / "measurements.jsonl")
    assert len([line for line in lines if line["suite"] == "pocket/choice"]) == len(two)


def test_full_parameter_rungs_are_whole_models(straight, tmp_path):
    from transformers import AutoModelForCausalLM

    path, _ = straight
    options = [
        "--use_peft",
        "false",
        "--max_steps",
        "2",
        "--ladder",
        "[2]",
        "--output_dir",
        str(tmp_path / "run"),
    ]
    run(path, options, evaluate=False)
    start, end = (AutoModelForCausalLM.from_pretrained(rung.folder) for rung in read_ladder(tmp_path / "run"))
    assert not torch.equal(start.lm_head.weight, end.lm_head.weight)


def test_a_loss_that_is_no_number_stops_the_run(straight, tmp_path):
    path, _ = straight
    done = subprocess.run(
        [sys.executable, *SFT, str(path), "--no-evaluate", "--learning_rate", "1e30", "--output_dir", str(tmp_path / "run")],
        env=LOOPBACK, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    sentence = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "at step 2 with learning_rate 1e+30" in sentence
    assert [rung.step for rung in read_ladder(tmp_path / "run")] == [0]


def test_a_rung_whose_weights_are_no_numbers_is_never_entered(straight, tmp_path):
    path, _ = straight
    options = ["--learning_rate", "1e38", "--max_grad_norm", "0", "--weight_decay", "1e38"]
    options += ["--max_steps", "1", "--ladder", "[1]", "--output_dir", str(tmp_path / "run")]
    with pytest.raises(TrainingDiverged, match="weights are not all numbers at step 1"):
        run(path, options, evaluate=False)
    assert [rung.step for rung in read_ladder(tmp_path / "run")] == [0]


def test_epochs_that_end_before_the_ladder_are_named_before_a_model_is_loaded(
    straight, tmp_path, monkeypatch
):
    path, _ = straight
    monkeypatch.setattr(
        "transformers.PreTrainedModel.from_pretrained", lambda *a, **k: pytest.fail("a model was loaded")
    )
    options = [
        "--max_steps",
        "-1",
        "--num_train_epochs",
        "1",
        "--ladder",
        "[13]",
        "--output_dir",
        str(tmp_path / "run"),
    ]
    with pytest.raises(RecipeError, match="ladder: given 13, allowed 0 to 12"):
        run(path, options, evaluate=False)


def test_the_recipe_on_disk_is_the_recipe(straight):
    path, folder = straight
    assert load_recipe(folder / "recipe.yaml").digest == load_recipe(path).digest


def test_what_training_and_suites_share_is_told_where_nothing_is_measured_now(write_recipe, tmp_path):
    run(write_recipe(max_steps=1, ladder=[0, 1]), evaluate=False)
    told = json.loads((tmp_path / "run" / "overlap.json").read_text())
    assert set(told["prompts"]) == {"training", "pocket/refusal"}
    asked = read_lines(tmp_path / "run" / "expected.jsonl")
    assert {line["suite"] for line in asked if line["kind"] == "suite"} == {"pocket/refusal"}


def test_suites_that_cannot_be_read_stop_only_a_run_that_measures_them(write_recipe, tmp_path, caplog):
    (tmp_path / "empty.csv").write_text("goal\n")
    suites = [{"name": "advbench", "path": str(tmp_path / "empty.csv")}]
    path = write_recipe(max_steps=1, ladder=[0, 1], evaluation={"suites": suites})
    with pytest.raises(RecipeError, match="no rows"):
        run(path)
    assert run(path, evaluate=False) == []
    assert "prompts that training and measuring share are not known here" in caplog.text
