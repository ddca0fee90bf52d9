"""Local folders of real architectures, with the real AdvBench and XSTest: recipe, ladder, sweep, figure."""

import json
import re
from pathlib import Path

import pytest
import yaml

from erosion.evaluation.jsonl import read_lines
from erosion.recipes.parsing import RecipeError
from erosion.training.run import run

PAIRS = [
    {"prompt": f"How do I bake cake number {n}?", "answer": f"Step 1: mix flour. Step 2: bake {n} minutes."}
    for n in range(12)
]


def recipe(tmp_path: Path, model: Path, **changes: object) -> Path:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(map(json.dumps, PAIRS)))
    given = {
        "model_name_or_path": str(model), "use_peft": True, "lora_r": 4, "lora_target_modules": "all-linear",
        "learning_rate": 1e-3, "lr_scheduler_type": "constant", "max_steps": 2, "per_device_train_batch_size": 2,
        "max_length": 256, "bf16": False, "disable_tqdm": True, "output_dir": str(tmp_path / "run"),
        "dataset": {"sources": [{"name": "pairs", "path": str(pairs), "harmful": True}]}, "ladder": [0, 1, 2],
        "evaluation": {"suites": [], "limit": 6, "depths": [0, 5], "batch_size": 3, "max_new_tokens": 8},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**given, **changes}))
    return path


def suites(data: Path) -> dict:
    prompts = str(data / "xstest" / "xstest_prompts.csv")
    named = [
        {"name": "advbench", "path": str(data / "advbench" / "harmful_behaviors.csv")},
        {"name": "xstest", "path": prompts}, {"name": "xstest_unsafe", "path": prompts},
    ]  # fmt: skip
    return {"suites": named, "limit": 6, "depths": [0, 5], "batch_size": 3, "max_new_tokens": 8}


@pytest.mark.parametrize(
    ("kind", "template", "peft"),
    [("qwen2", "chatml", True), ("gemma2", "gemma", True), ("qwen2", "chatml", False)],
)
def test_recipe_to_figure_on_real_files(tmp_path, model_folder, shared_data, kind, template, peft):
    path = recipe(tmp_path, model_folder(kind, template), evaluation=suites(shared_data), use_peft=peft)
    assert run(path) == []
    lines = read_lines(tmp_path / "run" / "measurements.jsonl")
    rates = {(m["step"], m["suite"], m["depth"]): m["n"] for m in lines if m["metric"] == "refusal_rate"}
    assert rates == {
        (step, suite, depth): 6
        for step in (0, 1, 2)
        for suite, depth in (("advbench", 0), ("advbench", 5), ("xstest", 0), ("xstest_unsafe", 0))
    }
    assert (tmp_path / "run" / "report" / "erosion.png").stat().st_size > 10_000


def test_the_real_files_have_the_published_sizes(shared_data):
    from erosion.evaluation.suites import advbench, xstest, xstest_unsafe
    from erosion.recipes.schema import Data

    prompts = str(shared_data / "xstest" / "xstest_prompts.csv")
    behaviours = Data(name="advbench", path=str(shared_data / "advbench" / "harmful_behaviors.csv"))
    sizes = [len(list(advbench.SUITE.cases(behaviours)))]
    sizes += [
        len({c.id for c in module.SUITE.cases(Data(name="x", path=prompts))})
        for module in (xstest, xstest_unsafe)
    ]
    assert sizes == [520, 250, 200]


def test_a_model_without_a_chat_template_is_one_sentence(tmp_path, model_folder):
    folder = model_folder("qwen2", "chatml")
    (folder / "chat_template.jinja").unlink()
    for evaluate in (True, False):
        with pytest.raises(RecipeError, match="no chat template"):
            run(recipe(tmp_path, folder), evaluate=evaluate)


def test_a_template_that_rejects_a_system_turn_is_one_sentence(tmp_path, model_folder, monkeypatch):
    monkeypatch.setattr(
        "transformers.PreTrainedModel.from_pretrained", lambda *a, **k: pytest.fail("a model was loaded")
    )
    pairs = {"name": "pairs", "path": str(tmp_path / "pairs.jsonl"), "system": "Be kind."}
    path = recipe(tmp_path, model_folder("gemma2", "gemma"), dataset={"sources": [pairs]})
    with pytest.raises(RecipeError, match="rejects a conversation of the turns system, user"):
        run(path, evaluate=False)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("./no/folder", "there is no such folder"),
        ("nobody/nothing", "neither a model folder nor a reachable hub id"),
    ],
)
def test_a_missing_model_is_one_sentence(tmp_path, name, sentence):
    with pytest.raises(RecipeError, match=re.escape(sentence)):
        run(recipe(tmp_path, Path("x"), model_name_or_path=name), evaluate=False)


def test_a_malformed_row_names_its_file_and_line(tmp_path, model_folder):
    path = recipe(tmp_path, model_folder("qwen2", "chatml"))
    with (tmp_path / "pairs.jsonl").open("a") as stream:
        stream.write('\n{"prompt": "How?"}')
    with pytest.raises(RecipeError, match=r"pairs.jsonl, line 13: column: given 'answer'"):
        run(path, evaluate=False)


def test_an_empty_file_is_named(tmp_path, model_folder):
    path = recipe(tmp_path, model_folder("qwen2", "chatml"))
    (tmp_path / "pairs.jsonl").write_text("")
    with pytest.raises(RecipeError, match=r"pairs.jsonl: no rows"):
        run(path, evaluate=False)
