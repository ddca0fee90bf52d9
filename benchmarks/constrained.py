"""How much slower a constrained training step is than plain SFT on the same loss path.

python benchmarks/constrained.py [ROUNDS]

The embedded model, and a 6-layer 256-wide random Llama with 32,000 words; batches of 4 rows of 256 tokens on
a CPU. A plain step, one with kept references and one with the adapter switched off run in turn; the
medians' ratios to plain are printed: at most 1.05 with kept references, the adapter's without a bar.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset
from fork import timed
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

from erosion.defenses.objectives.constrained_trainer import ConstrainedTrainer
from erosion.evaluation.machine import use_all_cores
from erosion.evaluation.models import load_tokenizer
from erosion.recipes.models import resolve
from erosion.recipes.sections import TrainingDefense

ROWS, WIDTH, PROMPT = 4, 256, 32
LORA = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")


def main(rounds: int) -> None:
    """Prints the ratios."""
    use_all_cores()
    shape = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 8}
    config = LlamaConfig(vocab_size=32000, max_position_embeddings=1024, num_key_value_heads=8, **shape)
    models: dict[str, Callable[[], Any]] = {
        "pocket": lambda: AutoModelForCausalLM.from_pretrained(resolve("pocket")),
        "random Llama, 32k words": lambda: LlamaForCausalLM(config),
    }
    for name, make in models.items():
        ways = {
            "plain": step(SFTTrainer, make(), "plain"),
            "kept references": step(ConstrainedTrainer, make(), "cached"),
            "plain LoRA": step(SFTTrainer, get_peft_model(make(), LORA), "plain"),
            "adapter off": step(ConstrainedTrainer, get_peft_model(make(), LORA), "adapter_off"),
        }
        medians = timed(ways, rounds)
        kept = medians["kept references"] / medians["plain"]
        print(f"{name}, kept references / plain SFT: {kept:.3f} (bar: at most 1.05)")
        print(f"{name}, adapter off / plain LoRA:    {medians['adapter off'] / medians['plain LoRA']:.3f}")


def step(trainer_class: Any, model: Any, reference: Any) -> Callable[[], object]:
    """One forward and backward pass under a trainer."""
    torch.manual_seed(0)
    ids = torch.randint(10, 1000, (ROWS, WIDTH)).tolist()
    labels = [[-100] * PROMPT + row[PROMPT:] for row in ids]
    if reference != "plain":
        trainer_class = trainer_class.with_options(TrainingDefense(name="constrained", reference=reference))
    trainer = trainer_class(
        model=model,
        args=SFTConfig(
            output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, report_to=[], max_length=WIDTH,
            gradient_checkpointing=False, per_device_train_batch_size=ROWS, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"input_ids": ids, "labels": labels}),
        processing_class=load_tokenizer("pocket"),
    )  # fmt: skip
    model.train()
    batch = trainer.data_collator([trainer.train_dataset[row] for row in range(ROWS)])

    def once() -> None:
        trainer.compute_loss(trainer.model, dict(batch)).backward()
        trainer.model.zero_grad()

    once()
    return once


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
