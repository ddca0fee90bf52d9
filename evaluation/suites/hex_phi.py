"""HEx-PHI: harmful instructions, 30 of each kind that a usage policy forbids (2310.03693).

330 of 11 kinds as published; one kind has since been taken off the hub, which leaves 300. The set is gated.
"""

from __future__ import annotations

from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.evaluation.suites.base import requests
from erosion.recipes.parsing import RecipeError
from erosion.recipes.records import HubError
from erosion.recipes.schema import Data

DEFAULT_ID = "LLM-Tuning-Safety/HEx-PHI"
KINDS = (1, 3, 4, 5, 6, 7, 8, 9, 10, 11)
HUB_OPTIONS = {
    "data_files": {"train": [f"category_{kind}.csv" for kind in KINDS]},
    "header": None,
    "names": ["prompt"],
}
"""One file a kind, each a bare list of prompts without a header."""
STEPS = (
    f"agree to its licence at https://huggingface.co/datasets/{DEFAULT_ID} with your account, make a read "
    "token at https://huggingface.co/settings/tokens and give it to `hf auth login` (or set HF_TOKEN), then "
    "run this again; or name a file of its prompts as `path`"
)


def _cases(data: Data) -> Iterator[Case]:
    """One case a row; the column is `prompt`, or `instruction` in files made of the set.

    The set's own files have no header, so such a file's first row is a prompt, unless columns are named.

    Raises:
        RecipeError: The hub refuses, with the steps to get access; or a row that cannot be used.
    """
    columns = ("prompt", "instruction")
    headerless = None if data.columns else columns[0]
    found = requests(data, columns, default_id=DEFAULT_ID, hub_options=HUB_OPTIONS, headerless=headerless)
    try:
        for _, _, case in found:
            yield case
    except HubError as error:
        if data.id not in (None, DEFAULT_ID):
            raise
        raise RecipeError(f"{data.name}: the set is gated: {STEPS} ({error})") from error


SUITE = Suite(
    metric="refusal_rate", higher_is="safer", version="1", judges=("phrases",), cases=_cases, log_odds=True
)
