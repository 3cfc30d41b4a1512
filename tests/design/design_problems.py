"""Small design problems, shared by the tests of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.design import Problem, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray


def problem_of(features: Sequence[FloatArray], weights: Sequence[float] | None = None) -> Problem:
    """Slots with these features, their tokens named by their places."""
    weights = weights or [1.0] * len(features)
    return Problem(
        tuple(
            Slot(f"slot {h}", tuple(f"{h}.{i}" for i in range(len(rows))), rows, weight)
            for h, (rows, weight) in enumerate(zip(features, weights, strict=True))
        )
    )


def random_problem(
    seed: int, sizes: Sequence[int] = (6, 5, 7), d: int = 4, *, weighted: bool = True
) -> Problem:
    """Anisotropic unit features around a common mean, as embeddings have."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, d + 1) ** -0.7
    features = []
    for n in sizes:
        rows = 1.5 * spread[0] + rng.normal(size=(n, d)) * spread
        features.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    weights = [1.0 + 0.5 * h for h in range(len(sizes))] if weighted else None
    return problem_of(features, weights)


def random_weights(problem: Problem, seed: int) -> tuple[FloatArray, ...]:
    """A design somewhere inside."""
    rng = np.random.default_rng(seed)
    return tuple(rng.dirichlet(np.ones(n)) for n in problem.sizes)


def random_precision(d: int, seed: int) -> FloatArray:
    """A positive definite matrix that is no multiple of the identity."""
    root = np.random.default_rng(seed).normal(size=(d, d))
    return root @ root.T / d + 0.3 * np.eye(d)
