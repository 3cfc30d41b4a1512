"""Pools that the configured model writes, in the background."""

from __future__ import annotations

import logging
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from palate.errors import ConflictError, PalateError, ParameterError, UnknownIdError

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.chat import ChatModel
    from palate.generate import Progress
    from palate.pool import Pool
    from palate.store import Store

_AT_ONCE = 4  # generations, each of which sends several requests at a time
_REMEMBERED = 1000
_log = logging.getLogger("palate.serve")


@dataclass(slots=True)
class Generation:
    """A pool that is being written.

    Attributes:
        id: unguessable.
        prompt: what is asked.
        size: how many responses are wanted.
        started_at: when, as an ISO 8601 time in UTC.
        status: "running", "done" or "failed".
        had: responses written so far.
        pool: id of the pool in the store, once it is there.
        problem: what went wrong, or None.
    """

    id: str
    prompt: str
    size: int
    started_at: str
    status: str = "running"
    had: int = 0
    pool: str | None = None
    problem: str | None = None


class Generations:
    """The pools that this process has written and writes.

    Their status is this process's alone, and ends with it; a finished pool is in the store.

    Args:
        model: what writes; it may be called from several threads.
        store: where finished pools are kept.
    """

    def __init__(self, model: ChatModel, store: Store) -> None:
        self._model = model
        self._store = store
        self._known: dict[str, Generation] = {}
        self._lock = threading.Lock()

    def start(
        self, prompt: str, size: int, *, interest_share: float, baseline: bool, style: float
    ) -> Generation:
        """Have a pool written.

        Raises:
            ConflictError: as many as may be are being written already.
            ParameterError: a setting is outside its range, or the prompt is empty.
        """
        from palate.generate import ChatGenerator  # noqa: PLC0415 - only where a model is

        if not prompt.strip():
            raise ParameterError("the prompt is empty; write what is to be asked")

        def count(standing: Progress) -> None:
            generation.had = standing.had

        generator = ChatGenerator(
            self._model, interest_share=interest_share, baseline=baseline, on_progress=count
        )
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        generation = Generation(secrets.token_urlsafe(12), prompt, size, at)
        with self._lock:
            if sum(g.status == "running" for g in self._known.values()) >= _AT_ONCE:
                raise ConflictError(f"{_AT_ONCE} pools are being written; wait for one of them")
            self._known[generation.id] = generation
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        threading.Thread(
            target=self._write,
            args=(generation, lambda: generator.generate(prompt, size).embedded(style=style)),
            daemon=True,  # a server that stops does not wait for a model that does not answer
        ).start()
        return generation

    def get(self, id: str) -> Generation:  # noqa: A002
        """The generation with an id.

        Raises:
            UnknownIdError: there is none, or it was begun before the service was started.
        """
        try:
            return self._known[id]
        except KeyError:
            msg = f"there is no generation with the id {id[:80]!r}; a restart forgets them"
            raise UnknownIdError(msg) from None

    def all(self) -> list[Generation]:
        """Those that are remembered, oldest first."""
        with self._lock:
            return list(self._known.values())

    def _write(self, generation: Generation, make: Callable[[], Pool]) -> None:
        try:
            generation.pool = self._store.add_pool(make())
            generation.status = "done"
        except PalateError as error:
            generation.problem, generation.status = str(error), "failed"
            _log.warning("generation %s: %s", generation.id, error)
        except Exception:  # noqa: BLE001 - nobody waits for it who could be told
            generation.problem = "an error that was not foreseen; see the log"
            generation.status = "failed"
            _log.exception("generation %s", generation.id)
