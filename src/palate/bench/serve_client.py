"""A client that costs little, so that what is measured is the server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palate._random import generator

if TYPE_CHECKING:
    from palate._typing import FloatArray

N, D = 20, 64
"""Responses and features of the pools that are asked about."""


class FailedError(Exception):
    """The server went away, or asks to be tried again."""


class RefusedError(Exception):
    """The server refused a request."""


@dataclass(slots=True)
class Client:
    """One connection that is kept open.

    Attributes:
        port: of the server on this machine.
    """

    port: int
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """The JSON of the answer to one request.

        Raises:
            FailedError: the connection broke, or the server is not ready.
            RefusedError: any other status that is no success.
        """
        sent = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n"
        if sent:
            head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n"
        try:
            if self._reader is None or self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
            self._writer.write(head.encode() + b"\r\n" + sent)
            answered = await self._reader.readuntil(b"\r\n\r\n")
            length = answered.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            content = await self._reader.readexactly(int(length))
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise FailedError(repr(error)) from error
        if answered[9:10] != b"2":
            raise RefusedError(f"{method} {path}: {content[:300].decode()}")
        return json.loads(content)

    def close(self) -> None:
        """Let go of the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def add_pool(client: Client, seed: int) -> tuple[str, FloatArray]:
    """Id of a new pool of N responses with random features, and these (N, d)."""
    features = generator(seed, "pool to serve").normal(size=(N, D))
    texts = [f"Simulated response {i}. " + "It goes on for a while. " * 8 for i in range(N)]
    body = {"prompt": "What should I cook?", "responses": texts, "features": features.tolist()}
    return (await client.call("POST", "/pools", body))["id"], features


def taste(features: FloatArray, seed: int) -> dict[str, float]:
    """What a simulated person thinks of each response, by its id."""
    theta = generator(seed, "person served").normal(size=features.shape[1])
    return {f"r{i}": float(u) for i, u in enumerate(features @ theta, start=1)}


def best(query: dict[str, Any], utilities: dict[str, float]) -> int:
    """The position in a query that this person picks."""
    values = [utilities[response["id"]] for response in query["responses"]]
    return values.index(max(values))
