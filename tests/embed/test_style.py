from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from palate.embed import STYLE_NAMES, default_embedder, join_features, style_features
from palate.errors import ParameterError

PROSE = "The train leaves at noon. We reach the coast by evening and sleep near the harbour."
LIST = "Pack for the coast:\n- a hat\n- a towel\n* sun cream\n1. water\n2) fruit\n(c) a book"


def column(name: str, texts: list[str]) -> list[float]:
    return [float(value) for value in style_features(texts)[:, STYLE_NAMES.index(name)]]


def test_columns_are_standardised_within_the_pool() -> None:
    texts = [PROSE, LIST, "Wow! Really?", "# Plan\n**First**, take 12 eggs.", ""]
    features = style_features(texts)
    assert features.shape == (5, len(STYLE_NAMES))
    assert features.dtype == np.float64
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-12)


def test_constant_columns_are_zero() -> None:
    features = style_features([PROSE] * 7)
    assert not features.any()
    features = style_features(["one two three", "one two three four"])
    same = [STYLE_NAMES.index(name) for name in ("lists", "markup", "numbers")]
    assert not features[:, same].any()
    assert features[:, STYLE_NAMES.index("length")].any()


def test_small_pools() -> None:
    assert style_features([]).shape == (0, len(STYLE_NAMES))
    assert not style_features([PROSE]).any()
    assert not style_features(["", ""]).any()


@pytest.mark.parametrize(
    ("name", "more", "less"),
    [
        ("length", PROSE + " " + PROSE, PROSE),
        ("length", "今天天气很好我们去公园", "今天很好"),
        ("sentence_length", "One long sentence that goes on and on and on.", "Short. Very short."),
        ("sentence_length", "a b c d e f", "a b c\nd e f"),
        ("sentence_length", "1. buy milk and eggs", "Go. buy milk and eggs"),
        ("sentence_length", "Pay 3.14 at x.org.example now", "Pay 3. 14 at x. org. example now"),
        ("sentence_length", "我们今天去公园散步吃饭", "我们。今天。去公园。散步。吃饭"),
        ("lists", LIST, PROSE),
        ("lists", "- a\n- b", "a - b\nc - d"),
        ("lists", "  • a\n\n  • b", "• a\nb"),
        ("lists", "1. a\n2. b", "1.5 a\n2.5 b"),
        ("markup", "# Title\ntext", "Title\ntext"),
        ("markup", "a **bold** word", "a * b * word"),
        ("markup", "call `f(x)`", "call f(x)"),
        ("markup", "```\nx = 1\n```", "x = 1\ny\nz"),
        ("numbers", "Take 2 eggs and 300 g of flour", "Take two eggs and some flour now please"),
        ("questions_exclamations", "Why not? Go now!", "Why not. Go now."),
        ("questions_exclamations", "真的吗？", "真的。"),  # noqa: RUF001
        ("questions_exclamations", "Shall we?", "See x.org/?q=1 now."),
        (
            "formality",
            "It is therefore necessary to obtain approval prior to departure.",
            "You gotta get the okay before you go, guys!",
        ),
        ("formality", "The children do not agree.", "The children don't agree."),
        ("formality", "The children do not agree.", "The children don’t agree."),  # noqa: RUF001
        ("formality", "The book of the month.", "The book of the month!"),
        ("formality", "The book of the month.", "The book of the month. 😀"),
        ("formality", "One buys the ticket.", "You buys the ticket."),
        ("formality", "One buys the ticket.", "Folks buys the ticket."),
        ("formality", "Thus one buys it.", "Here one buys it."),
        ("formality", "See the cathedral.", "See the church."),
        ("formality", "Thus it is.", "Cathedral it is."),
    ],
)
def test_each_feature_reacts_as_documented(name: str, more: str, less: str) -> None:
    high, low = column(name, [more, less])
    assert (high, low) == pytest.approx((1, -1))


def test_shares_are_shares() -> None:
    half, none, full = column("lists", ["- a\nb", "a\nb", "- a\n- b"])
    assert half == pytest.approx((none + full) / 2)
    quarter, none, full = column("numbers", ["a b c 4", "a b c d", "1 2 3 4"])
    assert quarter == pytest.approx(none + (full - none) / 4)


def test_one_shrill_text_does_not_level_the_others() -> None:
    plain = ["Thus one buys it.", "Here one buys it.", "Folks buy it."]
    formal, neutral, informal, _ = column("formality", [*plain, "Wow" + "!" * 10_000])
    assert formal > neutral + 0.3 > informal + 0.6


def test_a_genitive_is_no_contraction() -> None:
    assert column("formality", ["the cat's bed", "the cats bed"]) == [0, 0]


@given(st.lists(st.text(st.characters(), max_size=40), max_size=6))
def test_any_unicode_gives_finite_features(texts: list[str]) -> None:
    features = style_features(texts)
    assert features.shape == (len(texts), len(STYLE_NAMES))
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "unit",
    [" ", "!", "!)", "!!)", ")", "**", "**a", "__a", "`a", "1. ", "- ", "a'", "\n", "#", "。"],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    text = unit * (50_000 // len(unit))
    start = time.perf_counter()
    style_features([text, text + "x", "." + text + "x"])
    assert time.perf_counter() - start < 2  # a quadratic search would take half a minute


def test_a_single_string_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a list of texts"):
        style_features("one text")
    with pytest.raises(TypeError, match="text 0 is of type int"):
        style_features([1])  # type: ignore[list-item]


@pytest.mark.parametrize("weight", [0, 0.2, 0.5, 1])
def test_joined_rows_have_unit_length_and_mix_inner_products(weight: float) -> None:
    texts = [PROSE, LIST, "Wow! Really?", "# Plan\n**First**, take 12 eggs."]
    embedding, style = default_embedder()(texts), style_features(texts)
    joined = join_features(embedding, style, weight)
    assert joined.shape == (4, 64 + len(STYLE_NAMES))
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-12)
    unit = style / np.linalg.norm(style, axis=1, keepdims=True)
    mixed = (1 - weight) * (embedding @ embedding.T) + weight * (unit @ unit.T)
    np.testing.assert_allclose(joined @ joined.T, mixed, atol=1e-6)


def test_the_weights_at_the_ends_leave_one_block() -> None:
    embedding, style = np.array([[3.0, 4.0]]), np.array([[2.0]])
    np.testing.assert_allclose(join_features(embedding, style, 0), [[0.6, 0.8, 0.0]])
    np.testing.assert_allclose(join_features(embedding, style, 1), [[0.0, 0.0, 1.0]])


def test_zero_rows_stay_zero() -> None:
    joined = join_features([[0.0, 0.0], [1.0, 0.0]], [[2.0], [0.0]], 0.36)
    np.testing.assert_allclose(joined, [[0, 0, 0.6], [0.8, 0, 0]])


def test_tiny_and_huge_rows_have_a_direction_too() -> None:
    np.testing.assert_allclose(join_features([[1e-200, 0]], [[1e200]], 0.36), [[0.8, 0, 0.6]])


@given(
    arrays(np.float64, (3, 2), elements=st.floats(-1e3, 1e3)),
    arrays(np.float64, (3, 4), elements=st.floats(-1e3, 1e3)),
    st.floats(0, 1),
)
def test_joined_rows_never_exceed_unit_length(
    embedding: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    style: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    weight: float,
) -> None:
    joined = join_features(embedding, style, weight)
    assert (np.linalg.norm(joined, axis=1) < 1 + 1e-12).all()


@pytest.mark.parametrize("weight", [-0.1, 1.5, math.nan, math.inf])
def test_a_weight_outside_its_range_is_named(weight: float) -> None:
    with pytest.raises(ParameterError, match=rf"weight is {weight}; it must lie in \[0, 1\]"):
        join_features([[1.0]], [[1.0]], weight)


@pytest.mark.parametrize(
    ("embedding", "style"), [([[1.0]], [[1.0], [2.0]]), ([1.0], [[1.0]]), ([[1.0]], [1.0])]
)
def test_blocks_that_do_not_fit_are_refused(embedding: list[float], style: list[float]) -> None:
    with pytest.raises(ParameterError, match="cannot be joined"):
        join_features(embedding, style, 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ParameterError, match=r"row 1 .* not finite"):
        join_features([[1.0], [2.0]], [[1.0], [value]], 0.5)
