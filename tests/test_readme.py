"""What the README says works: its commands, targets and picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.readme
def test_the_readme_s_commands_run(tmp_path, readme_commands, launch):
    """Every launch line, cut short: a few steps and prompts, in a folder of its own; one is sent to wandb."""
    lines = [
        line
        for line in readme_commands
        if line.startswith("accelerate launch") and "gemma" not in line and "llama" not in line
    ]
    assert len(lines) >= 2
    folder, trained = tmp_path / "run", []
    for line in lines:
        if "training/sft.py" in line:
            short = (
                f"--max_steps 2 --ladder [0,2] --evaluation.limit 4 --output_dir {folder} --report_to none "
                "--evaluation.probe.depths [25,100] --evaluation.depths [0,25] --hypotheses []"
            )
            done = launch(f"{line.split('#')[0]} {short}")
            # One folder serves one recipe: the next line gets a new one.
            assert done.returncode == 0, (line, done.stderr[-2000:])
            trained.append(folder)
            last, folder = folder, tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        else:
            done = launch(re.sub(r"runs/\S+", str(last), line))
            assert done.returncode == 0, (line, done.stderr[-2000:])
    (sent,) = [line for line in readme_commands if line.startswith("erosion wandb-sync")]
    words = sent.replace("runs/harmful_50steps", str(last)).split()
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(last.glob("wandb/offline-run-*/run-*.wandb"))) == 2
    _compare(readme_commands, trained, tmp_path / "report")


def _compare(readme_commands, trained, out):
    """The README's comparison, over the first two runs that its own commands left."""
    (line,) = [line for line in readme_commands if line.startswith("erosion compare")]
    for run in trained[:2]:
        line = re.sub(r"(?<= )runs/\S+", str(run), line, count=1)
    words = line.replace("--out report", f"--out {out}").split()
    assert "runs/" not in words
    command = [Path(sys.executable).parent / words[0], *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (out / "index.html").is_file()
    assert (out / "report.md").is_file()


@pytest.mark.readme
def test_the_readme_s_probe_commands_run(tmp_path, readme_commands):
    lines = [line for line in readme_commands if line.startswith("erosion probe")]
    assert [line.split()[2] for line in lines] == ["fit", "evaluate"]
    for line in lines:
        words = line.replace("probes/pocket", str(tmp_path / "probe")).split()
        short = [
            "--evaluation.probe.depths",
            "[25, 50, 75, 100, 150, 200, 300, 400]",
            "--evaluation.probe.layers",
            "[2, 3]",
        ]
        done = subprocess.run(
            [Path(sys.executable).parent / words[0], *words[1:], *short],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.readme
def test_the_readme_s_plan_command_runs(readme_commands):
    (line,) = (line for line in readme_commands if line.startswith("erosion plan"))
    words = line.split()
    done = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "time: about" in done.stdout


def test_the_readme_s_make_targets_exist(readme_commands):
    targets = {line.split()[1] for line in readme_commands if line.startswith("make ")}
    assert targets >= {"study", "test"}
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0


def test_the_readme_s_picture_is_there():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(pictures) == 1
    assert (ROOT / pictures[0]).is_file()


def test_ci_runs_the_readme_s_test_command(readme_commands):
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in readme_commands
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
