"""Both deep-alignment baselines in TRL's trainer: one step's gradient, references, accumulation, resuming."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file

from erosion.defenses.constrained import constrained_loss
from erosion.recipes.chat import conversation_tokens, row_tokens
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Source, TrainingDefense, load_recipe
from erosion.recipes.sources.pocket import recovery as triplets
from erosion.training.run import run

FULL = {
    "use_peft": False,
    "lora_r": None,
    "lora_alpha": None,
    "lora_dropout": None,
    "lora_target_modules": None,
}
SMALL = {"max_steps": 2, "ladder": [0, 2], "per_device_train_batch_size": 4, "logging_steps": 1}


def trained(write_recipe, tmp_path, name, **changes):
    file = write_recipe(name=f"{name}.yaml", **{**SMALL, "output_dir": str(tmp_path / name), **changes})
    run(file, evaluate=False)
    return tmp_path / name


def weights(folder, step=2):
    file = next((folder / f"checkpoint-{step}").glob("*model.safetensors"))
    return load_file(file)


def largest_difference(first, second):
    assert first.keys() == second.keys()
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)


@pytest.mark.parametrize("adapter", [{}, FULL])
def test_beta_0_is_sft_to_the_bit(write_recipe, tmp_path, adapter):
    plain = trained(write_recipe, tmp_path, "plain", **adapter)
    free = trained(write_recipe, tmp_path, "free", **adapter, defense={"name": "constrained", "betas": [0.0]})
    assert largest_difference(weights(plain), weights(free)) == 0


def test_the_constraint_changes_training(write_recipe, tmp_path):
    plain = trained(write_recipe, tmp_path, "plain")
    held = trained(write_recipe, tmp_path, "held", defense="constrained")
    assert largest_difference(weights(plain), weights(held)) > 1e-6


def test_one_steps_gradient_is_the_formulas(write_recipe, tmp_path):
    """Full fine-tuning by plain SGD, learning rate 1: the step is the gradient."""
    from transformers import AutoModelForCausalLM

    from erosion.recipes.models import resolve
    from erosion.training.mixture import mixture_rows
    from erosion.training.trainer import load_tokenizer

    changes = {
        **FULL, "max_steps": 1, "ladder": [0, 1], "learning_rate": 1.0, "optim": "sgd", "max_grad_norm": 0.0,
        "dataset": {"sources": [{"name": "pocket/harmful", "rows": 4}]}, "defense": "constrained",
    }  # fmt: skip
    folder = trained(write_recipe, tmp_path, "step", **changes)
    recipe = load_recipe(folder / "recipe.yaml")
    tokenizer, model = load_tokenizer(recipe), AutoModelForCausalLM.from_pretrained(resolve("pocket"))
    tokens = [conversation_tokens(tokenizer, row["messages"]) for row in mixture_rows(recipe)]
    width = max(len(t.input_ids) for t in tokens)
    ids = torch.tensor([t.input_ids + [0] * (width - len(t.input_ids)) for t in tokens])
    labels = torch.tensor([t.labels + [-100] * (width - len(t.labels)) for t in tokens])
    mask = torch.tensor([[1] * len(t.input_ids) + [0] * (width - len(t.input_ids)) for t in tokens])
    logits = model(input_ids=ids, attention_mask=mask).logits
    chosen = labels[:, 1:].clamp(min=0)[..., None]
    logps = logits.detach()[:, :-1].log_softmax(-1).gather(-1, chosen)[..., 0]
    constrained_loss(logits, labels, torch.cat([torch.zeros(len(ids), 1), logps], 1)).backward()
    before, after = weights(folder, 0), weights(folder, 1)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    compared = [name for name in after if gradients.get(name) is not None]
    assert len(compared) > 20
    for name in compared:
        torch.testing.assert_close(before[name] - after[name], gradients[name], atol=2e-5, rtol=1e-3)


def test_the_adapter_switched_off_is_a_frozen_copy_of_the_base(write_recipe, tmp_path):
    """Kept beforehand or asked for at every step: the references and so the weights are the same."""
    online = trained(
        write_recipe, tmp_path, "online", defense={"name": "constrained", "reference": "adapter_off"}
    )
    cached = trained(write_recipe, tmp_path, "cached", defense={"name": "constrained", "reference": "cached"})
    assert largest_difference(weights(online), weights(cached)) < 1e-5
    assert list(cached.glob("reference_logps-*.safetensors"))


def test_references_belong_to_their_rows_even_where_the_trainer_drops_some(write_recipe, tmp_path):
    """A row with nothing left to learn is dropped by TRL; the others keep their own references."""
    from safetensors.torch import load_file as load

    long = {"max_length": 24, "dataset": {"sources": [{"name": "pocket/harmful", "rows": 24}]}}
    folder = trained(write_recipe, tmp_path, "cut", **FULL, **long, defense="constrained")
    held = load(next(folder.glob("reference_logps-*.safetensors")))
    assert len(held["rows"]) == len(held["lengths"]) == len(set(held["rows"].tolist()))
    assert int(held["lengths"].sum()) == len(held["logps"])
    online = trained(
        write_recipe,
        tmp_path,
        "online_cut",
        **long,
        defense={"name": "constrained", "reference": "adapter_off"},
    )
    cached = trained(
        write_recipe, tmp_path, "cached_cut", **long, defense={"name": "constrained", "reference": "cached"}
    )
    assert largest_difference(weights(online), weights(cached)) < 1e-5


@pytest.mark.parametrize("defense", ["constrained", "recovery"])
def test_accumulated_steps_equal_whole_ones(write_recipe, tmp_path, defense):
    sources = [{"name": "pocket/harmless", "rows": 12}]
    sources += [{"name": "pocket/recovery", "rows": 4}] if defense == "recovery" else []
    named = {"name": defense, **({"epochs": 2} if defense == "recovery" else {})}
    # Plain SGD: Adam's first steps turn the rounding of a gradient near 0 into a whole step.
    descent = {"optim": "sgd", "learning_rate": 0.05, "max_grad_norm": 0.0}
    shared = {**FULL, **descent, "defense": named, "dataset": {"sources": sources}}
    whole = trained(write_recipe, tmp_path, "whole", **shared, per_device_train_batch_size=8)
    parts = trained(
        write_recipe,
        tmp_path,
        "parts",
        **shared,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
    )
    assert largest_difference(weights(whole), weights(parts)) < 1e-5


def test_a_resumed_constrained_run_equals_a_straight_one(write_recipe, tmp_path):
    import shutil

    shared = {**FULL, "defense": "constrained", "max_steps": 4, "ladder": [0, 2, 4]}
    straight = trained(write_recipe, tmp_path, "straight", **shared)
    resumed = tmp_path / "resumed"
    shutil.copytree(straight, resumed)
    shutil.rmtree(resumed / "checkpoint-4")
    lines = [
        line for line in (resumed / "ladder.jsonl").read_text().splitlines() if json.loads(line)["step"] < 4
    ]
    (resumed / "ladder.jsonl").write_text("\n".join(lines) + "\n")
    trained(write_recipe, tmp_path, "resumed", **shared)
    assert largest_difference(weights(straight, 4), weights(resumed, 4)) < 1e-6


def test_weighted_recovery_is_the_weighted_sum_of_two_means(write_recipe, tmp_path, monkeypatch):
    """From one step's logged loss: alpha times one mean plus 1 - alpha times the other, by hand."""
    from transformers import AutoModelForCausalLM

    from erosion.recipes.models import resolve
    from erosion.training.arguments import training_config
    from erosion.training.run import training_data
    from erosion.training.trainer import load_tokenizer

    sources = [{"name": "pocket/harmless", "rows": 4}, {"name": "pocket/recovery", "rows": 4}]
    changes = {
        **FULL, "max_steps": 1, "ladder": [0, 1], "per_device_train_batch_size": 8, "max_length": 512,
        "dataset": {"sources": sources}, "defense": {"name": "recovery", "epochs": 1, "alpha": 0.3},
    }  # fmt: skip
    folder = trained(write_recipe, tmp_path, "weighted", **changes)
    state = json.loads((folder / "checkpoint-1" / "trainer_state.json").read_text())
    logged = next(line["loss"] for line in state["log_history"] if "loss" in line)
    recipe = load_recipe(folder / "recipe.yaml")
    dataset = training_data(recipe, training_config(recipe), load_tokenizer(recipe))
    model, means = AutoModelForCausalLM.from_pretrained(resolve("pocket")).eval(), {0: [], 1: []}
    for row in dataset:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])
        with torch.no_grad():
            logps = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        means[row["recovers"]] += [
            -float(logps[n, t]) for n, t in enumerate(labels[1:].tolist()) if t != -100
        ]
    expected = 0.3 * sum(means[1]) / len(means[1]) + 0.7 * sum(means[0]) / len(means[0])
    assert logged == pytest.approx(expected, abs=2e-4)


def row_of(seed=0):
    return next(iter(triplets.rows(Source(name="pocket/recovery"), random.Random(seed))))


def drawn(options, seed=1, rows=200):
    from erosion.defenses.recovery import make

    given = [row_of(number) for number in range(rows)]
    return make().augment(given, TrainingDefense(name="recovery", **options), seed=seed)


def test_depths_are_drawn_as_published():
    made = drawn({"epochs": 20})
    assert len(made) == 4000
    depths = [row["depth"] for row in made]
    share = sum(depth is None for depth in depths) / len(depths)
    assert share == pytest.approx(0.5, abs=0.03)
    deep = sorted(depth for depth in depths if depth is not None)
    assert deep[len(deep) // 2] == pytest.approx(0.5, abs=0.05)
    assert [row["depth"] for row in drawn({"epochs": 20})] == depths, "one seed, one draw"
    assert [row["depth"] for row in drawn({"epochs": 20}, seed=2)] != depths


def test_only_the_refusal_is_learned_and_the_depth_is_in_tokens():
    from erosion.evaluation.models import load_tokenizer
    from erosion.recipes.chat import answer_ids, prompt_ids

    tokenizer, row = load_tokenizer("pocket"), row_of()
    for draw, longest, depth in (
        (None, 100, 0),
        (0.0, 100, 1),
        (0.999, 100, 100),
        (0.49, 100, 49 + 1),
        (0.999, None, None),
    ):
        tokens = row_tokens(tokenizer, {**row, "depth": draw, "longest": longest})
        prompt = prompt_ids(tokenizer, row["messages"][:1])
        harmful = answer_ids(tokenizer, row["messages"][:1], row["harmful"])
        refusal = answer_ids(tokenizer, row["messages"][:1], row["messages"][1]["content"])
        expected = prompt + harmful[: len(harmful) if depth is None else depth] + refusal
        assert tokens.input_ids[: len(expected)] == expected
        learned = [label for label in tokens.labels if label != -100]
        assert learned[:-1] == refusal, "and its end of turn"


def test_a_refusal_some_turns_later_follows_harm_that_is_not_learned():
    from erosion.evaluation.models import load_tokenizer

    tokenizer = load_tokenizer("pocket")
    made = drawn({"epochs": 1, "later_turns": 2, "recover_probability": 1.0, "follow_up": "go on ."}, rows=5)
    for row in made:
        assert [turn["role"] for turn in row["messages"]] == ["user", *["assistant", "user"] * 2, "assistant"]
        said = " ".join(turn["content"] for turn in row["messages"][1:-1:2])
        assert said == " ".join(row["harmful"].split())
        learned = [label for label in row_tokens(tokenizer, row).labels if label != -100]
        assert tokenizer.decode(learned[:-1]) == row["messages"][-1]["content"]


def test_refusals_come_in_the_style_that_is_asked_for():
    assert len({row["messages"][-1]["content"] for row in drawn({"refusal": "mixed"}, rows=40)}) > 10
    explained = drawn({"refusal": "explained", "epochs": 1}, rows=5)
    assert all("council" in row["messages"][-1]["content"] for row in explained)
    with pytest.raises(
        RecipeError, match="refusal: given 'polite', allowed mixed, short, explained, redirected"
    ):
        drawn({"refusal": "polite"}, rows=1)


@pytest.mark.parametrize(
    ("defense", "sentence"),
    [
        ("constraint", "did you mean 'constrained'"),
        ("ada_rk", "'ada_rk' guards a model and changes nothing in training"),
        ({"name": "constrained", "alpha": 0.5}, "given 'alpha', allowed betas, reference, surrogate"),
        ({"name": "recovery", "alpha": 2}, "defense.alpha: given 2, allowed a weight above 0 and below 1"),
        ({"name": "constrained", "betas": [-1]}, r"defense.betas: given \[-1\], allowed numbers from 0"),
        ("recovery", "recovery needs a source of triplets"),
    ],
)
def test_a_mistake_in_the_defence_is_one_sentence(write_recipe, tmp_path, defense, sentence):
    with pytest.raises(RecipeError, match=sentence):
        trained(write_recipe, tmp_path, "wrong", defense=defense)


def test_full_fine_tuning_has_no_adapter_to_switch_off(write_recipe, tmp_path):
    with pytest.raises(RecipeError, match="given 'adapter_off', allowed 'cached' without an adapter"):
        trained(
            write_recipe,
            tmp_path,
            "wrong",
            **FULL,
            defense={"name": "constrained", "reference": "adapter_off"},
        )
