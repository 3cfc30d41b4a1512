"""Tastes in a few sentences: the weights of simulated people."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from palate.design.vocabulary import unit_rows
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.embed import Embedder

StyleName: TypeAlias = Literal["sunny", "medieval", "technological"]
STYLES: tuple[StyleName, ...] = get_args(StyleName)


def style_sentences(name: StyleName) -> tuple[str, ...]:
    """The shipped sentences that describe a taste; palate/data/design/README.md is their card.

    Raises:
        ParameterError: there is no such style.
    """
    if name not in STYLES:
        msg = f"there is no shipped style {name!r}; there are {', '.join(STYLES)}"
        raise ParameterError(msg)
    path = files("palate.data") / "design" / "styles.json"
    return tuple(json.loads(path.read_text(encoding="utf-8"))[name])


def style_theta(
    sentences: Sequence[str], embedder: Embedder | None = None, *, strength: float = 1.0
) -> FloatArray:
    """The weights of a simulated person who likes what some sentences describe.

    The mean of the sentences' embeddings of unit length (ED-PBRL, Section 6), scaled to the length
    beta. With options of unit length beta alone says how decisive the person is: near 1 picks are
    almost random, at 20 the best option mostly wins.

    Args:
        sentences: one or more, none of them blank.
        embedder: that of the tokens; by default the shipped one.
        strength: beta > 0, the length of theta.

    Returns:
        theta (d,), of length beta.

    Raises:
        ParameterError: no sentence, a blank one, a beta that is not positive, or sentences whose
            embeddings cancel out or are 0.
        ModelError: the embedder gave something else than (n, d) finite numbers.
    """
    if isinstance(sentences, str) or not sentences or not all(s.strip() for s in sentences):
        msg = f"a style is a list of sentences, none of them blank, not {sentences!r}"
        raise ParameterError(msg)
    if not 0.0 < strength < np.inf:
        msg = f"strength must be a positive finite number, not {strength}"
        raise ParameterError(msg)
    mean = unit_rows(embedder, list(sentences)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length <= 1e-9:
        raise ParameterError("the sentences' embeddings cancel out; give sentences that agree")
    return mean * (strength / length)
