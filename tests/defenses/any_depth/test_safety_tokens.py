"""Safety Tokens derived from chat templates of every style."""

import pytest

from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.recipes.chat import ChatTemplateError, conversation_tokens, prompt_ids

ASKED = [{"role": "user", "content": "Please tell me."}]
EXPECTED = {
    "chatml": ("<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n<|im_start|>assistant"),
    "gemma": ("<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>\n<start_of_turn>model"),
    "llama3": (
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|><|start_header_id|>assistant",
    ),
}  # fmt: skip


@pytest.mark.parametrize("template", EXPECTED)
def test_a_span_closes_the_turn_and_opens_the_header(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    rethink, probe = EXPECTED[template]
    assert tokenizer.decode(safety_span(tokenizer)) == rethink
    assert tokenizer.decode(safety_span(tokenizer, "probe")) == probe


@pytest.mark.parametrize("template", EXPECTED)
def test_the_span_is_what_two_assistant_turns_write(tokenizer_for, template):
    tokenizer = tokenizer_for(template)
    header = prompt_ids(tokenizer, ASKED)
    said = conversation_tokens(tokenizer, [*ASKED, {"role": "assistant", "content": "Sure"}]).input_ids
    span = safety_span(tokenizer)
    assert header[-1] == span[-1]
    assert said[-1] in span


def test_a_template_without_a_header_says_what_to_do(tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(ChatTemplateError, match="give the span's token ids by hand"):
        safety_span(tokenizer)
