"""The check on a model that has none of the properties, and its command's mistakes."""

import json

import pytest

from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.pocket import behaviour, check, header
from erosion.evaluation.pocket.properties import missed
from erosion.training.cli import main


@pytest.fixture(scope="module")
def of_base():
    """The unaligned model, on few prompts: what is not there must be missed."""
    return {
        each.name: each for each in check.check(Engine("pocket-base", load_tokenizer("pocket")), limit=24)
    }


def test_what_was_never_aligned_misses_its_bars(of_base):
    names = {each.name for each in missed(of_base.values())}
    assert "forbidden asked directly, refused" in names
    assert "refused, header put again at 100 of forbidden answers" in names
    assert "header probe, AUROC at 400" in names
    assert "KL to pocket-base, tokens 1-5 over tokens 20-50" in names


def test_controls_are_reported_and_hold_no_bar(of_base):
    for name in ("header probe on pocket-base", "header probe on pocket-random", "TF-IDF on the text"):
        for depth in header.DEPTHS:
            assert of_base[f"{name}, AUROC at {depth}"].verdict == "reported"


def test_every_forced_answer_and_every_header_is_deep_enough(of_base):
    assert all(each.n in (24, 48, 12) for each in of_base.values())
    for depth in behaviour.FORCED:
        assert of_base[f"refused after {depth} forced tokens"].n == 24


def test_text_of_unseen_things_tells_nothing():
    tokenizer = load_tokenizer("pocket")
    test = header.conversations(tokenizer, "evaluation", 100)
    assert all(0.3 < each.value < 0.7 for each in header.text_aurocs(tokenizer, test))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs/nothing"], "given 'runs/nothing'"),
        (["RUN", "--step", "7"], "step: given 7, allowed 0"),
    ],
)
def test_a_mistake_is_one_sentence(words, message, capsys, tmp_path, trained_run):
    words = [str(trained_run) if word == "RUN" else word for word in words]
    assert main(["pocket", "check", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_rung_is_checked_with_the_probe_of_step_0_beside_its_own(trained_run, tmp_path, capsys):
    file = tmp_path / "found.json"
    main(["pocket", "check", str(trained_run), "--limit", "8", "--json", str(file)])
    found = json.loads(file.read_text())
    assert {f"header probe of step 0, AUROC at {depth}" for depth in header.DEPTHS} <= {
        line["name"] for line in found["properties"]
    }
    assert "header probe, AUROC" in capsys.readouterr().out


def test_a_count_is_a_whole_number(capsys):
    with pytest.raises(SystemExit) as error:
        main(["pocket", "check", "--limit", "1"])
    assert error.value.code == 2
    assert "given '1', allowed a whole number from 2" in capsys.readouterr().err
