"""What USERALIGN is compared with: Random, IIDBest, WinnerStays, and the Oracle."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palate.errors import ParameterError
from palate.feedback import SKIP
from palate.preference import ChallengerSearch, VersionSpace
from palate.preference.challenger import best_responses
from palate.preference.estimate import check_norm_bound
from palate.strategies.base import Choice, Strategy, View, check_max_steps, comparisons
from palate.strategies.useralign import TIE, ZERO


@dataclass(frozen=True)
class Random(Strategy):
    """Asks nothing and returns a response drawn uniformly from the pool: the lower reference."""

    name: ClassVar[str] = "random"

    max_steps: int | None = None

    def propose(self, view: View) -> tuple[int, ...] | None:  # noqa: ARG002
        return None

    def choose(self, view: View) -> Choice:
        index = _drawn(view, self.name)
        return Choice(index, None, certified=len(view.pool) == 1, questions_left=0)


def _drawn(view: View, name: str) -> int:
    """A response drawn uniformly from the pool, which changes no more than it must as that grows.

    Each newcomer takes the place with probability one over the number of responses by then.
    """
    rng = view.rng(name)
    index = int(rng.integers(view.first_size))
    for newcomer in range(view.first_size, len(view.pool)):
        if rng.integers(newcomer + 1) == 0:
            index = newcomer
    return index


@dataclass(frozen=True)
class Oracle(Strategy):
    """Knows the utilities, asks nothing and returns the best response: the upper reference.

    Args:
        utilities: one number a response of the pool, higher is better.
    """

    name: ClassVar[str] = "oracle"

    utilities: tuple[float, ...]
    max_steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "utilities", tuple(float(u) for u in self.utilities))
        if not np.isfinite(self.utilities).all():
            raise ParameterError("utilities must be finite; some are NaN or infinite")

    def propose(self, view: View) -> tuple[int, ...] | None:  # noqa: ARG002
        return None

    def choose(self, view: View) -> Choice:
        if len(self.utilities) != len(view.pool):
            msg = (
                f"the oracle knows {len(self.utilities)} utilities "
                f"and the pool has {len(view.pool)} responses"
            )
            raise ParameterError(msg)
        return Choice(int(np.argmax(self.utilities)), 0.0, certified=True, questions_left=0)


@dataclass(frozen=True)
class IIDBest(Strategy):
    """Shows pairs drawn uniformly, and returns the best response under the estimate of Eq. 2.

    A pair that was skipped is not drawn again.

    Args:
        max_steps: how many questions to ask.
        norm_bound: S, the largest norm of the weights.
    """

    name: ClassVar[str] = "iidbest"

    max_steps: int | None = 20
    norm_bound: float = 3.0

    def __post_init__(self) -> None:
        check_max_steps(self.max_steps)
        check_norm_bound(self.norm_bound)
        if self.max_steps is None:
            raise ParameterError("IIDBest has no stopping rule: max_steps must be a number")

    def propose(self, view: View) -> tuple[int, ...] | None:
        if len(view.pool) == 1 or self._questions_left(view) == 0:
            return None
        n = len(view.features)  # a pool without them is refused now, not after the last answer
        skipped = _skipped_pairs(view)
        rng = view.rng(self.name, len(view.answers))
        while True:
            first, second = int(rng.integers(n)), int(rng.integers(n - 1))
            second += second >= first
            if frozenset((first, second)) not in skipped:
                return first, second

    def _questions_left(self, view: View) -> int:
        """Those that ``max_steps`` allows, or 0 where every pair was skipped."""
        n = len(view.pool)
        return 0 if 2 * len(_skipped_pairs(view)) == n * (n - 1) else self.steps_left(view) or 0

    def choose(self, view: View) -> Choice:
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        differences, groups = comparisons(view.answers, view.features)
        space = VersionSpace(differences, self.norm_bound, groups=groups)
        left = self._questions_left(view)
        if space.answers == 0:
            index = _drawn(view, f"{self.name}/start")
            return Choice(index, self.norm_bound, certified=False, questions_left=left)
        index = int(
            best_responses(view.features, space.estimate, tolerance=TIE * self.norm_bound)[0]
        )
        found = ChallengerSearch(view.features, self.norm_bound).search(space, index)
        bound = max(found.value, 0.0)
        consistent = not space.contradictory
        certified = bound <= ZERO * self.norm_bound and consistent
        return Choice(index, bound, certified, left, consistent)


def _skipped_pairs(view: View) -> set[frozenset[int]]:
    return {
        frozenset(pair)
        for answer in view.answers
        if answer.picked == SKIP
        for pair in itertools.combinations(answer.query.options, 2)
    }


@dataclass(frozen=True)
class WinnerStays(Strategy):
    """A tournament that looks at no features: the winner meets the next response not yet beaten.

    Responses come in a random order from the seed, followed by those that joined the pool later.
    Exact after N - 1 answers for every person whose preferences are transitive, whatever their
    taste depends on. A tie keeps the incumbent; a response that was skipped comes back once the
    incumbent has changed.

    Args:
        max_steps: most questions to ask, or None.
    """

    name: ClassVar[str] = "winner-stays"

    max_steps: int | None = None

    def __post_init__(self) -> None:
        check_max_steps(self.max_steps)

    def propose(self, view: View) -> tuple[int, ...] | None:
        incumbent, challengers, _ = self._standing(view)
        if not challengers or self.steps_left(view) == 0:
            return None
        return incumbent, challengers[0]

    def choose(self, view: View) -> Choice:
        incumbent, challengers, skipped = self._standing(view)
        certified = not challengers and not skipped
        left, most = len(challengers), self.steps_left(view)
        return Choice(
            incumbent,
            0.0 if certified else None,
            certified,
            left if most is None else min(left, most),
        )

    def _standing(self, view: View) -> tuple[int, list[int], set[int]]:
        """The incumbent, who is still to meet it in order, and who was skipped against it."""
        order = view.rng(self.name).permutation(view.first_size).tolist()
        order += range(view.first_size, len(view.pool))
        incumbent = order[0]
        beaten: set[int] = set()
        skipped: set[int] = set()
        for answer in view.answers:
            winner = answer.winner
            if winner is None:
                others = {i for i in answer.query.options if i != incumbent}
                if answer.picked == "tie":
                    beaten |= others
                else:
                    skipped |= others
            else:
                beaten |= set(answer.losers)
                if winner != incumbent:
                    incumbent, skipped = winner, set()
        unbeaten = [i for i in order if i != incumbent and i not in beaten]
        return incumbent, [i for i in unbeaten if i not in skipped], skipped - beaten
