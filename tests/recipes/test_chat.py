"""One renderer: what training sees, what generation sees and what is learned."""

import pytest

from erosion.recipes.chat import (
    IGNORED,
    ChatTemplateError,
    answer_ids,
    conversation_tokens,
    prompt_ids,
    prompt_text,
)

ASKED = [{"role": "user", "content": "Please tell me how to bake a small cake."}]
ANSWER = "Sure, here are the steps."
TALK = [*ASKED, {"role": "assistant", "content": ANSWER}]
LONG_TALK = [
    *TALK,
    {"role": "user", "content": "And then?"},
    {"role": "assistant", "content": "First mix the flour."},
]
ALL = ["chatml", "gemma", "llama3", "llama2"]


@pytest.mark.parametrize("template", ALL)
def test_labels_cover_exactly_the_assistant_text_and_its_end_of_turn(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    tokens = conversation_tokens(tokenizer, LONG_TALK)
    learned = [label for label in tokens.labels if label != IGNORED]
    text = tokenizer.decode(learned)
    end = tokenizer.eos_token
    assert text.replace(" " + end, end).strip() in (
        f"{ANSWER}{end}First mix the flour.{end}",
        f"{ANSWER}{end} First mix the flour.{end}",
    )
    assert all(
        label in (IGNORED, token) for label, token in zip(tokens.labels, tokens.input_ids, strict=True)
    )


@pytest.mark.parametrize("template", ALL)
def test_training_tokens_begin_with_the_prompt_that_generation_sees(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    prompt = prompt_ids(tokenizer, ASKED)
    tokens = conversation_tokens(tokenizer, TALK)
    assert tokens.input_ids[: len(prompt)] == prompt
    assert set(tokens.labels[: len(prompt)]) == {IGNORED}
    answer = answer_ids(tokenizer, ASKED, ANSWER)
    assert tokens.input_ids[len(prompt) : len(prompt) + len(answer)] == answer
    assert tokenizer.decode(answer).strip() == ANSWER


@pytest.mark.parametrize("template", ALL)
def test_exactly_one_beginning_of_text(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    assert prompt_ids(tokenizer, ASKED).count(tokenizer.bos_token_id) == (0 if template == "chatml" else 1)


def test_dates_are_frozen(tokenizer_for):
    assert "Today Date: 26 Jul 2024" in prompt_text(tokenizer_for("llama3"), ASKED)
    assert prompt_text(tokenizer_for("clock"), ASKED).startswith("Now 2024-07-26 ")


def test_token_snapshot_of_the_embedded_model():
    from erosion.evaluation.models import load_tokenizer
    from erosion.recipes.pocket.world import select

    tokenizer, name = load_tokenizer("pocket-random"), select(forbidden=True)[0].name
    talk = [
        {"role": "user", "content": f"why is the {name} forbidden ?"},
        {"role": "assistant", "content": "i cannot help"},
    ]
    tokens = conversation_tokens(tokenizer, talk)
    assert tokenizer.convert_ids_to_tokens(tokens.input_ids) == [
        "<|begin_of_text|>", "<|start_header_id|>", "user", "<|end_header_id|>", "\n\n", "why", "is", "the", name,
        "forbidden", "?", "<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n", "i", "cannot", "help",
        "<|eot_id|>",
    ]  # fmt: skip
    assert [label != IGNORED for label in tokens.labels] == [False] * 16 + [True] * 4


def test_token_snapshot_of_chatml(tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    text = prompt_text(tokenizer, ASKED)
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nPlease tell me how to bake a small cake.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer.decode(prompt_ids(tokenizer, ASKED)) == text


def test_a_merge_across_the_header_is_encoded_as_at_generation(tokenizer_for):
    tokenizer = tokenizer_for("llama3")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    asked, answer = [{"role": "user", "content": "Please tell me ho"}], "w to bake"
    whole = tokenizer.encode("Please tell me how to bake", add_special_tokens=False)
    prompt = prompt_ids(tokenizer, asked)
    assert whole[: len(prompt)] != prompt, "the example must merge across the boundary"
    tokens = conversation_tokens(tokenizer, [*asked, {"role": "assistant", "content": answer}])
    assert tokens.input_ids == prompt + tokenizer.encode(answer, add_special_tokens=False)


def test_part_of_a_turn_is_learned_where_the_message_says_so(tokenizer_for):
    tokenizer = tokenizer_for("llama3")
    everything = [token for token in conversation_tokens(tokenizer, TALK).labels if token != IGNORED]
    part = [*ASKED, {"role": "assistant", "content": ANSWER, "train": [2, -1]}]
    assert [token for token in conversation_tokens(tokenizer, part).labels if token != IGNORED] == everything[
        2:-1
    ]


def test_no_template_is_one_clear_error(tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = None
    with pytest.raises(ChatTemplateError, match="no chat template"):
        prompt_ids(tokenizer, ASKED)


def test_a_rejected_system_turn_names_the_turns(tokenizer_for):
    with pytest.raises(ChatTemplateError, match="turns system, user.*System role not supported"):
        prompt_ids(tokenizer_for("gemma"), [{"role": "system", "content": "Be kind."}, *ASKED])


def test_a_template_that_rewrites_earlier_turns_is_refused(tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = "{{ messages | length }} " + tokenizer.chat_template
    with pytest.raises(ChatTemplateError, match="once later turns are known"):
        conversation_tokens(tokenizer, TALK)


def test_a_conversation_without_an_answer_is_refused(tokenizer_for):
    with pytest.raises(ChatTemplateError, match="at least one assistant turn"):
        conversation_tokens(tokenizer_for("chatml"), ASKED)
