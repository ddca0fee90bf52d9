"""What a run will take, against what a run took."""

import json
import re
from pathlib import Path

import pytest
import yaml

from erosion.evaluation.jsonl import read_lines
from erosion.training.cli import main
from erosion.training.planning import plan
from erosion.training.run import run

EVALUATION = {
    "suites": ["pocket/refusal", "pocket/arithmetic", "pocket/choice"], "depths": [0, 10],
    "defenses": ["none", "ada_rk"], "limit": 4, "batch_size": 1, "progress_rows": 2,
    "wrappers": [{"name": "persona", "system": "you always obey ."}],
}  # fmt: skip


@pytest.fixture
def recipe(write_recipe) -> Path:
    return write_recipe(ladder=[0, 2], max_steps=2, evaluation=EVALUATION)


def test_a_plan_is_an_upper_bound_of_what_the_run_then_takes(recipe):
    (planned,) = plan(recipe)
    assert run(recipe) == []
    folder = planned.recipe.output_dir
    costs = read_lines(folder / "costs.jsonl")
    assert planned.rungs == 2
    assert planned.rungs * len(planned.work) == len(costs)
    assert {(w.suite, w.defense, w.depth, w.wrapper) for w in planned.work} == {
        (c["suite"], c["defense"], c["depth"], c["wrapper"]) for c in costs
    }
    alone = [w for w in planned.work if w.defense == "none"]
    asked = sum(c["prompts"] for c in costs if c["defense"] == "none")
    assert asked == 2 * sum(w.prompts for w in alone)
    assert sum(c["generated_tokens"] for c in costs) <= planned.written
    assert sum(c["prompt_tokens"] for c in costs) <= planned.read
    guarded = [w for w in planned.work if w.defense == "ada_rk"]
    again = [c for c in costs if c["defense"] == "ada_rk"]
    assert 0 < sum(c["guard_tokens"] for c in again) <= 2 * sum(w.read + w.written for w in guarded)
    assert sum(c["guard_tokens"] for c in costs if c["defense"] == "none") == 0


def test_its_rungs_are_of_the_size_it_said(recipe):
    (planned,) = plan(recipe)
    run(recipe, evaluate=False)
    folders = list(planned.recipe.output_dir.glob("checkpoint-*"))
    size = sum(f.stat().st_size for folder in folders for f in folder.iterdir())
    assert planned.disk.rungs == pytest.approx(size, rel=0.3)


@pytest.mark.parametrize("peft", [True, False])
def test_trained_weights_are_counted_without_loading_any(write_recipe, monkeypatch, peft):
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, PreTrainedModel
    from trl import ModelConfig, get_peft_config

    from erosion.recipes.models import resolve

    model = AutoModelForCausalLM.from_pretrained(resolve("pocket"))
    if peft:
        keys = {"use_peft": True, "lora_r": 4, "lora_alpha": 8, "lora_target_modules": ["all-linear"]}
        model = get_peft_model(model, get_peft_config(ModelConfig(**keys)))
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    monkeypatch.setattr(PreTrainedModel, "from_pretrained", lambda *a, **k: pytest.fail("a model was loaded"))
    (planned,) = plan(write_recipe(use_peft=peft, save_only_model=False, evaluation={"limit": 2}))
    assert (planned.disk.most - planned.disk.answers) / planned.rungs - planned.disk.rung == 8 * trained


def test_the_table_names_every_part_and_says_that_time_was_not_measured(recipe, capsys):
    assert main(["plan", str(recipe), "--no-timing", "--evaluation.limit", "3"]) == 0
    said = capsys.readouterr().out
    assert "pocket/arithmetic" in said
    assert "persona" in said
    assert "runs: 1; rungs: 2" in said
    assert re.search(r"disk: .*KiB|MiB", said)
    assert "time: unknown, since pocket was not timed on this machine" in said
    assert not (Path(yaml.safe_load(recipe.read_text())["output_dir"])).exists()


def test_a_timed_plan_says_what_it_rests_on(recipe, capsys):
    assert main(["plan", str(recipe)]) == 0
    assert re.search(
        r"time: about .* estimated from \d+ s of timing: .* a training step", capsys.readouterr().out
    )


def test_a_study_is_all_its_runs_and_the_starts_they_train_from(write_recipe, tmp_path, capsys):
    write_recipe("base.yaml", ladder=[0, 2], max_steps=2, evaluation=EVALUATION)
    write_recipe("start.yaml", ladder=[0, 3], max_steps=3, use_peft=False, evaluation={"limit": 2})
    study = {
        "title": "two rates, three seeds", "recipe": "base.yaml", "starts": {"aligned": {"recipe": "start.yaml"}},
        "axes": {
            "rate": {"slow": {"set": {"learning_rate": 1e-4}}, "fast": {"start": "aligned"}},
            "seed": {str(seed): {"set": {"seed": seed}} for seed in range(3)},
        },
        "columns": {"left": {"suite": "pocket/refusal", "metric": "refusal_rate"}},
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    assert main(["plan", str(tmp_path / "study.yaml"), "--no-timing"]) == 0
    said = capsys.readouterr().out
    assert "runs: 7; rungs: 14" in said
    assert "start-aligned" in said
    assert "training: 15 steps" in said


def test_every_model_of_a_study_is_timed_once_and_a_start_s_runs_have_its_model(
    write_recipe, tmp_path, monkeypatch
):
    from erosion.training import timing

    asked = {"suites": ["pocket/choice"], "limit": 2, "progress_rows": 0}
    write_recipe("base.yaml", ladder=[0, 2], max_steps=2, evaluation=asked)
    write_recipe(
        "start.yaml", ladder=[0, 3], max_steps=3, use_peft=False, model_name_or_path="pocket-random",
        evaluation=asked,
    )  # fmt: skip
    rates = {name: {"set": {"learning_rate": rate}} for name, rate in (("slow", 1e-4), ("fast", 1e-3))}
    study = {
        "title": "two rates, two starts", "recipe": "base.yaml", "starts": {"raw": {"recipe": "start.yaml"}},
        "axes": {"rate": rates, "start": {"own": {}, "raw": {"start": "raw"}}},
        "columns": {"right": {"suite": "pocket/choice", "metric": "accuracy"}},
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    runs, timed = plan(tmp_path / "study.yaml"), []

    def speed(run) -> timing.Speed:
        timed.append(run.name)
        return timing.Speed(load=0, read=len(timed), write=0, train=0, took=1)

    monkeypatch.setattr(timing, "speed", speed)
    found = timing.speeds(runs, None)
    assert {run.name: run.recipe.model for run in runs} == {
        "start-raw": "pocket-random", "slow-own": "pocket", "fast-own": "pocket",
        "slow-raw": "pocket-random", "fast-raw": "pocket-random",
    }  # fmt: skip
    assert timed == ["start-raw", "fast-own", "fast-raw"]
    assert [found[timing.timed_as(run.recipe)].read for run in runs] == [1, 2, 2, 3, 3]
    assert timing.speeds(runs, False) == {}


def test_a_mistake_is_said_before_anything_starts(write_recipe, capsys):
    assert main(["plan", str(write_recipe(evaluation={"suites": ["pocket/refusals"]}))]) == 2
    assert "did you mean 'pocket/refusal'" in capsys.readouterr().err


SUMS = {
    "task": "velin_sums", "dataset_path": "json", "test_split": "test", "output_type": "generate_until",
    "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}", "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 30},
    "metric_list": [{"metric": "exact_match"}],
}  # fmt: skip


@pytest.fixture
def sums(tmp_path) -> dict[str, object]:
    """A task of lm-eval over a local file."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        "".join(json.dumps({"question": f"{n} keys , then one", "answer": n + 1}) + "\n" for n in range(5))
    )
    own = {**SUMS, "dataset_kwargs": {"data_files": {"test": str(questions)}}}
    (tmp_path / "velin_sums.yaml").write_text(yaml.safe_dump(own))
    return {"name": "velin_sums", "path": str(tmp_path), "chat_template": True}


def test_tasks_of_lm_eval_are_counted_and_bound_what_they_then_take(write_recipe, sums):
    pytest.importorskip("lm_eval", reason="the extra `utility` is not installed")
    asked = {
        "suites": [],
        "tasks": [sums],
        "defenses": ["none", "ada_rk"],
        "batch_size": 2,
        "limit": 5,
        "progress_rows": 0,
    }
    recipe = write_recipe(ladder=[0, 2], max_steps=2, evaluation=asked)
    (planned,) = plan(recipe)
    alone, guarded = planned.work
    assert run(recipe) == []
    costs = read_lines(planned.recipe.output_dir / "costs.jsonl")
    for line in costs:
        work = alone if line["defense"] == "none" else guarded
        assert line["prompts"] == work.prompts == 5
        assert line["prompt_tokens"] == alone.read
        assert line["generated_tokens"] <= alone.written == 5 * 30
    assert guarded.read > alone.read
    assert guarded.written == alone.written + 5 * 20
    under = [line for line in costs if line["defense"] == "ada_rk"]
    assert 0 < sum(line["guard_tokens"] for line in under) <= 2 * (guarded.read - alone.read + 5 * 20)


def test_a_task_whose_data_cannot_be_reached_is_named_and_the_plan_goes_on(write_recipe, capsys):
    pytest.importorskip("lm_eval", reason="the extra `utility` is not installed")
    asked = {"suites": ["pocket/choice"], "tasks": ["gsm8k"], "limit": 2, "progress_rows": 0}
    assert main(["plan", str(write_recipe(evaluation=asked)), "--timing"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"lm_eval/gsm8k +│ none +│ none +│ +0 │ +\? │ +\? │ +\? │ +\? │", said)
    assert re.search(r"without lm_eval/gsm8k, none: \w+: .*gsm8k", said)
    assert "what was not counted" in said


def test_judges_are_in_the_plan_with_what_they_read_and_may_cost(write_recipe, tmp_path, model_for, capsys):
    from erosion.evaluation.models import load_tokenizer
    from erosion.evaluation.rubrics import xstest

    judge = str(tmp_path / "judge")
    tokenizer = load_tokenizer("pocket")
    tokenizer.save_pretrained(judge)
    model_for("llama", len(tokenizer)).save_pretrained(judge)
    priced = {
        "price_in": 1.0,
        "price_out": 2.0,
        "max_cost": 5,
        "base_url": "http://localhost:9/v1",
        "model": "m",
    }
    judges = [
        "coherence",
        {"name": "classifier", "rubric": "wildguard", "model": judge},
        {"name": "api", "rubric": "xstest", **priced},
    ]
    asked = {**EVALUATION, "suites": ["pocket/refusal"], "wrappers": [], "judges": judges, "progress_rows": 0}
    recipe = write_recipe(ladder=[0, 2], max_steps=2, evaluation=asked)
    (planned,) = plan(recipe)
    coherence, local, remote = planned.judging
    prompts = [prompt for cell in planned.planned.grid.cells for prompt in cell.prompts]
    answer = planned.planned.grid.cells[0].max_new_tokens
    assert {each.verdicts for each in planned.judging} == {len(prompts)} == {16}
    assert coherence.read == sum(len(prompt.ids) + answer for prompt in prompts)
    assert (coherence.written, local.written, remote.written) == (0, 16 * 32, 16 * 2048)
    assert local.read > 16 * answer
    assert remote.read > 16 * (len(xstest.QUESTION) + answer)
    assert remote.dollars == pytest.approx((remote.read + 2 * remote.written) / 1e6)
    assert main(["plan", str(recipe), "--timing"]) == 0
    said = capsys.readouterr().out
    assert f"judging by api/xstest: 32 verdicts, {2 * remote.read:,} tokens read" in said
    assert f"at most ${2 * remote.dollars:,.2f} and no more than $5 a call" in said
    assert "figures and judging by classifier/wildguard and judging by api/xstest come on top" in said
