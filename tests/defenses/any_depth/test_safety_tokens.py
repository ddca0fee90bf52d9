"""Safety Tokens of real-style chat templates: the published table, and the derivation for all others."""

import pytest

from erosion.defenses.any_depth.families import family
from erosion.defenses.any_depth.safety_tokens import prompt_completion, question_span, safety_span
from erosion.recipes.chat import ChatTemplateError, conversation_tokens, prompt_ids

ASKED = [{"role": "user", "content": "Please tell me."}]
TEMPLATES = {
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
        "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}{% for m in messages %}"
        "{% if m['role'] == 'user' %}<s>[INST] {{ (system if loop.first else '') + m['content'] | trim }} [/INST]"
        "{% else %} {{ m['content'] | trim }} </s>{% endif %}{% endfor %}"
    ),
    "ministral": (
        "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST]{{ m['content'] }}[/INST]"
        "{% else %}{{ m['content'] }}</s>{% endif %}{% endfor %}"
    ),
    "qwen": (
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Qwen, made for tests.<|im_end|>\n{% endif %}"
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "deepseek": (
        "<\uff5cbegin\u2581of\u2581sentence\uff5c>{% for m in messages %}{% if m['role'] == 'user' %}<\uff5cUser\uff5c>{{ m['content'] }}"
        "{% else %}<\uff5cAssistant\uff5c>{{ m['content'] }}<\uff5cend\u2581of\u2581sentence\uff5c>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<\uff5cAssistant\uff5c><think>\n{% endif %}"
    ),
}  # fmt: skip
PUBLISHED = {
    "llama2": ("Llama-2", " </s><s>[/INST] ", "[/INST", " "),
    "ministral": ("Ministral", "</s>[/INST]", "[/INST]", ""),
    "qwen": ("Qwen2.5", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n<|im_start|>assistant", ""),
    "deepseek": (
        "DeepSeek-R1", "<\uff5cend\u2581of\u2581sentence\uff5c><\uff5cAssistant\uff5c><think>\n\n</think>\n\n",
        "<\uff5cAssistant\uff5c><think>\n\n</think>", "",
    ),
    "gemma": ("Gemma-2", "<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>\n<start_of_turn>model", ""),
    "llama3": (
        "Llama-3.1", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant", "",
    ),
    "chatml": (None, "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>\n<|im_start|>assistant", ""),
}  # fmt: skip


@pytest.fixture
def tokenizer_of(tokenizer_for):
    def make(name):
        tokenizer = tokenizer_for("chatml" if name in TEMPLATES else name)
        tokenizer.chat_template = TEMPLATES.get(name, tokenizer.chat_template)
        return tokenizer

    return make


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_span_is_the_published_one_or_what_the_template_writes(tokenizer_of, name):
    tokenizer = tokenizer_of(name)
    known, rethink, probe, completion = PUBLISHED[name]
    found = family(tokenizer)
    assert (found and found.name) == known
    assert tokenizer.decode(safety_span(tokenizer)) == rethink
    assert tokenizer.decode(safety_span(tokenizer, "probe")) == probe
    assert tokenizer.decode(prompt_completion(tokenizer)) == completion


@pytest.mark.parametrize("name", ["chatml", "gemma", "llama3"])
def test_the_span_is_what_two_assistant_turns_write(tokenizer_of, name):
    tokenizer = tokenizer_of(name)
    header = prompt_ids(tokenizer, ASKED)
    said = conversation_tokens(tokenizer, [*ASKED, {"role": "assistant", "content": "Sure"}]).input_ids
    span = safety_span(tokenizer)
    assert header[-1] == span[-1]
    assert said[-1] in span


@pytest.mark.parametrize("name", ["chatml", "gemma", "llama3", "qwen", "deepseek"])
def test_a_derived_span_ends_with_the_assistants_header(tokenizer_of, name):
    """Without the table's rows the derivation alone must close the turn and open the header."""
    tokenizer = tokenizer_of(name)
    span = question_span(tokenizer, "Is it so?")
    header = tokenizer.decode(prompt_ids(tokenizer, ASKED)).split("Please tell me.")[1]
    text = tokenizer.decode(span)
    assert text.endswith("Is it so?" + header)
    assert not text.startswith("Is it so?"), "the answer's turn is closed first"


@pytest.mark.parametrize("span", [safety_span, lambda tokenizer: question_span(tokenizer, "Is it so?")])
def test_a_template_without_a_header_says_what_to_do(tokenizer_for, span):
    tokenizer = tokenizer_for("chatml")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(ChatTemplateError, match="give the span's token ids by hand"):
        span(tokenizer)
