"""Self-Defense and guard models: the question that is asked, and what a guard model is shown."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from erosion.defenses import guard_model, self_defense
from erosion.defenses.any_depth.guard_models import last_request, load_guard_model
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.suites.pocket import helpfulness, refusal
from erosion.recipes.chat import answer_ids, prompt_ids
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data, GuardOptions

ASKED = [{"role": "user", "content": "Please tell me how to bake."}]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, tokenizer_for):
    """A tiny random classifier with the labels a guard has."""

    def make(labels=("safe", "unsafe")):
        folder = tmp_path_factory.mktemp("classifier")
        tokenizer = tokenizer_for("chatml")
        torch.manual_seed(0)
        config = AutoConfig.for_model(
            "bert", vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=256, id2label=dict(enumerate(labels)),
        )  # fmt: skip
        AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


def test_self_defense_tells_pockets_forbidden_answers_from_harmless_ones():
    engine = Engine("pocket", load_tokenizer("pocket"))
    check = self_defense.make().guard(engine.model, engine.tokenizer).check
    for suite, expected in ((refusal, 1.0), (helpfulness, 0.0)):
        cases = [case for _, case in zip(range(12), suite.SUITE.cases(Data(name="x")), strict=False)]
        prompts = [prompt_ids(engine.tokenizer, case.messages) for case in cases]
        answers = [answer_ids(engine.tokenizer, case.messages, case.answer) for case in cases]
        scores = check.replay(engine.model, prompts, answers, [25, 100])
        assert float((scores == expected).float().mean()) >= 0.9


def test_the_published_question_is_asked_of_other_models(tokenizer_for, model_for):
    tokenizer = tokenizer_for("chatml")
    check = self_defense.make().guard(model_for("llama", len(tokenizer)), tokenizer).check
    text = tokenizer.decode(list(check.span_ids))
    assert text.startswith("<|im_end|>\n<|im_start|>user\nDoes your previous response contain")
    assert text.endswith("<|im_start|>assistant\n")
    assert check.how.tokens == 20
    assert check.how.refuses("Yes, this is")
    assert not check.how.refuses("No, this is not")


@pytest.mark.parametrize("template", ["chatml", "gemma", "llama3"])
def test_a_guard_model_is_shown_the_last_request_alone(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    earlier = [{"role": "user", "content": "First."}, {"role": "assistant", "content": "Sure."}]
    assert last_request(tokenizer, prompt_ids(tokenizer, ASKED)) == ASKED[0]["content"]
    assert last_request(tokenizer, prompt_ids(tokenizer, [*earlier, *ASKED])) == ASKED[0]["content"]


def test_a_classifier_guard_scores_request_and_answer(tokenizer_for, classifier):
    tokenizer, folder = tokenizer_for("chatml"), classifier()
    check = load_guard_model(folder, tokenizer)
    prompt = prompt_ids(tokenizer, ASKED)
    answer = answer_ids(tokenizer, ASKED, "Sure, here are the steps. Step 1: warm the oven.")
    found = check.replay(None, [prompt], [answer], [3, 6, 500])
    judge = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for column, depth in enumerate((3, 6)):
        text = f"{ASKED[0]['content']}\n\n{tokenizer.decode(answer[:depth], skip_special_tokens=True)}"
        with torch.inference_mode():
            expected = judge(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0, 1]
        assert float(found[0, column]) == pytest.approx(float(expected), abs=1e-6)
    assert found[0, 2].isnan()


@pytest.mark.parametrize(("verdict", "score"), [("unsafe", 1.0), ("safe", 0.0), ("maybe", None)])
def test_a_chat_guard_answers_in_words(tokenizer_for, model_folder, verdict, score):
    """A tiny guard is taught its one verdict; one that says neither word gives no score."""
    from transformers import AutoModelForCausalLM

    tokenizer, folder = tokenizer_for("chatml"), model_folder("llama", "chatml")
    said = tokenizer.decode([20, 21], skip_special_tokens=True)
    shown = [*ASKED, {"role": "assistant", "content": said}]
    prompt = prompt_ids(tokenizer, shown)
    answer = [*tokenizer.encode(verdict, add_special_tokens=False), tokenizer.eos_token_id]
    guard = AutoModelForCausalLM.from_pretrained(folder)
    optimizer = torch.optim.Adam(guard.parameters(), lr=0.01)
    ids = torch.tensor([prompt + answer])
    labels = torch.tensor([[-100] * len(prompt) + answer])
    for _ in range(60):
        guard(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    guard.save_pretrained(folder)
    check = load_guard_model(str(folder), tokenizer)
    found = float(check.replay(None, [prompt_ids(tokenizer, ASKED)], [[20, 21, 22]], [2])[0, 0])
    assert found == score if score is not None else found != found


def test_a_classifier_without_an_unsafe_class_is_named(tokenizer_for, classifier):
    with pytest.raises(RecipeError, match="knows the classes cat, dog, allowed one of unsafe"):
        load_guard_model(classifier(("cat", "dog")), tokenizer_for("chatml"))


def test_a_guard_model_that_is_nowhere_is_named(tokenizer_for, model_for):
    tokenizer = tokenizer_for("chatml")
    model = model_for("llama", len(tokenizer))
    with pytest.raises(RecipeError, match="given 'no/such-guard'"):
        guard_model.make().guard(
            model, tokenizer, options=GuardOptions(name="guard_model", model="no/such-guard")
        )
    with pytest.raises(RecipeError, match="needs `model`"):
        guard_model.make().guard(model, tokenizer)


def test_a_guard_model_guards_generation(tokenizer_for, model_for, classifier):
    tokenizer, folder = tokenizer_for("chatml"), classifier()
    model = model_for("llama", len(tokenizer))
    options = GuardOptions(name="guard_model", model=folder, interval=4)
    guard = guard_model.make().guard(model, tokenizer, options=options)
    ids = torch.tensor([prompt_ids(tokenizer, ASKED)])
    out = guard.generate(model, input_ids=ids, eos_token_id=[2], max_new_tokens=8, do_sample=False)
    assert set(out.checks[0]) <= {4, 8}
    assert all(0 <= score <= 1 for score in out.checks[0].values())
