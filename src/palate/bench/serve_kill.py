"""A server that is killed again and again while people answer: what was acknowledged is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from palate._random import generator
from palate.bench.serve_client import Client, FailedError, RefusedError, add_pool, best, taste
from palate.elicitation import Elicitation
from palate.pool import Pool
from palate.strategies import strategy_named

if TYPE_CHECKING:
    import numpy as np

    from palate._typing import FloatArray
    from palate.bench.serve_process import ServerProcess

HEADER = ("", "counted")
_LONGEST = 0.3  # seconds between the first answer after a start and the next kill
_ANSWERS = 12  # of each person, at most
_PAUSE = 0.03  # seconds before a request is tried again


@dataclass(slots=True)
class Kept:
    """One elicitation as its client knows it.

    Attributes:
        id: of the elicitation.
        seed: of its strategy, and of the person's taste.
        answers: what was acknowledged: ids of the responses shown, and the position picked.
        pending: the query that is asked now, or None where nothing more is.
    """

    id: str
    seed: int
    answers: list[tuple[list[str], int]] = field(default_factory=list)
    pending: dict[str, Any] | None = None


@dataclass(slots=True)
class Killed:
    """What was counted.

    Attributes:
        kills: of the server.
        elicitations: begun.
        acknowledged: answers that the server said it had recorded.
        told_again: answers that were recorded, but whose acknowledgement was lost with the server.
        interrupted: requests that broke off, or found no server, each once.
        lost: answers acknowledged and not there in the end.
        doubled: answers there and never given, or given once and there twice.
        other_query: elicitations that asked something else after a restart, or something that a
            run in memory, which nobody interrupts, does not ask.
        refused: requests that the server refused, each in a line.
    """

    kills: int = 0
    elicitations: int = 0
    acknowledged: int = 0
    told_again: int = 0
    interrupted: int = 0
    lost: int = 0
    doubled: int = 0
    other_query: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def flawless(self) -> bool:
        """Whether nothing was lost, doubled, changed or refused."""
        return not (self.lost or self.doubled or self.other_query or self.refused)

    def rows(self) -> list[tuple[str, str]]:
        """Rows below :data:`HEADER`."""
        return [
            ("kill -9 of the server", str(self.kills)),
            ("elicitations", str(self.elicitations)),
            ("requests that broke off, or found no server", str(self.interrupted)),
            ("answers acknowledged", f"{self.acknowledged:,}"),
            ("of them recorded before, their acknowledgement lost", str(self.told_again)),
            ("acknowledged answers lost", str(self.lost)),
            ("answers doubled", str(self.doubled)),
            ("elicitations with another next query", str(self.other_query)),
            ("requests refused", str(len(self.refused))),
        ]


def kill_often(
    server: ServerProcess, kills: int, strategy: dict[str, Any], *, clients: int = 20, seed: int = 0
) -> Killed:
    """Kill a server so many times while people answer, and compare what it has in the end.

    Args:
        server: running; it runs again afterwards.
        kills: how many.
        strategy: name and settings.
        clients: who answer at a time.
        seed: of everything random, but for what the clock decides.
    """
    return asyncio.run(_kill_often(server, kills, strategy, clients, seed))


async def _kill_often(
    server: ServerProcess, kills: int, strategy: dict[str, Any], clients: int, seed: int
) -> Killed:
    found = Killed()
    client = Client(server.port)
    pool, features = await add_pool(client, seed)
    done = asyncio.Event()
    people = [
        asyncio.create_task(_Person(server.port, found, strategy, done).go(pool, features, seed, i))
        for i in range(clients)
    ]
    rng = generator(seed, "kills")
    for _ in range(kills):
        before = found.acknowledged
        while found.acknowledged == before and not found.refused:  # noqa: ASYNC110 - a count
            await asyncio.sleep(_PAUSE)
        await asyncio.sleep(float(rng.uniform(0.0, _LONGEST)))
        server.kill()
        found.kills += 1
        server.launch()
        await asyncio.to_thread(server.wait)
    done.set()
    kept = [e for of_one in await asyncio.gather(*people) for e in of_one]
    client.close()
    for elicitation in kept:
        await compare(client, elicitation, found)
        replay(elicitation, features, strategy, found)
    client.close()
    return found


class _Person:
    """Somebody who answers, and tries again where the server goes away."""

    def __init__(
        self, port: int, found: Killed, strategy: dict[str, Any], done: asyncio.Event
    ) -> None:
        self._client = Client(port)
        self._found = found
        self._strategy = strategy
        self._done = done

    async def go(self, pool: str, features: FloatArray, seed: int, number: int) -> list[Kept]:
        """Answer as one person after the other until it is done; what each got acknowledged."""
        rng = generator(seed, "person at a server that is killed", number)
        kept: list[Kept] = []
        try:
            while not self._done.is_set():
                await self._one(pool, features, rng, kept)
        except RefusedError as error:
            self._found.refused.append(str(error))
        finally:
            self._client.close()
        return kept

    async def _one(
        self, pool: str, features: FloatArray, rng: np.random.Generator, kept: list[Kept]
    ) -> None:
        seed = int(rng.integers(2**31))
        person = await self._surely("POST", "/people", {"name": f"person {seed}"})
        body = {"person": person["id"], "pool": pool, "seed": seed, "strategy": self._strategy}
        begun = Kept((await self._surely("POST", "/elicitations", body))["id"], seed)
        kept.append(begun)
        self._found.elicitations += 1
        utilities = taste(features, seed)
        begun.pending = (await self._surely("GET", f"/elicitations/{begun.id}/query"))["query"]
        while begun.pending is not None and len(begun.answers) < _ANSWERS:
            if self._done.is_set():
                return
            await self._answer(begun, begun.pending, best(begun.pending, utilities))

    async def _answer(self, begun: Kept, query: dict[str, Any], picked: int) -> None:
        path = f"/elicitations/{begun.id}"
        address, body = f"{path}/queries/{query['id']}/answer", {"picked": picked}
        expected: bool | None = True
        while True:
            try:
                told = await self._client.call("PUT", address, body)
                break
            except FailedError:
                self._found.interrupted += 1
                again = await self._surely("GET", f"{path}/query")
                # Either the answer got lost with the server, and the same is asked again; or it
                # was recorded, and the acknowledgement got lost.
                same = again["query"] == query
                expected = same
                if not same and not _follows(again["query"], query):
                    self._found.other_query += 1
        if told["recorded"] != expected:
            self._found.doubled += 1
        self._found.told_again += not told["recorded"]
        self._found.acknowledged += 1
        begun.answers.append(([response["id"] for response in query["responses"]], picked))
        begun.pending = told["next"]["query"]

    async def _surely(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """The answer to a request that may be sent twice."""
        tries = 0
        while True:
            try:
                return await self._client.call(method, path, body)
            except FailedError:
                self._found.interrupted += tries == 0
                tries += 1
                await asyncio.sleep(_PAUSE)


def _follows(later: dict[str, Any] | None, query: dict[str, Any]) -> bool:
    return later is None or later["number"] == query["number"] + 1


async def compare(client: Client, kept: Kept, found: Killed) -> None:
    """Whether the server has what it acknowledged, and asks what it asked."""
    page = await client.call("GET", f"/elicitations/{kept.id}/answers?limit=1000")
    there = [(answer["shown"], answer["picked"]) for answer in page["items"]]
    found.lost += sum(answer not in there for answer in kept.answers)
    found.doubled += len(there) > len(kept.answers)
    found.lost += len(there) == len(kept.answers) and there != kept.answers
    asked = await client.call("GET", f"/elicitations/{kept.id}/query")
    found.other_query += asked["query"] != kept.pending


def replay(kept: Kept, features: FloatArray, strategy: dict[str, Any], found: Killed) -> None:
    """Whether a run in memory asks the same."""
    pool = Pool("in memory", [f"r{i}" for i in range(len(features))], features)
    elicitation = Elicitation(pool, strategy_named(strategy), kept.seed)
    for shown, picked in kept.answers:
        query = elicitation.ask()
        if query is None or list(query.ids) != shown:
            found.other_query += 1
            return
        elicitation.tell(query, picked)
    query = elicitation.ask()
    pending = None if kept.pending is None else [r["id"] for r in kept.pending["responses"]]
    found.other_query += (None if query is None else list(query.ids)) != pending
