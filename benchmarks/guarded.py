"""How much slower generation is under a guard.

python benchmarks/guarded.py [ROUNDS]

6-layer 256-wide random Llama, batch 1 and 8, 512 new tokens. Unguarded, ADA-LP and ADA-RK run in turn, and
the medians' ratios to unguarded are printed: LP at most 1.05, RK at most 1.9, both with a check every 25
tokens; other schedules and the lookahead decoded beside the answers are reported without a bar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from fork import timed
from transformers import LlamaConfig, LlamaForCausalLM

from erosion.defenses.ada_rk import Rethinking
from erosion.defenses.any_depth.beside import generate_beside
from erosion.defenses.any_depth.decoding import CheckedGuard, Interval
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.rethinking import Lookahead
from erosion.evaluation.machine import use_all_cores

PROMPT, NEW, SPAN = 64, 512, (5, 6, 7, 8)
BARS = {"LP": 1.05, "RK": 1.9}
SCHEDULES: tuple[Interval, ...] = (50, 100, 200, "adaptive")


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
    check = Rethinking(tokenizer=Words(), span_ids=SPAN, how=how)  # type: ignore[arg-type]
    guards = {"LP": CheckedGuard(probe, [9]), "RK": CheckedGuard(check, [9])}
    for schedule in SCHEDULES:
        guards[f"LP every {schedule}"] = CheckedGuard(probe, [9], interval=schedule)
        guards[f"RK every {schedule}"] = CheckedGuard(check, [9], interval=schedule)
    for batch in (1, 8):
        ids = torch.randint(10, 30000, (batch, PROMPT))
        options = {"input_ids": ids, "max_new_tokens": NEW, "do_sample": False}
        ways: dict[str, Callable[[], object]] = {
            "unguarded": lambda o=options: model.generate(attention_mask=torch.ones_like(o["input_ids"]), **o)
        }
        for name, guard in guards.items():
            ways[name] = lambda g=guard, o=options: g.generate(model, **o)
        ways["RK beside"] = lambda i=ids: generate_beside(
            model, check, [9], input_ids=i, attention_mask=torch.ones_like(i), eos_token_id=[2],
            max_new_tokens=NEW,
        )  # fmt: skip
        medians = timed(ways, rounds)
        for name in [name for name in ways if name != "unguarded"]:
            bar = f" (bar: at most {BARS[name]})" if name in BARS else ""
            print(f"batch {batch}, {name} / unguarded: {medians[name] / medians['unguarded']:.3f}{bar}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
