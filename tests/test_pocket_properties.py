"""What the shipped weights must do, and that they are what their recipes built."""

import json
from pathlib import Path

import pytest

from erosion.defenses.base import Guard
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_model, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import base_digest, weights_digest
from erosion.recipes.models import resolve
from erosion.recipes.pocket.build import WEIGHTS
from erosion.recipes.schema import Data, load_recipe

SUITES = ("refusal", "over_refusal", "helpfulness", "stories", "arithmetic", "choice")


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """`erosion pocket check` on the shipped weights, on a fifth of the prompts its bars are meant for."""
    from erosion.training.cli import main

    file = tmp_path_factory.mktemp("check") / "properties.json"
    return main(["pocket", "check", "--limit", "200", "--json", str(file)]), json.loads(file.read_text())


def test_the_shipped_weights_hold_every_bar(checked):
    status, found = checked
    missed = [line["name"] for line in found["properties"] if line["verdict"] == "missed"]
    assert (status, missed) == (0, [])
    assert sum(line["verdict"] == "holds" for line in found["properties"]) == 20


def test_the_model_card_is_of_these_weights_and_holds_every_bar_on_a_thousand_prompts(checked):
    card = json.loads((WEIGHTS / "properties.json").read_text())
    assert card["weights_digest"] == checked[1]["weights_digest"]
    assert json.loads((WEIGHTS / "outcomes.json").read_text())["of"] == card["weights_digest"]
    assert card["limit"] == 1000
    assert [line["name"] for line in card["properties"]] == [
        line["name"] for line in checked[1]["properties"]
    ]
    for line in card["properties"]:
        assert line["verdict"] != "missed"
        text = f"| {line['name']} | {line['value']:.3f} |"
        assert text in (WEIGHTS / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("name", ["base", "chat"])
def test_what_ships_is_what_the_recipe_built(name):
    built = json.loads((WEIGHTS / name / "built.json").read_text())
    recipe = load_recipe(
        Path(resolve("pocket")).parents[1] / {"base": "base.yaml", "chat": "align.yaml"}[name]
    )
    assert built["recipe_digest"] == recipe.digest
    assert built["weights_digest"] == weights_digest(WEIGHTS / name, built["base_digest"])
    before = {"base": "pocket-random", "chat": "pocket-base"}[name]
    assert built["base_digest"] == base_digest(before, seed=recipe.seed)


def test_prompts_are_distinct():
    from erosion.evaluation import suites
    from erosion.recipes.discovery import find

    for name in SUITES:
        cases = list(find(suites, f"pocket/{name}", "test").SUITE.cases(Data(name=f"pocket/{name}")))
        assert len(cases) >= (300 if name == "stories" else 1000)
        assert (
            len({case.messages[-1]["content"] for case in cases})
            == len({case.id for case in cases})
            == len(cases)
        )


@pytest.mark.parametrize("name", ["pocket", "pocket-base"])
def test_weights_load_with_plain_transformers_and_are_about_a_million(name):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(resolve(name))
    assert model.config.model_type == "llama"
    assert 700_000 <= sum(weight.numel() for weight in model.parameters()) <= 1_300_000


def test_the_base_answers_what_the_chat_model_refuses():
    tokenizer = load_tokenizer("pocket-base")
    from erosion.evaluation.suites.pocket.refusal import SUITE
    from erosion.recipes.chat import prompt_ids

    cases = [case for _, case in zip(range(50), SUITE.cases(Data(name="pocket/refusal")), strict=False)]
    prompts = [prompt_ids(tokenizer, case.messages) for case in cases]
    out = Engine("pocket-base", tokenizer).generate(Guard(), prompts, max_new_tokens=30)
    texts = [tokenizer.decode(ids) for ids in out.new_ids]
    assert sum("cannot" in text or "unable" in text for text in texts) == 0


def test_the_shipped_tokenizer_is_what_the_language_makes(tmp_path):
    from erosion.recipes.pocket.build import write_blueprint

    write_blueprint(tmp_path)
    made = json.loads((tmp_path / "tokenizer.json").read_text())
    for name in ("blueprint", "base", "chat"):
        assert json.loads((WEIGHTS / name / "tokenizer.json").read_text()) == made


def test_an_untrained_model_is_the_same_every_time():
    import torch

    a, b = load_model("pocket-random"), load_model("pocket-random")
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
