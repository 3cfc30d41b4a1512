"""Ask, tell, recommend: one person's run on one pool."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from palate.errors import (
    AnswerError,
    ConflictError,
    FingerprintError,
    LogError,
    PalateError,
    ParameterError,
    PoolError,
    UnknownQueryError,
)
from palate.feedback import SKIP, TIE, Answer, Picked, Query, check_picked
from palate.pool import Response, extend_pool, object_to_response, response_to_object
from palate.strategies import STRATEGIES, Strategy, View, default_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import ArrayLike

    from palate.feedback import Person
    from palate.pool import Embed, Pool

FORMAT = 1
"""Version of the log's format."""


@dataclass(frozen=True, slots=True)
class Undo:
    """The retraction of the last answer that stood.

    Attributes:
        at: when, as an ISO 8601 time in UTC; empty where nobody noted it.
    """

    at: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """Responses that joined the pool in the middle of a run.

    Attributes:
        responses: the new ones, in the order in which they stand at the pool's end.
        features: their unscaled features, a row of d numbers each, so that a log replays without
            the embedder; None where the pool has none.
        at: when, as an ISO 8601 time in UTC; empty where nobody noted it.
        pending: the query that waited for its answer, which is asked all the same; or None.
    """

    responses: tuple[Response, ...]
    features: tuple[tuple[float, ...], ...] | None
    at: str = ""
    pending: Query | None = None


Event: TypeAlias = Answer | Undo | Extension
"""What a log consists of."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The response to return, and how sure that is.

    Attributes:
        index: its place in the pool.
        response: the response.
        bound: B(t), by how much another response may still be better in utility units; under
            Bradley-Terry-Luce no response wins against this one with more than probability
            ``sigmoid(bound)``. None where the strategy gives no bound.
        certified: whether the bound is within the strategy's threshold and the answers agree; or
            the expected regret is within it, which allows for answers that do not.
        answers: questions answered so far, skips not counted.
        questions_left: about how many questions the strategy would still ask.
        consistent: False where the answers contradict each other, so that no taste explains all.
        expected_regret: what the response is expected to lose to the best one, as a share of the
            range from the pool's worst to its best, by what the strategy believes of everybody and
            of these answers. None where it gives a bound or neither.
    """

    index: int
    response: Response
    bound: float | None
    certified: bool
    answers: int
    questions_left: int
    consistent: bool
    expected_regret: float | None = None


class Elicitation:
    """One person's run of ask, tell and recommend on one pool.

    The log of answers is the truth: the next query and the recommendation are derived from it, so
    the same seed and answers give the same queries again.

    Args:
        pool: the responses.
        strategy: which queries to ask; by default :func:`palate.strategies.default_strategy`'s.
        seed: fixes what is random, such as the order in which options are shown; at least 0.

    Attributes:
        pool: the responses, with those that joined since; see :meth:`extend`.
        view: what the strategy sees.

    Raises:
        ParameterError: the seed is not a whole number of at least 0.

    Example::

        elicitation = Elicitation(pool, UserAlign(epsilon=0.3), seed=1)
        while (query := elicitation.ask()) is not None:
            elicitation.tell(query, picked=show(pool, query))
        print(elicitation.recommend().response.text)
    """

    def __init__(self, pool: Pool, strategy: Strategy | None = None, seed: int = 0) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            msg = f"seed must be a whole number of at least 0, not {seed!r}"
            raise ParameterError(msg)
        self.pool = pool
        self.strategy = default_strategy(pool) if strategy is None else strategy
        self.seed = seed
        self._first_pool = pool
        self._log: list[Event] = []
        self._answers: list[Answer] = []
        self.view = View(pool, self._answers, seed)
        self._pending: Query | None = None

    @property
    def history(self) -> tuple[Answer, ...]:
        """The answers that stand, in order."""
        return tuple(self._answers)

    @property
    def log(self) -> tuple[Event, ...]:
        """Everything that happened, retractions and extensions included, in order."""
        return tuple(self._log)

    def ask(self) -> Query | None:
        """The next query, or None where nothing is left to ask; the same one until answered."""
        if self._pending is None:
            options = self.strategy.propose(self.view)
            if options is not None:
                number = len(self._answers)
                shown = self.view.rng("order", number).permutation(len(options)).tolist()
                self._pending = self._query(number, [options[i] for i in shown])
        return self._pending

    def _query(self, number: int, options: Iterable[int]) -> Query:
        options = tuple(options)
        return Query(number, options, tuple(self.pool.responses[i].id for i in options))

    def tell(
        self, query: Query, picked: Picked, *, seconds: float | None = None, at: str | None = None
    ) -> None:
        """Record the answer to a query.

        Args:
            query: one that :meth:`ask` returned.
            picked: a position in ``query.options``, several of them as an order, best first (which
                may leave out the worst), "tie" or "skip".
            seconds: how long the person took.
            at: when, as an ISO 8601 time in UTC; by default now.

        Raises:
            AnswerError: ``picked`` is none of these; or, as a ConflictError, the query has another
                answer already. Telling the same answer twice does nothing.
            UnknownQueryError: the query was not asked here, or its answer has been taken back.
        """
        picked = check_picked(picked, query)
        if query != self._pending:
            self._confirm(query, picked)
            return
        self._append(Answer(query, picked, _now() if at is None else at, seconds))

    def _confirm(self, query: Query, picked: Picked) -> None:
        answered = 0 <= query.number < len(self._answers)
        if not answered or self._answers[query.number].query != query:
            msg = (
                f"query {query.number} showing {', '.join(query.ids)} is not one of this "
                "elicitation's; answer what ask() returns"
            )
            raise UnknownQueryError(msg)
        told = self._answers[query.number].picked
        if told != picked:
            msg = (
                f"query {query.number} was answered {told!r} and cannot be answered {picked!r} "
                "as well; undo first"
            )
            raise ConflictError(msg)

    def _append(self, answer: Answer) -> None:
        self._log.append(answer)
        self._answers.append(answer)
        self._pending = None

    def undo(self, *, at: str | None = None) -> Answer:
        """Take back the last answer that stands; its query is asked again.

        Returns:
            The answer taken back. It stays in the log, followed by an :class:`Undo`.

        Raises:
            AnswerError: there is no answer to take back.
        """
        if not self._answers:
            raise AnswerError("there is no answer to take back")
        self._log.append(Undo(_now() if at is None else at))
        answer = self._answers.pop()
        self.view.memo.clear()
        self._pending = answer.query
        return answer

    def extend(
        self,
        responses: Iterable[Response | str],
        *,
        embedder: Embed | None = None,
        features: ArrayLike | None = None,
        at: str | None = None,
    ) -> tuple[Response, ...]:
        """Let more responses compete, in the middle of the run.

        Every answer stands, and so does a query that waits for its answer. From the next query on
        the new responses are in the running, and a bound or a certificate is one for all of them.

        Args:
            responses: what to add; see :meth:`palate.Pool.extended` for this and what follows.
            embedder: what makes their features, where the pool does not remember it.
            features: (n, d) unscaled features instead.
            at: when, as an ISO 8601 time in UTC; by default now.

        Returns:
            The responses as they stand in the pool, whose last they are. None of them: nothing is
            logged.

        Raises:
            PoolError: the pool cannot be extended by them, such as by a text that it holds already;
                or their metadata is not JSON, which the log is. Then nothing has changed.
        """
        pool, rows = extend_pool(self.pool, responses, embedder=embedder, features=features)
        new = pool.responses[len(self.pool) :]
        if not new:
            return ()
        for response in new:
            _check_metadata(response)
        numbers = None if rows is None else tuple(map(tuple, rows.tolist()))
        self._log.append(Extension(new, numbers, _now() if at is None else at, self._pending))
        self.pool = self.view.pool = pool
        self.view.memo.clear()
        return new

    def recommend(self) -> Recommendation:
        """The best response by the answers so far; can be called at any time."""
        choice = self.strategy.choose(self.view)
        return Recommendation(
            choice.index,
            self.pool.responses[choice.index],
            choice.bound,
            choice.certified,
            sum(answer.picked != SKIP for answer in self._answers),
            choice.questions_left,
            choice.consistent,
            choice.expected_regret,
        )

    def run(
        self,
        person: Person,
        record: Callable[[Event], None] | None = None,
        grow: Callable[[Elicitation], object] | None = None,
    ) -> Recommendation:
        """Ask a person until nothing is left to ask or they stop, and recommend.

        Args:
            person: who answers.
            record: called with each event of the log before the next question is asked; what it
                has written down then survives whatever happens later.
            grow: called after each answer or undo, before the next question; it may :meth:`extend`
                the pool, and then there may be more to ask.

        What any of the three raises, such as a :class:`~palate.errors.ModelError`, passes through
        once all events are recorded. The answers stand, and ``run`` called again goes on from them.
        """
        recorded = len(self._log)

        def keep() -> None:
            nonlocal recorded
            while recorded < len(self._log):
                recorded += 1  # first, so that an event that cannot be written is tried once
                if record is not None:
                    record(self._log[recorded - 1])

        try:
            while (query := self.ask()) is not None:
                began = time.monotonic()
                reply = person.answer(query, self.pool)
                if reply == "stop":
                    break
                if reply != "undo":
                    self.tell(query, reply, seconds=round(time.monotonic() - began, 3))
                elif self._answers:
                    self.undo()
                else:
                    continue
                keep()
                if grow is not None:
                    grow(self)
                    keep()
        finally:
            keep()
        return self.recommend()

    def fingerprint(self) -> dict[str, Any]:
        """What a log of answers belongs to: pool, features, strategy with its settings, seed.

        The pool is the one that the run began with; what joined it is in the log.
        """
        return {
            "pool": self._first_pool.content_fingerprint,
            "features": self._first_pool.features_fingerprint,
            "strategy": self.strategy.settings(),
            "seed": self.seed,
        }

    def to_json(self) -> str:
        """The fingerprint and the log, as JSON."""
        record = {
            "palate": FORMAT,
            "fingerprint": self.fingerprint(),
            "log": [event_to_object(event) for event in self._log],
        }
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(
        cls,
        text: str,
        pool: Pool,
        strategy: Strategy | None = None,
        *,
        seed: int | None = None,
    ) -> Elicitation:
        """Resume an elicitation from its JSON.

        Args:
            text: what :meth:`to_json` returned.
            pool: the same pool that the run began with, with the same features.
            strategy: the same strategy; may be left out for a built-in one.
            seed: the same seed; by default the one recorded.

        Raises:
            FingerprintError: pool, features, strategy or seed differ from those recorded.
            LogError: the text is not a log, or its answers do not fit the pool.
        """
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            msg = f"the log is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            raise LogError(msg) from error
        if not isinstance(record, dict) or record.get("palate") != FORMAT:
            msg = f"not a log of palate, format {FORMAT}"
            raise LogError(msg)
        elicitation = cls.resumed(record.get("fingerprint"), pool, strategy, seed=seed)
        events = record.get("log")
        if not isinstance(events, list):
            raise LogError("the log has no list of events")
        for event in events:
            elicitation.replay(event)
        return elicitation

    @classmethod
    def resumed(
        cls,
        fingerprint: object,
        pool: Pool,
        strategy: Strategy | None = None,
        *,
        seed: int | None = None,
    ) -> Elicitation:
        """An elicitation without answers that fits a recorded fingerprint.

        Raises:
            FingerprintError: pool, features, strategy or seed differ from those recorded.
            LogError: the fingerprint is not one.
        """
        if not isinstance(fingerprint, dict) or not isinstance(fingerprint.get("strategy"), dict):
            raise LogError("the log has no fingerprint")
        if strategy is None:
            strategy = strategy_from_settings(fingerprint["strategy"])
        recorded_seed = fingerprint.get("seed", -1)
        try:
            elicitation = cls(pool, strategy, recorded_seed)
        except ParameterError as error:
            msg = f"the log's fingerprint is damaged: {error}"
            raise LogError(msg) from error
        if seed is not None:
            elicitation = cls(pool, strategy, seed)
        for part, here in elicitation.fingerprint().items():
            recorded = fingerprint.get(part)
            if json.loads(json.dumps(here)) != recorded:
                msg = (
                    f"the log was recorded with another {part}: {_short(recorded)} there, "
                    f"{_short(here)} here; resume it with the one it was started with"
                )
                raise FingerprintError(msg)
        return elicitation

    def replay(self, event: Mapping[str, Any]) -> None:
        """Take over one event of a log: an answer as shown and given, an undo or an extension.

        Raises:
            LogError: the event is damaged, or does not follow those before it.
        """
        try:
            if event.get("undo"):
                self.undo(at=str(event.get("at", "")))
            elif "extend" in event:
                self._replay_extension(event)
            else:
                self._append(self._replayed_answer(event))
        except LogError:
            raise
        except (PalateError, AttributeError, KeyError, TypeError, ValueError) as error:
            msg = f"the log's event {len(self._log) + 1} is damaged: {error}"
            raise LogError(msg) from error

    def asked(self, number: int, shown: list[str]) -> Query:
        """Take over a query that was asked before and waits for its answer: ask() returns it.

        Args:
            number: how many answers stood before it.
            shown: ids of the responses in the order shown.

        Raises:
            LogError: it does not follow the answers that stand, or the pool has no such responses.
        """
        try:
            self._pending = self._replayed_query(number, shown)
        except PoolError as error:
            msg = f"query {number} is damaged: {error}"
            raise LogError(msg) from error
        return self._pending

    def _replayed_answer(self, event: Mapping[str, Any]) -> Answer:
        query = self._replayed_query(event["query"], event["shown"])
        picked = event["answer"]
        if picked == "pick":
            picked = query.ids.index(event["picked"])
        elif picked == "order":
            picked = self._replayed_order(event["order"], query)
        elif picked not in {TIE, SKIP}:
            msg = f"an answer is 'pick', 'order', 'tie' or 'skip', not {picked!r}"
            raise LogError(msg)
        return Answer(query, picked, str(event.get("at", "")), event.get("seconds"))

    def _replayed_order(self, ids: list[str], query: Query) -> Picked:
        if not isinstance(ids, list):
            msg = f"an order is a list of ids, best first, not {ids!r}"
            raise LogError(msg)
        return check_picked([query.ids.index(i) for i in ids], query)

    def _replayed_query(self, number: int, shown: list[str]) -> Query:
        if number != len(self._answers) or len(set(shown)) != len(shown) or len(shown) < 2:
            msg = f"query {number} showing {shown} does not follow the answers before it"
            raise LogError(msg)
        return self._query(number, [self.pool.index(i) for i in shown])

    def _replay_extension(self, event: Mapping[str, Any]) -> None:
        responses = [object_to_response(record) for record in event["extend"]]
        if not responses:
            raise LogError("an extension adds at least one response")
        pending, shown = None, event.get("pending")
        if shown is not None:
            pending = self._replayed_query(len(self._answers), shown)
        if self.pool.features is not None and event.get("features") is None:
            raise LogError("an extension of a pool with features has features")
        before, self._pending = self._pending, pending
        try:
            self.extend(responses, features=event.get("features"), at=str(event.get("at", "")))
        except PoolError:
            self._pending = before
            raise


def event_to_object(event: Event) -> dict[str, Any]:
    """An event of the log as JSON values: winners by response id, beside the order shown.

    An order of the options holds their ids, best first.
    """
    if isinstance(event, Undo):
        return {"undo": True, "at": event.at}
    if isinstance(event, Extension):
        added: dict[str, Any] = {"extend": [response_to_object(r) for r in event.responses]}
        if event.features is not None:
            added["features"] = [list(row) for row in event.features]
        if event.pending is not None:
            added["pending"] = list(event.pending.ids)
        return added | {"at": event.at}
    query = event.query
    record: dict[str, Any] = {"query": query.number, "shown": list(query.ids)}
    if isinstance(event.picked, int):
        record |= {"answer": "pick", "picked": query.ids[event.picked]}
    elif isinstance(event.picked, tuple):
        record |= {"answer": "order", "order": [query.ids[i] for i in event.picked]}
    else:
        record["answer"] = event.picked
    record["at"] = event.at
    if event.seconds is not None:
        record["seconds"] = event.seconds
    return record


def strategy_from_settings(settings: Mapping[str, Any]) -> Strategy:
    """The built-in strategy that has these settings.

    Raises:
        LogError: no built-in strategy has the name, or the settings are not its own.
    """
    name = settings.get("name")
    if name not in STRATEGIES:
        msg = f"the log's strategy {name!r} is not built in; pass the strategy as well"
        raise LogError(msg)
    try:
        return STRATEGIES[name](**{k: v for k, v in settings.items() if k != "name"})
    except (TypeError, PalateError) as error:
        msg = f"the log's strategy {name!r} has settings that do not fit: {error}"
        raise LogError(msg) from error


def _check_metadata(response: Response) -> None:
    try:
        json.dumps(dict(response.metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"response {response.id!r}: its metadata cannot be kept in a log ({error})"
        raise PoolError(msg) from error


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
