"""Elicitations and pools in memory, and how what happens to an elicitation gets into its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from palate.elicitation import Elicitation, strategy_from_settings
from palate.errors import AnswerError, ParameterError, StoreError, UnknownQueryError
from palate.store.events import (
    event_columns,
    query_columns,
    write_event,
    write_extension,
    write_query,
)
from palate.store.history import History, read_sources
from palate.store.lists import is_id, unknown_id
from palate.store.live import Live
from palate.store.pools import read_pool
from palate.store.priors import is_learned, prior_again, read_population
from palate.store.recent import Recent
from palate.store.rows import load
from palate.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from palate.elicitation import Extension
    from palate.feedback import Query
    from palate.pool import Pool
    from palate.population.gaussian import GaussianPopulation
    from palate.preference.memory import Past
    from palate.store.database import Database
    from palate.strategies import Strategy

    Revive = Callable[[Mapping[str, Any], Pool], Strategy]
    Work = Callable[[Connection], bool]

_HARMLESS = (AnswerError, UnknownQueryError, ParameterError)
"""Errors that are raised before anything has changed."""

_POOLS = 64  # pools whose features are kept
_POPULATIONS = 8

_FIND = text("SELECT number, pool, settings, seed, fingerprint FROM elicitations WHERE id = :id")


class SlowerError(Exception):
    """Somebody else's event took the place."""


class Memory:
    """The elicitations that were used lately, each for one thread at a time.

    What they hold is derived from the log, which is read on from where they left off; an event is
    added at the log's next place, which no two can take, and only then taken in.

    Args:
        database: what they are read from.
        live: how many to keep.
        strategy_for: see :func:`palate.store.open_store`.
    """

    def __init__(self, database: Database, live: int, strategy_for: Revive) -> None:
        self._database = database
        self._strategy_for = strategy_for
        self._lives: Recent[Live] = Recent(live, _HARMLESS)
        self._pools: Recent[Pool] = Recent(_POOLS)
        self._populations: Recent[GaussianPopulation | None] = Recent(_POPULATIONS)
        self.history = History(database, self.pool)

    def pool(self, number: int) -> Pool:
        """The pool of a number."""

        def make() -> Pool:
            with self._database.reading() as connection:
                return read_pool(connection, number)

        return self._pools.get(number, make)

    def add(self, elicitation: str, live: Live) -> None:
        """Keep one that has just begun."""
        self._lives.get(elicitation, lambda: live)

    def held(self, elicitation: str) -> AbstractContextManager[Live]:
        """The elicitation with an id; what is raised inside, unless harmless, loses it."""
        return self._lives.held(elicitation, lambda: self.loaded(elicitation))

    def loaded(self, elicitation: str, idle: Strategy | None = None) -> Live:
        """The elicitation with an id as its log has it.

        Args:
            elicitation: its id.
            idle: a strategy instead of its own, for those who only read.

        Raises:
            UnknownIdError: none has the id.
            FingerprintError: it began with something else than what is here.
            LogError: the log does not replay.
        """
        row = None
        if is_id(elicitation):
            with self._database.reading() as connection:
                row = connection.execute(_FIND, {"id": elicitation}).one_or_none()
        if row is None:
            raise unknown_id("elicitation", elicitation)
        pool, recorded = self.pool(row.pool), load(row.fingerprint)
        if idle is None:
            strategy = self._strategy(row.number, load(row.settings), pool)
        else:
            strategy, recorded = idle, recorded | {"strategy": idle.settings()}
        live = Live(row.number, Elicitation.resumed(recorded, pool, strategy, seed=row.seed))
        self.catch_up(live)
        return live

    def _strategy(self, number: int, settings: Mapping[str, Any], pool: Pool) -> Strategy:
        """The strategy of an elicitation, with the prior that it began with."""
        prior = settings.get("prior")
        if isinstance(prior, dict) and is_learned(prior) and settings.get("name") in STRATEGIES:
            found = prior_again(prior, self._population, lambda: self._past(number, pool))
            if found is not None:
                return strategy_from_settings({**settings, "prior": found})
        return self._strategy_for(settings, pool)

    def _population(self, digest: str) -> GaussianPopulation | None:
        """The population that is kept by a digest."""

        def make() -> GaussianPopulation | None:
            with self._database.reading() as connection:
                return read_population(connection, digest)

        return self._populations.get(digest, make)

    def _past(self, number: int, pool: Pool) -> Past | None:
        """The earlier answers that an elicitation began from."""
        with self._database.reading() as connection:
            sources = read_sources(connection, number)
        return None if sources is None else self.history.past_again(sources, pool)

    def catch_up(self, live: Live) -> bool:
        """Whether something was recorded since, by whatever process; it is then taken in.

        Raises:
            UnknownIdError: the elicitation was deleted.
        """
        before = live.seen, live.waiting
        with self._database.reading() as connection:
            live.catch_up(connection)
        return (live.seen, live.waiting) != before

    def record_query(self, live: Live, query: Query) -> None:
        """Record what is asked next, or take in what somebody else recorded first."""
        columns = query_columns(live.number, live.seen, query)
        # Lost with the machine's power, it would be derived again: no need to wait for the disk.
        if self._written(live, lambda c: write_query(c, columns), durable=False, statement=True):
            live.waiting = str(columns["id"])
        else:
            self._must_catch_up(live)

    def record(self, live: Live, kind: str, at: str, **columns: Any) -> bool:  # noqa: ANN401
        """Whether an answer or an undo was recorded; else somebody else's event was first."""
        row = event_columns(live.number, live.seen + 1, kind, at) | columns
        if self._written(live, lambda c: write_event(c, row), statement=True):
            return True
        self._must_catch_up(live)
        return False

    def record_extension(self, live: Live, extension: Extension, before: Pool) -> None:
        """Record that a pool grew.

        Raises:
            SlowerError: somebody else's event was first.
        """
        number, pending, first = live.seen + 1, live.waiting, len(before)

        def write(connection: Connection) -> bool:
            return write_extension(
                connection, live.number, number, extension, pending=pending, first=first
            )

        if not self._written(live, write):
            raise SlowerError
        live.extended(pending)

    def _written(
        self, live: Live, work: Work, *, durable: bool = True, statement: bool = False
    ) -> bool:
        """Whether an event or a query was recorded.

        Raises:
            UnknownIdError: the elicitation was deleted, so that there is nothing to add to.
        """
        try:
            return self._database.write(work, durable=durable, statement=statement)
        except StoreError:
            self.catch_up(live)
            raise

    def _must_catch_up(self, live: Live) -> None:
        if not self.catch_up(live):
            msg = f"the database is damaged: elicitation {live.number} cannot go on"
            raise StoreError(msg)
