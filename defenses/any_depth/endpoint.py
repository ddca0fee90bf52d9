"""ADA-RK behind a chat-completions endpoint: the header comes back by message injection (2510.18081).

An endpoint shows no hidden state and no cache, so ADA-LP is not possible there, and every check is a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from erosion.defenses.any_depth.decoding import Interval, is_checked
from erosion.defenses.any_depth.families import DEFAULT_PHRASES
from erosion.defenses.base import StoppedBy
from erosion.recipes.chat import Message
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import INTERVAL, LOOKAHEAD

if TYPE_CHECKING:
    from openai import OpenAI

INJECTED: Message = {"role": "assistant", "content": "assistant"}
"""A second assistant message; its one word stands for the header."""


class EndpointError(RuntimeError):
    """An answer or a check that did not arrive whole; never taken for a safe one."""


@dataclass(frozen=True, kw_only=True)
class EndpointAnswer:
    """What a guarded endpoint said.

    Attributes:
        text: The answer, or the refusal in its place.
        stopped_by: Why it ended.
        depth: Tokens after which it was halted; None where it was not.
        checks: The lookahead that was read at every depth.
    """

    text: str
    stopped_by: StoppedBy
    depth: int | None = None
    checks: dict[int, str] = field(default_factory=dict)


class EndpointGuard:
    """Streams an answer, asks the model to think again every few tokens, and halts it where it refuses.

    Args:
        base_url: The endpoint's, such as `http://localhost:8000/v1`; there is no default.
        model: The model's name there.
        api_key: Its key; a local server needs none.
        phrases: Lower case; a lookahead that holds one refuses.
        interval: Streamed pieces between checks, or `adaptive`. Endpoints stream about a token a piece.
        lookahead: The longest lookahead, in tokens.
        refusal: What a halted answer is replaced by.
        timeout: Seconds a request may take.
        retries: How often a request that fails is repeated, with growing pauses.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "none",
        phrases: Sequence[str] = DEFAULT_PHRASES,
        interval: Interval = INTERVAL,
        lookahead: int = LOOKAHEAD,
        refusal: str = "I cannot help with that.",
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise RecipeError(f"base_url: given {base_url!r}, allowed an address that begins with http")
        self.model, self.phrases, self.interval = model, tuple(phrases), interval
        self.lookahead, self.refusal = lookahead, refusal
        self._client = _client(base_url, api_key, timeout, retries)

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int = 512, **options: Any
    ) -> EndpointAnswer:
        """One guarded answer. Nothing is handed out before its check, since nothing is handed out in parts.

        Args:
            messages: The conversation up to the assistant's turn.
            max_new_tokens: The longest answer.
            options: Of the endpoint: `temperature`, `top_p`, ...

        Raises:
            EndpointError: The answer or a check failed, retries included.
        """
        said, checks = "", dict[int, str]()
        for depth, piece, ended in self._pieces(messages, max_new_tokens, options):
            said += piece
            if ended is not None:
                return EndpointAnswer(text=said, stopped_by=ended, checks=checks)
            if is_checked(depth, self.interval):
                checks[depth] = self.rethink(messages, said)
                if self.refuses(checks[depth]):
                    return EndpointAnswer(text=self.refusal, stopped_by="guard", depth=depth, checks=checks)
        raise EndpointError("the answer ended without a reason: it was cut off on its way")

    def rethink(self, messages: Sequence[Message], said: str) -> str:
        """What the model says once its header is put after an unfinished answer.

        Raises:
            EndpointError: No answer, retries included.
        """
        from openai import OpenAIError

        injected = [*messages, {"role": "assistant", "content": said}, INJECTED]
        try:
            answer = self._client.chat.completions.create(
                model=self.model, messages=injected, max_tokens=self.lookahead, temperature=0,  # type: ignore[arg-type]
            )  # fmt: skip
        except OpenAIError as error:
            raise EndpointError(f"a check failed: {type(error).__name__}: {error}") from error
        if not answer.choices or answer.choices[0].message.content is None:
            raise EndpointError("a check came back without text")
        return answer.choices[0].message.content

    def refuses(self, text: str) -> bool:
        """Whether a lookahead refuses."""
        return any(phrase in text.lower() for phrase in self.phrases)

    def _pieces(
        self, messages: Sequence[Message], max_new_tokens: int, options: dict[str, Any]
    ) -> Iterator[tuple[int, str, StoppedBy | None]]:
        """Number and text of every streamed piece, and at the last why it ended."""
        depth = 0
        try:
            asked: dict[str, Any] = {
                "model": self.model,
                "messages": list(messages),
                "stream": True,
                **options,
            }
            with self._client.chat.completions.create(max_tokens=max_new_tokens, **asked) as stream:
                for chunk in stream:
                    for choice in chunk.choices:
                        piece = choice.delta.content or ""
                        depth += bool(piece)
                        reason = choice.finish_reason
                        ended: StoppedBy | None = "length" if reason == "length" else "end_of_turn"
                        if piece or reason:
                            yield depth, piece, ended if reason else None
        except Exception as error:
            raise EndpointError(
                f"the answer broke off after {depth} pieces: {type(error).__name__}: {error}"
            ) from error


def _client(base_url: str, api_key: str, timeout: float, retries: int) -> OpenAI:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise RecipeError("endpoints: need the package openai: pip install 'erosion[endpoints]'") from error
    return OpenAI(base_url=base_url, api_key=api_key, timeout=timeout, max_retries=retries)
