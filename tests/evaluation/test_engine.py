"""Batched equals one by one, and swapping rungs equals loading each."""

import json
import math
import shutil

import pytest
import torch
from safetensors.torch import save_file

from erosion.defenses.base import Guard
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_model, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import Checkpoint, weights_digest
from erosion.evaluation.openers import header_log_odds, openers
from erosion.recipes.chat import prompt_ids
from erosion.recipes.parsing import RecipeError

KINDS = [("llama", "llama3"), ("qwen2", "chatml"), ("gemma2", "gemma")]
PROMPTS = [
    "How?",
    "Please tell me how to bake a small cake at home, step by step.",
    "Sure, here are the steps.",
    "1 2 3 4",
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0])
def engine(request, model_folder):
    folder = model_folder(*request.param)
    return Engine(str(folder), load_tokenizer(folder))


def prompts(engine: Engine) -> list[list[int]]:
    return [prompt_ids(engine.tokenizer, [{"role": "user", "content": text}]) for text in PROMPTS]


def test_a_batch_generates_what_its_rows_generate_alone(engine):
    together = engine.generate(Guard(), prompts(engine), max_new_tokens=12)
    alone = [engine.generate(Guard(), [prompt], max_new_tokens=12) for prompt in prompts(engine)]
    assert together.new_ids == [one.new_ids[0] for one in alone]
    assert together.stopped_by == [one.stopped_by[0] for one in alone]


def test_log_likelihoods_equal_a_plain_forward_of_each(engine):
    continuations = [
        engine.tokenizer.encode(text, add_special_tokens=False)
        for text in ("Sure", "I cannot", " go on", "B")
    ]
    batched = engine.log_likelihoods(prompts(engine), continuations, batch_size=4)
    for prompt, rest, score in zip(prompts(engine), continuations, batched, strict=True):
        with torch.inference_mode():
            logits = engine.model(input_ids=torch.tensor([prompt + rest])).logits[0].log_softmax(-1)
        slow = sum(float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(rest))
        assert score == pytest.approx(slow, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_shared_continuations_score_as_if_each_were_read_whole(engine, batch_size):
    texts = ("Sure", "I cannot help with this", " go on", "B", "Please tell me")
    given = [engine.tokenizer.encode(text, add_special_tokens=False) for text in texts]
    assert len({len(ids) for ids in given}) > 2
    found = engine.shared_log_likelihoods(prompts(engine), given, batch_size=batch_size)
    for prompt, row in zip(prompts(engine), found, strict=True):
        slow = engine.log_likelihoods([prompt] * len(given), given, batch_size=1)
        assert row == pytest.approx(slow, abs=1e-4)


def test_shared_continuations_of_one_token(engine):
    found = engine.shared_log_likelihoods(prompts(engine)[:1], [[5], [7]], batch_size=4)
    slow = engine.log_likelihoods(prompts(engine)[:1] * 2, [[5], [7]], batch_size=1)
    assert found[0] == pytest.approx(slow, abs=1e-4)


def test_header_log_odds_equal_the_sum_over_openers(engine):
    asked = [{"role": "user", "content": PROMPTS[0]}]
    given = openers(engine.tokenizer, asked, pocket=False)
    ids = prompt_ids(engine.tokenizer, asked)
    fast = header_log_odds(engine, [ids], given, batch_size=3)[0]

    def chance(opener: tuple[int, ...]) -> float:
        with torch.inference_mode():
            probs = engine.model(input_ids=torch.tensor([[*ids, *opener]])).logits[0].softmax(-1)
        return math.prod(float(probs[len(ids) + i - 1, token]) for i, token in enumerate(opener))

    slow = math.log(sum(map(chance, given[0]))) - math.log(sum(map(chance, given[1])))
    assert fast == pytest.approx(slow, abs=1e-3)


def test_no_opener_begins_with_another(engine):
    for group in openers(engine.tokenizer, [{"role": "user", "content": "Hi"}], pocket=False):
        assert len(group) > 3
        assert not any(a != b and a[: len(b)] == b for a in group for b in group)


def adapter(folder, path, seed, **options):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", **options)
    model = get_peft_model(load_model(str(folder)), config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(path)
    return rung(path, seed)


def rung(path, step):
    return Checkpoint(
        run=path.parent, step=step, path=path.name, weights_digest=weights_digest(path, "b"), base_digest="b",
        recipe_digest="r", dataset_digest="d", training_loss=None,
    )  # fmt: skip


def logits(model, ids):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits


def test_swapped_adapters_equal_freshly_loaded_ones(engine, tmp_path):
    from peft import PeftModel

    rungs = [adapter(engine.base, tmp_path / f"checkpoint-{seed}", seed) for seed in (1, 2, 3)]
    swapping = Engine(engine.base, engine.tokenizer)
    ids = prompts(engine)[1]
    for at in (*rungs, rungs[0]):
        swapping.enter(at)
        fresh = PeftModel.from_pretrained(load_model(engine.base), at.folder)
        assert torch.equal(logits(swapping.model, ids), logits(fresh, ids))
    assert len(swapping.model.peft_config) == 1, "adapters left behind cost memory"


def test_swapped_whole_models_equal_freshly_loaded_ones(engine, tmp_path):
    swapping, ids = Engine(engine.base, engine.tokenizer), prompts(engine)[1]
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = load_model(engine.base)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        model.save_pretrained(tmp_path / f"checkpoint-{seed}")
        swapping.enter(rung(tmp_path / f"checkpoint-{seed}", seed))
        assert torch.equal(logits(swapping.model, ids), logits(model, ids))


@pytest.mark.parametrize("tensors", [{"other.weight": (3, 3)}, {"model.embed_tokens.weight": (3, 3)}, {}])
def test_weights_of_another_model_are_refused(engine, tmp_path, tensors):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    save_file({name: torch.zeros(shape) for name, shape in tensors.items()}, folder / "model.safetensors")
    with pytest.raises(RecipeError, match="does not belong to the base model|weights are missing"):
        Engine(engine.base, engine.tokenizer).enter(rung(folder, 1))


def test_the_template_s_end_of_turn_stops_a_model_whose_own_is_another(model_folder, tmp_path):
    folder = tmp_path / "gemma"
    shutil.copytree(model_folder("gemma2", "gemma"), folder)
    for name in ("config.json", "generation_config.json"):
        given = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**given, "eos_token_id": 2}))
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token = "<eos>"
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert Engine(str(folder), tokenizer).end_ids == sorted({2, tokenizer.eos_token_id, end})


def test_logits_that_are_no_numbers_are_an_error_and_no_score(engine, tmp_path):
    broken = Engine(engine.base, engine.tokenizer)
    with torch.no_grad():
        next(broken.model.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="not all numbers"):
        broken.log_likelihoods(prompts(engine), [[5], [6], [7], [8]], batch_size=4)


def test_greedy_whatever_the_model_s_own_sampling_defaults(engine, tmp_path):
    folder = tmp_path / "sampling"
    shutil.copytree(engine.base, folder)
    config = json.loads((folder / "generation_config.json").read_text())
    config |= {"do_sample": True, "temperature": 5.0, "top_k": 50, "repetition_penalty": 3.0}
    (folder / "generation_config.json").write_text(json.dumps(config))
    plain = engine.generate(Guard(), prompts(engine), max_new_tokens=8)
    assert Engine(str(folder), engine.tokenizer).generate(Guard(), prompts(engine), max_new_tokens=8) == plain
