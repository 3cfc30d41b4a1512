"""What a chat model is, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Message: TypeAlias = Mapping[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that requests cost.

    Attributes:
        prompt_tokens: read by the model.
        completion_tokens: written by it.
        estimated: whether some were counted by us, at four characters a token, since the server
            did not say.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    Attributes:
        text: the answer, without the thoughts that some models write before it; may be empty.
        usage: tokens that it cost.
        model: the model's name, as the server gives it.
        truncated: whether the limit on tokens cut it off.
        cached: whether it was given before, and cost nothing now.
    """

    text: str
    usage: Usage = Usage()
    model: str = ""
    truncated: bool = False
    cached: bool = False


class ChatModel(Protocol):
    """Answers a conversation. May be called from several threads at once."""

    @property
    def identity(self) -> str:
        """What tells its answers from another model's: the model, where it runs, its options."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Completion:
        """Answer the messages.

        Args:
            messages: the conversation so far, the last one to be answered.
            temperature: of the sampling; None leaves it to the model.
            seed: fixes the sampling, where the model knows how; None sends none.

        Raises:
            ModelError: no answer could be had; the message says why in one line.
        """
        ...
