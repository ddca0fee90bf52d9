"""Models with a running state: the state-copying fork equals running every forked conversation by itself."""

import pytest
import torch

from erosion.defenses.any_depth.fork import batched_hidden_states
from erosion.defenses.any_depth.stepping import is_recurrent

SPAN, DEPTHS = [7, 8, 9], [0, 1, 5, 12]
SHAPES = {
    "mamba": {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 4, "pad_token_id": 0},
    "falcon_mamba": {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 4, "pad_token_id": 0},
    "jamba": {
        "vocab_size": 100, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 1, "expert_layer_period": 2,
        "mamba_d_state": 4, "mamba_dt_rank": 4, "use_mamba_kernels": False, "pad_token_id": 0,
    },
}  # fmt: skip


def make(kind):
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SHAPES[kind])).float().eval()


def tokens(seed, length):
    return torch.randint(10, 90, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def slowly(model, prompt, answer, depth, layer):
    """One plain forward over the whole fork, the block's first norm caught on the way."""
    block, caught = model.get_decoder().layers[layer], []
    norm = getattr(block, "input_layernorm", None) or block.norm
    handle = norm.register_forward_hook(lambda module, args, out: caught.append(out))
    with torch.no_grad():
        model(input_ids=torch.tensor([[*prompt, *answer[:depth], *SPAN]]), use_cache=False)
    handle.remove()
    return caught[0][0, -1]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("layer", [1, 2])
def test_equals_running_every_fork_by_itself(kind, layer):
    model = make(kind)
    assert is_recurrent(model.get_decoder())
    prompts, answers = [tokens(1, 6), tokens(2, 4)], [tokens(3, 14), tokens(4, 7)]
    states = batched_hidden_states(model, prompts, answers, SPAN, DEPTHS, layer)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        for column, depth in enumerate(DEPTHS):
            if depth > len(answer):
                assert states[row, column].isnan().all()
                continue
            expected = slowly(model, prompt, answer, depth, layer)
            torch.testing.assert_close(states[row, column], expected, atol=1e-4, rtol=1e-4)


def test_attention_alone_is_not_recurrent(model_for):
    assert not is_recurrent(model_for("llama", 100).get_decoder())
