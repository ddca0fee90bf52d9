"""Utility by lm-eval: its numbers are those of its own command, guards have their price, nothing is measured twice."""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml

from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.base import Guard
from erosion.evaluation import measuring
from erosion.evaluation.completeness.completeness import completeness
from erosion.evaluation.intervals import share
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.measuring import measure
from erosion.evaluation.on_disk.checkpoints import read_ladder
from erosion.evaluation.on_disk.costs import read_costs
from erosion.evaluation.paired.cells import Side
from erosion.evaluation.paired.comparison import compare
from erosion.evaluation.paired.sides import Sides
from erosion.evaluation.plan import check_evaluation
from erosion.evaluation.utility.task_cells import task_cells
from erosion.recipes.models import resolve
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Evaluation, GuardOptions, Task, load_recipe, save_recipe

pytest.importorskip("lm_eval", reason="the extra `utility` is not installed")

SUMS = {
    "task": "pocket_sums", "dataset_path": "json", "test_split": "test", "output_type": "generate_until",
    "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n\n"], "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "filter_list": [
        {"name": name, "filter": [{"function": "regex", "regex_pattern": pattern, "group_select": -1}, {"function": "take_first"}]}
        for name, pattern in (("strict-match", "has ([0-9]+) keys"), ("flexible-extract", "([0-9]+)"))
    ],
    "metadata": {"version": 2.0},
}  # fmt: skip
CHOICES = {
    "task": "pocket_choices", "dataset_path": "json", "test_split": "test", "output_type": "multiple_choice",
    "doc_to_text": "{{question}}", "doc_to_choice": "{{choices}}", "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")],
    "metadata": {"version": 1.0},
}  # fmt: skip
GENERAL = {"limit": 6, "batch_size": 4, "chat_template": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Task YAMLs over local files in the pocket language."""
    from erosion.evaluation.suites.pocket import arithmetic, choice
    from erosion.recipes.schema import Data

    made = tmp_path_factory.mktemp("yamls")
    for config, suite in ((SUMS, arithmetic), (CHOICES, choice)):
        cases = list(islice(suite.SUITE.cases(Data(name="pocket/any")), 9))
        rows = [
            {"question": c.messages[0]["content"], "choices": list(c.choices), "answer": c.choices.index(c.target) if c.choices else c.target}
            for c in cases
        ]  # fmt: skip
        file = made / f"{config['task']}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        own = {**config, "dataset_kwargs": {"data_files": {"test": str(file)}}}
        (made / f"{config['task']}.yaml").write_text(yaml.safe_dump(own))
    return made


def tasks(folder: Path) -> list[dict]:
    sums = {"name": "pocket_sums", "path": str(folder), "max_new_tokens": 24, **GENERAL}
    return [sums, {"name": "pocket_choices", "path": str(folder), **GENERAL}]


def prepared(run: Path, to: Path, **evaluation: object) -> Path:
    """A copy of a run that measures only these."""
    copy = Path(shutil.copytree(run, to / "run"))
    recipe = yaml.safe_load((copy / "recipe.yaml").read_text())
    recipe["evaluation"] = {"suites": [], "progress_rows": 0, **evaluation}
    (copy / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return copy


@pytest.fixture(scope="module")
def swept(trained_run, folder, tmp_path_factory) -> Path:
    run = prepared(
        trained_run, tmp_path_factory.mktemp("utility"), tasks=tasks(folder), defenses=["none", "ada_rk"]
    )
    assert measure(run).missing == []
    return run


def made(run: Path, **wanted: object) -> dict[str, dict]:
    lines = read_lines(run / "measurements.jsonl")
    return {m["metric"]: m for m in lines if all(m[key] == value for key, value in wanted.items())}


def command(model: str, names: str, out: Path, *options: str) -> tuple[dict, dict[str, list[dict]]]:
    """What lm-eval's own command gives: its results and its samples by task."""
    words = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"{model},dtype=float32", "--device", "cpu"]  # fmt: skip
    words += ["--tasks", names, "--output_path", str(out), "--log_samples", *options]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=offline)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(next(out.rglob("results_*.json")).read_text())["results"]
    samples = {name: read_lines(next(out.rglob(f"samples_{name}_*.jsonl"))) for name in names.split(",")}
    return results, samples


def told(results: dict[str, object]) -> dict[str, float]:
    return {k: v for k, v in results.items() if "," in k and "_stderr" not in k}


def test_every_number_of_a_rung_is_that_of_the_command(swept, folder, tmp_path):
    options = ("--include_path", str(folder), "--batch_size", "4", "--limit", "6", "--apply_chat_template", "--gen_kwargs", "max_gen_toks=24")  # fmt: skip
    model = f"pretrained={resolve('pocket')},peft={swept / 'checkpoint-4'}"
    results, samples = command(model, "pocket_sums,pocket_choices", tmp_path, *options)
    for name in ("pocket_sums", "pocket_choices"):
        ours = made(swept, step=4, suite=f"lm_eval/{name}", defense="none")
        assert {k: m["value"] for k, m in ours.items() if "unparsed" not in k} == told(results[name])
        assert {m["n"] for m in ours.values()} == {6}
        rows = read_lines(swept / "samples" / f"000004-lm_eval.{name}-none-0.jsonl")
        keys = ("doc_id", "doc_hash", "prompt_hash", "target_hash", "filter")
        assert [[row[k] for k in keys] for row in rows] == [[row[k] for k in keys] for row in samples[name]]
    assert told(results["pocket_sums"])["exact_match,flexible-extract"] > 0


@pytest.fixture(params=["written", "real"])
def files(request, tmp_path) -> dict[str, Path]:
    """Files in the shape of GSM8K's and MMLU's, or these themselves."""
    if request.param == "real":
        data = request.getfixturevalue("shared_data")
        grade, mmlu = data / "gsm8k", data / "mmlu"
        return {
            "train": grade / "train.jsonl", "test": grade / "test.jsonl",
            "dev": mmlu / "dev" / "anatomy_dev.csv", "val": mmlu / "val" / "anatomy_val.csv",
        }  # fmt: skip
    for name in ("train", "test"):
        rows = [{"question": f"What is {n} plus 1?", "answer": f"One more.\n#### {n + 1}"} for n in range(5)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("dev", "val"):
        with (tmp_path / f"anatomy_{name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([f"Is it\n{n}.50?", "0.50", "N/A", "null", "4", "ABCD"[n % 4]] for n in range(5))  # fmt: skip
    named = {name: tmp_path / f"{name}.jsonl" for name in ("train", "test")}
    return named | {name: tmp_path / f"anatomy_{name}.csv" for name in ("dev", "val")}


@pytest.fixture(scope="module")
def plain(model_for, tokenizer_for, tmp_path_factory) -> Path:
    """A random model with room for solved examples."""
    where, tokenizer = tmp_path_factory.mktemp("plain"), tokenizer_for("chatml")
    tokenizer.model_max_length = 4096
    tokenizer.save_pretrained(where)
    changes = {"eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": 4096}
    model_for("qwen2", len(tokenizer), **changes).save_pretrained(where)
    return where


def engine_of(where: Path):
    from erosion.evaluation.engine import Engine
    from erosion.evaluation.models import load_tokenizer

    return Engine(str(where), load_tokenizer(where))


def asked(engine, task: Task, guard: Guard | None = None) -> tuple[dict, list[bool]]:
    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.harness import evaluated

    return evaluated(engine, guard, task, loaded(task))


def of_files(files: dict[str, Path]) -> list[Task]:
    grade = {name: str(files[name]) for name in ("train", "test")}
    mmlu = {"dev": str(files["dev"]), "test": str(files["val"])}
    shared = {"few_shot": 1, "limit": 3, "batch_size": 2}
    return [
        Task(name="gsm8k", data=grade, max_new_tokens=8, **shared),
        Task(name="mmlu_local", data=mmlu, **shared),
        Task(name="mmlu_local_generative", data=mmlu, max_new_tokens=8, **shared),
    ]


def test_gsm8k_and_mmlu_over_local_files_are_those_of_the_command(plain, files, tmp_path):
    import lm_eval.tasks

    from erosion.evaluation.utility.catalogue import OURS

    own = Path(lm_eval.tasks.__file__).parent / "gsm8k" / "gsm8k.yaml"
    chosen = of_files(files)
    for task, base in zip(
        chosen, (own, OURS / "mmlu_local.yaml", OURS / "mmlu_local_generative.yaml"), strict=True
    ):
        config = {
            "include": str(base),
            "task": f"{task.name}_own",
            "dataset_kwargs": {"data_files": task.data},
        }
        config |= {"dataset_path": "json", "dataset_name": None} if task.name == "gsm8k" else {}
        (tmp_path / f"{task.name}.yaml").write_text(yaml.safe_dump(config))
    names = ",".join(f"{task.name}_own" for task in chosen)
    options = ("--include_path", str(tmp_path), "--batch_size", "2", "--limit", "3", "--num_fewshot", "1", "--gen_kwargs", "max_gen_toks=8")  # fmt: skip
    theirs, samples = command(f"pretrained={plain}", names, tmp_path / "out", *options)
    engine = engine_of(plain)
    for task in chosen:
        results, _ = asked(engine, task)
        assert told(results["results"][task.name]) == told(theirs[f"{task.name}_own"])
        ours = results["samples"][task.name]
        keys = ("filter", "doc_hash", "prompt_hash")
        keys += () if task.name == "mmlu_local" else ("filtered_resps",)
        there = [[sample[key] for key in keys] for sample in samples[f"{task.name}_own"]]
        assert [[sample[key] for key in keys] for sample in ours] == there


def test_the_letters_and_cells_of_mmlu_stay_as_they_are_written(files):
    from erosion.evaluation.utility.local_files import mmlu

    rows = mmlu(data_files={"test": str(files["val"])}, version=1.0)["test"]
    with files["val"].open(newline="") as stream:
        for row, read in zip(rows, csv.reader(stream), strict=True):
            assert [row["question"], *row["choices"], "ABCD"[row["answer"]]] == read
    assert set(rows["subject"]) == {"anatomy"}


class Always:
    """A check that halts every row it sees."""

    threshold = 0.5

    def __init__(self, score: float = 1.0) -> None:
        self.score, self.asked = score, 0

    def live(self, fork) -> torch.Tensor:
        self.asked += 1
        return torch.full((len(fork.ids),), self.score)


@pytest.mark.parametrize("guard", [Guard(), CheckedGuard(Always(0.0), [5], interval=1)])
def test_a_guard_that_halts_nothing_changes_nothing(folder, guard):
    engine = engine_of(resolve("pocket"))
    task = Task(**tasks(folder)[0])
    (without, none), (under, halted) = asked(engine, task), asked(engine, task, guard)
    assert none == []
    assert halted == [False] * 6
    answers = [[s["resps"] for s in results["samples"]["pocket_sums"]] for results in (without, under)]
    assert answers[0] == answers[1]
    assert without["results"] == under["results"]


def test_a_guard_is_not_asked_of_what_follows_a_stop_sequence(folder):
    """One row stops within three words; lm-eval alone would let it run on beside the others, unread."""
    from lm_eval.api.task import ConfigurableTask

    from erosion.evaluation.utility.harness import evaluated

    engine, task = engine_of(resolve("pocket")), Task(**{**tasks(folder)[0], "batch_size": 6})
    answers = [sample["resps"][0][0] for sample in asked(engine, task)[0]["samples"]["pocket_sums"][:6]]
    early = [word for answer in answers for word in answer.split()[:3]]
    stop = next(word for word in early if sum(word in answer for answer in answers) == 1)
    config = yaml.safe_load((folder / "pocket_sums.yaml").read_text())
    once = ConfigurableTask(config={**config, "generation_kwargs": {"until": [stop]}})
    _, halted = evaluated(engine, CheckedGuard(Always(), [5], interval=5), task, [once])
    assert sorted(halted) == [False] + [True] * 5


def test_one_that_halts_everything_leaves_nothing_of_what_is_generated_and_no_number_elsewhere(
    trained_run, folder, tmp_path, monkeypatch
):
    run = prepared(trained_run, tmp_path, tasks=tasks(folder), defenses=["none", "ada_rk"])
    halts = CheckedGuard(Always(), [5], interval=1)
    monkeypatch.setattr(
        measuring._Sweep, "_guard", lambda self, rung, options: halts if options.name == "ada_rk" else Guard()
    )
    assert measure(run).missing == []
    under = made(run, step=0, defense="ada_rk", suite="lm_eval/pocket_sums")
    assert under["exact_match,strict-match"]["value"] == under["exact_match,flexible-extract"]["value"] == 0
    assert under["unparsed,strict-match"]["value"] == under["halted_rate"]["value"] == 1
    assert not made(run, defense="ada_rk", suite="lm_eval/pocket_choices")
    assert (
        made(run, step=0, defense="none", suite="lm_eval/pocket_sums")["exact_match,flexible-extract"][
            "value"
        ]
        > 0
    )
    assert made(run, defense="none", suite="lm_eval/pocket_choices").keys() == {"acc,none", "acc_norm,none"}


def test_a_number_says_what_it_rests_on(swept):
    found = made(swept, step=0, defense="none", suite="lm_eval/pocket_sums")
    exact, lost = found["exact_match,strict-match"], found["unparsed,strict-match"]
    rows = read_lines(swept / "samples" / "000000-lm_eval.pocket_sums-none-0.jsonl")
    hits = [row["metrics"]["exact_match"] for row in rows if row["filter"] == "strict-match"]
    assert (exact["value"], exact["low"], exact["high"]) == share(int(sum(hits)), 6)
    assert (exact["higher_is"], exact["judge"], lost["higher_is"]) == ("better", "lm_eval", "worse")
    assert exact["version"].startswith("lm_eval/pocket_sums=2.0 lm_eval=0.")
    assert lost["value"] + exact["value"] <= 1
    assert set(rows[0]) == {
        "step",
        "stamp",
        "doc_id",
        "doc_hash",
        "prompt_hash",
        "target_hash",
        "filter",
        "metrics",
    }
    assert "halted_rate" in made(swept, step=0, defense="ada_rk", suite="lm_eval/pocket_sums")


def test_two_defences_are_compared_question_by_question_where_something_is_generated(swept):
    sides = [Side(run=swept, defense=name) for name in ("none", "ada_rk")]
    made_ = compare(Sides.of_two(*sides))
    assert {cell.what.suite for cell in made_.cells} == {"lm_eval/pocket_sums"}
    assert {cell.metric for cell in made_.cells} == {
        "exact_match,strict-match",
        "exact_match,flexible-extract",
    }
    assert made_.missing == []
    assert sorted(made_.aside) == [
        f"lm_eval/pocket_sums, unparsed,{by}: left out: no question has a value of its own"
        for by in ("flexible-extract", "strict-match")
    ]
    for cell in made_.cells:
        for name, value in (("none", cell.found.first), ("ada_rk", cell.found.second)):
            numbers = made(swept, suite="lm_eval/pocket_sums", defense=name, step=made_.step)
            assert value == pytest.approx(numbers[cell.metric]["value"])
            assert cell.found.n == numbers[cell.metric]["n"] == 6


def test_nothing_is_measured_twice_and_what_changed_is_measured_again(swept, tmp_path, monkeypatch):
    run = Path(shutil.copytree(swept, tmp_path / "run"))
    before = (run / "measurements.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(
            "erosion.evaluation.utility.harness.evaluated", lambda *_: pytest.fail("measured again")
        )
        assert measure(run).missing == []
        assert (run / "measurements.jsonl").read_bytes() == before
    lines = read_lines(run / "measurements.jsonl")
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["evaluation"]["tasks"][1]["limit"] = 5
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert measure(run).measured == 3
    again = read_lines(run / "measurements.jsonl")
    assert len(again) == len(lines)
    assert {m["n"] for m in again if m["suite"] == "lm_eval/pocket_choices"} == {5}


def test_tasks_are_expected_and_their_cost_is_on_disk(swept):
    found = completeness(swept)
    assert found.counts == {"expected": 9, "measured": 9, "missing": 0, "stale": 0, "not applicable": 3}
    assert {(c.where.suite, c.where.defense) for c in found.of("not applicable")} == {
        ("lm_eval/pocket_choices", "ada_rk")
    }
    costs = {(line["step"], line["suite"], line["defense"]): line for line in read_costs(swept)}
    assert len(costs) == 9
    assert all(line["prompt_tokens"] > 0 for line in costs.values())
    written = {key[1]: line["generated_tokens"] for key, line in costs.items() if key[2] == "none"}
    assert 0 < written["lm_eval/pocket_sums"] <= 6 * 24
    assert written["lm_eval/pocket_choices"] == 0


def test_every_option_of_a_task_that_changes_a_number_is_in_its_digest(folder, trained_run):
    rung, options = read_ladder(trained_run)[0], {**tasks(folder)[0], "batch_size": 4}

    def digest(guard: str = "none", template: str = "a", place: str = "cpu", **changes: object) -> str:
        task = Task(**{**options, **changes})
        evaluation = Evaluation(tasks=(task,), defenses=(GuardOptions(name=guard),))
        return task_cells(evaluation)[0].digest(rung, template, place)

    changes: list[dict] = [
        {"limit": 5}, {"few_shot": 1}, {"chat_template": False}, {"max_new_tokens": 9}, {"batch_size": 2},
        {"label": "other"}, {"guard": "ada_rk"}, {"template": "b"}, {"place": "cuda"},
    ]  # fmt: skip
    assert digest() == digest()
    assert len({digest(), *(digest(**change) for change in changes)}) == 1 + len(changes)


def test_a_task_that_fails_is_missing_and_the_others_are_measured(trained_run, folder, tmp_path):
    broken = {**yaml.safe_load((folder / "pocket_sums.yaml").read_text()), "task": "broken"}
    broken["dataset_kwargs"] = {"data_files": {"test": str(tmp_path / "gone.jsonl")}}
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(broken))
    chosen = [{"name": "broken", "path": str(tmp_path)}, tasks(folder)[1]]
    run = prepared(trained_run, tmp_path, tasks=chosen)
    missing = measure(run).missing
    assert len(missing) == 3
    assert all("lm_eval/broken, none failed: " in sentence for sentence in missing)
    assert {m["suite"] for m in read_lines(run / "measurements.jsonl")} == {"lm_eval/pocket_choices"}
    assert {cell.where.suite: cell.why[:7] for cell in completeness(run).of("missing")} == {
        "lm_eval/broken": "step 4:"
    }


def test_a_groups_members_have_their_own_numbers_and_one_label_each(folder, tmp_path):
    aggregate = [{"metric": "acc", "weight_by_size": True}]
    group = {"group": "both", "task": ["pocket_choices", "pocket_sums"], "aggregate_metric_list": aggregate}
    for file in folder.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(group))
    task = Task(name="both", path=str(tmp_path), limit=4, max_new_tokens=8)
    guards = (GuardOptions(name="ada_rk"), GuardOptions(name="none"), GuardOptions(name="tfidf"))
    free, guarded = task_cells(Evaluation(tasks=(task,), defenses=guards, batch_size=2))
    engine = engine_of(resolve("pocket"))
    found = {each.suite: each for each in free.measure(engine, Guard())}
    assert {m.metric for m in found["lm_eval/pocket_choices"].numbers} == {"acc,none", "acc_norm,none"}
    assert found["lm_eval/pocket_sums"].version.endswith(" of=both")
    assert {m.n for each in found.values() for m in each.numbers} <= {4, 8}
    assert [part.task_name for part in guarded.parts] == ["pocket_sums"]


def test_a_swept_group_is_one_comparison_and_what_it_has_no_number_of_is_its_members(
    trained_run, folder, tmp_path
):
    aggregate = [{"metric": "acc", "weight_by_size": True}]
    group = {"group": "both", "task": ["pocket_choices", "pocket_sums"], "aggregate_metric_list": aggregate}
    for file in folder.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(group))
    task = {"name": "both", "path": str(tmp_path), "limit": 4, "max_new_tokens": 8, "batch_size": 4}
    run = prepared(trained_run, tmp_path, tasks=[task])
    assert measure(run).missing == []
    other = Path(shutil.copytree(run, tmp_path / "other"))
    made_ = compare(Sides.of_two(Side(run=run), Side(run=other)))
    assert {(cell.what.suite, cell.metric) for cell in made_.cells} == {
        ("lm_eval/both", "acc,none"), ("lm_eval/pocket_choices", "acc_norm,none"),
        ("lm_eval/pocket_sums", "exact_match,strict-match"), ("lm_eval/pocket_sums", "exact_match,flexible-extract"),
    }  # fmt: skip
    assert made_.missing == []
    assert {(cell.found.difference, cell.found.p) for cell in made_.cells} == {(0.0, 1.0)}


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("gsm8kk", "did you mean 'gsm8k'"),
        ({"name": "gsm8k", "data": {"tset": "FILE", "test": "FILE"}}, "did you mean 'test'"),
        ({"name": "gsm8k", "data": {"train": "FILE"}}, "a file for the split 'test'"),
        ({"name": "gsm8k", "data": {"test": "nowhere.jsonl"}}, "an existing file"),
        ({"name": "mmlu_local"}, "a file for the split 'test'"),
        ({"name": "mmlu", "data": {"test": "FILE"}}, "files for a single task"),
        ({"name": "gsm8k", "path": "nowhere"}, "a folder of task YAMLs"),
        ({"name": "gsm8k", "limit": 0}, "limit: given 0, allowed at least 1"),
        ({"name": "gsm8k", "few_shots": 5}, "did you mean 'few_shot'"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_sentence(write_recipe, tmp_path, task, sentence):
    (tmp_path / "a.jsonl").write_text("{}\n")
    text = yaml.safe_dump({"tasks": [task]}).replace("FILE", str(tmp_path / "a.jsonl"))
    with pytest.raises(RecipeError, match=sentence):
        check_evaluation(load_recipe(write_recipe(evaluation=yaml.safe_load(text))))


def test_a_task_twice_needs_a_label(write_recipe):
    twice = [{"name": "gsm8k", "few_shot": 0}, {"name": "gsm8k", "few_shot": 5}]
    with pytest.raises(RecipeError, match="'gsm8k' stands twice; give one of them a `label`"):
        check_evaluation(load_recipe(write_recipe(evaluation={"tasks": twice})))
    twice[1]["label"] = "gsm8k_5"
    check_evaluation(load_recipe(write_recipe(evaluation={"tasks": twice})))


def test_without_lm_eval_a_recipe_that_names_tasks_is_refused_before_training(write_recipe, monkeypatch):
    from erosion.evaluation.utility import catalogue
    from erosion.training.run import run

    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"pip install 'erosion\[utility\]'"):
        run(write_recipe(evaluation={"tasks": ["gsm8k"]}))
    check_evaluation(load_recipe(write_recipe()))


def test_tasks_are_kept_in_a_recipe_and_change_no_digest(write_recipe, tmp_path):
    plain = load_recipe(write_recipe())
    measured = load_recipe(write_recipe(evaluation={"tasks": ["gsm8k", {"name": "mmlu", "few_shot": 5}]}))
    assert plain.digest == measured.digest
    save_recipe(measured, tmp_path / "kept.yaml")
    assert load_recipe(tmp_path / "kept.yaml").evaluation.tasks == measured.evaluation.tasks


def test_global_generators_go_on_as_if_nothing_was_measured(folder):
    import numpy as np

    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.harness import evaluated

    engine, task = engine_of(resolve("pocket")), Task(**{**tasks(folder)[1], "limit": 1})
    parts, drawn = (engine.model, loaded(task))[1], []
    for measures in (False, True):
        random.seed(7), np.random.seed(7), torch.manual_seed(7)
        if measures:
            evaluated(engine, None, task, parts)
        drawn.append((random.random(), np.random.rand(), float(torch.rand(1))))
    assert drawn[0] == drawn[1]


def test_the_figure_shows_shares_of_whole_tasks(swept):
    from erosion.evaluation.curves import curves
    from erosion.evaluation.records import Measurement
    from erosion.evaluation.report.figure import is_utility

    found = curves([Measurement(**line) for line in read_lines(swept / "measurements.jsonl")])
    shown = {(c.defense, c.suite, c.metric) for c in found if is_utility(c)}
    assert ("none", "lm_eval/pocket_sums", "exact_match,strict-match") in shown
    assert ("ada_rk", "lm_eval/pocket_sums", "exact_match,flexible-extract") in shown
    assert not [metric for _, _, metric in shown if "unparsed" in metric]


def counted_beforehand(where: Path, task: Task):
    from transformers import AutoConfig

    from erosion.evaluation.models import load_tokenizer
    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.counting import counted

    return counted(task, loaded(task), load_tokenizer(where), AutoConfig.from_pretrained(where))


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("size", [1, 2])
def test_what_a_task_will_ask_is_counted_as_a_measurement_then_counts_it(plain, files, chat, size):
    """Padding and one-token answers that share a reading included, since the batches are the same."""
    from erosion.evaluation.tally import Tally
    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.harness import evaluated

    engine = engine_of(plain)
    for task in of_files(files):
        task, tally = Task(**{**vars(task), "chat_template": chat, "batch_size": size}), Tally()
        evaluated(engine, None, task, loaded(task), tally)
        found = counted_beforehand(plain, task)
        assert (found.requests, found.read) == (tally.prompts, tally.prompt_tokens)
        assert found.read > 0
        assert found.answers == (() if task.name == "mmlu_local" else (8, 8, 8))
        assert tally.generated_tokens <= sum(found.answers)


def test_rolling_windows_and_answers_of_several_tokens_are_counted_too(folder, tmp_path):
    from erosion.evaluation.tally import Tally
    from erosion.evaluation.utility.catalogue import loaded
    from erosion.evaluation.utility.harness import evaluated

    rolling = {**CHOICES, "task": "pocket_rolling", "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{question}}"}  # fmt: skip
    rolling["metric_list"] = [{"metric": "word_perplexity"}]
    rolling["dataset_kwargs"] = {"data_files": {"test": str(folder / "pocket_choices.jsonl")}}
    del rolling["doc_to_choice"]
    (tmp_path / "rolling.yaml").write_text(yaml.safe_dump(rolling))
    where = Path(resolve("pocket"))
    several = {"name": "pocket_choices", "path": str(folder), "limit": 6, "batch_size": 4}
    alone = {"name": "pocket_rolling", "path": str(tmp_path), "limit": 3, "batch_size": 2}
    for task in (Task(**several), Task(**alone)):
        tally = Tally()
        evaluated(engine_of(where), None, task, loaded(task), tally)
        found = counted_beforehand(where, task)
        assert (found.requests, found.read) == (tally.prompts, tally.prompt_tokens)
        assert found.read > 0 == len(found.answers)
