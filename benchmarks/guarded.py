"""How much slower generation is under a guard.

python benchmarks/guarded.py [ROUNDS]

6-layer 256-wide random Llama, batch 1 and 8, 512 new tokens, a check every 25. Unguarded, ADA-LP and ADA-RK
run in turn, and the medians' ratios to unguarded are printed: LP at most 1.05, RK at most 1.9.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from fork import timed
from transformers import LlamaConfig, LlamaForCausalLM

from erosion.defenses.ada_rk import Rethinking
from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.rethinking import Lookahead
from erosion.evaluation.machine import use_all_cores

PROMPT, NEW, SPAN = 64, 512, (5, 6, 7, 8)


class Words:
    """Decodes nothing anybody would refuse with; the lookahead always runs to its end."""

    def decode(self, ids: list[int]) -> str:
        """Numbers."""
        return " ".join(map(str, ids))


def main(rounds: int) -> None:
    """Prints the ratios."""
    use_all_cores()
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 8}
    config = LlamaConfig(vocab_size=32000, max_position_embeddings=2048, num_key_value_heads=8, **shape)
    model = LlamaForCausalLM(config).eval()
    model.generation_config.pad_token_id = 0
    settings = ProbeSettings(model="random", hidden_size=256, span_ids=SPAN, layer=3, threshold=1.0)
    probe = LinearProbe(weight=torch.zeros(256), bias=0.0, settings=settings)
    how = Lookahead(phrases=("never",), end_ids=frozenset())
    guards = {
        "LP": CheckedGuard(probe, [9]),
        "RK": CheckedGuard(Rethinking(tokenizer=Words(), span_ids=SPAN, how=how), [9]),  # type: ignore[arg-type]
    }
    for batch in (1, 8):
        ids = torch.randint(10, 30000, (batch, PROMPT))
        options = {"input_ids": ids, "max_new_tokens": NEW, "do_sample": False}
        ways: dict[str, Callable[[], object]] = {
            "unguarded": lambda o=options: model.generate(attention_mask=torch.ones_like(o["input_ids"]), **o)
        }
        for name, guard in guards.items():
            ways[name] = lambda g=guard, o=options: g.generate(model, **o)
        medians = timed(ways, rounds)
        for name, bar in (("LP", 1.05), ("RK", 1.9)):
            ratio = medians[name] / medians["unguarded"]
            print(f"batch {batch}, {name} / unguarded: {ratio:.3f} (bar: at most {bar})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
