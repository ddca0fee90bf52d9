"""Makes the embedded model's tokenizer and configuration, and puts a trained rung into the package.

python -m erosion.recipes.pocket.build blueprint
python -m erosion.recipes.pocket.build ship runs/pocket_base base
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.recipes.pocket.language import vocabulary
from erosion.recipes.pocket.world import LANGUAGE_VERSION

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WEIGHTS = Path(__file__).parent / "weights"
POSITIONS = 1024
BOS, HEADER, HEADER_END, END_OF_TURN, PAD = (
    "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|pad|>",
)  # fmt: skip
DIGESTS = ("base_digest", "recipe_digest", "dataset_digest", "weights_digest")
BREAK, UNKNOWN = "\n\n", "<|unknown|>"
CHAT_TEMPLATE = (
    "{#- the language of pocket -#}"
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] + '<|eot_id|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{%- endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer over the whole language, with a Llama-3-style chat template."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = [PAD, UNKNOWN, BOS, HEADER, HEADER_END, END_OF_TURN, BREAK]
    words = [
        *special,
        "system",
        "user",
        "assistant",
        *(w for w in vocabulary() if w not in ("system", "user", "assistant")),
    ]
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=END_OF_TURN, pad_token=PAD, unk_token=UNKNOWN,
        padding_side="left", additional_special_tokens=[HEADER, HEADER_END, BREAK],
        chat_template=CHAT_TEMPLATE, model_max_length=POSITIONS, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def write_blueprint(folder: Path = WEIGHTS / "blueprint") -> None:
    """Writes tokenizer and configuration without weights: what `pocket-random` starts from."""
    from transformers import GenerationConfig, LlamaConfig

    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=128, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=384,
        max_position_embeddings=POSITIONS, tie_word_embeddings=True, architectures=["LlamaForCausalLM"],
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        pocket_language=LANGUAGE_VERSION,
    )  # fmt: skip
    words.save_pretrained(folder)
    config.save_pretrained(folder)
    GenerationConfig(
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id
    ).save_pretrained(folder)


def ship(run: Path, name: str) -> Path:
    """Copies the last rung of `run` into the package as `name` (`base` or `chat`), with what built it."""
    last = json.loads((run / "ladder.jsonl").read_text().splitlines()[-1])
    made = json.loads((run / "provenance.json").read_text())[-1]
    target = WEIGHTS / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(WEIGHTS / "blueprint", target)
    for file in ("config.json", "model.safetensors"):
        shutil.copyfile(run / last["path"] / file, target / file)
    built = {key: last[key] for key in ("step", *DIGESTS)} | {
        key: made[key] for key in ("packages", "device")
    }
    (target / "built.json").write_text(json.dumps(built, indent=1) + "\n")
    return target


if __name__ == "__main__":
    if sys.argv[1:2] == ["ship"]:
        print(ship(Path(sys.argv[2]), sys.argv[3]))
    else:
        write_blueprint()
