"""How much the states at 40 depths cost: our two passes, the published way, and a plain prefill.

python benchmarks/fork.py [ROUNDS]

6-layer 256-wide random Llama, 1,000 answer tokens, 40 depths, middle block. The three run in turn, and the
medians' ratios are printed: published / ours (at least 5) and ours / prefill (at most 0.85).
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from erosion.defenses.any_depth.fork import hidden_states_at_depths
from erosion.evaluation.machine import use_all_cores

PROMPT, ANSWER, SPAN, LAYER = 30, 1000, [5, 6, 7, 8], 3
DEPTHS = list(range(25, ANSWER + 1, 25))


def main(rounds: int) -> None:
    """Prints the ratios."""
    use_all_cores()
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 8}
    config = LlamaConfig(vocab_size=32000, max_position_embeddings=2048, num_key_value_heads=8, **shape)
    model = LlamaForCausalLM(config).eval()
    ids = torch.randint(10, 30000, (PROMPT + ANSWER,)).tolist()
    prompt, answer = ids[:PROMPT], ids[PROMPT:]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: hidden_states_at_depths(model, prompt, answer, SPAN, DEPTHS, LAYER),
        "published": lambda: published(model, prompt, answer),
        "prefill": lambda: prefill(model, ids),
    }
    torch.testing.assert_close(ways["ours"](), ways["published"](), atol=1e-4, rtol=1e-4)
    medians = timed(ways, rounds)
    print(f"published / ours: {medians['published'] / medians['ours']:.2f} (bar: at least 5)")
    print(f"ours / prefill:   {medians['ours'] / medians['prefill']:.2f} (bar: at most 0.85)")


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of every way, run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


@torch.inference_mode()
def prefill(model: LlamaForCausalLM, ids: list[int]) -> object:
    """One plain pass over everything, logits of the last token only."""
    return model(input_ids=torch.tensor([ids]), use_cache=True, logits_to_keep=1)


@torch.inference_mode()
def published(model: LlamaForCausalLM, prompt: list[int], answer: list[int]) -> torch.Tensor:
    """The prefix grows depth by depth; at each the cache is copied and the whole model runs on the span."""
    cache, states, done = DynamicCache(), [], 0
    ids = [*prompt, *answer]
    for depth in DEPTHS:
        until = len(prompt) + depth
        model(input_ids=torch.tensor([ids[done:until]]), past_key_values=cache, use_cache=True)
        fork, done = copy.deepcopy(cache), until
        out = model(
            input_ids=torch.tensor([SPAN]), past_key_values=fork, use_cache=True, output_hidden_states=True
        )
        states.append(model.model.layers[LAYER].input_layernorm(out.hidden_states[LAYER])[0, -1])
    return torch.stack(states)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
