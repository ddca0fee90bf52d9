"""The cache reaches the model: under the name its own forward has, or not at all and said."""

import pytest
import torch

from erosion.defenses.any_depth.cache_names import NAMES, cache_of, with_cache


def test_a_model_that_is_given_its_cache_goes_on_where_it_was(model_for):
    from transformers import DynamicCache

    model = model_for("llama", 100).eval()
    ids = torch.arange(10, 22)[None]
    with torch.no_grad():
        whole = model(input_ids=ids).logits[:, -1]
        for part in (model, model.get_decoder()):
            held = with_cache(part, DynamicCache(config=model.config))
            assert set(held) <= set(NAMES)
            out = part(input_ids=ids[:, :-1], use_cache=True, **held)
            assert cache_of(out).get_seq_length() == 11
        last = model(input_ids=ids[:, -1:], use_cache=True, **with_cache(model, cache_of(out))).logits[:, -1]
    torch.testing.assert_close(last, whole, atol=1e-5, rtol=1e-5)


def test_a_model_that_takes_no_cache_is_told():
    with pytest.raises(ValueError, match="a Linear takes no cache; its inputs are input"):
        with_cache(torch.nn.Linear(1, 1), object())
