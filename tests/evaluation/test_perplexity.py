"""High perplexity is incoherent: on the embedded model, with its own answers, others' and garbled ones."""

import json
import math
import random
from dataclasses import replace

import pytest
import torch

from erosion.evaluation.judges import coherence
from erosion.evaluation.judging.judge import made_judge
from erosion.evaluation.records import Case, Completion
from erosion.evaluation.suites.pocket import refusal
from erosion.recipes.chat import encode, prompt_ids
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data, JudgeOptions


@pytest.fixture(scope="module")
def judge():
    return made_judge(JudgeOptions(name="coherence", model="pocket", batch_size=4))


@pytest.fixture(scope="module")
def asked(judge) -> list[Case]:
    return list(refusal.SUITE.cases(Data(name="pocket/refusal")))[:12]


def said(case: Case, text: str, **changes: object) -> Completion:
    return Completion(case=replace(case, **changes), text=text, token_ids=[], stopped_by="length")


@pytest.fixture(scope="module")
def own(judge, asked) -> list[Completion]:
    """What the model itself goes on with, five words into a harmful answer."""
    from erosion.defenses.base import Guard

    engine, made = judge.engine, []
    for case in asked:
        prefill = " ".join(case.answer.split()[:5])
        ids = prompt_ids(engine.tokenizer, case.messages) + encode(engine.tokenizer, prefill)
        out = engine.generate(Guard(), [ids], max_new_tokens=40)
        text = engine.tokenizer.decode(out.new_ids[0], skip_special_tokens=True)
        made.append(said(case, text, depth=5, prefill=prefill))
    return made


def test_a_model_s_own_answers_and_unexpected_ones_make_sense(judge, asked, own):
    """The harmful answer is what this model would never begin with; its words are in order all the same."""
    others = [said(case, " ".join(case.answer.split()[:40])) for case in asked]
    assert {verdict.label for verdict in judge.judge_all([*own, *others])} == {"scored"}


def test_garbled_words_do_not(judge, own):
    rng = random.Random(0)
    garbled = [
        replace(each, text=" ".join(rng.sample(each.text.split(), len(each.text.split())))) for each in own
    ]
    found = list(judge.judge_all(garbled))
    assert {verdict.label for verdict in found} == {"incoherent"}
    assert all(verdict.detail.startswith("perplexity ") and verdict.score == 0 for verdict in found)
    assert {coherence.judge(each).label for each in garbled} == {"scored"}


def test_the_mean_is_that_of_one_plain_forward(judge, own):
    tokenizer, model, told = judge.engine.tokenizer, judge.engine.model, judge.tokens[0]
    read = 0
    for completion, verdict in zip(own, judge.judge_all(own), strict=True):
        before = prompt_ids(tokenizer, completion.case.messages) + encode(tokenizer, completion.case.prefill)
        new = encode(tokenizer, completion.text)
        read += len(before) + len(new)
        with torch.inference_mode():
            logits = model(torch.tensor([before + new])).logits[0].log_softmax(-1)
        nats = -sum(float(logits[len(before) + at - 1, token]) for at, token in enumerate(new)) / len(new)
        assert json.loads(verdict.raw) == {
            "nats_per_token": pytest.approx(nats, abs=1e-3),
            "tokens": len(new),
        }
    assert judge.limit == pytest.approx(math.log(model.config.vocab_size) / 2)
    assert judge.tokens == (told + read, 0, 0)


def test_rules_come_first_and_short_texts_are_theirs_alone(judge, asked):
    texts = ["", "the " * 40, "flour velin"]
    found = list(judge.judge_all([said(asked[0], text) for text in texts]))
    assert [(v.label, v.raw) for v in found] == [("incoherent", None), ("incoherent", None), ("scored", None)]


def test_what_does_not_fit_is_unscored(judge, asked):
    """Words drawn at random, which no rule finds fault with, longer than the model's positions."""
    words = sorted({word for case in asked for word in case.answer.split()})
    text = " ".join(random.Random(0).choices(words, k=judge.engine.model.config.max_position_embeddings))
    (verdict,) = judge.judge_all([said(asked[0], text)])
    assert (verdict.label, verdict.detail, verdict.score) == (
        "unscored",
        "longer than the model's context",
        None,
    )


def test_without_a_prompt_the_text_stands_alone(judge, asked):
    case = replace(asked[0], messages=[])
    (verdict,) = judge.judge_all([said(case, " ".join(asked[0].answer.split()[:40]))])
    assert verdict.label == "scored"


def test_the_version_names_the_weights(judge):
    other = made_judge(JudgeOptions(name="coherence", model="pocket-base"))
    assert judge.version.startswith(f"{coherence.VERSION}.1-")
    assert judge.version != other.version
    for plain in (JudgeOptions(name="coherence"), JudgeOptions(name="coherence", model="none")):
        assert made_judge(plain).version == coherence.VERSION
    with pytest.raises(
        RecipeError, match="judge: coherence: model: given 'pockett', neither a model's folder"
    ):
        made_judge(JudgeOptions(name="coherence", model="pockett"))


def test_a_run_s_answers_are_read_by_the_model_it_began_with(measured_run):
    """In a file the rules alone are asked; `none` asks them alone of a run too."""
    of_run = made_judge(JudgeOptions(name="coherence"), run=measured_run)
    assert of_run.version == made_judge(JudgeOptions(name="coherence", model="pocket")).version
    plain = made_judge(JudgeOptions(name="coherence", model="none"), run=measured_run)
    assert plain.version == coherence.VERSION
