"""What happened, for Prometheus: requests by route and status, how long they took, answers.

Each process counts for itself and says which one it is: with several, a scrape reaches any of them.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EDGES = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper edges of the histogram of times, in seconds."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counts of one process.

    Only the event loop's thread changes the counts of requests, and a lock-free sum of answers may
    be read while it grows, so nothing here waits.

    Attributes:
        answers: recorded by this process, each once.
    """

    def __init__(self) -> None:
        self.answers = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._times = [0] * (len(EDGES) + 1)
        self._seconds = 0.0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests[method if method in _METHODS else "other", route, status] += 1
        self._times[bisect_left(EDGES, seconds)] += 1
        self._seconds += seconds

    def text(self) -> str:
        """The counts in Prometheus' text format."""
        worker = f'worker="{os.getpid()}"'
        lines = ["# TYPE palate_requests_total counter"]
        for (method, route, status), n in sorted(self._requests.items()):
            labels = f'{worker},method="{method}",route="{route}",status="{status}"'
            lines.append(f"palate_requests_total{{{labels}}} {n}")
        lines.append("# TYPE palate_request_seconds histogram")
        totals = list(accumulate(self._times))
        for edge, n in zip((*EDGES, "+Inf"), totals, strict=True):
            lines.append(f'palate_request_seconds_bucket{{{worker},le="{edge}"}} {n}')
        lines += [
            f"palate_request_seconds_sum{{{worker}}} {self._seconds:.6f}",
            f"palate_request_seconds_count{{{worker}}} {totals[-1]}",
            "# TYPE palate_answers_total counter",
            f"palate_answers_total{{{worker}}} {self.answers}",
        ]
        return "\n".join(lines) + "\n"


class Measured:
    """ASGI middleware that counts requests and times them, up to the last byte sent."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            # By the route's pattern: addresses themselves are without number, and some are secret.
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count(scope["method"], route, status, time.perf_counter() - began)
