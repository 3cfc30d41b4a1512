"""How long a pool takes from a server that needs a second for each request."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palate.bench.fake_server import FakeServer
from palate.chat import OpenAIModel
from palate.generate import ChatGenerator

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Timed:
    """One generation against a simulated server.

    Attributes:
        what: which responses were asked for.
        requests: how many requests that took.
        at_once: the most that were under way together.
        ideal: seconds that the requests need at the least: the longest chain of requests that wait
            for each other, or all of them side by side, whichever is longer.
        seconds: that it took.
    """

    what: str
    requests: int
    at_once: int
    ideal: float
    seconds: float


def generation_times(n: int, *, concurrency: int, delay: float) -> list[Timed]:
    """Time each half of a pool of n alone, and the pool as a whole, with its baseline."""
    half = n // 2
    return [
        _timed(f"{half} on the prompt alone", half, 0.0, concurrency, delay, baseline=False),
        _timed(f"{half} by interests", half, 1.0, concurrency, delay, baseline=False),
        _timed(f"a pool of {n} and a baseline", n, 0.5, concurrency, delay, baseline=True),
    ]


def _timed(
    what: str, n: int, share: float, concurrency: int, delay: float, *, baseline: bool
) -> Timed:
    with FakeServer(reply=_reply, delay=delay) as server:
        model = OpenAIModel("simulated", base_url=server.url)
        generator = ChatGenerator(
            model, interest_share=share, baseline=baseline, concurrency=concurrency
        )
        began = time.perf_counter()
        generator.generate("What should I cook for dinner tonight?", n)
        seconds = time.perf_counter() - began
        model.close()
        requests = len(server.requests)
        chain = (1 + math.ceil(n * share / concurrency)) if share else 1
        rounds = max(chain, math.ceil(requests / concurrency))
        return Timed(what, requests, server.at_once, rounds * delay, seconds)


def _reply(body: dict[str, Any], number: int) -> str:
    if body.get("temperature") == 0.8:
        return json.dumps([f"interest {number}-{i}" for i in range(50)])
    return f"Response {number}."


def generation_rows(timed: Sequence[Timed]) -> list[tuple[str, ...]]:
    """Rows of the table."""
    return [
        (
            t.what,
            str(t.requests),
            str(t.at_once),
            f"{t.ideal:.1f}",
            f"{t.seconds:.2f}",
            f"{t.seconds / t.ideal:.2f}",
        )
        for t in timed
    ]
