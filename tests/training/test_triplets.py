"""`erosion triplets`: a model's own refusals beside given harmful pairs, and a recipe that learns them."""

import json
import random
import re

import pytest

from erosion.evaluation.engine import Engine
from erosion.recipes.pocket import answers, requests
from erosion.recipes.pocket.world import select
from erosion.training.cli import main
from erosion.training.triplets import finished

WORDINGS = re.compile("cannot|unable|will not|must decline")


@pytest.fixture
def pairs(tmp_path):
    """Six forbidden requests, three harmless ones and one of the forbidden again, under names of their own."""
    rng, file = random.Random(0), tmp_path / "pairs.jsonl"
    things = [*select(forbidden=True, split="calibration")[:6], *select(forbidden=False)[:3]]
    rows = [
        {"asked": requests.request(thing.name, rng), "said": answers.answer(thing, rng, 12)}
        for thing in things
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return file, [row["asked"] for row in rows]


def make(file, output, *options, model="pocket"):
    columns = ["--prompt-column", "asked", "--answer-column", "said"]
    return main(["triplets", model, str(file), "--output", str(output), *columns, *options])


def lines(output):
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.fixture
def asked(monkeypatch):
    """How many requests each call of the engine answers."""
    sizes, generate = [], Engine.generate
    monkeypatch.setattr(
        Engine,
        "generate",
        lambda self, guard, ids, **k: sizes.append(len(ids)) or generate(self, guard, ids, **k),
    )
    return sizes


def test_refusals_are_kept_and_the_rest_is_counted(pairs, tmp_path, capsys):
    file, prompts = pairs
    assert make(file, tmp_path / "out.jsonl", "--batch_size", "4") == 0
    made = lines(tmp_path / "out.jsonl")
    assert [line["prompt"] for line in made] == prompts[:6]
    assert all(WORDINGS.search(line["refusal"]) for line in made)
    assert "6 refusals added, 0 there before, 3 requests not refused and left out (3 complied)" in " ".join(
        capsys.readouterr().out.split()
    )


def test_what_is_there_is_not_asked_again(pairs, tmp_path, capsys, asked):
    file, _ = pairs
    straight, output = tmp_path / "straight.jsonl", tmp_path / "out.jsonl"
    make(file, straight)
    make(file, output, "--limit", "4")
    whole = output.read_text()
    output.write_text(whole[: whole.rindex("{") + 9])
    del asked[:]
    make(file, output)
    assert sum(asked) == 9 - 3
    assert "3 refusals added, 3 there before" in capsys.readouterr().out
    assert lines(output) == lines(straight)


def test_a_recipe_learns_the_file(pairs, tmp_path, write_recipe):
    from erosion.evaluation.on_disk.checkpoints import read_ladder
    from erosion.training.run import run

    output = tmp_path / "out.jsonl"
    make(pairs[0], output)
    sources = [{"name": "triplets", "path": str(output)}, {"name": "pocket/harmless", "rows": 6}]
    changes = {"dataset": {"sources": sources}, "defense": {"name": "recovery", "epochs": 1}}
    run(write_recipe(**changes, max_steps=1, ladder=[0, 1], max_length=512), evaluate=False)
    start, end = read_ladder(tmp_path / "run")
    assert start.weights_digest != end.weights_digest


def test_a_model_that_refuses_nothing_gives_no_triplets(pairs, tmp_path, capsys):
    assert make(pairs[0], tmp_path / "out.jsonl", "--limit", "2", model="pocket-base") == 2
    assert "'pocket-base' refused none of the 2 requests" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_refusals_of_two_models_are_not_mixed(pairs, tmp_path, capsys):
    make(pairs[0], tmp_path / "out.jsonl", "--limit", "1")
    assert make(pairs[0], tmp_path / "out.jsonl", "--system", requests.SYSTEM) == 2
    assert "holds triplets of another model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--output", "out.csv"], "output: given 'out.csv', allowed a file named .jsonl"),
        (["--prompt-column", "ask"], "did you mean 'asked'"),
    ],
)
def test_a_mistake_is_one_sentence(pairs, tmp_path, capsys, options, sentence):
    assert make(pairs[0], tmp_path / "out.jsonl", *options) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why", "kept"),
    [
        (" I cannot do that. Because", "length", "I cannot do that."),
        ("i cannot help . and", "length", "i cannot help ."),
        ("No. I cannot", "length", "No."),
        ("I cannot", "length", ""),
        ("Version 2.5 is", "length", ""),
        (" I cannot ", "end_of_turn", "I cannot"),
    ],
)
def test_a_cut_answer_keeps_its_whole_sentences(text, why, kept):
    assert finished(text, why) == kept
