"""The code of lm-eval's tasks: what is missing is said before a run, and code is run only where asked for."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from erosion.evaluation.plan import check_evaluation
from erosion.recipes.models import resolve
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Task, load_recipe

pytest.importorskip("lm_eval", reason="the extra `utility` is not installed")

ROOT = Path(__file__).parents[2]
CODE_EVAL = '''
"""Stands for the metric `code_eval`, with the gate of the published one."""
import os
import datasets
import evaluate

class Stand(evaluate.Metric):
    def _info(self):
        kinds = {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
        return evaluate.MetricInfo(description="", citation="", features=datasets.Features(kinds))

    def _compute(self, predictions, references, k):
        if os.getenv("HF_ALLOW_CODE_EVAL") != "1":
            raise ValueError("code is not allowed to run")
        return {"pass@1": 0.0}, {}
'''


def checked(write_recipe, *tasks: object) -> None:
    check_evaluation(load_recipe(write_recipe(evaluation={"tasks": list(tasks)})))


def unloaded(monkeypatch, folder: str) -> None:
    """As in a new process: nothing of a task's folder is imported."""
    for name in [name for name in sys.modules if name.startswith(f"lm_eval.tasks.{folder}.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("task", "module", "extra"),
    [("ifeval", "langdetect", "ifeval"), ("minerva_math_algebra", "math_verify", "math")],
)
def test_a_module_that_a_tasks_code_needs_is_named_with_what_brings_it(
    write_recipe, monkeypatch, task, module, extra
):
    unloaded(monkeypatch, task.partition("_algebra")[0])
    monkeypatch.setitem(sys.modules, module, None)
    said = f"tasks[0]: the code of '{task}' needs the module '{module}': pip install 'lm-eval[{extra}]'"
    with pytest.raises(RecipeError, match=re.escape(said)):
        checked(write_recipe, task)


def test_the_extras_bring_what_ifeval_and_math_need(write_recipe):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in ("utility", "dev"):
        assert any(line.startswith("lm-eval[ifeval,math]") for line in project[extra])
    checked(write_recipe, "hendrycks_math_algebra", "minerva_math_algebra")


def test_ifevals_text_data_is_there_or_its_absence_is_said(write_recipe, monkeypatch, tmp_path):
    import nltk

    pytest.importorskip("immutabledict", reason="the extra `ifeval` of lm-eval is not installed")
    unloaded(monkeypatch, "ifeval")
    monkeypatch.setattr(nltk, "download", lambda *_: False)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(
        RecipeError, match=r"punkt_tab`, which could not be fetched: python -m nltk.downloader"
    ):
        checked(write_recipe, "ifeval")
    (tmp_path / "tokenizers" / "punkt_tab").mkdir(parents=True)
    checked(write_recipe, "ifeval")


def test_a_module_of_no_extra_is_named_by_itself(write_recipe, tmp_path):
    config = {"task": "own", "dataset_path": "json", "output_type": "generate_until", "doc_to_text": "q"}
    text = yaml.safe_dump(config) + "process_docs: !function code.docs\n"
    (tmp_path / "own.yaml").write_text(text)
    (tmp_path / "group.yaml").write_text(yaml.safe_dump({"group": "owns", "task": ["own"]}))
    (tmp_path / "code.py").write_text("import nowhere_module\n")
    for name in ("own", "owns"):
        with pytest.raises(
            RecipeError, match="'own' needs the module 'nowhere_module': pip install 'nowhere"
        ):
            checked(write_recipe, {"name": name, "path": str(tmp_path)})
    (tmp_path / "code.py").write_text("raise ValueError('not today')\n")
    with pytest.raises(RecipeError, match="the code of 'own' cannot be imported: not today"):
        checked(write_recipe, {"name": "own", "path": str(tmp_path)})


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_code_is_not_run_where_the_recipe_does_not_say_so(write_recipe, name):
    with pytest.raises(
        RecipeError, match=rf"'{name}' runs the code that the model writes; .*`run_code: true`"
    ):
        checked(write_recipe, name)


def test_run_code_alone_suffices_for_humaneval(write_recipe, monkeypatch, tmp_path):
    from erosion.evaluation.engine import Engine
    from erosion.evaluation.models import load_tokenizer
    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.harness import evaluated

    (tmp_path / "code_eval").mkdir()
    (tmp_path / "code_eval" / "code_eval.py").write_text(CODE_EVAL)
    row = {
        "task_id": "0",
        "prompt": "def one():\n",
        "entry_point": "one",
        "test": "def check(f):\n    pass\n",
    }
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    unloaded(monkeypatch, "humaneval")
    given = {
        "name": "humaneval",
        "run_code": True,
        "data": {"test": str(tmp_path / "test.jsonl")},
        "max_new_tokens": 4,
    }
    checked(write_recipe, given)
    task = Task(**given, limit=1, batch_size=1)
    engine = Engine(str(resolve("pocket")), load_tokenizer(resolve("pocket")))
    results, _ = evaluated(engine, None, task, loaded(task))
    assert results["results"]["humaneval"]["pass@1,create_test"] == 0.0
    assert "HF_ALLOW_CODE_EVAL" not in os.environ


def test_a_users_own_setting_stays(monkeypatch):
    from erosion.evaluation.utility.task_code import code_allowed

    for before in ("0", "1"):
        monkeypatch.setenv("HF_ALLOW_CODE_EVAL", before)
        with code_allowed(Task(name="humaneval", run_code=True)):
            assert os.environ["HF_ALLOW_CODE_EVAL"] == "1"
        assert os.environ["HF_ALLOW_CODE_EVAL"] == before
        with code_allowed(Task(name="gsm8k")):
            assert os.environ["HF_ALLOW_CODE_EVAL"] == before
