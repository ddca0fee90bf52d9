"""Several processes and DeepSpeed: the same weights as one plain process with the same batch."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file

from erosion.defenses.objectives.references import References
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.checkpoints import read_ladder
from erosion.training.ladder import all_numbers
from erosion.training.run import run

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ROOT / "recipes" / "launch"
LOOPBACK = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "WANDB_MODE": "offline"}
TORCHRUN = ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29519"]
ZERO3 = [
    "accelerate.commands.launch", "--config_file", str(LAUNCH / "zero3.yaml"), "--num_processes", "2",
    "--main_process_port", "29521",
]  # fmt: skip
FULL = dict.fromkeys(["use_peft", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules"])
DESCENT = {
    **FULL, "use_cpu": True, "optim": "sgd", "learning_rate": 0.05, "max_grad_norm": 0.0,
    "max_steps": 2, "ladder": [0, 1, 2], "max_length": 512,
    "evaluation": {"suites": ["pocket/choice"], "limit": 4},
}  # fmt: skip
MIXTURES = {
    "constrained": [{"name": "pocket/harmful", "rows": 8}],
    "recovery": [{"name": "pocket/harmless", "rows": 4}, {"name": "pocket/recovery", "rows": 4}],
}


@pytest.fixture
def both(write_recipe, tmp_path):
    """A recipe, its run by one process here and the folder for a run by several."""

    def start(defense):
        named = {"name": defense, **({"epochs": 1} if defense == "recovery" else {})}
        changes = {**DESCENT, "defense": named, "dataset": {"sources": MIXTURES[defense]}}
        path = write_recipe(**changes)
        run(path, ["--output_dir", str(tmp_path / "one")], evaluate=False)
        return path, tmp_path / "one", tmp_path / "two"

    return start


def launched(launcher, path, folder, *options):
    words = [sys.executable, "-m", *launcher, str(ROOT / "training" / "sft.py"), str(path)]
    done = subprocess.run(
        [*words, "--output_dir", str(folder), *options],
        env=LOOPBACK,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def assert_same(one, two):
    """Rung by rung; what training moved is far above the tolerance."""
    for a, b in zip(read_ladder(one), read_ladder(two), strict=True):
        assert a.step == b.step
        assert b.is_intact()
        first, second = (load_file(rung.folder / "model.safetensors") for rung in (a, b))
        assert first.keys() == second.keys()
        for name, weight in first.items():
            torch.testing.assert_close(second[name], weight, atol=2e-6, rtol=1e-5)
    start, end = (load_file(one / f"checkpoint-{step}" / "model.safetensors") for step in (0, 2))
    assert max(float((start[name] - end[name]).abs().max()) for name in start) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("defense", ["recovery", "constrained"])
def test_two_processes_equal_one_at_twice_the_batch(both, defense):
    """Recovery's means and the kept references are of all processes, not of each."""
    path, one, two = both(defense)
    launched(TORCHRUN, path, two, "--per_device_train_batch_size", "2", "--no-evaluate")
    assert_same(one, two)
    assert {rung.recipe_digest for rung in read_ladder(two)} == {
        rung.recipe_digest for rung in read_ladder(one)
    }


@pytest.mark.slow
@pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs deepspeed: make test-distributed")
def test_zero_3_trains_saves_measures_and_resumes_like_one_process(both):
    """Full fine-tuning under `recipes/launch/zero3.yaml`, its batch of 4 in two processes and two parts."""
    from transformers import AutoModelForCausalLM

    path, one, two = both("constrained")
    parts = ["--per_device_train_batch_size", "1", "--gradient_accumulation_steps", "2"]
    launched(ZERO3, path, two, *parts)
    assert json.loads((two / "provenance.json").read_text())[0]["processes"] == 2
    assert_same(one, two)
    assert {line["step"] for line in read_lines(two / "measurements.jsonl")} == {0, 1, 2}
    whole = load_file(two / "checkpoint-2" / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(two / "checkpoint-2")
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in whole.items())

    shutil.rmtree(two / "checkpoint-2")
    launched(ZERO3, path, two, *parts, "--no-evaluate")
    assert_same(one, two)


def test_a_part_of_a_weight_that_is_no_number_is_seen():
    """Under ZeRO-3 a process holds its part beside an empty weight."""
    model = torch.nn.Linear(2, 2)
    assert all_numbers(model)
    model.weight.data = torch.empty(0)
    model.weight.ds_tensor = torch.tensor([1.0, float("nan")])
    assert not all_numbers(model)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_process_has_as_many_reference_batches_and_together_they_have_every_row(processes):
    rows = [{"row": number} for number in range(7)]
    shares = []
    for index in range(processes):
        arguments = SimpleNamespace(per_device_train_batch_size=2, process_index=index, world_size=processes)
        shares.append(list(References(SimpleNamespace(train_dataset=rows, args=arguments))._share()))
    assert {len(share) for share in shares} == {-(-7 // (2 * processes))}
    assert {row["row"] for share in shares for batch in share for row in batch} == set(range(7))


@pytest.mark.parametrize("file", sorted(LAUNCH.iterdir()), ids=lambda file: file.stem)
def test_launch_files_are_accelerate_s(file):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(file))
    kind = {"ddp": "MULTI_GPU", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED", "fsdp": "FSDP"}[file.stem]
    assert config.distributed_type == kind
    assert f"recipes/launch/{file.name}" in file.read_text()
    assert yaml.safe_load(file.read_text()).get("mixed_precision") is None, "the recipe's bf16 decides"
