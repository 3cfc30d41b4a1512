"""USERALIGN: an incumbent, and the challenger that may still beat it by most (Algorithms 2, 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from palate.errors import ParameterError
from palate.preference import ChallengerSearch, VersionSpace
from palate.preference.challenger import best_responses
from palate.preference.confidence import check_delta
from palate.preference.estimate import check_norm_bound
from palate.strategies.base import Choice, Strategy, View, check_max_steps, comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import Features, FloatArray, IndexArray
    from palate.feedback import Answer

ZERO = 1e-6
"""Bounds up to this, relative to S, count as zero; else epsilon = 0 would never stop."""

TIE = 1e-9
"""Utilities this close, relative to S, are equal; the lower index wins."""

_COUNTED = 1000  # largest pool whose remaining challengers are counted exactly


@dataclass(frozen=True)
class UserAlign(Strategy):
    """Best-arm identification in a logistic bandit with a version space (USERALIGN).

    The incumbent is the best response under the norm-constrained maximum-likelihood estimate; the
    challenger is the response that some weights consistent with every answer prefer to it by most;
    that margin is the bound B(t). It stops once B(t) <= epsilon. Before any answer the estimate is
    a random direction from the seed and B(0) = S.

    A tie or a skip adds no constraint, and the pair is not shown again. A response that tied with
    the incumbent counts as no better; one that was skipped stays in the bound, so that a choice
    beside it is not certified.

    Args:
        epsilon: utility by which another response may still be better when it stops, in [0, S]; 0
            asks until the best response is certain. None: no stopping rule, exactly ``max_steps``
            questions; when no challenger is left, a random one is drawn (the paper's footnote 3).
        delta: probability with which the loss-based set may miss the truth.
        norm_bound: S, the largest norm of the weights.
        max_steps: most questions to ask, or None.
        estimate: "mle": the estimate as printed, which can leave the half-spaces, so that a
            response that lost becomes the incumbent again and a pair is repeated; "inside": the
            estimate restricted to the half-spaces, and no pair is shown twice.

    Raises:
        ParameterError: a setting is outside its range.
    """

    name: ClassVar[str] = "useralign"
    consistent: ClassVar[bool] = True

    epsilon: float | None = 0.0
    delta: float = 0.05
    norm_bound: float = 3.0
    max_steps: int | None = None
    estimate: Literal["mle", "inside"] = "mle"

    def __post_init__(self) -> None:
        check_norm_bound(self.norm_bound)
        check_delta(self.delta)
        check_max_steps(self.max_steps)
        if self.epsilon is None and self.max_steps is None:
            raise ParameterError("epsilon=None means no stopping rule: give max_steps as well")
        if self.epsilon is not None and not 0.0 <= self.epsilon <= self.norm_bound:
            msg = f"epsilon must lie between 0 and norm_bound={self.norm_bound}, not {self.epsilon}"
            raise ParameterError(msg)
        if self.estimate not in {"mle", "inside"}:
            msg = f"estimate is 'mle' or 'inside', not {self.estimate!r}"
            raise ParameterError(msg)

    def propose(self, view: View) -> tuple[int, ...] | None:
        if len(view.pool) == 1 or self.steps_left(view) == 0:
            return None
        step = self._step(view)
        if self.epsilon is not None:
            if step.challenger < 0 or step.bound <= self._threshold:
                return None
            return step.incumbent, step.challenger
        if step.challenger >= 0 and step.reach > ZERO * self.norm_bound:
            return step.incumbent, step.challenger
        return step.incumbent, self._random_challenger(view, step.incumbent)

    def choose(self, view: View) -> Choice:
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        step = self._step(view)
        consistent = not (self.consistent and self._run(view).space.contradictory)
        certified = step.bound <= self._threshold and consistent
        left = self._questions_left(view, step)
        return Choice(step.incumbent, step.bound, certified, left, consistent)

    @property
    def _threshold(self) -> float:
        return (self.epsilon or 0.0) + ZERO * self.norm_bound

    def _run(self, view: View) -> _Run:
        run: _Run | None = view.memo.get(self.name)
        if run is None:
            run = view.memo[self.name] = _Run(view.features, self)
        run.catch_up(view.answers)
        return run

    def _step(self, view: View) -> _Step:
        run = self._run(view)
        if run.step is None:
            run.step = self._compute_step(view, run)
        return run.step

    def _compute_step(self, view: View, run: _Run) -> _Step:
        space = run.space
        if space.answers == 0:
            theta = self._first_estimate(view)
        elif self.estimate == "inside":
            theta = space.estimate_inside
        else:
            theta = space.estimate
        best = best_responses(view.features, theta, tolerance=TIE * self.norm_bound).tolist()
        incumbent = run.undefeated(best) if self.estimate == "inside" else best[0]
        closed, tied = run.closed(incumbent), run.tied_with(incumbent)
        found = run.search.search(space, incumbent, without=closed)
        bound = reach = max(found.value, 0.0)
        if len(tied) < len(closed):
            bound = max(run.search.search(space, incumbent, without=tied).value, 0.0)
        if space.answers == 0 and len(closed) < len(view.pool) - 1:
            bound = self.norm_bound  # nothing is known yet, and ||phi(y) - phi(y')|| <= 1
        return _Step(incumbent, found.index, bound, reach, found.exact_solves)

    def _first_estimate(self, view: View) -> FloatArray:
        """Before any answer there is nothing to fit: a random direction, of random length."""
        rng = view.rng(f"{self.name}/start")
        direction = rng.normal(size=(view.features.shape[1],))
        return np.asarray(
            direction * (self.norm_bound * rng.random() / np.sqrt(direction @ direction))
        )

    def _random_challenger(self, view: View, incumbent: int) -> int:
        rng = view.rng(f"{self.name}/random", len(view.answers))
        closed = self._run(view).closed(incumbent)
        others = np.setdiff1d(np.arange(len(view.pool)), np.append(closed, incumbent))
        if len(others) == 0:
            others = np.delete(np.arange(len(view.pool)), incumbent)
        return int(rng.choice(others))

    def _questions_left(self, view: View, step: _Step) -> int:
        left = self.steps_left(view)
        if self.epsilon is None:
            return left or 0
        if step.challenger < 0 or step.bound <= self._threshold:
            return 0
        run = self._run(view)
        if len(view.pool) <= _COUNTED:
            features = view.features.astype(np.float64)
            reach = run.space.support(features - features[step.incumbent])
            reach[step.incumbent] = 0.0
            reach[run.closed(step.incumbent)] = 0.0  # not shown again, whatever they may be
            viable = int((reach > self._threshold).sum())
        else:
            viable = run.search.viable(self._threshold)
        # Each answer removes a challenger or two; what it removes is seen only as it comes.
        return viable if left is None else min(viable, left)


@dataclass(frozen=True)
class UserAlignLoss(UserAlign):
    """USERALIGN without the half-spaces: the loss-based confidence set alone (Section 4.1).

    The set for which Theorems 1 and 2 hold under noisy answers. It shrinks slowly and keeps asking
    the same pair; a cap on the questions is advisable.
    """

    name: ClassVar[str] = "useralign-loss"
    consistent: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class _Step:
    """What Algorithm 2 computes at one t.

    ``bound`` covers every response that may still be better; ``reach`` only the one to be shown.
    """

    incumbent: int
    challenger: int
    bound: float
    reach: float
    exact_solves: int


@dataclass(slots=True)
class _Run:
    """What the answers so far amount to, kept up to date answer by answer."""

    features: Features
    strategy: UserAlign
    space: VersionSpace = field(init=False)
    search: ChallengerSearch = field(init=False)
    seen: int = 0
    step: _Step | None = None
    tied: dict[int, set[int]] = field(default_factory=dict)
    skipped: dict[int, set[int]] = field(default_factory=dict)
    lost_to: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s = self.strategy
        nothing = np.zeros((0, self.features.shape[1]))
        self.space = VersionSpace(nothing, s.norm_bound, s.delta, s.consistent)
        self.search = ChallengerSearch(self.features, s.norm_bound)

    def catch_up(self, answers: Sequence[Answer]) -> None:
        for answer in answers[self.seen :]:
            self.step = None
            if answer.winner is None:
                pairs = self.tied if answer.picked == "tie" else self.skipped
                for i in answer.query.options:
                    pairs.setdefault(i, set()).update(set(answer.query.options) - {i})
            else:
                for loser in answer.losers:
                    self.lost_to.setdefault(loser, set()).add(answer.winner)
                differences, _ = comparisons([answer], self.features)
                self.space = self.space.extended(differences)
        self.seen = len(answers)

    def tied_with(self, incumbent: int) -> IndexArray:
        return np.array(sorted(self.tied.get(incumbent, ())), dtype=np.intp)

    def closed(self, incumbent: int) -> IndexArray:
        """Responses that are not shown against the incumbent again."""
        pairs = self.tied.get(incumbent, set()) | self.skipped.get(incumbent, set())
        if self.strategy.estimate == "inside":
            pairs |= self.lost_to.get(incumbent, set())
            pairs |= {loser for loser, winners in self.lost_to.items() if incumbent in winners}
        return np.array(sorted(pairs), dtype=np.intp)

    def undefeated(self, best: list[int]) -> int:
        """Of responses with equal utility the first that lost to none of the others.

        The estimate inside the half-spaces often lies on one, where winner and loser are equal.
        """
        others = set(best)
        return next((i for i in best if not self.lost_to.get(i, set()) & others), best[0])
