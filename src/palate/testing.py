"""Contract tests for what others plug into palate, and a chat model that plays a script.

Each contract holds the tests that every implementation must pass. Subclass it, override the fixture
that makes your object, and pytest collects the rest::

    import pytest
    from palate.testing import StrategyContract

    class TestMyStrategy(StrategyContract):
        @pytest.fixture
        def strategy(self):
            return MyStrategy(max_steps=30)

Needs pytest. For pytest to show the values in a failed assertion, put
``pytest.register_assert_rewrite("palate.testing")`` into your ``conftest.py``.
"""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.chat import Completion, Usage
from palate.elicitation import Elicitation
from palate.errors import MissingExtraError, ModelError, ParameterError
from palate.feedback import SKIP, TIE, Query
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.strategies import View
from palate.strategies.base import steps

try:
    import pytest
except ModuleNotFoundError as error:  # pragma: no cover
    raise MissingExtraError("palate.testing needs pytest: pip install pytest") from error

pytest.register_assert_rewrite("palate._store_contract")

from palate._store_contract import StoreContract  # noqa: E402 - after it is to be rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate.chat import ChatModel, Message
    from palate.design import Renderer
    from palate.elicitation import Recommendation
    from palate.feedback import Answer, Person, Picked
    from palate.generate import Generator
    from palate.strategies import Choice, Strategy

    Say = Callable[[Query], Picked]

__all__ = [
    "Asked",
    "ChatModelContract",
    "EmbedderContract",
    "GeneratorContract",
    "PersonContract",
    "RendererContract",
    "ScriptedModel",
    "StoreContract",
    "StrategyContract",
]


def _pool(n: int, d: int = 8, seed: int = 0) -> Pool:
    """A pool of n texts with features that belong to nobody's words."""
    features = np.random.default_rng(seed).normal(size=(n, d))
    texts = [f"Response number {i} of a made-up pool." for i in range(1, n + 1)]
    return Pool("Which of these?", texts, features, scaling="diameter")


def _consistent(pool: Pool, seed: int = 0, *, order: bool = False) -> Say:
    """Somebody who always picks the option of highest utility, or orders them by it."""
    rng = np.random.default_rng(seed)
    if pool.features is None:
        person = SimulatedPerson(utilities=rng.normal(size=len(pool)), order=order)
    else:
        person = SimulatedPerson(rng.normal(size=pool.features.shape[1]), order=order)

    def say(query: Query) -> Picked:
        return person.answer(query, pool)  # type: ignore[return-value]  # it never stops or undoes

    return say


def _capricious(seed: int = 0) -> Say:
    """Somebody who says whatever comes to mind, the same at each replay."""

    def say(query: Query) -> Picked:
        rng, k = np.random.default_rng([seed, query.number]), len(query.options)
        said = int(rng.integers(k + 2))
        if k > 2 and said < k and rng.random() < 0.5:
            return tuple(rng.permutation(k)[: max(2, said)].tolist())
        return said if said < k else (TIE, SKIP)[said - k]

    return say


def _ask_on(elicitation: Elicitation, say: Say, most: int) -> list[Query]:
    """Answer until nothing is left to ask: the queries, in order."""
    asked: list[Query] = []
    while (query := elicitation.ask()) is not None:
        assert len(asked) < most, f"still asking after {most} questions"
        asked.append(query)
        elicitation.tell(query, say(query))
    return asked


class StrategyContract:
    """What every :class:`palate.strategies.Strategy` keeps to.

    Override the fixture ``strategy``; it must be able to work on a pool of 12 responses. Override
    ``pool`` as well where it needs a particular one, and ``lone_strategy`` where it cannot also
    work on a pool of one.

    Attributes:
        most_questions: how many questions it may ask about the pool before it counts as endless;
            ties and skips are questions too.
    """

    most_questions: int = 200

    @pytest.fixture
    def strategy(self) -> Strategy:
        """The strategy under test."""
        raise NotImplementedError("override the fixture `strategy`")

    @pytest.fixture
    def lone_strategy(self, strategy: Strategy) -> Strategy:
        """The strategy for a pool of one response."""
        return strategy

    @pytest.fixture
    def pool(self) -> Pool:
        """The pool that the strategy is tried on."""
        return _pool(12)

    def test_shows_distinct_responses_of_the_pool(self, strategy: Strategy, pool: Pool) -> None:
        """A query holds K >= 2 different places in the pool, or is None."""
        for say in (_consistent(pool), _capricious()):
            answers: list[Answer] = []
            elicitation = Elicitation(pool, strategy, seed=1)
            for _ in range(self.most_questions):
                options = strategy.propose(View(pool, answers, seed=1))
                if options is None:
                    break
                assert len(options) >= 2, f"a query shows at least 2 responses, not {options}"
                assert len(set(options)) == len(options), f"{options} shows a response twice"
                inside = all(0 <= i < len(pool) for i in options)
                assert inside, f"{options} leaves the pool of {len(pool)}"
                query = elicitation.ask()
                assert query is not None
                elicitation.tell(query, say(query))
                answers = list(elicitation.history)

    def test_propose_and_choose_depend_on_the_view_alone(
        self, strategy: Strategy, pool: Pool
    ) -> None:
        """Calling twice, in another order, or with an emptied memo changes nothing."""
        for say in (_consistent(pool), _capricious()):
            elicitation = Elicitation(pool, strategy, seed=2)
            kept = View(pool, elicitation.view.answers, seed=2)
            for _ in range(self.most_questions):
                first = strategy.propose(kept), strategy.choose(kept)
                again = strategy.propose(kept), strategy.choose(kept)
                _assert_same_step(first, again, "called twice")
                fresh = View(pool, list(kept.answers), seed=2)
                choice = strategy.choose(fresh)
                _assert_same_step(first, (strategy.propose(fresh), choice), "with an emptied memo")
                query = elicitation.ask()
                if query is None:
                    break
                elicitation.tell(query, say(query))

    def test_same_seed_and_answers_ask_the_same(self, strategy: Strategy, pool: Pool) -> None:
        """A run can be replayed from its seed and its answers."""
        for say in (_consistent(pool), _capricious()):
            runs = [Elicitation(pool, strategy, seed=3) for _ in range(2)]
            asked = [_ask_on(run, say, self.most_questions) for run in runs]
            assert asked[0] == asked[1], "the same seed and answers asked other questions"
            _assert_same_recommendation(runs[0].recommend(), runs[1].recommend())

    def test_settings_are_json_and_rebuild_the_strategy(self, strategy: Strategy) -> None:
        """Settings name the strategy, and say all that an equal one needs."""
        settings = json.loads(json.dumps(strategy.settings(), allow_nan=False))
        assert settings["name"] == type(strategy).name
        if dataclasses.is_dataclass(strategy):
            rest = {key: value for key, value in settings.items() if key != "name"}
            assert type(strategy)(**rest) == strategy
            assert type(strategy)(**rest).settings() == strategy.settings()

    def test_serves_two_elicitations_at_once(self, strategy: Strategy, pool: Pool) -> None:
        """One object in two runs asks in each what it asks in a run of its own."""
        sayings = _consistent(pool, seed=5), _capricious(seed=6)
        alone = [
            _ask_on(Elicitation(pool, strategy, seed), say, self.most_questions)
            for seed, say in enumerate(sayings)
        ]
        runs = [Elicitation(pool, strategy, seed) for seed in range(len(sayings))]
        together: list[list[Query]] = [[], []]
        for _ in range(self.most_questions + 1):
            for run, say, asked in zip(runs, sayings, together, strict=True):
                query = run.ask()
                if query is not None:
                    asked.append(query)
                    run.tell(query, say(query))
                    run.recommend()
        assert together == alone, "two runs of one strategy got mixed up"

    def test_ends_for_a_consistent_person(self, strategy: Strategy, pool: Pool) -> None:
        """Nothing is left to ask after ``most_questions`` at the latest."""
        for seed in range(3):
            _ask_on(Elicitation(pool, strategy, seed), _consistent(pool, seed), self.most_questions)

    def test_a_single_response_asks_nothing(self, lone_strategy: Strategy) -> None:
        """With one response there is nothing to ask, and it is the one."""
        elicitation = Elicitation(_pool(1), lone_strategy)
        assert elicitation.ask() is None
        recommendation = elicitation.recommend()
        assert recommendation.index == 0
        assert recommendation.certified
        assert recommendation.questions_left == 0

    @pytest.mark.parametrize("said", [TIE, SKIP])
    def test_ends_when_every_answer_is_a_tie_or_a_skip(
        self, strategy: Strategy, pool: Pool, said: Picked
    ) -> None:
        """Somebody without an opinion is let go."""
        elicitation = Elicitation(pool, strategy, seed=4)
        _ask_on(elicitation, lambda _: said, self.most_questions)
        assert 0 <= elicitation.recommend().index < len(pool)

    def test_ends_when_one_pair_is_always_skipped(self, strategy: Strategy, pool: Pool) -> None:
        """What a person will not compare is not asked for ever, nor other things instead of it."""
        say = _consistent(pool)
        for seed in range(3):
            asked = _ask_on(Elicitation(pool, strategy, seed), say, self.most_questions)
            if not asked:
                continue
            last = set(asked[-1].options)

            def shy(query: Query, last: set[int] = last) -> Picked:
                return SKIP if last <= set(query.options) else say(query)

            _ask_on(Elicitation(pool, strategy, seed), shy, self.most_questions)

    def test_ends_for_a_capricious_person(self, strategy: Strategy, pool: Pool) -> None:
        """Contradictions, ties and skips do not keep it going."""
        for seed in range(3):
            elicitation = Elicitation(pool, strategy, seed)
            _ask_on(elicitation, _capricious(seed), self.most_questions)

    def test_learns_from_orders(self, strategy: Strategy, pool: Pool) -> None:
        """An order of what it shows, whole or its top alone, is an answer like any other."""
        whole = _consistent(pool, order=True)

        def top(query: Query) -> Picked:
            said = whole(query)
            return said[:2] if isinstance(said, tuple) else said

        for say in (whole, top):
            elicitation = Elicitation(pool, strategy, seed=10)
            _ask_on(elicitation, say, self.most_questions)
            recommendation = elicitation.recommend()
            assert 0 <= recommendation.index < len(pool)
            resumed = Elicitation.from_json(elicitation.to_json(), pool, strategy)
            _assert_same_recommendation(resumed.recommend(), recommendation)

    def test_an_order_of_two_is_a_pick(self, strategy: Strategy, pool: Pool) -> None:
        """Of two options, the first of an order is the one picked."""
        say = _consistent(pool, seed=1)

        def ordered(query: Query) -> Picked:
            said = say(query)
            if isinstance(said, int) and len(query.options) == 2:
                return said, 1 - said
            return said

        runs = [Elicitation(pool, strategy, seed=11) for _ in range(2)]
        picks, orders = (
            _ask_on(run, answer, self.most_questions)
            for run, answer in zip(runs, (say, ordered), strict=True)
        )
        assert picks == orders, "an order of two led to other questions than the pick"
        _assert_same_recommendation(runs[1].recommend(), runs[0].recommend())

    @pytest.mark.parametrize("most", [0, 1, 3])
    def test_keeps_to_max_steps(self, strategy: Strategy, pool: Pool, most: int) -> None:
        """Picks and ties count towards ``max_steps``, skips do not."""
        if not dataclasses.is_dataclass(strategy):
            pytest.skip("only a dataclass can be given another max_steps here")
        limited: Strategy = dataclasses.replace(strategy, max_steps=most)
        for say in (_consistent(pool), _capricious(seed=1)):
            elicitation = Elicitation(pool, limited, seed=5)
            _ask_on(elicitation, say, self.most_questions)
            assert steps(elicitation.history) <= most
            assert elicitation.recommend().questions_left == 0

    def test_recommends_before_any_answer_and_after_each(
        self, strategy: Strategy, pool: Pool
    ) -> None:
        """A choice is a place in the pool, a bound is a number >= 0, questions left end at 0."""
        for say in (_consistent(pool), _capricious(seed=2)):
            elicitation = Elicitation(pool, strategy, seed=6)
            for _ in range(self.most_questions):
                choice = strategy.choose(elicitation.view)
                query = elicitation.ask()
                assert 0 <= choice.index < len(pool)
                assert choice.bound is None or 0.0 <= choice.bound < np.inf
                assert choice.expected_regret is None or 0.0 <= choice.expected_regret <= 1.0
                assert (choice.questions_left > 0) == (query is not None), (
                    f"{choice.questions_left} questions left, and the next one is {query}"
                )
                if query is None:
                    break
                elicitation.tell(query, say(query))

    def test_goes_on_from_json(self, strategy: Strategy, pool: Pool) -> None:
        """A run that was written and read again asks the same questions to the end."""
        say = _capricious(seed=3)
        whole = Elicitation(pool, strategy, seed=7)
        asked = _ask_on(whole, say, self.most_questions)
        for cut in sorted({0, 1, len(asked) // 2, len(asked)}):
            if cut > len(asked):
                continue
            part = Elicitation(pool, strategy, seed=7)
            for query in asked[:cut]:
                assert part.ask() == query
                part.tell(query, say(query))
            resumed = Elicitation.from_json(part.to_json(), pool, strategy)
            assert resumed.history == part.history
            assert _ask_on(resumed, say, self.most_questions) == asked[cut:]
            _assert_same_recommendation(resumed.recommend(), whole.recommend())

    @pytest.mark.parametrize("answered", [0, 1, 4])
    def test_goes_on_when_the_pool_grows(
        self, strategy: Strategy, pool: Pool, answered: int
    ) -> None:
        """Once responses have joined, answers stand, and it ends as a replay of its log does."""
        size = max(1, len(pool) - max(1, len(pool) // 3))
        rows = pool.features
        features = None if rows is None else rows[:size]
        small = Pool(pool.prompt, pool.responses[:size], features, scaling="none")
        for say in (_consistent(pool), _capricious(seed=4)):
            elicitation = Elicitation(small, strategy, seed=9)
            for _ in range(answered):
                if (query := elicitation.ask()) is not None:
                    elicitation.tell(query, say(query))
            waiting, history = elicitation.ask() if answered else None, elicitation.history
            features = None if rows is None else rows[size:]
            elicitation.extend(pool.responses[size:], features=features)
            assert elicitation.history == history
            assert waiting is None or elicitation.ask() == waiting
            kept = elicitation.view
            fresh = View(kept.pool, history, seed=9, first_size=size)
            steps = [(strategy.propose(view), strategy.choose(view)) for view in (kept, fresh)]
            _assert_same_step(steps[1], steps[0], "after the pool grew")
            resumed = Elicitation.from_json(elicitation.to_json(), small, strategy)
            asked = [_ask_on(run, say, self.most_questions) for run in (elicitation, resumed)]
            assert asked[0] == asked[1], "the log of a pool that grew leads to other questions"
            assert all(i < len(pool) for query in asked[0] for i in query.options)
            _assert_same_recommendation(resumed.recommend(), elicitation.recommend())

    def test_undo_restores_the_query_and_the_recommendation(
        self, strategy: Strategy, pool: Pool
    ) -> None:
        """After an answer is taken back all is as before it."""
        say = _consistent(pool)
        elicitation = Elicitation(pool, strategy, seed=8)
        for _ in range(self.most_questions):
            options = strategy.propose(elicitation.view)
            before = elicitation.recommend()
            query = elicitation.ask()
            if query is None:
                break
            every = tuple(range(len(query.options)))
            for other in (TIE, 0, 1) if len(every) == 2 else (TIE, 0, every[-1], every):
                elicitation.tell(query, other)
                elicitation.ask()
                elicitation.recommend()
                elicitation.undo()
                assert elicitation.ask() == query
                assert strategy.propose(elicitation.view) == options, "undo left something behind"
                _assert_same_recommendation(elicitation.recommend(), before)
            elicitation.tell(query, say(query))


def _assert_same_step(
    one: tuple[tuple[int, ...] | None, Choice],
    two: tuple[tuple[int, ...] | None, Choice],
    when: str,
) -> None:
    assert one[0] == two[0], f"{when} it proposes {two[0]} instead of {one[0]}"
    assert _same(one[1], two[1]), f"{when} it chooses {two[1]} instead of {one[1]}"


def _assert_same_recommendation(one: Recommendation, two: Recommendation) -> None:
    assert _same(one, two), f"{two} instead of {one}"


def _same(one: Choice | Recommendation, two: Choice | Recommendation) -> bool:
    rest = [dataclasses.replace(choice, bound=None, expected_regret=None) for choice in (one, two)]
    bounds = _close(one.bound, two.bound) and _close(one.expected_regret, two.expected_regret)
    return rest[0] == rest[1] and bounds


def _close(one: float | None, two: float | None) -> bool:
    """A bound may depend on the way to it in its last digits, and no more."""
    if one is None or two is None:
        return one is two
    return abs(one - two) <= 1e-6 * (1.0 + abs(one))


class EmbedderContract:
    """What every embedder keeps to: a callable that turns n texts into an (n, d) array.

    Override the fixture ``embedder``.

    Attributes:
        texts: distinct texts that it is tried on.
        tolerance: how far a number may move when a text is embedded beside other texts.
    """

    texts: Sequence[str] = (
        "Roast the peppers until they blister, then peel them.",
        "Take the night train and wake up by the sea.",
        "- First, breathe.\n- Then, write it down.\n",
        "Überraschung! 東京で会いましょう 🎉",
        "short",
        "A long answer. " * 200,
    )
    tolerance: float = 1e-5

    @pytest.fixture
    def embedder(self) -> Callable[[list[str]], ArrayLike]:
        """The embedder under test."""
        raise NotImplementedError("override the fixture `embedder`")

    def _embed(self, embedder: Callable[[list[str]], ArrayLike], texts: Sequence[str]) -> Any:  # noqa: ANN401
        rows = np.asarray(embedder(list(texts)))
        assert rows.ndim == 2, f"expected an (n, d) array, not shape {rows.shape}"
        assert len(rows) == len(texts), f"{len(texts)} texts gave {len(rows)} rows"
        assert rows.shape[1] >= 1, "a text has no features"
        assert rows.dtype.kind in "fiu", f"features are numbers, not {rows.dtype}"
        assert np.isfinite(rows).all(), "features are finite"
        return rows

    def test_gives_one_finite_row_a_text(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """Any n texts give (n, d) finite numbers, one text too, and d is the same at every call."""
        rows = self._embed(embedder, self.texts)
        assert self._embed(embedder, self.texts[:1]).shape == (1, rows.shape[1])

    def test_tells_texts_apart(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """Not every text has the same features."""
        rows = self._embed(embedder, self.texts)
        assert not (rows == rows[0]).all(), "all texts have the same features"

    def test_is_deterministic(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """The same texts give the same numbers, to the last bit."""
        first, again = (self._embed(embedder, self.texts) for _ in range(2))
        assert np.array_equal(first, again), "the same texts gave other features"

    def test_a_row_depends_on_its_own_text_alone(
        self, embedder: Callable[[list[str]], ArrayLike]
    ) -> None:
        """Neither the order of the texts nor their company changes a text's row."""
        rows = self._embed(embedder, self.texts)
        order = np.random.default_rng(0).permutation(len(self.texts))
        shuffled = self._embed(embedder, [self.texts[i] for i in order])
        each = np.concatenate([self._embed(embedder, [text]) for text in self.texts])
        scale = self.tolerance * (1.0 + float(np.abs(rows).max()))
        assert np.abs(shuffled - rows[order]).max() <= scale, "the order changes the rows"
        assert np.abs(each - rows).max() <= scale, "the other texts change a row"

    def test_takes_an_empty_text(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """An empty or blank text has a row as well."""
        self._embed(embedder, ["", " \n", self.texts[0]])

    def test_leaves_the_list_as_it_was(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """The caller's list is not changed."""
        texts = list(self.texts)
        embedder(texts)
        assert texts == list(self.texts)

    def test_makes_the_features_of_a_pool(self, embedder: Callable[[list[str]], ArrayLike]) -> None:
        """A pool can be made with it."""
        pool = Pool.from_texts("What now?", list(self.texts), embedder)  # type: ignore[arg-type]  # lists are sequences
        assert pool.features is not None
        assert len(pool.features) == len(self.texts)


class PersonContract:
    """What every :class:`palate.feedback.Person` keeps to.

    Override the fixture ``person``, and ``pool`` where the person answers about a particular one.

    Attributes:
        most_options: the largest query that the person can be asked.
    """

    most_options: int = 4

    @pytest.fixture
    def person(self) -> Person:
        """The person under test."""
        raise NotImplementedError("override the fixture `person`")

    @pytest.fixture
    def pool(self) -> Pool:
        """The pool that the person is asked about."""
        return _pool(6)

    @pytest.fixture
    def queries(self, pool: Pool) -> list[Query]:
        """The queries that the person is asked, each number once."""
        sizes = list(range(2, min(self.most_options, len(pool)) + 1)) * 3
        rng = np.random.default_rng(1)
        shown = [rng.choice(len(pool), size=size, replace=False).tolist() for size in sizes]
        return [
            Query(number, tuple(options), tuple(pool.responses[i].id for i in options))
            for number, options in enumerate(shown)
        ]

    def test_replies_are_valid(self, person: Person, pool: Pool, queries: list[Query]) -> None:
        """A reply is a position in the options, an order, or "tie", "skip", "undo" or "stop"."""
        for query in queries:
            reply = person.answer(query, pool)
            if isinstance(reply, str):
                assert reply in {"tie", "skip", "undo", "stop"}, f"{reply!r} is no reply"
                continue
            if isinstance(reply, tuple):
                assert len(set(reply)) == len(reply) >= 2, f"{reply} is no order"
            for place in reply if isinstance(reply, tuple) else (reply,):
                assert isinstance(place, int), f"a position is an int, not {type(place).__name__}"
                assert not isinstance(place, bool), "a position is an int, not a bool"
                assert 0 <= place < len(query.options), f"{place} is not in {query.options}"

    def test_leaves_the_pool_as_it_was(
        self, person: Person, pool: Pool, queries: list[Query]
    ) -> None:
        """Answering does not change what is asked about."""
        before = pool.content_fingerprint, pool.features_fingerprint
        person.answer(queries[0], pool)
        assert (pool.content_fingerprint, pool.features_fingerprint) == before


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a :class:`ScriptedModel` was asked.

    Attributes:
        messages: the conversation.
        temperature: as it was given.
        seed: as it was given.
    """

    messages: tuple[dict[str, str], ...]
    temperature: float | None
    seed: int | None


class ScriptedModel:
    """A chat model for tests: it says what it is told to say. May be called from several threads.

    Args:
        replies: its answers, in order; or a function from the messages to an answer, which may be
            called from several threads at once.
        identity: what tells it from other models in a cache that they share.

    Attributes:
        asked: what it was asked, in order.
    """

    def __init__(
        self,
        replies: Iterable[str] | Callable[[Sequence[Message]], str],
        *,
        identity: str = "scripted",
    ) -> None:
        if isinstance(replies, str):
            raise ParameterError("replies must be a list of strings, not a single string")
        self.identity = identity
        self.asked: list[Asked] = []
        self._say = replies if callable(replies) else None
        self._left = iter(()) if callable(replies) else iter(replies)
        self._lock = threading.Lock()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Completion:
        """The next answer; its usage is estimated at four characters a token.

        Raises:
            ModelError: all replies are used up.
        """
        asked = Asked(tuple(dict(message) for message in messages), temperature, seed)
        with self._lock:
            self.asked.append(asked)
            text = None if self._say is not None else next(self._left, None)
        if self._say is not None:
            text = self._say(messages)
        if text is None:
            msg = f"the scripted model has no reply left for request {len(self.asked)}"
            raise ModelError(msg)
        read = sum(len(message["content"]) for message in messages)
        usage = Usage(-(-read // 4), -(-len(text) // 4), estimated=True)
        return Completion(text, usage, self.identity)


class ChatModelContract:
    """What every :class:`palate.chat.ChatModel` keeps to.

    Override the fixture ``model``; it must answer any conversation, some ten times in all.
    """

    @pytest.fixture
    def model(self) -> ChatModel:
        """The model under test."""
        raise NotImplementedError("override the fixture `model`")

    @pytest.mark.parametrize(
        "messages",
        [
            [{"role": "user", "content": "Dinner tonight?"}],
            [
                {"role": "system", "content": "You answer in one word."},
                {"role": "user", "content": "Überraschung! 東京 🎉\n\n- {braces} \u0000 </tag>"},
                {"role": "assistant", "content": "Ja."},
                {"role": "user", "content": "And else?"},
            ],
        ],
        ids=["one message", "a conversation"],
    )
    @pytest.mark.parametrize("temperature", [None, 0.0, 1.0])
    def test_answers_with_a_text_and_its_cost(
        self, model: ChatModel, messages: list[Message], temperature: float | None
    ) -> None:
        """Any conversation, temperature and seed give a completion, and stay as they were."""
        before = [dict(message) for message in messages]
        completion = model.complete(messages, temperature=temperature, seed=3)
        assert isinstance(completion, Completion)
        assert isinstance(completion.text, str)
        assert isinstance(completion.truncated, bool)
        assert completion.usage.prompt_tokens >= 0
        assert completion.usage.completion_tokens >= 0
        assert messages == before, "the caller's messages were changed"

    def test_has_one_identity(self, model: ChatModel) -> None:
        """Its identity is a text that asking does not change."""
        before = model.identity
        assert isinstance(before, str)
        assert before, "an empty identity tells no two models apart"
        model.complete([{"role": "user", "content": "Who are you?"}])
        assert model.identity == before

    def test_answers_several_threads_at_once(self, model: ChatModel) -> None:
        """Four threads that ask at the same time each get an answer."""
        messages = [{"role": "user", "content": "Are you there?"}]
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(model.complete, messages) for _ in range(4)]
            assert all(isinstance(a.result(timeout=60).text, str) for a in asked)


class GeneratorContract:
    """What every :class:`palate.generate.Generator` keeps to.

    Override the fixture ``generator``; it must be able to make eight distinct responses, twice.
    """

    prompt: str = "What should I cook for dinner tonight? Für zwei, 東京 🎉"

    @pytest.fixture
    def generator(self) -> Generator:
        """The generator under test."""
        raise NotImplementedError("override the fixture `generator`")

    @pytest.mark.parametrize("n", [1, 2, 8])
    def test_generates_n_distinct_responses(self, generator: Generator, n: int) -> None:
        """A pool of n responses to the prompt, whose texts differ, without features."""
        pool = generator.generate(self.prompt, n)
        assert pool.prompt == self.prompt
        assert len(pool) == n
        texts = [response.text for response in pool.responses]
        assert len({" ".join((text or "").casefold().split()) for text in texts}) == n
        assert pool.features is None, "features are made by an embedder"

    @pytest.mark.parametrize("n", [0, -1, 1.5, True])
    def test_refuses_a_number_that_is_none(self, generator: Generator, n: Any) -> None:  # noqa: ANN401
        """How many there shall be is a whole number of at least 1."""
        with pytest.raises(ParameterError):
            generator.generate(self.prompt, n)
        with pytest.raises(ParameterError):
            generator.grow(_pool(2), n)

    @pytest.mark.parametrize("prompt", ["", " \n"])
    def test_refuses_an_empty_prompt(self, generator: Generator, prompt: str) -> None:
        """There is something to respond to."""
        with pytest.raises(ParameterError):
            generator.generate(prompt, 2)

    def test_grows_by_new_responses(self, generator: Generator) -> None:
        """What grows can join the pool, again and again, and the pool stays as it was."""
        pool = generator.generate(self.prompt, 3)
        for _ in range(2):
            before = pool.content_fingerprint
            liked, disliked = pool.responses[:2], pool.responses[2:3]
            grown = generator.grow(pool, 2, liked=liked, disliked=disliked)
            assert pool.content_fingerprint == before, "the pool was changed"
            assert len(grown) <= 2
            pool = Pool(self.prompt, [*pool.responses, *grown])  # refuses ids and texts held twice

    def test_makes_a_pool_that_can_be_asked_about(self, generator: Generator) -> None:
        """The pool can be embedded."""
        pool = generator.generate(self.prompt, 4).embedded()
        assert pool.features is not None
        assert len(pool.features) == 4


class RendererContract:
    """What every :class:`palate.design.Renderer` keeps to.

    Override the fixture ``renderer``; it must be able to show any prompt, some ten times in all.
    """

    prompts: tuple[str, ...] = ("a castle, golden hour glow", "Überraschung, 東京, 🎉", "noon")

    @pytest.fixture
    def renderer(self) -> Renderer:
        """The renderer under test."""
        raise NotImplementedError("override the fixture `renderer`")

    def test_shows_something_for_each_prompt(self, renderer: Renderer) -> None:
        """A text or an existing picture each, in order, that says which prompt it is of."""
        from palate.design.render import response_id  # noqa: PLC0415

        assert renderer.render([]) == []
        shown = renderer.render(list(self.prompts))
        assert [r.metadata["prompt"] for r in shown] == list(self.prompts)
        assert [r.id for r in shown] == [response_id(prompt) for prompt in self.prompts]
        Pool("Which of these?", shown)  # refuses what is shown twice
        assert all(r.image is None or Path(r.image).is_file() for r in shown)

    def test_the_same_prompt_shows_the_same(self, renderer: Renderer) -> None:
        """Asked again, in another order or twice at once, nothing changes."""
        first = renderer.render(list(self.prompts))
        content = [r.image and Path(r.image).read_bytes() for r in first]
        again = renderer.render([*reversed(self.prompts), self.prompts[0]])
        assert again == [*reversed(first), first[0]]
        assert [r.image and Path(r.image).read_bytes() for r in first] == content

    @pytest.mark.parametrize("prompts", [[""], ["a castle", " \n"], "a castle"])
    def test_refuses_a_blank_prompt(self, renderer: Renderer, prompts: Any) -> None:  # noqa: ANN401
        """There is something to show; a single text is no list of prompts."""
        with pytest.raises(ParameterError):
            renderer.render(prompts)

    def test_has_one_identity(self, renderer: Renderer) -> None:
        """Its identity is a text that rendering does not change."""
        before = renderer.identity
        assert isinstance(before, str)
        assert before
        renderer.render([self.prompts[0]])
        assert renderer.identity == before
