"""Directions that are open, in terms of people and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from palate.diversity.curvature import NULL
from palate.diversity.findings import Direction, Example
from palate.diversity.rows import along

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.curvature import Curvature
    from palate.diversity.report import Evidence
    from palate.diversity.rows import Rows
    from palate.diversity.served import Contests, Served

SHOWN, LEAST = 3, 0.05
"""So many directions are described, if they carry at least that share of what is open."""

_EXAMPLES, _PEOPLE = 5, 5
_OUTSIDE = 0.25  # squared length of a unit vector outside a span from which it counts as missing


def describe(
    evidence: Evidence, said: Curvature, rows: Rows, heads: FloatArray
) -> tuple[Direction, ...]:
    """The directions of heads, or of features, that carry most of what is open.

    What is open are directions of the whole basis. Often they share a head, where the people who
    have it did not answer, or features, where responses that have them were not compared. Of the
    two kinds that is taken whose leading direction carries more.

    Args:
        evidence: of a report.
        said: information of the answers, unweighted.
        rows: answers.
        heads: (U, J) that go with the answers.
    """
    unknown = evidence.unknown
    if not unknown.total > 0.0:
        return ()
    sides = (
        _leading(np.einsum("kjf,kif->ji", unknown.vectors, unknown.vectors)),
        _leading(np.einsum("kjf,kjg->fg", unknown.vectors, unknown.vectors)),
    )
    # A single latent dimension is all that heads can have: it tells nothing.
    of_people = heads.shape[1] > 1 and sides[0][0][0] >= sides[1][0][0]
    values, vectors = sides[0] if of_people else sides[1]
    given = heads[np.unique(rows.person)] if of_people else rows.delta
    result = []
    for value, vector in zip(values / unknown.total, vectors, strict=True):
        if value < LEAST:
            break
        onto = np.outer(vector, vector)
        loadings = onto @ unknown.loadings if of_people else unknown.loadings @ onto
        hidden = said.applied(loadings, (~said.seen).astype(np.float64))
        unseen = float((hidden**2).sum() / (loadings**2).sum())
        side: Literal["people", "responses"] = "people" if of_people else "responses"
        lacks: Literal["people", "responses", "combinations", "answers"] = "answers"
        if unseen > 0.5:
            lacks = side if _outside(vector, given) > _OUTSIDE else "combinations"
        examples, people = _for_whom(evidence, loadings)
        result.append(Direction(side, vector, float(value), unseen, lacks, examples, people))
    return tuple(result)


def _leading(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The greatest eigenvalues, and unit eigenvectors as rows, most of each positive."""
    values, vectors = np.linalg.eigh(matrix)
    rows = vectors.T[::-1][:SHOWN]
    return values[::-1][:SHOWN], rows * np.where(rows.sum(axis=1) < 0.0, -1.0, 1.0)[:, None]


def _for_whom(
    evidence: Evidence, loadings: FloatArray
) -> tuple[tuple[Example, ...], tuple[str, ...]]:
    """Pairs that (p, J, F) loadings decide between, and the people to whom that matters most."""
    served, decided = evidence.served, evidence.contests
    cost = evidence.unknown.weights * (along(decided.rows, served.heads, loadings) ** 2).sum(axis=1)
    by_person = np.bincount(decided.rows.person, weights=cost, minlength=len(served.heads))
    most = np.argsort(-by_person, kind="stable")[:_PEOPLE]
    people = tuple(served.name(int(i)) for i in most if by_person[i] > 0.0)
    return _examples(decided, served, cost), people


def _outside(vector: FloatArray, table: FloatArray) -> float:
    """Squared length of a unit vector outside the span of a table's rows."""
    values, vectors = np.linalg.eigh(table.T @ table)
    spanned = vectors[:, values > NULL * values.max(initial=0.0)]
    return float(1.0 - ((vector @ spanned) ** 2).sum())


def _examples(decided: Contests, served: Served, cost: FloatArray) -> tuple[Example, ...]:
    """Pairs that a direction decides between: at most one a question, each once."""
    seen: set[int | frozenset[int]] = set()
    found: list[Example] = []
    order: IndexArray = np.argsort(-cost, kind="stable")
    question = np.arange(len(cost)) if decided.rows.pick is None else decided.rows.pick
    for row in order[cost[order] > 0.0]:
        better, worse = int(decided.better[row]), int(decided.worse[row])
        pair = frozenset((better, worse))
        if int(question[row]) in seen or pair in seen:
            continue
        seen |= {int(question[row]), pair}
        person = served.name(int(decided.rows.person[row]))
        found.append(Example(person, served.label(better), served.label(worse)))
        if len(found) == _EXAMPLES:
            break
    return tuple(found)
