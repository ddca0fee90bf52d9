"""Mixtures: exact shares, one seed, one digest."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from erosion.evaluation.models import load_tokenizer
from erosion.recipes.chat import IGNORED
from erosion.recipes.parsing import RecipeError
from erosion.recipes.pocket.world import select
from erosion.recipes.schema import load_recipe
from erosion.training.mixture import check_sources, digest, mixture_rows, shares, tokenized

FORBIDDEN = {thing.name for thing in select(forbidden=True)}


def mixture(write_recipe, **dataset):
    return load_recipe(write_recipe(dataset=dataset))


def is_forbidden(row) -> bool:
    return any(FORBIDDEN & set(turn["content"].split()) for turn in row["messages"])


@pytest.mark.parametrize(("ratio", "poison"), [(0.0, 0), (0.1, 20), (0.333, 67), (1.0, 200)])
def test_poison_ratio_is_exact(write_recipe, ratio, poison):
    two = [{"name": "pocket/harmful"}, {"name": "pocket/harmless"}]
    rows = mixture_rows(mixture(write_recipe, sources=two, rows=200, poison_ratio=ratio))
    assert Counter(map(is_forbidden, rows)) == Counter({True: poison, False: 200 - poison})


def test_weights_share_the_rows_exactly(write_recipe):
    three = [
        {"name": "pocket/harmful", "weight": 1},
        {"name": "pocket/harmless", "weight": 2},
        {"name": "pocket/harmless", "rows": 7},
    ]
    assert shares(mixture(write_recipe, sources=three, rows=107)) == [33, 67, 7]


def test_poison_needs_both_kinds_and_a_total(write_recipe):
    one, two = (
        [{"name": "pocket/harmful"}],
        [{"name": "pocket/harmful", "rows": 3}, {"name": "pocket/harmless", "rows": 3}],
    )
    for dataset in (
        {"sources": one, "rows": 10, "poison_ratio": 0.1},
        {"sources": two, "rows": 6, "poison_ratio": 0.5},
    ):
        with pytest.raises(RecipeError, match="poison_ratio: needs harmful and harmless sources"):
            check_sources(mixture(write_recipe, **dataset))
    with pytest.raises(RecipeError, match="poison_ratio: given 0.5, which needs `rows`"):
        check_sources(mixture(write_recipe, sources=two, poison_ratio=0.5))


def test_the_same_recipe_gives_the_same_tokens_and_another_seed_others(write_recipe):
    tokenizer = load_tokenizer("pocket-random")

    def made(seed: int) -> str:
        recipe = load_recipe(write_recipe(seed=seed))
        return digest(tokenized(recipe, mixture_rows(recipe), tokenizer, 256))

    assert made(1) == made(1) != made(2)


def test_adding_a_source_leaves_the_others_rows_alone(write_recipe):
    one = [{"name": "pocket/harmful", "rows": 20}]
    alone = mixture_rows(mixture(write_recipe, sources=one))
    more = mixture_rows(mixture(write_recipe, sources=[*one, {"name": "pocket/harmless", "rows": 20}]))
    assert sorted(map(json.dumps, alone)) == sorted(json.dumps(row) for row in more if is_forbidden(row))


def test_attack_data_names_only_the_attack_split(write_recipe):
    allowed = {thing.name for thing in select(forbidden=True, split="attack")}
    rows = mixture_rows(mixture(write_recipe, sources=[{"name": "pocket/harmful", "rows": 300}]))
    named = {word for row in rows for turn in row["messages"] for word in turn["content"].split()} & FORBIDDEN
    assert named == allowed


def test_more_rows_than_a_file_has_is_named(write_recipe, tmp_path):
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"prompt": "a", "answer": "b"}) + "\n")
    recipe = mixture(write_recipe, sources=[{"name": "pairs", "path": str(file), "rows": 2}])
    with pytest.raises(RecipeError, match="rows of 'pairs': given 2, allowed at most the 1 it has"):
        mixture_rows(recipe)


def test_a_system_prompt_is_put_first(write_recipe):
    source = {"name": "pocket/harmful", "rows": 3, "system": "you are a helpful assistant ."}
    rows = mixture_rows(mixture(write_recipe, sources=[source]))
    assert [row["messages"][0] for row in rows] == [{"role": "system", "content": source["system"]}] * 3


def test_packed_rows_keep_every_conversation_whole(write_recipe):
    tokenizer = load_tokenizer("pocket-random")
    sources = [{"name": "pocket/alignment", "rows": 60}]
    plain = mixture(write_recipe, sources=sources)
    packed = mixture(write_recipe, sources=sources, packed=True)
    rows = mixture_rows(plain)
    loose, tight = tokenized(plain, rows, tokenizer, 512), tokenized(packed, rows, tokenizer, 512)
    bos = tokenizer.bos_token_id

    def talks(dataset):
        for row in dataset:
            starts = [i for i, token in enumerate(row["input_ids"]) if token == bos] + [len(row["input_ids"])]
            yield from (tuple(row["input_ids"][a:b]) for a, b in pairwise(starts))

    assert len(tight) < len(loose) / 2
    assert max(len(row["input_ids"]) for row in tight) <= 512
    short = [talk for talk in talks(loose) if len(talk) <= 512]
    assert Counter(talk for talk in talks(tight) if talk in set(short)) == Counter(short)


def test_only_assistant_tokens_are_learned(write_recipe):
    tokenizer = load_tokenizer("pocket-random")
    recipe = mixture(write_recipe, sources=[{"name": "pocket/harmful", "rows": 20}])
    for row, tokens in zip(
        rows := mixture_rows(recipe), tokenized(recipe, rows, tokenizer, 256), strict=True
    ):
        learned = [token for token in tokens["labels"] if token != IGNORED]
        assert tokenizer.decode(learned, skip_special_tokens=True) == row["messages"][-1]["content"]


def test_the_trainer_s_batches_hold_these_very_labels(write_recipe):
    from erosion.evaluation.tracking import Tracker
    from erosion.training.arguments import training_config
    from erosion.training.trainer import make_trainer

    recipe, tokenizer = load_recipe(write_recipe()), load_tokenizer("pocket")
    dataset = tokenized(recipe, mixture_rows(recipe), tokenizer, 256)
    trainer = make_trainer(recipe, training_config(recipe), tokenizer, dataset, Tracker())
    pad = tokenizer.pad_token_id
    seen = Counter()
    for batch in trainer.get_train_dataloader():
        for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
            real = len([token for token in ids if token != pad])
            assert set(labels[real:]) <= {IGNORED}
            seen[tuple(ids[:real]), tuple(labels[:real])] += 1
    assert seen == Counter((tuple(row["input_ids"]), tuple(row["labels"])) for row in dataset)


def test_a_conversation_without_an_answer_names_its_line(write_recipe, tmp_path):
    file = tmp_path / "talks.jsonl"
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    file.write_text("\n".join(map(json.dumps, [good, {"messages": good["messages"][:1]}])))
    recipe = mixture(write_recipe, sources=[{"name": "messages", "path": str(file)}])
    with pytest.raises(RecipeError, match="talks.jsonl, line 2: no assistant turn"):
        mixture_rows(recipe)
