"""Pools that grow, and elicitations that go on: every answer stands, every bound holds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from scipy.stats import chisquare

import palate.pool
from palate._journal import Journal
from palate.elicitation import Elicitation, Extension, Undo, event_to_object
from palate.embed import STYLE_NAMES, join_features, style_features
from palate.errors import (
    AnswerError,
    FingerprintError,
    LogError,
    ModelError,
    ParameterError,
    PoolError,
)
from palate.feedback import SKIP, TIE, Answer, Picked, Query, Reply
from palate.formats import read_pools, write_pools
from palate.people import SimulatedPerson
from palate.pool import Pool, Response, Scaling
from palate.preference import VersionSpace
from palate.strategies import (
    IIDBest,
    Oracle,
    Random,
    Strategy,
    UserAlign,
    UserAlignLoss,
    View,
    WinnerStays,
    comparisons,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from palate._typing import Features, FloatArray
    from palate.elicitation import Event, Recommendation

ASKING: tuple[Strategy, ...] = (
    UserAlign(),
    UserAlign(estimate="inside"),
    UserAlign(epsilon=0.4),
    UserAlign(epsilon=None, max_steps=12),
    UserAlignLoss(max_steps=9),
    IIDBest(max_steps=14),
    WinnerStays(),
)
CERTIFYING: tuple[Strategy, ...] = (UserAlign(), UserAlign(estimate="inside"), WinnerStays())


def table(n: int, d: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def named(first: int, last: int) -> list[Response]:
    return [Response(f"r{i}", f"Text {i}.") for i in range(first, last + 1)]


def make_pool(n: int = 6, d: int = 4, seed: int = 0, scaling: Scaling = "half") -> Pool:
    return Pool("Which?", named(1, n), table(n, d, seed), scaling=scaling)


def features_of(pool: Pool) -> Features:
    assert pool.features is not None
    return pool.features


def widest(pool: Pool) -> float:
    x = features_of(pool).astype(np.float64)
    return float(np.sqrt(((x[:, None] - x) ** 2).sum(axis=2)).max())


def letters(texts: Sequence[str]) -> FloatArray:
    """Counts of letters: the smallest embedder."""
    return np.array([[text.count(c) for c in "etaoin shrdlu"] for text in texts], dtype=np.float64)


def asked(elicitation: Elicitation) -> Query:
    query = elicitation.ask()
    assert query is not None
    return query


def assert_same(one: Recommendation, two: Recommendation) -> None:
    """Equal, but for the last digits of a bound, which may depend on the way to it."""
    assert dataclasses.replace(one, bound=None) == dataclasses.replace(two, bound=None)
    assert one.bound == pytest.approx(two.bound, abs=1e-6)


# --- pools --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["half", "diameter"])
def test_the_larger_pool_is_the_one_that_all_responses_make(
    scaling: Scaling, dtype: type[np.floating[Any]]
) -> None:
    raw = table(9, 3).astype(dtype)
    raw[:2] *= 4.0  # the diameter lies among those that are there from the start
    small = Pool("Which?", named(1, 5), raw[:5], scaling=scaling, id="p", baseline="As always.")
    large = small.extended(named(6, 8), features=raw[5:8]).extended(named(9, 9), features=raw[8:])
    whole = Pool("Which?", named(1, 9), raw, scaling=scaling, id="p", baseline="As always.")
    assert large.responses == whole.responses
    assert (large.prompt, large.id, large.baseline) == (whole.prompt, whole.id, whole.baseline)
    assert (large.scaling, large.scale) == (whole.scaling, whole.scale)
    assert large.features_fingerprint == whole.features_fingerprint
    assert large.content_fingerprint == whole.content_fingerprint
    assert features_of(large)[:5].tobytes() == features_of(small).tobytes()
    assert not features_of(large).flags.writeable
    assert len(small) == 5
    assert large.index("r9") == 8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_larger_diameter_shrinks_all_rows(dtype: type[np.floating[Any]]) -> None:
    raw = table(7, 3).astype(dtype)
    raw[6] *= 10.0
    small = Pool("Which?", named(1, 5), raw[:5])
    large = small.extended(named(6, 7), features=raw[5:])
    whole = Pool("Which?", named(1, 7), raw)
    assert features_of(large).dtype == dtype
    np.testing.assert_allclose(features_of(large), features_of(whole), rtol=1e-5)
    assert large.scale == pytest.approx(whole.scale, rel=1e-6)
    assert widest(large) == pytest.approx(1.0, abs=1e-6)
    assert widest(small) == pytest.approx(1.0, abs=1e-6)


def test_new_responses_can_lie_far_from_each_other_alone() -> None:
    raw = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.8], [0.5, -0.8]])
    pool = Pool("Which?", named(1, 2), raw[:2])
    large = pool.extended(named(3, 4), features=raw[2:])
    assert large.scale == pytest.approx(1.0 / 1.6)
    assert widest(large) == pytest.approx(1.0)


def test_features_as_given_stay_so_and_within_one() -> None:
    raw = np.array([[0.0, 0.0], [0.6, 0.0], [0.3, 0.4]])
    pool = Pool("Which?", named(1, 2), raw[:2], scaling="none")
    large = pool.extended(named(3, 3), features=raw[2:])
    assert features_of(large).tolist() == raw.tolist()
    assert (large.scaling, large.scale) == ("none", 1.0)
    with pytest.raises(PoolError, match=r"two responses lie 1\.2 apart and the rule allows 1"):
        pool.extended(named(3, 3), features=[[-0.6, 0.0]])
    with pytest.raises(PoolError, match=r"two responses lie 1\.6 apart"):
        pool.extended(named(3, 4), features=[[0.3, 0.8], [0.3, -0.8]])


@pytest.mark.parametrize("scaling", ["half", "diameter"])
def test_a_pool_of_one_response_can_grow(scaling: Scaling) -> None:
    raw = np.array([[3.0, 4.0], [0.0, 8.0], [1.0, 1.0]])
    one = Pool("Which?", named(1, 1), raw[:1], scaling=scaling)
    large = one.extended(named(2, 3), features=raw[1:])
    whole = Pool("Which?", named(1, 3), raw, scaling=scaling)
    np.testing.assert_allclose(features_of(large), features_of(whole), rtol=1e-12)
    assert large.scale == pytest.approx(whole.scale)


@pytest.mark.parametrize(
    ("scaling", "added", "said"),
    [
        ("diameter", [3.0, 4.0], "all 2 responses have the same features"),
        ("half", [6.0, 8.0], "all 2 responses have features of the same direction"),
    ],
)
def test_responses_that_no_answer_can_tell_apart_are_refused(
    scaling: Scaling, added: list[float], said: str
) -> None:
    one = Pool("Which?", named(1, 1), [[3.0, 4.0]], scaling=scaling)
    with pytest.raises(PoolError, match=said):
        one.extended(named(2, 2), features=[added])


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    stretch=st.sampled_from((1e-3, 0.1, 1.0, 3.0, 1e4)),
    scaling=st.sampled_from(("half", "diameter")),
    exact=st.sampled_from((2, 6, 4096)),
    dtype=st.sampled_from((np.float32, np.float64)),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_no_two_responses_ever_lie_farther_apart_than_one(
    *,
    sizes: list[int],
    stretch: float,
    scaling: Scaling,
    exact: int,
    dtype: type[np.floating[Any]],
    seed: int,
) -> None:
    """Also where the pool is too large for an exact diameter."""
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(palate.pool, "EXACT_DIAMETER", exact)
        pool = Pool("Which?", named(1, 3), rng.normal(size=(3, 2)).astype(dtype), scaling=scaling)
        for size in sizes:
            before, scale = features_of(pool), pool.scale
            raw = rng.normal(size=(size, 2)) * stretch
            pool = pool.extended(named(len(pool) + 1, len(pool) + size), features=raw)
            assert widest(pool) <= 1.0 + 2e-6
            assert features_of(pool).dtype == dtype
            if scaling == "half" or pool.scale == scale:
                assert np.array_equal(features_of(pool)[: len(before)], before)
            else:
                assert pool.scale < scale
            if scaling == "diameter":
                np.testing.assert_allclose(
                    features_of(pool)[-size:], raw * pool.scale, rtol=1e-4, atol=1e-9
                )


def test_a_pool_as_given_may_be_too_large_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palate.pool, "EXACT_DIAMETER", 1)
    pool = Pool("Which?", named(1, 3), [[0.0], [0.4], [0.9]], scaling="none")
    for last in (1.0, 1.2):  # the bound that stands in tells no more than that
        whole = Pool("Which?", named(1, 4), [[0.0], [0.4], [0.9], [last]], scaling="none")
        large = pool.extended(named(4, 4), features=[[last]])
        assert large.features_fingerprint == whole.features_fingerprint
    with pytest.raises(PoolError, match="the rule allows 1"):
        pool.extended(named(4, 4), features=[[3.0]])


def test_a_response_that_is_there_already_is_refused_by_name() -> None:
    pool = make_pool(3)
    for taken, said in (
        ([Response("r2", "New.")], "two responses have the id 'r2'"),
        ([Response("x", "Text 2.")], "responses 'r2' and 'x' are the same"),
        (["Text 3."], "responses 'r3' and 'r4' are the same"),
        ([Response("x", "A."), Response("x", "B.")], "two responses have the id 'x'"),
        (["Same.", "Same."], "responses 'r4' and 'r5' are the same"),
        ([" "], "response 'r4' is empty"),
    ):
        with pytest.raises(PoolError, match=said):
            pool.extended(taken, features=table(len(taken), 4))


def test_strings_take_the_next_free_names() -> None:
    pool = Pool("Which?", [Response("r4", "a"), Response("r3", "b"), Response("x", "c")])
    large = pool.extended(["d", Response("y", "e"), "f 🍲 今晩", "\ud83c"])
    assert [r.id for r in large.responses] == ["r4", "r3", "x", "r5", "y", "r6", "r7"]
    with pytest.raises(PoolError, match="not a single string"):
        pool.extended("d")


def test_nothing_to_add_leaves_the_pool_as_it_is() -> None:
    pool = make_pool()
    assert pool.extended([]) is pool
    assert pool.extended(iter(())) is pool


def test_a_pool_without_features_grows_without() -> None:
    pool = Pool("Which?", named(1, 2))
    large = pool.extended(named(3, 4))
    assert large.features is None
    assert large.responses == tuple(named(1, 4))
    for given_ in ({"features": table(1, 4)}, {"embedder": letters}):
        with pytest.raises(PoolError, match="the pool has no features"):
            pool.extended(["New."], **given_)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (table(2, 4), r"shape \(1, d\)"),
        (table(1, 3), "the pool has 4 features a response, the new ones 3"),
        ([[np.nan, 0.0, 0.0, 0.0]], "must be finite"),
        ([["a", "b", "c", "d"]], "numeric"),
        ([[1e200, 0.0, 0.0, 0.0]], "must not exceed"),
        ([0.0, 1.0, 2.0, 3.0], r"shape \(1, d\)"),
    ],
)
@pytest.mark.parametrize("scaling", ["half", "diameter"])
def test_features_that_do_not_fit_are_refused(features: Any, said: str, scaling: Scaling) -> None:
    with pytest.raises(PoolError, match=said):
        make_pool(scaling=scaling).extended(["New."], features=features)


def test_what_the_pools_precision_cannot_hold_is_refused() -> None:
    raw = table(3, 2).astype(np.float32)
    for scaling in get_args(Scaling):
        pool = Pool("Which?", named(1, 3), 0.1 * raw, scaling=scaling)
        with pytest.raises(PoolError, match="must be finite"):
            pool.extended(["New."], features=[[1e60, 0.0]])
    tiny = Pool("Which?", named(1, 3), raw * np.float32(1e-30))
    with pytest.raises(PoolError, match="must be finite"):
        tiny.extended(["New."], features=[[1e20, 0.0]])


# --- embedders ----------------------------------------------------------------------------------

TEXTS = ("Roast a pepper.", "- one\n- two\n- three", "Why not? Go now!", "A plain sentence here.")
LATER = ("Therefore obtain 12 eggs.", "**Bold** soup\nfor two", "Hey folks!")


def test_an_embedded_pool_remembers_how() -> None:
    calls: list[list[str]] = []

    def counted(texts: Sequence[str]) -> FloatArray:
        calls.append(list(texts))
        return letters(texts)

    pool = Pool.from_texts("Which?", TEXTS, counted)
    large = pool.extended(LATER[:2]).extended(LATER[2:])
    assert calls == [list(TEXTS), list(LATER[:2]), list(LATER[2:])]
    whole = Pool.from_texts("Which?", [*TEXTS, *LATER], letters)
    assert np.array_equal(features_of(large), features_of(whole))
    assert large.embedder == "counted"


def test_duplicates_are_refused_before_they_are_embedded() -> None:
    def paid(texts: Sequence[str]) -> FloatArray:
        assert len(texts) == len(TEXTS), "embedded what was refused"
        return letters(texts)

    with pytest.raises(PoolError, match="are the same"):
        Pool.from_texts("Which?", TEXTS, paid).extended([TEXTS[1]])


def test_the_shipped_embedder_is_remembered() -> None:
    large = Pool.from_texts("Which?", TEXTS).extended(LATER)
    whole = Pool.from_texts("Which?", [*TEXTS, *LATER])
    np.testing.assert_allclose(features_of(large), features_of(whole), atol=1e-6)
    assert large.embedder == whole.embedder


def test_style_is_standardised_by_the_texts_of_the_start() -> None:
    pool = Pool.from_texts("Which?", TEXTS, letters, style=0.4)
    large = pool.extended(LATER[:1]).extended(LATER[1:])
    style = style_features(LATER, reference=TEXTS)
    expected = 0.5 * join_features(letters(LATER), style, 0.4)
    np.testing.assert_allclose(features_of(large)[len(TEXTS) :], expected, rtol=1e-12)
    assert np.array_equal(features_of(large)[: len(TEXTS)], features_of(pool))
    assert large.embedder == "letters+style:0.4"


def test_a_pool_can_be_given_its_embedder_again(tmp_path: Path) -> None:
    pool = Pool.from_texts("Which?", TEXTS, letters)
    write_pools(tmp_path / "pool.jsonl", [pool])
    (read,) = read_pools(tmp_path / "pool.jsonl")
    with pytest.raises(PoolError, match="come from 'letters', which the pool does not hold"):
        read.extended(LATER)
    large = read.extended(LATER, embedder=letters)
    assert large.features_fingerprint == pool.extended(LATER).features_fingerprint
    with pytest.raises(PoolError, match="made by 'letters', not by 'other'"):
        read.extended(LATER, embedder=other)
    with pytest.raises(PoolError, match="made by 'letters', not by 'other'"):
        pool.extended(LATER, embedder=other)


def other(texts: Sequence[str]) -> FloatArray:
    return letters(texts)


def test_a_given_embedder_is_weighed_with_style_as_the_pools_own() -> None:
    pool = Pool.from_texts("Which?", TEXTS, letters, style=0.4)
    again = pool.extended(LATER, embedder=letters)
    assert again.features_fingerprint == pool.extended(LATER).features_fingerprint
    bare = Pool("Which?", pool.responses, features_of(pool), embedder=pool.embedder)
    with pytest.raises(PoolError, match=r"made by 'letters\+style:0\.4', not by 'letters'"):
        bare.extended(LATER, embedder=letters)


def test_a_pool_given_an_array_takes_features_or_an_embedder_of_any_name() -> None:
    pool = Pool("Which?", TEXTS, letters(TEXTS), scaling="half")
    with pytest.raises(PoolError, match="come from an array, which the pool does not hold"):
        pool.extended(LATER)
    given_ = pool.extended(LATER, features=letters(LATER))
    assert given_.features_fingerprint == pool.extended(LATER, embedder=other).features_fingerprint
    assert given_.embedder is None
    with pytest.raises(PoolError, match="features or an embedder, not both"):
        pool.extended(LATER, features=letters(LATER), embedder=other)


def test_images_need_features() -> None:
    pool = Pool.from_texts("Which?", TEXTS, letters)
    picture = Response("p", image="p.png")
    with pytest.raises(PoolError, match="response 'p' has no text to embed"):
        pool.extended([picture])
    assert pool.extended([picture], features=table(1, 13)).responses[-1] == picture


def test_an_embedder_that_changes_its_mind_is_refused() -> None:
    pool = Pool.from_texts("Which?", TEXTS, lambda t: table(len(t), 13 if len(t) > 3 else 12))
    with pytest.raises(PoolError, match="the pool has 13 features a response, the new ones 12"):
        pool.extended(LATER)


def test_style_by_a_reference() -> None:
    assert np.array_equal(style_features(TEXTS, reference=TEXTS), style_features(TEXTS))
    both = style_features([TEXTS[2], *LATER], reference=TEXTS)
    assert np.array_equal(both[0], style_features(TEXTS)[2])
    plain = ("One two.", "One two three four.")  # nothing but length to tell these apart
    columns = style_features(LATER, reference=plain).any(axis=0)
    assert {STYLE_NAMES[i] for i in np.flatnonzero(columns)} == {"length", "sentence_length"}
    assert style_features([], reference=TEXTS).shape == (0, len(STYLE_NAMES))
    with pytest.raises(ParameterError, match="reference holds no text"):
        style_features(LATER, reference=[])


# --- elicitations -------------------------------------------------------------------------------


def split_pool(
    n: int, d: int, first: int, seed: int = 0, scaling: Scaling = "half"
) -> tuple[Pool, list[Response], FloatArray]:
    """A pool of the first responses, and what makes it one of n."""
    raw = table(n, d, seed)
    return Pool("Which?", named(1, first), raw[:first], scaling=scaling), named(first + 1, n), raw


def answer_some(elicitation: Elicitation, person: SimulatedPerson, most: int) -> None:
    for _ in range(most):
        if (query := elicitation.ask()) is None:
            return
        elicitation.tell(query, cast("Picked", person.answer(query, elicitation.pool)), at="t")


def copied(elicitation: Elicitation, pool: Pool) -> Elicitation:
    """The same answers on another pool, as if they had been given there."""
    fresh = Elicitation(pool, elicitation.strategy, elicitation.seed)
    for event in elicitation.log:
        if not isinstance(event, Extension):
            fresh.replay(event_to_object(event))
    return fresh


def test_answers_and_the_query_on_the_screen_stay() -> None:
    pool = make_pool()
    elicitation = Elicitation(pool, UserAlign(), 1)
    elicitation.tell(asked(elicitation), 1)
    waiting, history = asked(elicitation), elicitation.history
    responses = named(7, 8)
    added = elicitation.extend(responses, features=table(2, 4, 9), at="then")
    assert added == tuple(responses)
    assert elicitation.history == history
    assert elicitation.ask() is waiting
    assert elicitation.pool is elicitation.view.pool
    assert elicitation.pool.responses == (*pool.responses, *responses)
    numbers = tuple(map(tuple, table(2, 4, 9).tolist()))
    assert elicitation.log == (*history, Extension(tuple(responses), numbers, "then", waiting))
    elicitation.tell(waiting, 0)
    assert [a.picked for a in elicitation.history] == [1, 0]
    assert len(pool) == 6


def test_an_extension_is_timed() -> None:
    elicitation = Elicitation(Pool("Which?", ["a", "b"]), WinnerStays())
    elicitation.extend(["c"])
    (event,) = elicitation.log
    assert isinstance(event, Extension)
    assert event.at.endswith("+00:00")
    assert event.pending is None
    assert event.features is None


def test_nothing_added_is_nothing_logged() -> None:
    elicitation = Elicitation(make_pool(), UserAlign())
    assert elicitation.extend([]) == ()
    assert elicitation.log == ()


@pytest.mark.parametrize(
    "responses",
    [
        ["Text 1."],
        [Response("r1", "New.")],
        [Response("x", "New.", metadata={"made by": object()})],
        [Response("x", "New.", metadata={"score": float("nan")})],
        ["New.", "Newer."],
    ],
    ids=["content", "id", "metadata", "nan", "rows"],
)
def test_an_extension_that_is_refused_changes_nothing(responses: list[Any]) -> None:
    pool = make_pool()
    elicitation = Elicitation(pool, UserAlign(), 1)
    waiting = asked(elicitation)
    with pytest.raises(PoolError):
        elicitation.extend(responses, features=table(1, 4))
    assert elicitation.pool is pool
    assert elicitation.view.pool is pool
    assert elicitation.log == ()
    assert elicitation.ask() is waiting
    elicitation.extend(["Newest."], features=table(1, 4))


def test_undo_takes_back_the_answer_and_leaves_the_extension() -> None:
    elicitation = Elicitation(make_pool(), UserAlign(), 1)
    first = asked(elicitation)
    elicitation.tell(first, 0)
    elicitation.extend(["New."], features=table(1, 4, 9))
    elicitation.undo()
    assert elicitation.ask() == first
    assert len(elicitation.pool) == 7
    with pytest.raises(AnswerError, match="no answer to take back"):
        elicitation.undo()
    assert [type(event) for event in elicitation.log] == [Answer, Extension, Undo]


@pytest.mark.parametrize("scaling", ["half", "diameter"])
@pytest.mark.parametrize("strategy", ASKING, ids=str)
def test_the_extended_run_says_what_the_larger_pool_says(
    strategy: Strategy, scaling: Scaling
) -> None:
    """Bound, incumbent, certificate: as if all responses had been there for the answers so far."""
    for seed in range(12):
        rng = np.random.default_rng([seed, 5])
        n, d, first = int(rng.integers(4, 12)), int(rng.integers(1, 9)), int(rng.integers(2, 4))
        small, later, raw = split_pool(n, max(d, 2), first, seed, scaling)
        person = SimulatedPerson(rng.normal(size=raw.shape[1]), flip_rate=0.2 * (seed % 3 == 0))
        elicitation = Elicitation(small, strategy, seed)
        answer_some(elicitation, person, int(rng.integers(1, 6)))
        elicitation.recommend()
        elicitation.extend(later, features=raw[first:])
        for _ in range(4):
            whole = copied(elicitation, elicitation.pool)
            assert_same(elicitation.recommend(), whole.recommend())
            answer_some(elicitation, person, 1)


def test_a_certificate_lapses_where_a_newcomer_may_be_better() -> None:
    small = Pool("Which?", named(1, 2), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], scaling="half")
    for strategy in CERTIFYING:
        elicitation = Elicitation(small, strategy, 3)
        elicitation.tell(asked(elicitation), 0)
        assert elicitation.recommend().certified
        assert elicitation.ask() is None
        elicitation.extend(["New."], features=[[0.0, 0.0, 1.0]])
        recommendation = elicitation.recommend()
        assert not recommendation.certified
        assert recommendation.questions_left == 1
        assert 2 in asked(elicitation).options


def test_a_certificate_stays_where_no_newcomer_can_be_better() -> None:
    small = Pool("Which?", named(1, 2), [[0.6, 0.0], [0.0, 0.6]], scaling="none")
    elicitation = Elicitation(small, UserAlign(), 3)
    elicitation.tell(asked(elicitation), 0)
    best = elicitation.recommend()
    elicitation.extend(["New."], features=[(0.3, 0.3)])
    assert elicitation.recommend().certified
    assert elicitation.recommend().index == best.index
    assert elicitation.ask() is None


@pytest.mark.parametrize("scaling", ["half", "diameter"])
@pytest.mark.parametrize("strategy", CERTIFYING, ids=str)
def test_a_consistent_person_gets_the_best_of_the_larger_pool(
    strategy: Strategy, scaling: Scaling
) -> None:
    late = 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 7])
        n, d, first = int(rng.integers(3, 16)), int(rng.integers(2, 20)), int(rng.integers(1, 3))
        small, later, raw = split_pool(n, d, first, seed, scaling)
        person = SimulatedPerson(rng.normal(size=d))
        elicitation = Elicitation(small, strategy, seed)
        while later:
            answer_some(elicitation, person, int(rng.integers(0, 4)))
            if rng.random() < 0.5:
                elicitation.ask()
            by = int(rng.integers(1, 5))
            elicitation.extend(later[:by], features=raw[len(elicitation.pool) :][:by])
            later = later[by:]
        recommendation = elicitation.run(person)
        assert recommendation.certified
        utilities = person.utilities(elicitation.pool)
        assert recommendation.index == int(utilities.argmax())
        late += recommendation.index >= first
        if isinstance(strategy, WinnerStays):
            assert recommendation.answers <= n - 1
    assert late > 20


@pytest.mark.parametrize("strategy", CERTIFYING[:2], ids=str)
def test_no_possible_taste_beats_the_bound(strategy: Strategy) -> None:
    """Tastes that agree with all answers, drawn on their own account."""
    tried = 0
    for seed in range(15):
        small, later, raw = split_pool(9, 5, 4, seed, "diameter")
        person = SimulatedPerson(np.random.default_rng(seed).normal(size=5))
        elicitation = Elicitation(small, strategy, seed)
        answer_some(elicitation, person, 2)
        elicitation.extend(later, features=3.0 * raw[4:])
        answer_some(elicitation, person, seed % 3)
        pool, recommendation = elicitation.pool, elicitation.recommend()
        differences, _ = comparisons(elicitation.history, features_of(pool))
        thetas = np.random.default_rng(seed).normal(size=(4000, 5))
        thetas *= 3.0 / np.sqrt((thetas**2).sum(axis=1, keepdims=True))
        thetas = thetas[(thetas @ differences.T >= 0.0).all(axis=1)]
        utilities = thetas @ features_of(pool).T
        margins = utilities.max(axis=1) - utilities[:, recommendation.index]
        assert recommendation.bound is not None
        assert margins.max() <= recommendation.bound + 1e-9
        space = VersionSpace(differences)
        directions = features_of(pool) - features_of(pool)[recommendation.index]
        assert recommendation.bound == pytest.approx(space.support(directions).max(), abs=1e-6)
        tried += len(thetas)
    assert tried > 1000


def test_an_oracle_whose_pool_has_grown_says_so() -> None:
    elicitation = Elicitation(make_pool(3), Oracle(utilities=(1.0, 2.0, 3.0)))
    elicitation.extend(["New."], features=table(1, 4, 9))
    with pytest.raises(ParameterError, match="knows 3 utilities and the pool has 4"):
        elicitation.recommend()


# --- strategies that draw -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Random, IIDBest])
def test_a_response_drawn_stays_unless_a_newcomer_takes_its_place(
    kind: Callable[[], Strategy],
) -> None:
    """So the draw is uniform over the pool as it is, however it grew."""
    counts = np.zeros(5, dtype=int)
    for seed in range(700):
        elicitation = Elicitation(make_pool(2), kind(), seed)
        before = elicitation.recommend().index
        for _ in range(3):
            elicitation.extend([f"New {len(elicitation.pool)}."], features=table(1, 4, seed + 1))
            after = elicitation.recommend().index
            assert after in {before, len(elicitation.pool) - 1}
            before = after
        counts[after] += 1
        at_once = Elicitation(make_pool(2), kind(), seed)
        at_once.extend(["A.", "B.", "C."], features=table(3, 4, seed + 1))
        assert at_once.recommend().index == after
    assert chisquare(counts).pvalue > 0.001


def test_a_tournament_goes_on_with_the_newcomers_last() -> None:
    for seed in range(20):
        before, grown = (Elicitation(make_pool(5), WinnerStays(), seed) for _ in range(2))
        before.tell(asked(before), TIE)
        asked(grown)
        grown.extend(named(6, 7), features=table(2, 4, 9))
        grown.tell(asked(grown), TIE)
        while (query := before.ask()) is not None:
            assert grown.recommend().index == before.recommend().index
            assert grown.ask() == query
            for elicitation in (before, grown):
                elicitation.tell(query, int(np.argmax(query.options)))
        incumbent = before.recommend().index
        for newcomer in (5, 6):
            assert set(asked(grown).options) == {incumbent, newcomer}
            grown.tell(asked(grown), TIE)
        assert grown.recommend().certified
        assert grown.recommend().index == incumbent


def test_a_view_by_hand_began_with_all_of_its_pool() -> None:
    assert View(make_pool(4), [], 0).first_size == 4
    assert View(make_pool(4), [], 0, first_size=2).first_size == 2


# --- logs ---------------------------------------------------------------------------------------


def extended_run(dtype: type[np.floating[Any]] = np.float64) -> tuple[Pool, Elicitation]:
    raw = table(6, 4).astype(dtype)
    pool = Pool("Which?", named(1, 4), raw[:4], scaling="half")
    elicitation = Elicitation(pool, UserAlign(), 2)
    elicitation.tell(asked(elicitation), 0, at="t")
    asked(elicitation)
    new = [Response("r5", "Neu 今晩 🍲", metadata={"model": "m"}), Response("r6", image="6.png")]
    elicitation.extend(new, features=raw[4:], at="u")
    return pool, elicitation


def test_an_extension_as_json() -> None:
    _, elicitation = extended_run()
    written = event_to_object(elicitation.log[-1])
    assert written == {
        "extend": [
            {"id": "r5", "text": "Neu 今晩 🍲", "model": "m"},
            {"id": "r6", "image": "6.png"},
        ],
        "features": table(6, 4)[4:].tolist(),
        "pending": list(asked(elicitation).ids),
        "at": "u",
    }
    bare = Elicitation(Pool("Which?", ["a", "b"]), WinnerStays())
    bare.extend(["c"], at="")
    assert event_to_object(bare.log[0]) == {"extend": [{"id": "r3", "text": "c"}], "at": ""}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_log_replays_without_what_made_the_features(dtype: type[np.floating[Any]]) -> None:
    pool, elicitation = extended_run(dtype)
    resumed = Elicitation.from_json(elicitation.to_json(), pool)
    assert resumed.log == elicitation.log
    assert resumed.to_json() == elicitation.to_json()
    assert resumed.pool.features_fingerprint == elicitation.pool.features_fingerprint
    assert resumed.pool.responses == elicitation.pool.responses
    assert resumed.pool.responses[4].metadata == {"model": "m"}
    assert resumed.ask() == elicitation.ask()
    assert_same(resumed.recommend(), elicitation.recommend())


def test_an_embedded_pool_resumes_and_grows_on_without_another_word() -> None:
    pool = Pool.from_texts("Which?", TEXTS, letters, style=0.3)
    elicitation = Elicitation(pool, UserAlign(), 1)
    elicitation.extend(LATER[:1])
    again = Pool.from_texts("Which?", TEXTS, letters, style=0.3)
    resumed = Elicitation.from_json(elicitation.to_json(), again)
    for run in (elicitation, resumed):
        assert [r.id for r in run.extend(LATER[1:], at="t")] == ["r6", "r7"]
    assert resumed.pool.features_fingerprint == elicitation.pool.features_fingerprint
    assert resumed.to_json() == elicitation.to_json()


def test_the_fingerprint_is_that_of_the_pool_at_the_start() -> None:
    pool, elicitation = extended_run()
    assert elicitation.fingerprint() == Elicitation(pool, UserAlign(), 2).fingerprint()
    text = elicitation.to_json()
    with pytest.raises(FingerprintError, match="another pool"):
        Elicitation.from_json(text, elicitation.pool)
    with pytest.raises(FingerprintError, match="another features"):
        Elicitation.from_json(text, pool.with_features(table(4, 4, 5), scaling="half"))
    with pytest.raises(FingerprintError, match="another seed"):
        Elicitation.from_json(text, pool, seed=3)
    with pytest.raises(FingerprintError, match="another strategy"):
        Elicitation.from_json(text, pool, UserAlign(epsilon=0.1))


def test_half_an_emoji_survives_a_file(tmp_path: Path) -> None:
    pool = Pool("Which?", ["a", "b"])
    elicitation = Elicitation(pool, WinnerStays())
    elicitation.extend(["cut off \ud83c"])
    with Journal.create(tmp_path / "log.jsonl", {}) as journal:
        journal.append(event_to_object(elicitation.log[0]))
    with Journal.open(tmp_path / "log.jsonl") as journal:
        resumed = Elicitation(pool, WinnerStays())
        resumed.replay(journal.records[0])
    assert resumed.log == elicitation.log


def damaged(**changes: Any) -> dict[str, Any]:
    added = {"extend": [{"id": "r9", "text": "New."}], "features": [[1.0, 0.0, 0.0, 0.0]]}
    return added | changes


@pytest.mark.parametrize(
    "event",
    [
        damaged(extend=[]),
        damaged(extend=None),
        damaged(extend="r9"),
        damaged(extend={"id": "r9", "text": "New."}),
        damaged(extend=["New."]),
        damaged(extend=[{"text": "New."}]),
        damaged(extend=[{"id": "r9"}]),
        damaged(extend=[{"id": "r9", "text": 3}]),
        damaged(extend=[{"id": 9, "text": "New."}]),
        damaged(extend=[{"id": "r1", "text": "New."}]),
        damaged(extend=[{"id": "r9", "text": "Text 1."}]),
        damaged(features=None),
        damaged(features=[]),
        damaged(features=[[1.0, 0.0, 0.0]]),
        damaged(features=[[1.0, 0.0, 0.0, None]]),
        damaged(features="features"),
        damaged(pending=["r1"]),
        damaged(pending=["r1", "r1"]),
        damaged(pending=["r1", "r9"]),
        damaged(pending=["r1", "r77"]),
        damaged(pending=3),
    ],
    ids=str,
)
def test_a_damaged_extension_is_refused_and_changes_nothing(event: dict[str, Any]) -> None:
    pool = make_pool()
    elicitation = Elicitation(pool, UserAlign(), 1)
    elicitation.tell(asked(elicitation), 0)
    waiting, log = asked(elicitation), elicitation.log
    with pytest.raises(LogError):
        elicitation.replay(event)
    assert elicitation.log == log
    assert elicitation.pool is pool
    assert elicitation.ask() is waiting
    elicitation.replay(damaged())
    assert len(elicitation.pool) == 7


def test_a_recorded_extension_needs_no_embedder_even_where_there_is_one() -> None:
    """What the log says counts, lest a model that has changed move the pool."""
    pool = Pool.from_texts("Which?", TEXTS, letters)
    elicitation = Elicitation(pool, UserAlign())
    with pytest.raises(LogError, match="has features"):
        elicitation.replay({"extend": [{"id": "x", "text": "New."}]})
    elicitation.replay({"extend": [{"id": "x", "text": "New."}], "features": [[1.0] * 13]})
    np.testing.assert_allclose(features_of(elicitation.pool)[-1], 0.5 / np.sqrt(13.0))


class Growing(RuleBasedStateMachine):
    """Whatever is asked, told, taken back and added: the log alone leads to the same state."""

    @initialize(strategy=st.sampled_from(ASKING), seed=st.integers(0, 3), bare=st.booleans())
    def start(self, strategy: Strategy, seed: int, bare: bool) -> None:  # noqa: FBT001 - drawn
        features = None if bare and isinstance(strategy, WinnerStays) else table(3, 3, seed)
        self.first = Pool("Which?", named(1, 3), features, scaling="diameter")
        self.elicitation = Elicitation(self.first, strategy, seed)
        self.picked: list[Picked] = []
        self.size = 3

    @rule()
    def ask(self) -> None:
        self.elicitation.ask()

    @rule(picked=st.sampled_from((0, 1, TIE, SKIP)))
    def tell(self, picked: Picked) -> None:
        if (query := self.elicitation.ask()) is not None:
            self.elicitation.tell(query, picked)
            self.picked.append(picked)

    @rule()
    def undo(self) -> None:
        if self.picked:
            answer = self.elicitation.undo()
            assert answer.picked == self.picked.pop()
            assert self.elicitation.ask() == answer.query

    @rule(by=st.integers(1, 3), stretch=st.sampled_from((0.2, 2.0)))
    def extend(self, by: int, stretch: float) -> None:
        if self.size > 12:
            return
        rows = None if self.first.features is None else stretch * table(by, 3, self.size)
        new = named(self.size + 1, self.size + by)
        assert self.elicitation.extend(new, features=rows) == tuple(new)
        self.size += by

    @rule()
    def resume(self) -> None:
        before = self.elicitation
        waiting = before.ask()
        self.elicitation = Elicitation.from_json(before.to_json(), self.first, before.strategy)
        assert self.elicitation.log == before.log
        assert self.elicitation.ask() == waiting
        assert_same(self.elicitation.recommend(), before.recommend())

    @invariant()
    def the_pool_and_the_answers_are_whole(self) -> None:
        elicitation = self.elicitation
        assert [answer.picked for answer in elicitation.history] == self.picked
        assert elicitation.pool.responses == tuple(named(1, self.size))
        assert elicitation.view.pool is elicitation.pool
        assert elicitation.view.first_size == 3
        assert (
            elicitation.recommend().response
            is elicitation.pool.responses[elicitation.recommend().index]
        )


TestGrowing = Growing.TestCase
TestGrowing.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


# --- runs ---------------------------------------------------------------------------------------


class Scripted:
    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.sizes: list[int] = []

    def answer(self, query: Query, pool: Pool) -> Reply:  # noqa: ARG002 - a Person
        self.sizes.append(len(pool))
        return self.replies.pop(0)


def growth(elicitation: Elicitation) -> None:
    number = len(elicitation.pool) + 1
    elicitation.extend(named(number, number), features=table(1, 4, number))


def test_a_run_grows_after_each_event_and_records_in_order() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    recorded: list[Event] = []
    person = Scripted("undo", 0, "undo", SKIP, "stop")
    elicitation.run(person, recorded.append, growth)
    assert [type(event).__name__ for event in recorded] == [
        *("Answer", "Extension", "Undo", "Extension", "Answer", "Extension")
    ]
    assert tuple(recorded) == elicitation.log
    assert person.sizes == [4, 4, 5, 6, 7]
    assert [e.pending is None for e in recorded if isinstance(e, Extension)] == [True, False, True]


def test_all_that_happened_is_recorded_before_the_next_question() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    recorded: list[Event] = []

    class Looks(Scripted):
        def answer(self, query: Query, pool: Pool) -> Reply:
            assert tuple(recorded) == elicitation.log
            return super().answer(query, pool)

    elicitation.run(Looks(0, "undo", 1, "stop"), recorded.append, growth)
    assert len(recorded) == 6


def test_a_run_that_had_nothing_left_to_ask_goes_on_once_it_grew() -> None:
    theta = np.random.default_rng(3).normal(size=4)
    elicitation = Elicitation(make_pool(2), WinnerStays(), 1)

    def grow_to_five(run: Elicitation) -> None:
        if len(run.pool) < 5:
            growth(run)

    recommendation = elicitation.run(SimulatedPerson(theta), grow=grow_to_five)
    assert len(elicitation.pool) == 5
    assert recommendation.answers == 4
    assert recommendation.index == int((features_of(elicitation.pool) @ theta).argmax())


def test_a_person_may_extend_the_pool_that_they_are_asked_about() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    recorded: list[Event] = []

    class Adds:
        def answer(self, query: Query, pool: Pool) -> Reply:  # noqa: ARG002 - a Person
            growth(elicitation)
            return "stop" if len(elicitation.pool) > 5 else 0

    elicitation.run(Adds(), recorded.append)
    assert tuple(recorded) == elicitation.log
    assert [type(event) for event in recorded] == [Extension, Answer, Extension]


def test_a_model_that_fails_costs_no_answer() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    recorded: list[Event] = []

    def fails(run: Elicitation) -> None:
        growth(run)
        msg = "the server is down"
        raise ModelError(msg)

    with pytest.raises(ModelError, match="the server is down"):
        elicitation.run(Scripted(0, 1), recorded.append, fails)
    assert [type(event) for event in recorded] == [Answer, Extension]
    assert tuple(recorded) == elicitation.log
    elicitation.run(Scripted(TIE, "stop"), recorded.append)
    assert tuple(recorded) == elicitation.log
    assert [a.picked for a in elicitation.history] == [0, TIE]
    resumed = Elicitation.from_json(elicitation.to_json(), make_pool(4))
    assert_same(resumed.recommend(), elicitation.recommend())


def test_what_a_person_added_is_recorded_even_where_they_fail() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    recorded: list[Event] = []

    class Leaves:
        def answer(self, query: Query, pool: Pool) -> Reply:  # noqa: ARG002 - a Person
            growth(elicitation)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        elicitation.run(Leaves(), recorded.append)
    assert [type(event) for event in recorded] == [Extension]


def test_an_event_that_cannot_be_recorded_is_tried_once() -> None:
    elicitation = Elicitation(make_pool(4), UserAlign(), 1)
    tried: list[Event] = []

    def full(event: Event) -> None:
        tried.append(event)
        msg = "no space left"
        raise LogError(msg)

    with pytest.raises(LogError, match="no space left"):
        elicitation.run(Scripted(0, 1), full)
    assert tuple(tried) == elicitation.log
    assert len(tried) == 1


def test_an_extension_may_be_numpys_and_json_keeps_it() -> None:
    pool = make_pool(3)
    elicitation = Elicitation(pool, UserAlign())
    elicitation.extend(["New."], features=np.array([[1, 2, 3, 4]]))
    assert json.loads(elicitation.to_json())["log"][0]["features"] == [[1.0, 2.0, 3.0, 4.0]]
    assert Elicitation.from_json(elicitation.to_json(), pool).log == elicitation.log
