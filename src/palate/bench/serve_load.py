"""The load that a server bears: simulated people answer, each over a connection of their own."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from palate._random import generator
from palate.bench.serve_client import Client, D, FailedError, N, RefusedError, add_pool, best, taste

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.bench.serve_process import ServerProcess

HEADER = (
    f"N = {N}, d = {D}",
    "offered a second",
    "seconds",
    "requests",
    "pairs a second",
    "server CPU ms a pair",
    "p50 ms",
    "p99 ms",
    "errors",
)


@dataclass(slots=True)
class Load:
    """What was measured.

    Attributes:
        seconds: for how long.
        cpu: processor time of the server meanwhile, in seconds.
        requests: answered.
        times: seconds from each request of a pair to its answer.
        pairs: questions asked and answered.
        errors: what went wrong, each in a line.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    requests: int = 0
    times: list[float] = field(default_factory=list)
    pairs: int = 0
    errors: list[str] = field(default_factory=list)

    def row(self, name: str, rate: float | None) -> tuple[str, ...]:
        """A row below :data:`HEADER`."""
        p50, p99 = (np.quantile(self.times, q) * 1e3 if self.times else np.nan for q in (0.5, 0.99))
        return (
            name,
            "all it takes" if rate is None else f"{rate:g}",
            f"{self.seconds:.1f}",
            f"{self.requests:,}",
            f"{self.pairs / self.seconds:.0f}",
            f"{1e3 * self.cpu / max(self.pairs, 1):.2f}",
            f"{p50:.1f}",
            f"{p99:.1f}",
            str(len(self.errors)),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """How the server is used.

    Attributes:
        strategy: its name and settings.
        clients: elicitations at a time.
        rate: pairs offered a second, by all; None for as many as the server takes.
        seconds: for how long.
        together: whether the next question comes with the reply to an answer: one request a pair.
        answers: of each person, at most; then the next one begins.
        begun: elicitations that each client has started before it counts; later ones are started
            as they are needed.
        settle: seconds after that before it counts.
    """

    strategy: dict[str, Any]
    clients: int = 50
    rate: float | None = None
    seconds: float = 10.0
    together: bool = True
    answers: int = 20
    begun: int = 4
    settle: float = 1.0


def measure(server: ServerProcess, plan: Plan, seed: int = 0) -> Load:
    """Let simulated people answer, and measure."""
    return asyncio.run(_measure(server, plan, seed))


async def _measure(server: ServerProcess, plan: Plan, seed: int) -> Load:
    first = Client(server.port)
    pool, features = await add_pool(first, seed)
    load = Load()
    counting = asyncio.Event()
    people = [
        _Person(server.port, plan, load, counting, generator(seed, "person at the server", i))
        for i in range(plan.clients)
    ]
    await asyncio.gather(*(person.begin(pool) for person in people))
    tasks = [asyncio.create_task(person.go(pool, features)) for person in people]
    await asyncio.sleep(plan.settle)
    began, cpu = time.perf_counter(), server.cpu_seconds()
    counting.set()
    await asyncio.sleep(plan.seconds)
    counting.clear()
    load.seconds, load.cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    first.close()
    return load


class _Person:
    """Somebody who answers, and somebody new after them, over one connection."""

    def __init__(
        self,
        port: int,
        plan: Plan,
        load: Load,
        counting: asyncio.Event,
        rng: np.random.Generator,
    ) -> None:
        self._client = Client(port)
        self._plan = plan
        self._load = load
        self._counting = counting
        self._rng = rng
        self._due = 0.0
        self._begun: list[tuple[str, int]] = []

    async def begin(self, pool: str) -> None:
        """Start elicitations, as many as the plan says."""
        for _ in range(self._plan.begun):
            self._begun.append(await self._start(pool))

    async def go(self, pool: str, features: FloatArray) -> None:
        """Answer until cancelled."""
        self._due = time.perf_counter()
        try:
            while True:
                try:
                    id, seed = self._begun.pop() if self._begun else await self._start(pool)  # noqa: A001
                    await self._one(f"/elicitations/{id}", taste(features, seed))
                except (FailedError, RefusedError) as error:
                    if self._counting.is_set():
                        self._load.errors.append(str(error))
                    await asyncio.sleep(0.1)
        finally:
            self._client.close()

    async def _start(self, pool: str) -> tuple[str, int]:
        """Id of a new elicitation, and the seed of its strategy and of the person's taste."""
        seed = int(self._rng.integers(2**31))
        person = await self._client.call("POST", "/people", {})
        body = {"person": person["id"], "pool": pool, "seed": seed, "strategy": self._plan.strategy}
        return (await self._client.call("POST", "/elicitations", body))["id"], seed

    async def _one(self, path: str, utilities: dict[str, float]) -> None:
        asked = await self._client.call("GET", f"{path}/query")
        for _ in range(self._plan.answers):
            query = asked["query"]
            if query is None:
                return
            await self._think()
            asked = await self._pair(path, query, best(query, utilities))

    async def _think(self) -> None:
        """Wait for the next answer to be due; one that is late is no reason for others to be."""
        if self._plan.rate is not None:
            self._due += float(self._rng.exponential(self._plan.clients / self._plan.rate))
            await asyncio.sleep(max(0.0, self._due - time.perf_counter()))

    async def _pair(self, path: str, query: dict[str, Any], picked: int) -> dict[str, Any]:
        address = f"{path}/queries/{query['id']}/answer"
        body = {"picked": picked, "response_ms": 1000}
        if self._plan.together:
            told = await self._timed("PUT", address, body)
            asked: dict[str, Any] = told["next"]
        else:
            await self._timed("PUT", f"{address}?next=false", body)
            asked = await self._timed("GET", f"{path}/query")
        self._load.pairs += self._counting.is_set()
        return asked

    async def _timed(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        began = time.perf_counter()
        answer = await self._client.call(method, path, body)
        if self._counting.is_set():
            self._load.times.append(time.perf_counter() - began)
            self._load.requests += 1
        return answer


def two_cores() -> tuple[int | None, set[int]]:
    """A processor for the server, and those for the clients; None where there is one for both."""
    if not hasattr(os, "sched_getaffinity"):
        return None, set()
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], set(cores[1:])) if len(cores) > 1 else (None, set(cores))
