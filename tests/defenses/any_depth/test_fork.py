"""The two-pass fork equals running every forked conversation by itself."""

import pytest
import torch

from erosion.defenses.any_depth.fork import batched_hidden_states, hidden_states_at_depths, states_by_layer

SPAN = [7, 8, 9]
DEPTHS = [0, 1, 5, 17, 40]


def slowly(model, prompt, answer, span, depth, layer):
    """One plain forward over prompt + answer[:depth] + span; the state as transformers itself reports it."""
    ids = torch.tensor([[*prompt, *answer[:depth], *span]])
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.no_grad():
        state = model(input_ids=ids, output_hidden_states=True).hidden_states[layer]
        return base.get_decoder().layers[layer].input_layernorm(state)[0, -1]


def tokens(seed, length):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(10, 90, (length,), generator=generator).tolist()


MODELS = [
    ("llama", {}), ("qwen2", {}), ("qwen3", {}), ("mistral", {"sliding_window": 12}),
    ("gemma2", {"sliding_window": 12}), ("gemma3_text", {"sliding_window": 12}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1}),
]  # fmt: skip


EVERY = [
    (kind, changes, way)
    for kind, changes in MODELS
    for way in ("eager", "sdpa")
    if (kind, way) != ("gemma2", "sdpa")
]


@pytest.mark.parametrize(("kind", "changes", "attention"), EVERY)
@pytest.mark.parametrize("layer", [1, 3])
def test_equals_the_step_by_step_fork(model_for, kind, changes, layer, attention):
    model = model_for(kind, 100, num_hidden_layers=4, **changes)
    model.set_attn_implementation(attention)
    prompts, answers = [tokens(1, 11), tokens(2, 4)], [tokens(3, 40), tokens(4, 55)]
    states = batched_hidden_states(model, prompts, answers, SPAN, DEPTHS, layer)
    assert states.shape == (2, len(DEPTHS), 32)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        for column, depth in enumerate(DEPTHS):
            expected = slowly(model, prompt, answer, SPAN, depth, layer)
            torch.testing.assert_close(states[row, column], expected, atol=1e-4, rtol=1e-4)


def test_equals_the_step_by_step_fork_under_an_adapter(model_for):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        model_for("llama", 100, num_hidden_layers=4), LoraConfig(r=4, target_modules="all-linear")
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(5))
    prompt, answer = tokens(1, 9), tokens(2, 40)
    states = hidden_states_at_depths(model, prompt, answer, SPAN, DEPTHS, 2)
    for column, depth in enumerate(DEPTHS):
        torch.testing.assert_close(
            states[column], slowly(model, prompt, answer, SPAN, depth, 2), atol=1e-4, rtol=1e-4
        )


def test_a_depth_beyond_the_answer_or_the_positions_is_not_a_number(model_for):
    model = model_for("llama", 100, num_hidden_layers=2, max_position_embeddings=32)
    states = hidden_states_at_depths(model, tokens(1, 10), tokens(2, 20), SPAN, [5, 19, 20, 25], 1)
    assert states.isnan().all(-1).tolist() == [False, False, True, True]


def test_the_model_is_left_as_it_was(model_for):
    model = model_for("llama", 100, num_hidden_layers=2)
    hidden_states_at_depths(model, tokens(1, 10), tokens(2, 20), SPAN, [5], 1)
    ids = torch.tensor([tokens(1, 10)])
    assert model(input_ids=ids).logits.shape == (1, 10, 100)
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in model.get_decoder().modules()
    )


def test_an_impossible_layer_is_named(model_for):
    model = model_for("llama", 100, num_hidden_layers=2)
    with pytest.raises(ValueError, match="layer: given 2, allowed 0 to 1"):
        hidden_states_at_depths(model, [1], [2], SPAN, [0], 2)


def test_many_layers_in_one_pass_equal_each_by_itself(model_for):
    model = model_for("llama", 100, num_hidden_layers=4)
    prompts, answers = [tokens(1, 11)], [tokens(3, 40)]
    together = states_by_layer(model, prompts, answers, SPAN, DEPTHS, [0, 2, 3])
    for index, layer in enumerate((0, 2, 3)):
        alone = batched_hidden_states(model, prompts, answers, SPAN, DEPTHS, layer)
        torch.testing.assert_close(together[index], alone, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("hook", ["post_attention", "mlp"])
def test_other_hooks_equal_the_step_by_step_fork(model_for, hook):
    model = model_for("gemma2", 100, num_hidden_layers=3, sliding_window=12)
    prompt, answer, caught = tokens(1, 9), tokens(2, 40), []
    block = model.get_decoder().layers[1]
    part = block.self_attn if hook == "post_attention" else block.mlp
    states = hidden_states_at_depths(model, prompt, answer, SPAN, DEPTHS, 1, hook)
    handle = part.register_forward_hook(
        lambda module, args, out: caught.append(out[0] if isinstance(out, tuple) else out)
    )
    for column, depth in enumerate(DEPTHS):
        with torch.no_grad():
            model(input_ids=torch.tensor([[*prompt, *answer[:depth], *SPAN]]))
        torch.testing.assert_close(states[column], caught[-1][0, -1], atol=1e-4, rtol=1e-4)
    handle.remove()


def test_an_unknown_hook_is_named(model_for):
    with pytest.raises(ValueError, match="hook: given 'norm', allowed input_norm, post_attention, mlp"):
        hidden_states_at_depths(model_for("llama", 100), [1], [2], SPAN, [0], 1, "norm")
