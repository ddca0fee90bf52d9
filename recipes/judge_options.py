"""A judge as a recipe or the command line names it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """A judge as a recipe or the command line names it; each judge knows some of these options.

    Attributes:
        name: Its file in `evaluation/judges/`.
        rubric: The published format it is asked in.
        model: A folder or hub id; an endpoint's name of its model.
        revision: The hub revision of the model, a commit hash for numbers that can be repeated.
        family: A family of models, for a judge that goes by one; a run's own when None.
        batch_size: Answers judged together.
        refused: A classifier's own labels that mean a refusal.
        complied: Its labels that mean compliance; of a judge of harm, harmful compliance.
        base_url: An endpoint's address.
        api_key_env: The environment variable that holds its key; a key itself stands in no recipe.
        requests_per_minute: The fastest it is asked; as fast as it answers when None.
        concurrency: Requests under way at once.
        max_cost: It is asked no further once so many US dollars are spent; needs both prices.
        price_in: US dollars a million tokens read.
        price_out: US dollars a million tokens written.
        retries: How often a failed request is made again.
        timeout: Seconds until a request has failed.
    """

    name: str
    rubric: str | None = None
    model: str | None = None
    revision: str | None = None
    family: str | None = None
    batch_size: int = 8
    refused: tuple[str, ...] = ()
    complied: tuple[str, ...] = ()
    base_url: str | None = None
    api_key_env: str | None = None
    requests_per_minute: float | None = None
    concurrency: int = 4
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    retries: int = 3
    timeout: float = 60.0

    @property
    def changed(self) -> dict[str, object]:
        """The options that were given."""
        named = {item.name: (getattr(self, item.name), item.default) for item in fields(self)[1:]}
        return {name: value for name, (value, default) in named.items() if value != default}

    @property
    def label(self) -> str:
        """The name with its rubric: `classifier/wildguard`."""
        return f"{self.name}/{self.rubric}" if self.rubric else self.name
