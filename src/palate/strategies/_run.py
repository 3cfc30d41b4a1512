"""What the answers of one elicitation amount to, for strategies on a belief."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from palate.feedback import TIE
from palate.preference.belief import best_shares, expected_regret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.feedback import Answer
    from palate.preference.belief import Belief, Draws
    from palate.preference.prior import Prior
    from palate.strategies.base import View

DRAWS = 256
"""Draws from a belief where there is no closed form; from the same seed at every question."""

_EQUAL = 1e-9  # utilities this close, relative to the largest, are equal


@dataclass(frozen=True, eq=False)
class Run:
    """A belief after the answers so far, and what was shown already.

    Attributes:
        belief: after the answers.
        size: N, responses in the pool.
        rng: generators by name, of the elicitation's seed.
        answers: those taken in.
    """

    belief: Belief
    size: int
    rng: Callable[..., np.random.Generator]
    answers: tuple[Answer, ...] = ()

    @classmethod
    def of(cls, view: View, name: str, prior: Prior) -> Run:
        """What the answers of a view amount to, going on from what its memo has under a name."""
        run: Run | None = view.memo.get(name)
        if run is None or len(run.answers) > len(view.answers):
            run = cls(prior.start(view.pool), len(view.pool), view.rng)
        run = view.memo[name] = run.after(view.answers)
        return run

    def after(self, answers: Sequence[Answer]) -> Run:
        """The run after answers that begin with those taken in."""
        new = tuple(answers[len(self.answers) :])
        if not new:
            return self
        belief = self.belief
        for winner, losers in itertools.chain.from_iterable(answer.stages for answer in new):
            belief = belief.update(winner, losers)
        return Run(belief, self.size, self.rng, self.answers + new)

    @functools.cached_property
    def draws(self) -> Draws:
        """Utilities drawn from the belief."""
        return self.belief.draws(self.rng("draws"), DRAWS)

    @functools.cached_property
    def incumbent(self) -> int:
        """The response of highest expected utility.

        Of equal ones, as the two of a pair often are on the edge of a set, the first that lost to
        none of the others; before any pick, one drawn from the seed.
        """
        mean = self.belief.mean()
        equal = mean >= mean.max() - _EQUAL * np.abs(mean).max()
        best = np.flatnonzero(equal).tolist()
        if not self.wins:
            return int(best[self.rng("incumbent").integers(len(best))])
        lost = {loser for winner, loser in self.wins if equal[winner]}
        return int(next((i for i in best if i not in lost), best[0]))

    @functools.cached_property
    def worth(self) -> FloatArray:
        """(N,) expected utility of the better of the incumbent and each response."""
        return self.belief.best_of_two(self.incumbent, lambda: self.draws)

    @functools.cached_property
    def expected_regret(self) -> float:
        """Of returning the incumbent, as a share of the expected range."""
        return expected_regret(self.draws, self.incumbent)

    def regret_is_above(self, tolerance: float) -> bool:
        """Whether the expected regret is; without draws where a bound in closed form says so.

        The best response is worth as much as the better of any two, and the range is at most that
        down to what the worst is worth at least.
        """
        worst = self.belief.worst_at_least()
        if worst > -np.inf:
            gain = float(self.worth.max() - self.worth[self.incumbent])
            if gain > tolerance * (float(self.worth.max()) - worst):
                return True
        return self.expected_regret > tolerance

    @functools.cached_property
    def wins(self) -> list[tuple[int, int]]:
        """Who was picked over whom, in the order of the answers."""
        stages = itertools.chain.from_iterable(answer.stages for answer in self.answers)
        return [(winner, loser) for winner, losers in stages for loser in losers]

    @functools.cached_property
    def _tied(self) -> dict[int, set[int]]:
        return _together(a.query.options for a in self.answers if a.picked == TIE)

    @functools.cached_property
    def _closed(self) -> dict[int, set[int]]:
        """By response, those that no question is asked about beside it.

        What tied or was skipped; and what was decided as the belief has it, unless answers
        contradict each other: nobody likes to be asked the same thing twice.
        """
        asked: list[Sequence[int]] = [a.query.options for a in self.answers if not a.stages]
        if not self.contradictory:
            mean = self.belief.mean()
            asked += [pair for pair in self.wins if mean[pair[0]] > mean[pair[1]]]
        return _together(asked)

    def tied_with(self, response: int) -> set[int]:
        """Responses that the person found as good."""
        return self._tied.get(response, set())

    def barred(self, *options: int) -> set[int]:
        """Responses that cannot join a query: those in it, and those settled beside one of them."""
        return {*options}.union(*(self._closed.get(i, ()) for i in options))

    def rivals(self) -> IndexArray:
        """Responses that may be shown with the incumbent."""
        return np.delete(np.arange(self.size), list(self.barred(self.incumbent)))

    def likely(self, most: int) -> list[int]:
        """Responses by their probability of being the best, then by their expected utility."""
        order = np.lexsort((-self.belief.mean(), -best_shares(self.draws)))
        return [int(i) for i in order[:most]]

    @functools.cached_property
    def _circles(self) -> IndexArray:
        """(N,) a number for each response; those that beat each other in a circle share it."""
        order: TopologicalSorter[int] = TopologicalSorter()
        for winner, loser in self.wins:
            order.add(loser, winner)
        try:
            order.prepare()
        except CycleError:
            pass
        else:
            return np.arange(self.size)  # as it nearly always is, and found out in no time
        rows, columns = np.array(self.wins, dtype=np.intp).reshape(-1, 2).T
        graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(self.size, self.size))
        return np.asarray(connected_components(graph, connection="strong")[1])

    def disputed(self) -> list[tuple[int, int]]:
        """Pairs whose answers contradict others: both lie in one circle of wins."""
        pairs = {(min(pair), max(pair)) for pair in self.wins}
        return sorted(
            (i, j)
            for i, j in pairs
            if self._circles[i] == self._circles[j] and j not in self.barred(i)
        )

    @functools.cached_property
    def contradictory(self) -> bool:
        """Whether some answers contradict each other, whatever the taste."""
        return any(self._circles[w] == self._circles[v] for w, v in self.wins)


def _together(queries: Iterable[Sequence[int]]) -> dict[int, set[int]]:
    """By response, the others that it was shown with."""
    result: dict[int, set[int]] = {}
    for options in queries:
        for i in options:
            result.setdefault(i, set()).update(set(options) - {i})
    return result
