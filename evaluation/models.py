"""Loads tokenizers and resident models by the names recipes use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.evaluation.machine import device
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from erosion.recipes.schema import Recipe


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a base model is loaded: as it was for training.

    Attributes:
        revision: The hub revision.
        dtype: Its dtype on an accelerator, TRL's default unless the recipe says otherwise; on a CPU float32.
        attention: `attn_implementation`; transformers' own choice when None.
        trust_remote_code: Run code that comes with the model.
        use_cpu: Leave an accelerator alone.
        seed: For the initial weights of a model that has none.
        quantization: A `transformers` quantization configuration.
    """

    revision: str | None = None
    dtype: str = "float32"
    attention: str | None = None
    trust_remote_code: bool = False
    use_cpu: bool = False
    seed: int = 0
    quantization: Any = None

    @classmethod
    def of(cls, recipe: Recipe) -> LoadOptions:
        """The options a recipe's TRL keys ask for."""
        from trl import ModelConfig, get_quantization_config

        keys = recipe.trl
        quantized = {key: keys[key] for key in ("load_in_4bit", "load_in_8bit", "dtype") if key in keys}
        return cls(
            revision=keys.get("model_revision"),
            dtype=keys.get("dtype", "float32"),
            attention=keys.get("attn_implementation"),
            trust_remote_code=keys.get("trust_remote_code", False),
            use_cpu=keys.get("use_cpu", False),
            seed=recipe.seed,
            quantization=get_quantization_config(ModelConfig(**quantized)),
        )

    @property
    def place(self) -> str:
        """Device and dtype, as far as they can change a number."""
        where = self.device.type
        return f"{where} {'float32' if where == 'cpu' else self.dtype} {self.attention or 'default'}"

    @property
    def device(self) -> torch.device:
        """Where the model goes."""
        return device(use_cpu=self.use_cpu)


def load_tokenizer(
    name: str | Path, *, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """A tokenizer that pads on the left, with end-of-turn as padding where it has none of its own.

    Raises:
        RecipeError: Neither a folder nor a hub id that can be reached.
    """
    from transformers import AutoTokenizer

    options = {"revision": revision, "trust_remote_code": trust_remote_code, "padding_side": "left"}
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(resolve(str(name)), **options)
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(name: str, options: LoadOptions | None = None) -> PreTrainedModel:
    """A causal language model in evaluation mode.

    Args:
        name: An embedded name, a folder or a hub id.
        options: How to load it.

    Raises:
        RecipeError: Neither a folder nor a hub id that can be reached.
    """
    from transformers import AutoModelForCausalLM, set_seed

    options = options or LoadOptions()
    folder = resolve(name)
    if is_untrained(folder):
        set_seed(options.seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(load_config(name, options))
        return model.to(options.device).eval()
    wanted: dict[str, Any] = {"attn_implementation": options.attention} if options.attention else {}
    if options.quantization is not None:
        wanted |= {"quantization_config": options.quantization, "device_map": {"": options.device}}
    wanted["dtype"] = "float32" if options.device.type == "cpu" else options.dtype
    remote = options.trust_remote_code
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, revision=options.revision, trust_remote_code=remote, **wanted
        )
    except OSError as error:
        raise _unreachable(name, error) from error
    return (model if options.quantization is not None else model.to(options.device)).eval()


def random_model(name: str, options: LoadOptions) -> PreTrainedModel:
    """The architecture of a model with initial weights from the options' seed, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(load_config(name, options))
    return model.float().to(options.device).eval()


def load_config(name: str, options: LoadOptions) -> PretrainedConfig:
    """A model's configuration, without its weights.

    Raises:
        RecipeError: Neither a folder nor a hub id that can be reached.
    """
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            resolve(name), revision=options.revision, trust_remote_code=options.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    return config


def positions(name: str, options: LoadOptions) -> int | None:
    """Positions a model was built for; None where its configuration does not say."""
    found: int | None = getattr(load_config(name, options).get_text_config(), "max_position_embeddings", None)
    return found


def _unreachable(name: str | Path, error: Exception) -> RecipeError:
    reason = " ".join(str(error).split())[:160]
    return RecipeError(
        f"model_name_or_path: given {str(name)!r}, "
        f"which is neither a model folder nor a reachable hub id: {reason}"
    )
