"""The store in a database that SQLAlchemy reaches: SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import text

from palate.elicitation import Elicitation, Extension
from palate.errors import (
    AnswerError,
    ConflictError,
    ParameterError,
    StoreError,
    UnknownIdError,
    UnknownQueryError,
)
from palate.feedback import check_picked
from palate.formats import comparisons_of
from palate.preference.memory import Remembering
from palate.preference.prior import Features
from palate.profile import Profile
from palate.profile.past import check_comparable
from palate.store import history, lists
from palate.store.base import Asked, every
from palate.store.deletion import delete_person
from palate.store.events import answer_columns, was_asked
from palate.store.live import Live
from palate.store.memory import Memory, SlowerError
from palate.store.migrations import migrate
from palate.store.pools import write_pool
from palate.store.priors import can_remember, has_memory, populations, write_population
from palate.store.rows import dump, new_id, now
from palate.strategies import Strategy, WinnerStays, default_strategy, strategy_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import ArrayLike
    from sqlalchemy import Connection

    from palate.elicitation import Event, Recommendation
    from palate.feedback import Answer, Comparison, Picked
    from palate.pool import Embed, Pool, Response
    from palate.store.base import Deleted, Page, StoredElicitation, StoredPerson, StoredPool
    from palate.store.database import Database
    from palate.store.memory import Revive

_ANSWERS = 500  # of a profile that is shown

_NAMED = text("SELECT id FROM people WHERE name = :name")
_PERSON = text(
    "INSERT INTO people (id, name, added_at) VALUES (:id, :name, :at) ON CONFLICT DO NOTHING"
)
_START = text(
    "INSERT INTO elicitations "
    "(id, person, pool, strategy, settings, seed, fingerprint, started_at) VALUES "
    "(:id, :person, :pool, :strategy, :settings, :seed, :fingerprint, :at) RETURNING number"
)


class SqlStore:
    """A :class:`palate.store.Store` in a database.

    Elicitations that were used lately are kept in memory. What they hold is derived from the log,
    which is read on from where they left off at each use; an answer is added at the next place of
    the log, which no two can take, and only then taken in.

    Args:
        database: opened; brought to the newest schema.
        live: how many elicitations to keep in memory.
        strategy_for: see :func:`palate.store.open_store`.
    """

    def __init__(self, database: Database, live: int, strategy_for: Revive) -> None:
        migrate(database)
        self._database = database
        self._memory = Memory(database, live, strategy_for)

    @property
    def database(self) -> Database:
        """Where everything is kept, for what is recorded beside the answers."""
        return self._database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See :class:`palate.store.Store`, for this and all that follows."""
        self._database.close()

    # People and pools

    def add_person(self, name: str | None = None) -> str:
        row = {"id": new_id(), "name": _checked_name(name), "at": now()}
        with self._database.writing() as connection:
            if connection.execute(_PERSON, row).rowcount:
                return str(row["id"])
            return str(connection.execute(_NAMED, {"name": name}).scalar_one())

    def person(self, person: str) -> StoredPerson:
        with self._database.reading() as connection:
            return lists.person_of(connection, person)

    def people(
        self, *, after: str | None = None, limit: int = 100, newest: bool = False
    ) -> Page[StoredPerson]:
        with self._database.reading() as connection:
            return lists.people(connection, after, limit, newest=newest)

    def profile(self, person: str) -> Profile:
        answers = self._memory.history.answers(self._person(person), most=_ANSWERS)
        return Profile(answers)

    def forget(self, person: str, pool: str | None = None) -> int:
        who, about, at = self._person(person), self._pool(pool), now()
        return self._of_person(person, lambda c: history.forget(c, who, about, at))

    def delete_person(self, person: str) -> Deleted:
        who = self._person(person)
        with self._database.writing() as connection:
            return delete_person(connection, who)

    def _person(self, person: str) -> int:
        with self._database.reading() as connection:
            return lists.number_of(connection, "person", person)

    def _pool(self, pool: str | None) -> int | None:
        if pool is None:
            return None
        with self._database.reading() as connection:
            return lists.number_of(connection, "pool", pool)

    def _of_person(self, person: str, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401
        """What is recorded of a person; an UnknownIdError where they were deleted meanwhile."""
        try:
            with self._database.writing() as connection:
                return work(connection)
        except StoreError:
            self._person(person)
            raise

    def add_pool(self, pool: Pool) -> str:
        with self._database.writing() as connection:
            return write_pool(connection, pool)

    def pool(self, pool: str) -> Pool:
        with self._database.reading() as connection:
            number = lists.number_of(connection, "pool", pool)
        return self._memory.pool(number)

    def pools(
        self, *, after: str | None = None, limit: int = 100, newest: bool = False
    ) -> Page[StoredPool]:
        with self._database.reading() as connection:
            return lists.pools(connection, after, limit, newest=newest)

    # Elicitations

    def start(
        self,
        person: str,
        pool: str,
        strategy: Strategy | Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        remember: bool | None = None,
    ) -> str:
        with self._database.reading() as connection:
            who = lists.number_of(connection, "person", person)
            what = lists.number_of(connection, "pool", pool)
        about = self._memory.pool(what)
        strategy, wanted = _chosen(about, strategy, remember=remember)
        past, sources = self._memory.history.past(who, about) if wanted else (None, [])
        if past is not None and sources:
            strategy = dataclasses.replace(strategy, prior=Remembering(strategy.prior, past))  # type: ignore[type-var,attr-defined]
        elicitation = Elicitation(about, strategy, _checked_seed(seed))
        elicitation.ask()  # what it lacks is said now, and not to whoever is to be asked
        row = {
            "id": new_id(),
            "person": who,
            "pool": what,
            "strategy": strategy.name,
            "settings": dump(strategy.settings()),
            "seed": elicitation.seed,
            "fingerprint": dump(elicitation.fingerprint()),
            "at": now(),
        }

        def write(connection: Connection) -> int:
            for population in populations(getattr(strategy, "prior", None)):
                write_population(connection, population)
            number = int(connection.execute(_START, row).scalar_one())
            if past is not None and sources:
                history.write_sources(connection, number, past, sources)
            return number

        number = self._of_person(person, write)
        self._memory.add(str(row["id"]), Live(number, elicitation))
        return str(row["id"])

    def elicitation(self, elicitation: str) -> StoredElicitation:
        with self._database.reading() as connection:
            return lists.elicitation_of(connection, elicitation)

    def elicitations(
        self,
        *,
        person: str | None = None,
        pool: str | None = None,
        after: str | None = None,
        limit: int = 100,
        newest: bool = False,
    ) -> Page[StoredElicitation]:
        with self._database.reading() as connection:
            return lists.elicitations(connection, person, pool, after, limit, newest=newest)

    # Ask, tell, recommend

    def ask(self, elicitation: str) -> Asked | None:
        with self._memory.held(elicitation) as live:
            if live.waiting is not None:
                self._memory.catch_up(live)
            while live.waiting is None:
                query = live.elicitation.ask()
                if query is None and not self._memory.catch_up(live):
                    return None
                if query is not None:
                    self._memory.record_query(live, query)
            asked, responses = live.asked, live.elicitation.pool.responses
            return Asked(live.waiting, asked, tuple(responses[i] for i in asked.options))

    def tell(
        self, elicitation: str, query: str, picked: Picked, *, response_ms: int | None = None
    ) -> bool:
        _check_milliseconds(response_ms)
        with self._memory.held(elicitation) as live:
            if live.waiting != query:
                self._memory.catch_up(live)
            while live.waiting == query:
                asked = live.asked
                said, at = check_picked(picked, asked), now()
                kind, ids = answer_columns(asked, said)
                answer = {"query": query, "said": ids, "response_ms": response_ms}
                if self._memory.record(live, kind, at, **answer):
                    live.elicitation.tell(asked, said, at=at)
                    live.answered(query)
                    return True
            self._confirm(live, query, picked)
            return False

    def undo(
        self, elicitation: str, query: str | None = None, *, events: int | None = None
    ) -> bool:
        with self._memory.held(elicitation) as live:
            self._memory.catch_up(live)
            while query is None or self._may_undo(live, query):
                if events is not None and live.seen != events:
                    return False
                if not live.standing:
                    raise AnswerError("there is no answer to take back")
                at = now()
                if self._memory.record(live, "undo", at):
                    live.elicitation.undo(at=at)
                    live.undone()
                    return True
            return False

    def extend(
        self,
        elicitation: str,
        responses: Iterable[Response | str],
        *,
        embedder: Embed | None = None,
        features: ArrayLike | None = None,
    ) -> tuple[Response, ...]:
        responses = responses if isinstance(responses, str) else list(responses)
        while True:
            # An elicitation that was extended in vain is lost, and made again from its log.
            with contextlib.suppress(SlowerError), self._memory.held(elicitation) as live:
                self._memory.catch_up(live)
                pool = live.elicitation.pool
                new = live.elicitation.extend(responses, embedder=embedder, features=features)
                extension = live.elicitation.log[-1] if new else None
                if isinstance(extension, Extension):
                    self._memory.record_extension(live, extension, pool)
                return new

    def recommend(self, elicitation: str) -> Recommendation:
        with self._memory.held(elicitation) as live:
            self._memory.catch_up(live)
            return live.elicitation.recommend()

    # What was said

    def answers(self, elicitation: str) -> tuple[Answer, ...]:
        return self._read(elicitation).history

    def log(self, elicitation: str) -> tuple[Event, ...]:
        return self._read(elicitation).log

    def export(self, *, person: str | None = None, pool: str | None = None) -> Iterator[Comparison]:
        for stored in every(lambda a: self.elicitations(person=person, pool=pool, after=a)):
            try:
                read = self._read(stored.id)
            except UnknownIdError:  # deleted since the page was read
                continue
            for comparison in comparisons_of(read.pool, read.history, person=stored.person):
                known = {"elicitation": stored.id} | dict(comparison.metadata)
                yield dataclasses.replace(comparison, metadata=known)

    def _read(self, elicitation: str) -> Elicitation:
        """An elicitation that asks no more, whatever asked before, and from whatever prior."""
        return self._memory.loaded(elicitation, WinnerStays()).elicitation

    def _confirm(self, live: Live, query: str, picked: Picked) -> None:
        """That a query's answer stands as told, or the error that says what is wrong."""
        if query not in live.standing:
            self._known(live, query)
            msg = f"query {query} is no longer asked, since an answer was taken back; ask again"
            raise UnknownQueryError(msg)
        answer = live.elicitation.history[live.standing.index(query)]
        live.elicitation.tell(answer.query, picked)

    def _may_undo(self, live: Live, query: str) -> bool:
        """Whether a query's answer is the last that stands; False where it was taken back."""
        if query in live.standing:
            if query != live.standing[-1]:
                msg = f"the answer to query {query} is not the last; take back those after it first"
                raise ConflictError(msg)
            return True
        if not self._known(live, query):
            msg = f"query {query} has no answer that could be taken back"
            raise UnknownQueryError(msg)
        return False

    def _known(self, live: Live, query: str) -> bool:
        """Whether a query was ever answered; or an UnknownQueryError."""
        answered = None
        if lists.is_id(query):
            with self._database.reading() as connection:
                answered = was_asked(connection, live.number, query)
        if answered is None:
            msg = "the query is not one of this elicitation; answer what ask returns"
            raise UnknownQueryError(msg)
        return answered


def _chosen(
    pool: Pool, strategy: Strategy | Mapping[str, Any] | None, *, remember: bool | None
) -> tuple[Strategy, bool]:
    """The strategy as given, or the default, and whether it is to begin from earlier answers."""
    _check_flag(remember)
    if strategy is None:
        chosen = default_strategy(pool, Features() if remember else None)
    else:
        chosen = strategy if isinstance(strategy, Strategy) else strategy_named(strategy)
    if remember:
        if not has_memory(chosen):
            msg = (
                f"the strategy {chosen.name} has no prior that could remember earlier answers; "
                "take eubo, or do without"
            )
            raise ParameterError(msg)
        check_comparable(pool)
        return chosen, True
    return chosen, remember is None and strategy is None and can_remember(chosen, pool)


def _check_flag(remember: object) -> None:
    if remember is not None and not isinstance(remember, bool):
        msg = f"remember must be True, False or None, not {remember!r}"
        raise ParameterError(msg)


def _checked_name(name: str | None) -> str | None:
    if name is None:
        return None
    fits = isinstance(name, str) and name.strip() and len(name) <= 200 and "\0" not in name
    if not fits or not name.isprintable():
        msg = f"a person's name is 1 to 200 printable characters, not {name!r}"
        raise ParameterError(msg)
    return name


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(32)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        msg = f"seed must be a whole number from 0 to 2^63 - 1, not {seed!r}"
        raise ParameterError(msg)
    return seed


def _check_milliseconds(value: int | None) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 0 <= value < 2**53):
        msg = f"response_ms must be a whole number of milliseconds, at least 0, not {value!r}"
        raise ParameterError(msg)
