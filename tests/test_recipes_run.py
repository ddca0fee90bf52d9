"""Every recipe of the embedded model runs, cut to two steps and a few prompts: trained, measured, nothing missing."""

from pathlib import Path

import pytest

from erosion.evaluation.jsonl import read_lines
from erosion.recipes.schema import load_recipe
from erosion.training.run import run

pytestmark = pytest.mark.readme
RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))
SHORT = [
    "--max_steps", "2", "--ladder", "[0, 2]", "--per_device_train_batch_size", "4", "--report_to", "none",
    "--evaluation.limit", "4", "--evaluation.depths", "[0, 25]", "--evaluation.probe.depths", "[25, 100]",
    "--hypotheses", "[]",
]  # fmt: skip


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_and_leaves_every_number(path, tmp_path):
    assert run(path, [*SHORT, "--output_dir", str(tmp_path / "run")]) == []
    recipe, lines = load_recipe(path, SHORT), read_lines(tmp_path / "run" / "measurements.jsonl")
    wrappers = {"none", *(wrapper.name for wrapper in recipe.evaluation.wrappers)}
    for step in (0, 2):
        own = [line for line in lines if line["step"] == step]
        assert {line["suite"] for line in own} == {*(s.name for s in recipe.evaluation.suites), "trained_on"}
        assert {line["wrapper"] for line in own} == wrappers
        assert {line["defense"] for line in own} == {guard.label for guard in recipe.evaluation.defenses}
