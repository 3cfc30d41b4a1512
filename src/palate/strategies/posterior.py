"""Strategies on a belief: EUBO, information gain, Thompson sampling, and USERALIGN's own rule.

They work on any prior (:mod:`palate.preference.prior`), show K responses at a time, and stop when
the choice is good enough under the belief.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from palate.errors import ParameterError
from palate.preference.belief import best_of_options, best_shares, information, value_of_asking
from palate.preference.prior import Ball, Features, Prior, checked_prior
from palate.strategies._run import DRAWS, Run
from palate.strategies.base import Choice, Strategy, View, check_max_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.preference.challenger import Challenger

    Value = Callable[[IndexArray], FloatArray]
    """What (Q, K) queries are worth, (Q,)."""

_SHORTLIST = 40  # responses whose pairs are all looked at
_CHANCE = 0.02  # of being the best, from which a response still counts
_ZERO = 1e-6  # utilities up to this count as 0, else epsilon = 0 would never stop


@dataclass(frozen=True)
class BeliefStrategy(Strategy):
    """What strategies on a belief share: how they learn, and that they end.

    The incumbent is the response of highest expected utility; before any answer, if the prior
    prefers none, one drawn from the seed. A tie or a skip teaches nothing, and those responses are
    not shown together again; nor are two of which one was picked, as long as the belief agrees and
    no answers contradict each other. It ends where the incumbent can be shown with no other.
    Without ``max_steps`` it ends after three questions a response.

    Args:
        prior: what to believe before the first answer.
        options: K, how many responses to show at a time, at least 2; fewer where no more are worth
            showing or may be shown.
        max_steps: most questions to ask, or None.

    Raises:
        ParameterError: a setting is outside its range.
    """

    prior: Prior = field(default_factory=Features)
    options: int = 2
    max_steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "prior", checked_prior(self.prior))
        check_max_steps(self.max_steps)
        if isinstance(self.options, bool) or not isinstance(self.options, int) or self.options < 2:
            msg = f"options must be a whole number of at least 2, not {self.options!r}"
            raise ParameterError(msg)

    def settings(self) -> dict[str, Any]:
        """See :meth:`Strategy.settings`; a learned prior is told by a digest."""
        return super().settings() | {"prior": self.prior.settings()}

    @abstractmethod
    def _query(self, view: View, run: Run) -> tuple[int, ...]:
        """What to ask next, where the incumbent has rivals and it is not done."""

    @abstractmethod
    def _done(self, run: Run) -> bool:
        """Whether the stopping rule ends it."""

    @abstractmethod
    def _certified(self, run: Run) -> bool:
        """Whether the choice is as good as the stopping rule asks, if the answers hold."""

    @abstractmethod
    def _bound(self, run: Run) -> float | None:
        """The choice's bound in utility units, or None where its expected regret is known."""

    @abstractmethod
    def _expected_questions(self, run: Run) -> float:
        """An estimate of the questions left, from how many responses may be the best."""

    def propose(self, view: View) -> tuple[int, ...] | None:
        if len(view.pool) == 1 or self._steps_left(view) == 0:
            return None
        run = self.run(view)
        return None if self._ends(run) else self._query(view, run)

    def choose(self, view: View) -> Choice:
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        run = self.run(view)
        consistent = not (run.contradictory or run.belief.contradictory)
        certified = self._certified(run) and (consistent or not run.belief.certain)
        left = 0
        if not self._ends(run):
            expected = max(1, round(min(self._expected_questions(run), 1e9)))
            left = min(expected, self._steps_left(view))
        bound = self._bound(run)
        regret = run.expected_regret if bound is None else None
        return Choice(run.incumbent, bound, certified, left, consistent, regret)

    def _ends(self, run: Run) -> bool:
        return self._done(run) or not len(run.rivals())

    def _steps_left(self, view: View) -> int:
        left = self.steps_left(view)
        return max(0, 3 * len(view.pool) - len(view.answers)) if left is None else left

    def run(self, view: View) -> Run:
        """What the answers so far amount to."""
        return Run.of(view, self.name, self.prior)


@dataclass(frozen=True)
class RegretStrategy(BeliefStrategy):
    """Strategies that stop once the choice's expected regret is small.

    The regret of returning the incumbent, expected under the belief, as a share of the expected
    range of the pool's utilities: at most ``tolerance`` when it stops by itself. That holds in
    expectation under the prior and its likelihood, and for nobody in particular.

    Args:
        tolerance: in [0, 1]; None: no stopping rule.
    """

    tolerance: float | None = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tolerance is None and self.max_steps is None:
            raise ParameterError("tolerance=None means no stopping rule: give max_steps as well")
        if self.tolerance is not None and not 0.0 <= self.tolerance <= 1.0:
            msg = f"tolerance must lie between 0 and 1, not {self.tolerance}"
            raise ParameterError(msg)

    def _done(self, run: Run) -> bool:
        return self.tolerance is not None and not run.regret_is_above(self.tolerance)

    def _certified(self, run: Run) -> bool:
        return self._done(run)

    def _bound(self, run: Run) -> float | None:  # noqa: ARG002
        return None

    def _expected_questions(self, run: Run) -> float:
        if self.tolerance is None:
            return np.inf
        return float((best_shares(run.draws)[run.rivals()] >= _CHANCE).sum())


@dataclass(frozen=True)
class Eubo(RegretStrategy):
    """Shows the incumbent with what makes the best of those shown most valuable.

    The expected utility of the best option (EUBO; Lin et al. 2022): for K = 2 the challenger that
    maximises the expected utility of the better of the two, in closed form for Gaussian beliefs;
    for more, options chosen jointly on draws.

    Where the answers contradict each other, a pair in contradiction is asked again if that is
    worth more than the challenger, noise weighed in: the value of asking, one answer ahead.

    Args:
        recheck: whether to ask again at all.
    """

    name: ClassVar[str] = "eubo"

    recheck: bool = True

    def _query(self, view: View, run: Run) -> tuple[int, ...]:  # noqa: ARG002
        def value(queries: IndexArray) -> FloatArray:
            return best_of_options(run.draws, queries)

        rivals = run.rivals()
        first = (run.incumbent, int(rivals[np.argmax(run.worth[rivals])]))
        query = _grown(run, first, self.options, value)
        for _ in query[1:] if self.options > 2 else ():  # chosen one by one, then exchanged
            query = _grown(run, (query[0], *query[2:]), len(query), value)
        if not (self.recheck and run.contradictory):
            return query
        again = {tuple(sorted(_grown(run, p, self.options, value))) for p in run.disputed()}
        queries = [query, *sorted(q for q in again if len(q) == len(query))]
        values = value_of_asking(run.draws, np.array(queries))
        best = int(np.argmax(values))
        return queries[best if values[best] > values[0] + _ZERO else 0]


@dataclass(frozen=True)
class InformationGain(RegretStrategy):
    """Shows the responses whose answer says most about all utilities (BALD; Houlsby et al. 2011).

    The mutual information of the answer and the utilities, on draws from the belief. It learns the
    whole taste, not the best response alone. Of large pools, pairs of the 40 responses that are
    most probably the best are looked at.
    """

    name: ClassVar[str] = "information-gain"

    def _query(self, view: View, run: Run) -> tuple[int, ...]:  # noqa: ARG002
        def value(queries: IndexArray) -> FloatArray:
            return information(run.draws, queries)

        likely = run.likely(_SHORTLIST)
        barred = {i: run.barred(i) for i in likely}
        pairs = [(i, j) for i, j in itertools.combinations(likely, 2) if j not in barred[i]]
        if not pairs:
            pairs = [(run.incumbent, int(run.rivals()[0]))]
        best = pairs[int(np.argmax(value(np.array(pairs))))]
        return _grown(run, best, self.options, value)


@dataclass(frozen=True)
class Thompson(RegretStrategy):
    """Shows the best responses of as many tastes drawn from the belief (dueling Thompson sampling).

    Draws whose best response is there already are drawn again (Russo's top-two sampling).
    """

    name: ClassVar[str] = "thompson"

    def _query(self, view: View, run: Run) -> tuple[int, ...]:
        draws = run.belief.draws(view.rng(self.name, len(view.answers)), DRAWS)
        tastes = dict.fromkeys(draws.utilities.argmax(axis=1).tolist())
        others = run.likely(len(view.pool))
        query = _filled(run, (), [*tastes, *others], self.options)
        if len(query) == 1:  # whoever it is was tied with or skipped beside all others
            query = _filled(run, (run.incumbent,), others, self.options)
        return query


@dataclass(frozen=True)
class Challenge(BeliefStrategy):
    """USERALIGN's rule on any prior: the incumbent, and who may still beat it by most.

    On a set (:class:`~palate.preference.prior.Ball`, the simplex of a population) the margin is the
    support function, exact, and stopping at ``epsilon`` is a certificate for every taste that
    explains the answers. On a Gaussian prior it is a quantile of the difference: each single
    difference is below it with probability ``level``, under the prior. With more than two options,
    the next challengers are those of most margin among what is left.

    Args:
        epsilon: utility by which another response may still be better when it stops, at least 0.
        level: probability in (0.5, 1) of a Gaussian belief's margins.
    """

    name: ClassVar[str] = "challenge"

    prior: Prior = field(default_factory=Ball)
    epsilon: float = 0.0
    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.5 < self.level < 1.0 or not 0.0 <= self.epsilon < np.inf:
            msg = (
                "needs 0.5 < level < 1 and epsilon >= 0, "
                f"not level={self.level}, epsilon={self.epsilon}"
            )
            raise ParameterError(msg)

    def _worth_asking(self, margin: float) -> bool:
        return margin > self.epsilon + _ZERO

    def _challenger(self, run: Run, without: set[int]) -> Challenger:
        return run.belief.challenger(run.incumbent, self.level, sorted(without))

    def _done(self, run: Run) -> bool:
        # Not by the bound: it may rest on a skipped response, which no question can settle.
        return not self._worth_asking(self._challenger(run, run.barred(run.incumbent)).value)

    def _reach(self, run: Run) -> float:
        """By how much another may be better; what tied with the incumbent is not."""
        return max(0.0, self._challenger(run, run.tied_with(run.incumbent)).value)

    def _certified(self, run: Run) -> bool:
        return not self._worth_asking(self._reach(run))

    def _bound(self, run: Run) -> float | None:
        return self._reach(run) if run.belief.certain else None

    def _expected_questions(self, run: Run) -> float:
        margins = run.belief.advantage(run.incumbent, self.level)[run.rivals()]
        margins = margins[margins > self.epsilon + _ZERO]
        return float(np.sqrt(1.0 - self.epsilon / margins).sum())  # as in UserAlign

    def _query(self, view: View, run: Run) -> tuple[int, ...]:  # noqa: ARG002
        query: tuple[int, ...] = (run.incumbent,)
        while len(query) < self.options:
            found = self._challenger(run, run.barred(*query))
            if found.index < 0 or not self._worth_asking(found.value):
                break
            query = (*query, found.index)
        return query


def _grown(run: Run, chosen: tuple[int, ...], k: int, value: Value) -> tuple[int, ...]:
    """Responses added one by one, each of most value with those before, up to K."""
    while len(chosen) < k:
        barred = run.barred(*chosen)
        queries = [(*chosen, i) for i in run.likely(_SHORTLIST) if i not in barred]
        if not queries:
            break
        chosen = queries[int(np.argmax(value(np.array(queries))))]
    return chosen


def _filled(run: Run, chosen: tuple[int, ...], others: Sequence[int], k: int) -> tuple[int, ...]:
    """Responses added in their order, as far as they may be shown together, up to K."""
    for other in others:
        if len(chosen) == k:
            break
        if other not in run.barred(*chosen):
            chosen = (*chosen, other)
    return chosen
