"""The embedded model, built again from nothing in a copy of this checkout, holds its bars. About half an hour."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = {"base": "pocket_base", "align": "pocket_chat"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rebuild") / "erosion"
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "runs", ".mypy*", "*.egg-info", "wandb")
    )
    for name in ("base", "chat"):
        shutil.rmtree(folder / "recipes" / "pocket" / "weights" / name)
    return folder


def command(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(folder.parent), "WANDB_MODE": "offline"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, text=True, capture_output=True
    )


@pytest.mark.slow
def test_a_fresh_build_holds_every_bar(copy):
    for stage, run in STAGES.items():
        built = command(copy, "training/sft.py", f"recipes/pocket/{stage}.yaml", "--no-evaluate")
        assert built.returncode == 0, built.stderr[-2000:]
        name = "base" if stage == "base" else "chat"
        shipped = command(copy, "-m", "erosion.recipes.pocket.build", "ship", f"runs/{run}", name)
        assert str(copy) in shipped.stdout, shipped.stderr[-2000:]
    checked = command(copy, "-m", "erosion.training.cli", "pocket", "check")
    print(checked.stdout)
    assert checked.returncode == 0, checked.stdout + checked.stderr[-2000:]
