"""What the tests of stores share."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.pool import Pool
from palate.strategies import WinnerStays

if TYPE_CHECKING:
    from palate.elicitation import Recommendation
    from palate.feedback import Picked
    from palate.store import Asked, Store
    from palate.strategies import Strategy

NOBODY = "no-such-id-exists"
ODD = "Für zwei 🎉 東京 \u0000 \ud83c <script>&amp;'\"; DROP TABLE people; --"


def some_pool(n: int = 6, d: int = 8, seed: int = 0, dtype: str = "float64") -> Pool:
    """A pool of n texts with features that belong to nobody's words."""
    features = np.random.default_rng(seed).normal(size=(n, d)).astype(dtype)
    return Pool("Which of these?", [f"Response number {i}." for i in range(1, n + 1)], features)


def asked_by(store: Store, elicitation: str) -> Asked:
    """The query that is asked, where one is."""
    asked = store.ask(elicitation)
    assert asked is not None, "nothing is asked"
    return asked


def capricious(seed: int, number: int, k: int) -> Picked:
    """Any answer to a query, orders among them; the same at each replay."""
    rng = np.random.default_rng([seed, number])
    kind = int(rng.integers(8))
    if kind == 0:
        return "tie"
    if kind == 1:
        return "skip"
    if kind < 5 and k > 2:
        return tuple(rng.permutation(k)[: int(rng.integers(2, k + 1))].tolist())
    return int(rng.integers(k))


def assert_close(one: Recommendation, two: Recommendation) -> None:
    """Equal but for the last digits of a number, which may depend on the way to it."""
    assert dataclasses.replace(one, bound=None, expected_regret=None) == dataclasses.replace(
        two, bound=None, expected_regret=None
    )
    assert one.bound == pytest.approx(two.bound, abs=1e-6)
    assert one.expected_regret == pytest.approx(two.expected_regret, abs=1e-6)


class StoreBasis:
    """Which store is tested."""

    @pytest.fixture
    def store(self) -> Store:
        """The store under test, empty; closed at the end by the fixture."""
        raise NotImplementedError("override the fixture `store`")

    def second(self) -> Store:
        """The same data in another store, as another process would open it; the test closes it."""
        raise NotImplementedError("override `second`, by pytest.skip where there is no such thing")

    def started(
        self, store: Store, strategy: Strategy | None = None, pool: Pool | None = None
    ) -> str:
        person = store.add_person()
        added = store.add_pool(some_pool() if pool is None else pool)
        return store.start(person, added, WinnerStays() if strategy is None else strategy, seed=3)
