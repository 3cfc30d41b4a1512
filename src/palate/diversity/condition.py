"""The user-diversity condition: whether the answers identify what decides a best response.

Kang (2026) asks that the heads of the people who answer span the reward directions that can alter
somebody's best response. As it can be checked: ``z = h (x) delta`` of each contest of a person who
is served has to lie in the range of the answers' information matrix. The rank of that matrix alone
says nothing: what nobody who is served needs may stay unknown. The statement in these terms is our
reading of the paper's, see docs/diversity.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.diversity.rows import lengths, margins

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.diversity.curvature import Curvature
    from palate.diversity.rows import Rows

COVERED = 0.99
"""Coverage from which a row counts as identified."""

_SAMPLE = 500  # rows that say how many unseen dimensions matter


def null_lengths(rows: Rows, heads: FloatArray, answered: Curvature) -> FloatArray:
    """(n,) ``|P_null z|``: how much of each row no answer says anything about.

    Args:
        rows: n rows, such as the contests of the people who are served.
        heads: (S, J) that go with the rows.
        answered: information of the answers.
    """
    unseen = (~answered.seen).astype(np.float64)
    if not unseen.any():
        return np.zeros(len(rows))
    return np.sqrt(np.maximum(answered.quadratic(rows, heads, unseen), 0.0))


def coverage(rows: Rows, heads: FloatArray, answered: Curvature) -> FloatArray:
    """(n,) ``1 - |P_null z| / |z|``: 1 where a row is identified, 0 where nothing of it is.

    A row of equal responses asks nothing, and counts as covered.

    Args:
        rows: n rows, such as the contests of the people who are served.
        heads: (S, J) that go with the rows.
        answered: information of the answers.
    """
    length = lengths(rows, heads)
    missing = null_lengths(rows, heads, answered)
    share = np.divide(missing, length, out=np.zeros(len(rows)), where=length > 0.0)
    return np.clip(1.0 - share, 0.0, 1.0)


def identified(basis: FloatArray, answered: Curvature) -> FloatArray:
    """(J, F) the part of a basis that the answers say something about."""
    return np.asarray(answered.applied(basis[None], answered.seen.astype(np.float64))[0])


def at_risk(
    rows: Rows, heads: FloatArray, basis: FloatArray, answered: Curvature, radius: float
) -> BoolArray:
    """(n,) whether a row may turn around within what the answers leave open.

    That is where its gap is below ``radius |P_null z|``, by the Cauchy-Schwarz inequality the most
    that an unseen part of the basis of norm ``radius`` can do. A conservative screen: no best
    response outside it can change; of those inside many will not.

    Args:
        rows: contests of the :func:`identified` basis, best less competitor.
        heads: (S, J) that go with the rows.
        basis: (J, F), identified.
        answered: information of the answers.
        radius: norm that the unseen part of the basis may have, at least 0.
    """
    missing = null_lengths(rows, heads, answered)
    clear = lengths(rows, heads) * (1.0 - COVERED) >= missing
    return (margins(rows, heads, basis) < radius * missing) & ~clear


def default_radius(rows: Rows, heads: FloatArray, answered: Curvature, variance: float) -> float:
    """Three times the norm that the prior expects of the unseen part of the basis.

    Of the unseen dimensions those count that the rows see, as far as a sample of them tells.

    Args:
        rows: contests of the people who are served.
        heads: (S, J) that go with the rows.
        answered: information of the answers.
        variance: of the prior.
    """
    unseen = (~answered.seen).astype(np.float64)
    if not len(rows) or not unseen.any():
        return 0.0
    places = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp))
    z = heads[rows.person[places], :, None] * rows.delta[places, None, :]
    missing = answered.applied(z, unseen).reshape(len(places), -1)
    scale = np.linalg.norm(z, axis=(1, 2)).max()
    dimensions = int((np.linalg.svd(missing, compute_uv=False) > 1e-6 * scale).sum())
    return float(3.0 * np.sqrt(variance * dimensions))


def least(values: FloatArray, group: IndexArray, groups: int) -> FloatArray:
    """(groups,) the least value of each group, 1 for a group without any."""
    result = np.ones(groups)
    np.minimum.at(result, group, values)
    return result
