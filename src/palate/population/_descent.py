"""Full-batch quasi-Newton descent from several starts, with a history and early stopping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.optimize import minimize

from palate.errors import ParameterError
from palate.population.fit import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from palate._typing import FloatArray
    from palate.population.evaluate import Evaluation

Parts: TypeAlias = "tuple[FloatArray, ...]"
"""A model's parameters, or a gradient in them."""

HEAT = 25
"""Iterations of each start before all but the best are dropped."""

PATIENCE = 20
"""Iterations without a lower validation loss before descent ends."""

_MEMORY = 20  # pairs that L-BFGS keeps
_FLAT = 1e-9  # a gradient without any slope left


@dataclass(frozen=True, slots=True)
class Value:
    """An objective at a point."""

    loss: float
    accuracy: float
    gradient: Parts


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a descent ended."""

    parts: Parts
    history: tuple[Step, ...]
    converged: bool


def descend(
    objective: Callable[[Parts], Value],
    starts: Iterable[Parts],
    *,
    ridge: float,
    max_iterations: int,
    tolerance: float,
    validate: Callable[[Parts], Evaluation] | None,
    on_step: Callable[[Step], None] | None,
) -> Descent:
    """Minimise from each start a little, and from the best one to the end.

    Args:
        objective: smooth.
        ridge: ``ridge/2`` times the squares of all parameters is added to the objective.
        starts: one or more.
        max_iterations: of the run that is kept.
        tolerance: descent ends when an iteration lowers the loss by less.
        validate: judges a point on other answers; descent ends when it finds nothing better for
            a while, and the best point is returned.
        on_step: is told of every iteration as it happens; each start counts from 1.

    Raises:
        ParameterError: ``max_iterations`` or ``tolerance`` is not positive.
    """
    if max_iterations < 1 or not tolerance > 0.0:
        msg = (
            "max_iterations must be at least 1 and tolerance above 0, not "
            f"{max_iterations} and {tolerance}"
        )
        raise ParameterError(msg)
    runs = [_Run(start, objective, ridge, tolerance, validate, on_step) for start in starts]
    if len(runs) > 1:
        for run in runs:
            run.go_on(min(HEAT, max_iterations))
    best = min(runs, key=lambda run: run.loss)
    best.go_on(max_iterations)
    return Descent(best.parts, tuple(best.history), best.converged)


@dataclass(eq=False)
class _Run:
    """Descent from one start, which can be interrupted."""

    start: Parts
    objective: Callable[[Parts], Value]
    ridge: float
    tolerance: float
    validate: Callable[[Parts], Evaluation] | None
    on_step: Callable[[Step], None] | None
    history: list[Step] = field(default_factory=list)
    converged: bool = False

    def __post_init__(self) -> None:
        self._x = self._best = _joined(self.start)
        self._best_loss, self._best_number = np.inf, 0
        self._loss = self._accuracy = np.nan  # where the objective was asked last

    @property
    def loss(self) -> float:
        """Of the last point."""
        return self.history[-1].loss if self.history else self._loss

    @property
    def parts(self) -> Parts:
        """The last point, or the best one that validation has seen."""
        return self._parted(self._x if self.validate is None else self._best)

    def go_on(self, until: int) -> None:
        """Until so many iterations in all, or convergence."""
        left = until - len(self.history)
        if self.converged or left < 1:
            return
        done = minimize(
            self._function,
            self._x,
            jac=True,
            method="L-BFGS-B",
            callback=self._after_iteration,
            options={
                "maxiter": left,
                "maxfun": 50 * left,
                "maxcor": _MEMORY,
                "ftol": 0.0,  # relative to the loss; ours is absolute
                "gtol": _FLAT,
            },
        )
        self._x = done.x
        # Anything but the limit: no slope, no step that would help, or one of our own reasons.
        self.converged = self.converged or len(self.history) < until

    def _function(self, x: FloatArray) -> tuple[float, FloatArray]:
        value = self.objective(self._parted(x))
        self._accuracy = value.accuracy
        self._loss = value.loss + 0.5 * self.ridge * float(x @ x)
        return self._loss, _joined(value.gradient) + self.ridge * x

    def _after_iteration(self, intermediate_result: object) -> None:
        x: FloatArray = intermediate_result.x  # type: ignore[attr-defined]
        # The point accepted is the one where the objective was asked last.
        loss, number = self._loss, len(self.history) + 1
        judged = None if self.validate is None else self.validate(self._parted(x))
        step = Step(
            number,
            loss,
            self._accuracy,
            None if judged is None else judged.log_loss,
            None if judged is None else judged.accuracy,
        )
        gained = self.history[-1].loss - loss if self.history else np.inf
        self.history.append(step)
        if self.on_step is not None:
            self.on_step(step)
        if judged is not None and judged.log_loss < self._best_loss:
            self._best, self._best_loss, self._best_number = x.copy(), judged.log_loss, number
        late = judged is not None and number - self._best_number >= PATIENCE
        if gained < self.tolerance or late:
            self.converged = True
            raise StopIteration

    def _parted(self, x: FloatArray) -> Parts:
        ends = np.cumsum([part.size for part in self.start])
        pieces = np.split(x, ends[:-1])
        return tuple(
            piece.reshape(part.shape) for piece, part in zip(pieces, self.start, strict=True)
        )


def _joined(parts: Parts) -> FloatArray:
    return np.concatenate([part.reshape(-1) for part in parts])
