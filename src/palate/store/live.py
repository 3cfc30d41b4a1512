"""An elicitation in memory beside its log in the database, brought up to date from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from palate.errors import LogError, StoreError
from palate.store.events import read_events, read_waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from palate.elicitation import Elicitation
    from palate.feedback import Query
    from palate.store.events import Recorded


@dataclass(slots=True)
class Live:
    """An elicitation and how much of its log it has taken in.

    Attributes:
        number: of the elicitation in the database.
        elicitation: derived from the log so far.
        seen: number of the last event taken in.
        standing: ids of the queries whose answers stand, in order.
        waiting: id of the query that waits for its answer, as far as is known.
    """

    number: int
    elicitation: Elicitation
    seen: int = 0
    standing: list[str] = field(default_factory=list)
    waiting: str | None = None

    @property
    def asked(self) -> Query:
        """The query that waits for its answer."""
        query = self.elicitation.ask()
        if query is None:
            raise LogError("a query waits that the elicitation does not ask")
        return query

    def catch_up(self, connection: Connection) -> None:
        """Take in what was recorded since, by whatever process.

        Raises:
            LogError: it does not replay.
            StoreError: an event is missing.
            UnknownIdError: the elicitation was deleted.
        """
        for event in read_events(connection, self.number, self.seen):
            self._take_in(event)
        if self.waiting is None:
            found = read_waiting(connection, self.number, self.seen)
            if found is not None:
                self.elicitation.asked(found.number, found.shown)
                self.waiting = found.id

    def _take_in(self, event: Recorded) -> None:
        if event.number != self.seen + 1:
            msg = f"the database is damaged: event {self.seen + 1} of elicitation {self.number}"
            raise StoreError(f"{msg} is missing")
        self.elicitation.replay(event.content)
        if event.kind == "extend":
            self.extended(event.pending)
        elif event.kind == "undo":
            self.undone()
        else:
            self.answered(str(event.query))

    def answered(self, query: str) -> None:
        """An answer was recorded and taken in."""
        self.seen += 1
        self.standing.append(query)
        self.waiting = None

    def undone(self) -> None:
        """An undo was recorded and taken in; the query is asked again, under an id to come."""
        self.seen += 1
        self.standing.pop()
        self.waiting = None

    def extended(self, pending: str | None) -> None:
        """An extension was recorded and taken in; what waited does so still."""
        self.seen += 1
        self.waiting = pending
