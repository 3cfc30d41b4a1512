"""Tastes in a few sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.design import STYLES, style_sentences, style_theta
from palate.embed import default_embedder
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray


def test_the_shipped_styles_have_their_sentences() -> None:
    assert STYLES == ("sunny", "medieval", "technological")
    sentences = {name: style_sentences(name) for name in STYLES}
    assert [len(s) >= n for s, n in zip(sentences.values(), (8, 25, 25), strict=True)] == [True] * 3
    every = [s for some in sentences.values() for s in some]
    assert len(set(every)) == len(every)
    assert all(s == s.strip() and s.endswith(".") for s in every)
    with pytest.raises(ParameterError, match="no shipped style 'noir'; there are sunny"):
        style_sentences("noir")  # type: ignore[arg-type]


def test_the_styles_are_three_tastes() -> None:
    """A sentence that was left out fits its own style better than the others."""
    for name in STYLES:
        others = [other for other in STYLES if other != name]
        for left_out in style_sentences(name)[:5]:
            row = default_embedder()([left_out])[0]
            own = style_theta([s for s in style_sentences(name) if s != left_out]) @ row
            assert all(own > style_theta(style_sentences(other)) @ row for other in others)


def test_theta_is_the_mean_of_unit_rows_of_the_length_asked_for() -> None:
    rows = {"a": [3.0, 4.0], "b": [0.0, 2.0], "c": [5.0, 0.0]}

    def embed(texts: Sequence[str]) -> FloatArray:
        return np.array([rows[text] for text in texts])

    theta = style_theta(["a", "b", "c"], embed, strength=7.0)
    expected = np.array([0.6 + 0.0 + 1.0, 0.8 + 1.0 + 0.0])
    np.testing.assert_allclose(theta, 7.0 * expected / np.linalg.norm(expected))
    np.testing.assert_allclose(style_theta(["b"], embed), [0.0, 1.0])


@pytest.mark.parametrize(
    ("sentences", "strength", "says"),
    [
        ("A sunny day.", 1.0, "a list of sentences"),
        ([], 1.0, "a list of sentences"),
        (["A sunny day.", "  "], 1.0, "none of them blank"),
        (["A sunny day."], 0.0, "strength must be a positive finite number, not 0.0"),
        (["A sunny day."], np.inf, "strength must be a positive finite number, not inf"),
    ],
)
def test_what_is_no_style_is_refused(sentences: Any, strength: float, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        style_theta(sentences, strength=strength)


def test_sentences_that_cancel_out_are_refused() -> None:
    def embed(texts: Sequence[str]) -> FloatArray:
        return np.array([[1.0, 0.0], [-1.0, 0.0]])

    with pytest.raises(ParameterError, match="cancel out"):
        style_theta(["up", "down"], embed)
