"""Points strictly inside half-spaces, where contradicting answers leave any."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

from palate.preference._cone import NOWHERE, project_to_unit_length

if TYPE_CHECKING:
    from palate._typing import FloatArray

_FLAT = 1e-10  # what is left of normals that other normals span


def point_inside(normals: FloatArray) -> FloatArray | None:
    """A point (r,) strictly inside ``{ x : normals x >= 0 }``, of length 1, or None.

    Args:
        normals: (m, r), of unit length.

    Returns:
        None where no point of the unit ball is farther than 1e-8 from all the walls: some
        half-space and the others have but a face in common.
    """
    if len(normals) == 0:
        return np.zeros(normals.shape[1])
    weights, mean = _shortest_mean(normals)
    length = math.sqrt(mean @ mean)
    if (normals @ mean).min() > NOWHERE * length:
        return mean / length
    # In the cone every normal's product is at least 0, and their mean at most this length.
    if length <= NOWHERE * weights.max():
        return None
    rays = _rays(normals)
    inside = rays.sum(axis=0)
    return inside / math.sqrt(inside @ inside) if rays.any(axis=1).all() else None


def face_inside(normals: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What contradictions leave of the cone ``{ x : normals x >= 0 }``.

    A half-space whose own normal has no room in the cone is an equality.

    Returns:
        A basis (f, r) of the cone's span; the unit normals (h, f) in it of the half-spaces that
        have room; a point (f,) strictly inside them, of length 1 at most.
    """
    rays = _rays(normals)
    room = rays.any(axis=1)
    basis = np.eye(normals.shape[1])
    if not room.all():
        _, values, vectors = np.linalg.svd(normals[~room], full_matrices=True)
        basis = vectors[int((values > _FLAT).sum()) :]
    halfspaces = normals[room] @ basis.T
    halfspaces /= np.sqrt((halfspaces * halfspaces).sum(axis=1, keepdims=True))
    inside = rays.sum(axis=0) @ basis.T
    return basis, halfspaces, inside / max(1.0, math.sqrt(inside @ inside))


def _rays(normals: FloatArray) -> FloatArray:
    """Projections (m, r) of normals onto their cone, of unit length; zero where none is left."""
    return project_to_unit_length(normals, normals, np.zeros_like(normals))[0]


def _shortest_mean(normals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (m,) >= 0 of sum 1 that make the mean of unit normals shortest, and that mean (r,).

    It lies as deep inside the half-spaces as a point of its length can (Wolfe 1976).
    """
    system = np.vstack((normals.T, np.ones(len(normals))))
    weights = np.full(len(normals), 1.0 / len(normals))
    with contextlib.suppress(RuntimeError):  # cycles on rows that are equal to working precision
        found, _ = nnls(system, np.append(np.zeros(normals.shape[1]), 1.0))
        if found.any():
            weights = found / found.sum()
    return weights, weights @ normals
