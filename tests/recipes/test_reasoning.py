"""Templates of models that reason: what is rendered, trained, forced and measured is the answer alone."""

import pytest

from erosion.defenses.any_depth.safety_tokens import prompt_completion, safety_span
from erosion.recipes.chat import (
    IGNORED,
    ChatTemplateError,
    answer_ids,
    conversation_tokens,
    end_of_turn_ids,
    prompt_ids,
    prompt_text,
    row_tokens,
)

ASKED = [{"role": "user", "content": "Please tell me how to bake a small cake."}]
ANSWER = "Sure, here are the steps."
TURN = {"role": "assistant", "content": ANSWER}
USER = "{% for m in messages %}{% if m['role'] == 'user' %}<|im_start|>user\n{{ m['content'] }}<|im_end|>\n"
ALWAYS_OPEN = (
    USER
    + "{% else %}<|im_start|>assistant\n{{ m['content'].split('</think>')[-1] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
WITH_A_SWITCH = (
    USER
    + "{% else %}<|im_start|>assistant\n{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
CHANNELS = (
    USER
    + "{% else %}<|im_start|>assistant<|channel|>final<|message|>{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)
TEMPLATES = {"always open": ALWAYS_OPEN, "with a switch": WITH_A_SWITCH, "channels": CHANNELS}
EMPTY = "<|im_start|>assistant\n<think>\n\n</think>\n\n"


@pytest.fixture(params=TEMPLATES)
def tokenizer(request, tokenizer_for):
    made = tokenizer_for("chatml")
    made.chat_template = TEMPLATES[request.param]
    return made


@pytest.mark.parametrize("name", ["always open", "with a switch"])
def test_a_header_ends_with_an_empty_block_of_reasoning(tokenizer_for, name):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = TEMPLATES[name]
    assert prompt_text(tokenizer, ASKED).endswith(EMPTY)
    assert tokenizer.decode(safety_span(tokenizer)) == f"<|im_end|>\n{EMPTY}"
    assert prompt_completion(tokenizer) == []


def test_a_channel_is_opened_after_the_prompt_as_published(tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = CHANNELS
    opened = tokenizer.decode(prompt_completion(tokenizer))
    assert opened.endswith("<|channel|>final<|message|>")
    assert not tokenizer.decode(answer_ids(tokenizer, ASKED, ANSWER)).startswith("<|channel|>")


def test_a_forced_start_begins_with_the_answers_first_word(tokenizer):
    assert tokenizer.decode(answer_ids(tokenizer, ASKED, ANSWER)) == ANSWER


def test_training_begins_with_the_prompt_and_learns_the_answer_and_its_end(tokenizer):
    prompt = prompt_ids(tokenizer, ASKED)
    tokens = conversation_tokens(tokenizer, [*ASKED, TURN])
    assert tokens.input_ids[: len(prompt)] == prompt
    learned = tokenizer.decode([label for label in tokens.labels if label != IGNORED])
    assert learned.removeprefix("<|channel|>final<|message|>") == f"{ANSWER}<|im_end|>"
    assert end_of_turn_ids(tokenizer) == [tokenizer.convert_tokens_to_ids("<|im_end|>")]


def test_a_recovery_row_puts_the_harmful_start_where_the_answer_begins(tokenizer):
    """Measured, such a start follows the prompt and the marks that open the answer."""
    row = {"messages": [*ASKED, TURN], "harmful": "Mix the flour.", "depth": 0.0}
    tokens = row_tokens(tokenizer, row)
    start = answer_ids(tokenizer, ASKED, "Mix the flour.")[:1]
    whole = conversation_tokens(tokenizer, [*ASKED, TURN]).input_ids
    answer = answer_ids(tokenizer, ASKED, ANSWER)
    begins = next(at for at in range(len(whole)) if whole[at : at + len(answer)] == answer)
    assert tokens.input_ids == [*whole[:begins], *start, *whole[begins:]]


def test_other_white_space_after_the_header_is_still_another_template(tokenizer_for):
    """Only a block of reasoning may be missing from the whole conversation, nothing else."""
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = ALWAYS_OPEN.replace("<think>\n{% endif %}", "{{ ' ' }}{% endif %}")
    with pytest.raises(ChatTemplateError, match="renders a turn differently"):
        answer_ids(tokenizer, ASKED, ANSWER)
