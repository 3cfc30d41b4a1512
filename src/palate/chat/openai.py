"""Chat models behind an OpenAI-compatible server: OpenAI, vLLM, llama.cpp, Ollama and the like."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from palate.chat._endpoint import Endpoint, OnServer, TransientError
from palate.chat.model import Completion, Usage
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from palate.chat.model import Message

_THOUGHTS = re.compile(
    r"\A\s*<think>.*?(?:</think>|\Z)"  # the end is missing where a limit cut it off
    r"|\A(?:(?!<think>).)*?^</think>$",  # the start, where the prompt's template holds it
    re.DOTALL | re.MULTILINE,
)
_CHARACTERS_A_TOKEN = 4


class OpenAIModel(OnServer):
    """A chat model by its name on a server that speaks OpenAI's protocol.

    One request is sent for each answer; what fails for the moment (429, 5xx, a connection lost, a
    time-out, a body cut off) is tried again with growing waits, or as the server's Retry-After
    says. Everything else is one :class:`ModelError` at once. May be called from several threads.

    Args:
        model: the model's name on the server.
        base_url: up to and including "/v1"; by default ``OPENAI_BASE_URL``, or OpenAI's own.
        api_key: by default ``OPENAI_API_KEY``; local servers need none.
        timeout: seconds that one request may take. A server that trickles is cut off then; one
            that falls silent, at the latest after as long again.
        attempts: how often a request is sent before it counts as failed; at most 3 times where the
            server is silent or cannot be reached.
        options: further fields of the request, such as ``{"max_tokens": 500}``, sent as they are;
            a value of None leaves a field out, also one that palate would send
            (``{"temperature": None}`` for models that refuse it).
        on_wait: called with a line such as "429 Too Many Requests, trying again in 2 s".

    Raises:
        ModelError: there is neither a key nor a base URL.
        ParameterError: a setting is outside its range, or no JSON value.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 120.0,
        attempts: int = 6,
        options: Mapping[str, Any] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        if not model:
            raise ParameterError("name a model, such as gpt-4o-mini or llama3.2")
        self.model = model
        self.options = dict(options or {})
        try:
            json.dumps(self.options, allow_nan=False)
        except (TypeError, ValueError) as error:
            msg = f"the options go into the request as JSON, and {self.options!r} cannot: {error}"
            raise ParameterError(msg) from error
        super().__init__(
            Endpoint(base_url, api_key, timeout=timeout, attempts=attempts, on_wait=on_wait)
        )

    @property
    def identity(self) -> str:
        """The server, the model and the options."""
        options = json.dumps(self.options, sort_keys=True) if self.options else ""
        return " ".join(filter(None, (self._endpoint.url, self.model, options)))

    def complete(
        self,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Completion:
        """Answer the messages; see :meth:`palate.chat.ChatModel.complete`."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages],
            "temperature": temperature,
            "seed": seed,
        } | self.options
        body = {name: value for name, value in body.items() if value is not None}
        return self._endpoint.post("/chat/completions", body, self._parse)

    def _parse(self, answer: dict[str, Any], body: Mapping[str, Any]) -> Completion:
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise TransientError("the server's answer holds no choice")
        message = choices[0].get("message")
        content = message.get("content") if isinstance(message, dict) else choices[0].get("text")
        if isinstance(content, list):  # parts, as some servers write them
            content = "".join(p.get("text") or "" for p in content if isinstance(p, dict))
        if content is not None and not isinstance(content, str):
            raise TransientError("the server's answer holds no text")
        written = content or ""
        return Completion(
            _THOUGHTS.sub("", written).strip(),
            _usage(answer.get("usage"), body, written),
            str(answer.get("model") or self.model),
            truncated=choices[0].get("finish_reason") == "length",
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, base_url={self._endpoint.url!r})"


def _usage(told: object, body: Mapping[str, Any], written: str) -> Usage:
    """Tokens as the server counts them, or as their length suggests."""
    if isinstance(told, dict):
        sent, received = told.get("prompt_tokens"), told.get("completion_tokens")
        if isinstance(sent, int) and isinstance(received, int):
            return Usage(sent, received)
    read = sum(len(str(message.get("content", ""))) for message in body["messages"])
    return Usage(-(-read // _CHARACTERS_A_TOKEN), -(-len(written) // _CHARACTERS_A_TOKEN), True)
