"""What a design is over: slots of tokens with features, of which a prompt takes one each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from palate._numbers import LARGEST, unfit_row
from palate.errors import ParameterError, PoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.pool import Pool


def checked_theta(theta: ArrayLike, d: int) -> FloatArray:
    """A person's weights as (d,) finite float64.

    Raises:
        ParameterError: they are not d finite numbers.
    """
    vector = np.asarray(theta, dtype=np.float64)
    if vector.shape != (d,):
        msg = f"theta must be {d} numbers, one a feature, not of shape {vector.shape}"
        raise ParameterError(msg)
    if not np.isfinite(vector).all():
        raise ParameterError("theta must be finite; it has a NaN or an infinity")
    return vector


@dataclass(frozen=True, eq=False)
class Slot:
    """One position of a prompt, and the tokens that may stand there.

    Attributes:
        name: what the position is for, such as "subject".
        tokens: n_h different texts.
        features: (n_h, d) finite features of the tokens, kept as read-only float64.
        weight: what one query of this slot is worth, or how often it is asked for every query of a
            slot of weight 1 (w_h).

    Raises:
        ParameterError: fewer than two tokens, a token twice, features of another shape, not finite
            or above 1e50, a weight that is not positive.
    """

    name: str
    tokens: tuple[str, ...]
    features: FloatArray
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if len(self.tokens) < 2:
            msg = f"slot {self.name!r} needs at least 2 tokens, not {len(self.tokens)}"
            raise ParameterError(msg)
        if len(set(self.tokens)) < len(self.tokens):
            twice = next(t for t in self.tokens if self.tokens.count(t) > 1)
            msg = f"slot {self.name!r} has the token {twice!r} twice: give each token once"
            raise ParameterError(msg)
        try:
            features = np.array(self.features, dtype=np.float64)
        except (TypeError, ValueError) as error:
            msg = f"slot {self.name!r}: features must be a table of numbers: {error}"
            raise ParameterError(msg) from error
        n = len(self.tokens)
        if features.ndim != 2 or len(features) != n or features.shape[1] < 1:
            msg = f"slot {self.name!r} needs ({n}, d) features, one row a token; {features.shape}"
            raise ParameterError(msg)
        if (row := unfit_row(features)) is not None:
            msg = (
                f"slot {self.name!r}: the features of {self.tokens[row]!r} must be finite numbers, "
                f"at most {LARGEST:g}"
            )
            raise ParameterError(msg)
        if not (np.isfinite(self.weight) and self.weight > 0.0):
            msg = f"slot {self.name!r}: the weight must be positive and finite, not {self.weight}"
            raise ParameterError(msg)
        features.setflags(write=False)
        object.__setattr__(self, "features", features)

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, eq=False)
class Problem:
    """A prompt of H slots (a prompt MDP whose transitions ignore the token; ED-PBRL, Section 5).

    Attributes:
        slots: at least one, each with its own name, all with the same number of features.

    Raises:
        ParameterError: no slot, a name twice, slots that differ in their number of features.
    """

    slots: tuple[Slot, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", tuple(self.slots))
        if not self.slots:
            raise ParameterError("a design problem needs at least one slot")
        names = [slot.name for slot in self.slots]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            msg = f"two slots are named {twice!r}: give each its own name"
            raise ParameterError(msg)
        for slot in self.slots:
            if slot.features.shape[1] != self.d:
                msg = (
                    f"slot {slot.name!r} has {slot.features.shape[1]} features a token and slot "
                    f"{names[0]!r} has {self.d}: embed all tokens alike"
                )
                raise ParameterError(msg)

    @classmethod
    def of_pool(cls, pool: Pool) -> Problem:
        """The design problem of a pool: one slot, whose tokens are its responses' ids.

        Raises:
            PoolError: the pool has no features.
            ParameterError: as :class:`Slot`.
        """
        return cls.of_pools([pool])

    @classmethod
    def of_pools(cls, pools: Sequence[Pool], weights: Sequence[float] | None = None) -> Problem:
        """Several prompts at once: one slot a pool.

        Args:
            pools: named by their ids, or "pool 1", "pool 2", ... where they have none.
            weights: how often each is asked for every query of one of weight 1; by default 1.

        Raises:
            PoolError: a pool has no features.
            ParameterError: as many weights as pools are needed; otherwise as :class:`Problem`.
        """
        if weights is None:
            weights = [1.0] * len(pools)
        if len(weights) != len(pools):
            msg = f"{len(pools)} pools need as many weights, not {len(weights)}"
            raise ParameterError(msg)
        slots = []
        for number, (pool, weight) in enumerate(zip(pools, weights, strict=True), start=1):
            name = pool.id or f"pool {number}"
            if pool.features is None:
                msg = f"{name!r} has no features, which a design needs: embed the pool"
                raise PoolError(msg)
            features = np.asarray(pool.features, dtype=np.float64)
            tokens = tuple(response.id for response in pool.responses)
            slots.append(Slot(name, tokens, features, weight))
        return cls(tuple(slots))

    @cached_property
    def d(self) -> int:
        """Number of features."""
        return int(self.slots[0].features.shape[1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of tokens of each slot."""
        return tuple(len(slot) for slot in self.slots)

    def uniform(self) -> tuple[FloatArray, ...]:
        """The design that shows every token of a slot equally often."""
        return tuple(np.full(n, 1.0 / n) for n in self.sizes)

    def check_weights(self, weights: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        """The design as float64 copies, rescaled by what rounding left of a sum of 1.

        Raises:
            ParameterError: not one (n_h,) array a slot, a weight below 0, a sum other than 1.
        """
        checked = tuple(np.array(w, dtype=np.float64) for w in weights)
        shapes = tuple((n,) for n in self.sizes)
        if tuple(w.shape for w in checked) != shapes:
            msg = (
                f"a design needs weights of shapes {shapes}, not {tuple(w.shape for w in checked)}"
            )
            raise ParameterError(msg)
        for slot, w in zip(self.slots, checked, strict=True):
            if not np.isfinite(w).all() or w.min() < 0.0 or abs(w.sum() - 1.0) > 1e-6:
                msg = (
                    f"slot {slot.name!r}: weights must be at least 0 and sum to 1, "
                    f"not from {w.min():g} with sum {w.sum():g}"
                )
                raise ParameterError(msg)
        return tuple(w / w.sum() for w in checked)
