"""What a store does: it keeps the answers of many people, and asks each the next question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import ArrayLike

    from palate.elicitation import Event, Recommendation
    from palate.feedback import Answer, Comparison, Picked, Query
    from palate.pool import Embed, Pool, Response
    from palate.profile import Profile
    from palate.strategies import Strategy

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item_co]):
    """Some rows of a listing, in its order.

    Attributes:
        items: the rows.
        after: what to pass to get the next page; None where this is the last.
    """

    items: tuple[Item_co, ...]
    after: str | None


def every(listing: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """All items of a listing, page by page.

    Args:
        listing: the page after a cursor, the first one after None; such as
            ``lambda after: store.people(after=after)``.
    """
    after: str | None = None
    while True:
        page = listing(after)
        yield from page.items
        after = page.after
        if after is None:
            return


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person.

    Attributes:
        id: unguessable.
        name: the application's own name for them, or None.
        added_at: when, as an ISO 8601 time in UTC.
    """

    id: str
    name: str | None
    added_at: str


@dataclass(frozen=True, slots=True)
class StoredPool:
    """A pool, without its responses.

    Attributes:
        id: unguessable.
        name: the pool's own ``id``, or None.
        prompt: what is asked.
        size: how many responses it has.
        embedder: what made its features, or None.
        added_at: when, as an ISO 8601 time in UTC.
    """

    id: str
    name: str | None
    prompt: str
    size: int
    embedder: str | None
    added_at: str


@dataclass(frozen=True, slots=True)
class StoredElicitation:
    """One person's run on one pool, as it stands.

    Attributes:
        id: unguessable.
        person: id of who is asked.
        pool: id of what they are asked about.
        strategy: name and settings, as JSON values.
        seed: of the run.
        started_at: when, as an ISO 8601 time in UTC.
        answers: how many stand, skips among them.
        events: how many things happened, retractions and extensions included.
        remembered: how many picks of earlier elicitations it began from.
    """

    id: str
    person: str
    pool: str
    strategy: Mapping[str, Any]
    seed: int
    started_at: str
    answers: int
    events: int
    remembered: int = 0


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted with a person.

    Attributes:
        elicitations: how many.
        answers: how many stood in them.
    """

    elicitations: int
    answers: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that waits for its answer.

    Attributes:
        id: unguessable; what to tell the answer to.
        query: number, and the responses by their place in the pool and by id, in the order shown.
        responses: the same, in full.
    """

    id: str
    query: Query
    responses: tuple[Response, ...]


class Store(Protocol):
    """The durable log of many people's answers, from which everything else is derived.

    Any number of threads may call it, and several processes may share its database: each sees what
    the others recorded. What a method has returned from is kept, whatever happens to the process.
    Ids are texts that cannot be guessed. Implementations are checked by
    :class:`palate.testing.StoreContract`.

    Every method raises a :class:`~palate.errors.StoreError` where the database fails, and an
    :class:`~palate.errors.UnknownIdError` where no person, pool or elicitation has an id.
    """

    def __enter__(self) -> Self:
        """The store itself, closed at the end of the block."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...

    def add_person(self, name: str | None = None) -> str:
        """Id of a new person; or of the one who has this name already.

        Args:
            name: the application's own name for them; without, it is always somebody new.

        Raises:
            ParameterError: the name is empty, or no text that a database can hold.
        """
        ...

    def person(self, person: str) -> StoredPerson:
        """The person with an id."""
        ...

    def people(
        self, *, after: str | None = None, limit: int = 100, newest: bool = False
    ) -> Page[StoredPerson]:
        """People, oldest first.

        Args:
            after: where the page before ended.
            limit: at most how many, from 1 to 1000.
            newest: whether the newest come first.

        Raises:
            ParameterError: the limit or the cursor is none.
        """
        ...

    def profile(self, person: str) -> Profile:
        """What is remembered of a person, as a profile in memory: a copy, to be looked at.

        It holds the answers that stand and were not forgotten: the latest 500 or so, whole
        elicitations of them. Its summary says in words and numbers what was learned.
        """
        ...

    def forget(self, person: str, pool: str | None = None) -> int:
        """Let what a person answered so far enter no later elicitation.

        The answers stay in the log, and elicitations that are under way go on from what they began
        with. What is answered later in an elicitation that had begun by now is forgotten, too.

        Args:
            person: who answered.
            pool: only the answers about this pool.

        Returns:
            How many answers that stand are remembered no more.
        """
        ...

    def delete_person(self, person: str) -> Deleted:
        """Delete a person with their name, elicitations, queries and answers, in one transaction.

        Whoever uses one of the elicitations then gets an UnknownIdError. Pools stay, and so do
        populations that were learned from exported answers.

        Raises:
            ConflictError: they took part in a study, whose report would change.
        """
        ...

    def add_pool(self, pool: Pool) -> str:
        """Id of a pool, with its features, now kept.

        Raises:
            PoolError: a response's metadata is not JSON.
        """
        ...

    def pool(self, pool: str) -> Pool:
        """The pool with an id, as it was added; its fingerprints are the same."""
        ...

    def pools(
        self, *, after: str | None = None, limit: int = 100, newest: bool = False
    ) -> Page[StoredPool]:
        """Pools, oldest first; see :meth:`people`."""
        ...

    def start(
        self,
        person: str,
        pool: str,
        strategy: Strategy | Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        remember: bool | None = None,
    ) -> str:
        """Id of a new elicitation.

        It may begin from what the person answered before, in elicitations about pools whose
        features can be compared with this one's (see :meth:`palate.Profile.past`): then the first
        recommendation is theirs before any question. The answers that stand at this moment count,
        whatever happens to the earlier elicitations later.

        Args:
            person: who is asked.
            pool: what about.
            strategy: one, or ``name`` and settings of a built-in one; by default
                :func:`palate.strategies.default_strategy`'s.
            seed: fixes what is random, at least 0 and below 2^63; by default drawn, and recorded.
            remember: whether to begin from earlier answers, on top of the strategy's prior. By
                default where no strategy is given, and the one chosen and the pool allow it; a
                strategy that is given is taken as it is.

        Raises:
            ParameterError: the strategy has no such name or settings, or has no prior that could
                remember, and is to; or the seed is none.
            PoolError: the pool lacks what the strategy needs, such as features; or is to be
                remembered for, and does not say what made them.
        """
        ...

    def elicitation(self, elicitation: str) -> StoredElicitation:
        """How an elicitation stands."""
        ...

    def elicitations(
        self,
        *,
        person: str | None = None,
        pool: str | None = None,
        after: str | None = None,
        limit: int = 100,
        newest: bool = False,
    ) -> Page[StoredElicitation]:
        """Elicitations, those of a person or about a pool if named; see :meth:`people`."""
        ...

    def ask(self, elicitation: str) -> Asked | None:
        """The query that waits for its answer, or a new one; None where nothing is left to ask.

        It is the same one, with the same id, until it is answered, in every process. An undo asks
        its query again under a new id.

        Raises:
            FingerprintError: pool, features, strategy or seed are not those that it began with.
            LogError: what is recorded does not replay.
        """
        ...

    def tell(
        self, elicitation: str, query: str, picked: Picked, *, response_ms: int | None = None
    ) -> bool:
        """Record the answer to a query.

        Args:
            elicitation: whose query it is.
            query: id of the query.
            picked: a position in the order shown, several of them as an order, "tie" or "skip".
            response_ms: how long the person took.

        Returns:
            Whether it is new; False where this very answer was recorded before, so that whoever got
            no reply may tell it again.

        Raises:
            AnswerError: ``picked`` is none of these.
            ConflictError: the query has another answer, which stands; undo it first.
            UnknownQueryError: the query is not one of this elicitation, or is no longer asked since
                something was undone; :meth:`ask` again.
            ParameterError: ``response_ms`` is no number of milliseconds.
            FingerprintError, LogError: see :meth:`ask`.
        """
        ...

    def undo(
        self, elicitation: str, query: str | None = None, *, events: int | None = None
    ) -> bool:
        """Take back the last answer that stands; its query is asked again.

        Args:
            elicitation: whose answer it is.
            query: id of the query that it answers; told again, nothing more is taken back.
            events: how many events there were (:attr:`StoredElicitation.events`) when whoever asks
                for it looked; where something happened since, nothing is taken back.

        Returns:
            Whether one was taken back; False where that of this query was taken back before, or
            something happened since.

        Raises:
            ConflictError: the query has an answer that stands, and it is not the last.
            AnswerError: there is none to take back.
            UnknownQueryError: the query is not one of this elicitation, or was never answered.
            FingerprintError, LogError: see :meth:`ask`.
        """
        ...

    def extend(
        self,
        elicitation: str,
        responses: Iterable[Response | str],
        *,
        embedder: Embed | None = None,
        features: ArrayLike | None = None,
    ) -> tuple[Response, ...]:
        """Let more responses compete in one elicitation; see :meth:`palate.Elicitation.extend`."""
        ...

    def recommend(self, elicitation: str) -> Recommendation:
        """The best response by the answers so far; see :meth:`palate.Elicitation.recommend`."""
        ...

    def answers(self, elicitation: str) -> tuple[Answer, ...]:
        """The answers that stand, in order; read without the strategy, so that any can be."""
        ...

    def log(self, elicitation: str) -> tuple[Event, ...]:
        """Everything that happened, retractions and extensions included, in order."""
        ...

    def export(self, *, person: str | None = None, pool: str | None = None) -> Iterator[Comparison]:
        """The answers that stand in texts, for :mod:`palate.formats`, by elicitation.

        Each names the person's id; the metadata holds ``elicitation``, ``at``, ``seconds`` and the
        responses' ids.

        Raises:
            PoolError: one was about images.
        """
        ...
