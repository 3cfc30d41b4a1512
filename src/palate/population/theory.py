"""What the theorems promise: excess risk by answers, people and prototypes (Section 4.1).

With the constants as proven the bounds exceed 1, and so say nothing, at most sizes met in practice.
They are for scaling: what more answers or more people buy, and when prototypes pay. For planning in
numbers measure a learning curve instead, :func:`palate.population.evaluate.learning_curve`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

ASSUMPTIONS = (
    "the loss lies in [0, 1] and is L-Lipschitz in the margin",
    "both items of a comparison are drawn from the uniform distribution on the unit sphere",
    "f is linear, and there are fewer prototypes than people and than dimensions",
    "everyone gives m answers: those trained on, and a new person as well",
    "the empirical risk is minimised exactly",
)
"""What the bounds stand on."""

_MOST = 10**15  # people or answers; more than that is never


@dataclass(frozen=True)
class Setting:
    """What the bounds depend on.

    Attributes:
        people: N, trained on.
        answers: m of each.
        prototypes: K.
        dimension: D of the items' features.
        lipschitz: L of the loss, by default that of sigmoid(-margin), 1/4. The logistic loss cut
            off at 1 has 1 - 1/e.
        delta: probability with which a bound may fail.
        zeta_m: bound on the Frobenius norm of A'A; by default D, as in the paper.
        zeta_v: bound on the length of a column of -2 A'A P; by default sqrt(D), as in the paper.

    Raises:
        ParameterError: a value is outside its range.
    """

    people: int
    answers: int
    prototypes: int
    dimension: int
    lipschitz: float = 0.25
    delta: float = 0.05
    zeta_m: float | None = None
    zeta_v: float | None = None

    def __post_init__(self) -> None:
        for name in ("people", "answers", "prototypes", "dimension"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, not {getattr(self, name)}"
                raise ParameterError(msg)
        for name in ("lipschitz", "zeta_m", "zeta_v"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                msg = f"{name} must be above 0, not {value}"
                raise ParameterError(msg)
        if not 0.0 < self.delta < 1.0:
            msg = f"delta must lie strictly between 0 and 1, not {self.delta}"
            raise ParameterError(msg)

    @property
    def squares(self) -> tuple[float, float]:
        """``zeta_M^2`` and ``zeta_v^2``."""
        zeta_m = self.dimension if self.zeta_m is None else self.zeta_m
        return float(zeta_m) ** 2, self.dimension if self.zeta_v is None else self.zeta_v**2


@dataclass(frozen=True)
class Bound:
    """A bound on the excess risk, with probability 1 - delta.

    Attributes:
        shared: what learning the map and the prototypes (or everyone's own point) costs.
        own: what knowing a new person costs; 0 for the bounds on people trained on.
        chance: what the probability costs.
    """

    shared: float
    own: float
    chance: float

    @property
    def value(self) -> float:
        """The sum."""
        return self.shared + self.own + self.chance

    @property
    def vacuous(self) -> bool:
        """Whether it says nothing: no loss in [0, 1] has an excess risk above 1."""
        return self.value >= 1.0


def seen_bound(setting: Setting) -> Bound:
    """New comparisons of the people trained on (Theorem 1).

    ``12 L sqrt((zeta_M^2 + (K N / D + K) zeta_v^2) / (N m)) log(N + D)
    + sqrt(2 log(2 / delta) / (N m))``. The logarithm stands outside the root as in the statement:
    the last line of the printed proof has it inside, but Lemma C.2 gives it outside.

    Raises:
        ParameterError: K < min(N, D) does not hold.
    """
    _check_prototypes(setting)
    N, m, K, D = setting.people, setting.answers, setting.prototypes, setting.dimension
    zeta_m, zeta_v = setting.squares
    root = math.sqrt((zeta_m + (K * N / D + K) * zeta_v) / (N * m))
    return Bound(12.0 * setting.lipschitz * root * math.log(N + D), 0.0, _chance(setting))


def canal_bound(setting: Setting) -> Bound:
    """The same without prototypes: a point of their own for each person (Proposition C.4).

    ``6 L sqrt((zeta_M^2 + N zeta_v^2) / (N m)) + sqrt(2 log(2 / delta) / (N m))``. K is not used.
    Remark C.5 reads sqrt(D / m) where sqrt(D / N) is printed.
    """
    N, m = setting.people, setting.answers
    zeta_m, zeta_v = setting.squares
    root = math.sqrt((zeta_m + zeta_v * N) / (N * m))
    return Bound(6.0 * setting.lipschitz * root, 0.0, _chance(setting))


def unseen_bound(setting: Setting) -> Bound:
    """New people, located by m answers of their own (Theorem 2).

    ``18 L sqrt((zeta_M^2 + K^2 zeta_v^2) / N) + 3 L sqrt(K zeta_v^2 / (D m))
    + sqrt(8 log(4 / delta) / N)``.

    Raises:
        ParameterError: K < min(N, D) does not hold.
    """
    _check_prototypes(setting)
    N, m, K, D = setting.people, setting.answers, setting.prototypes, setting.dimension
    zeta_m, zeta_v = setting.squares
    return Bound(
        18.0 * setting.lipschitz * math.sqrt((zeta_m + K**2 * zeta_v) / N),
        3.0 * setting.lipschitz * math.sqrt(K * zeta_v / (D * m)),
        math.sqrt(8.0 * math.log(4.0 / setting.delta) / N),
    )


def answers_needed(
    bound: Callable[[Setting], Bound], setting: Setting, target: float
) -> int | None:
    """The fewest answers a person for which a bound is at most ``target``.

    Args:
        bound: :func:`seen_bound`, :func:`canal_bound` or :func:`unseen_bound`.
        setting: all the rest; its ``answers`` are not used.
        target: excess risk, > 0.

    Returns:
        m, or None where no number of answers is enough, for want of people.

    Raises:
        ParameterError: the target is not above 0; or as the bound.
    """
    _check_target(target)
    return _first(lambda m: bound(replace(setting, answers=m)).value <= target, 1, _MOST)


def people_needed(bound: Callable[[Setting], Bound], setting: Setting, target: float) -> int | None:
    """The fewest people to train on for which a bound is at most ``target``.

    The bound of Theorem 1 falls and then rises with N again, since its logarithm grows while each
    person's answers stay: more people are no remedy for too few answers.

    Args:
        bound: :func:`seen_bound`, :func:`canal_bound` or :func:`unseen_bound`.
        setting: all the rest; its ``people`` are not used.
        target: excess risk, > 0.

    Returns:
        N > K, or None where no number of people is enough.

    Raises:
        ParameterError: the target is not above 0; or as the bound.
    """
    _check_target(target)

    def value(people: int) -> float:
        return bound(replace(setting, people=people)).value

    fewest = setting.prototypes + 1
    # A step in proportion: one person more among 10^15 is lost in rounding.
    rises = _first(lambda n: value(n + 1 + n // 1000) > value(n), fewest, _MOST)
    return _first(lambda n: value(n) <= target, fewest, _MOST if rises is None else rises)


def mixture_advantage(setting: Setting) -> float:
    """How many times fewer answers a person the bounds ask with prototypes than without.

    Both bounds fall as 1 / sqrt(m), so that the ratio holds for every target. For N far above D^2
    it is about ``D / (4 K log(N + D)^2)``: above 1 only for K far below D, while the rates alone,
    K against D answers a person, have no logarithm.

    Raises:
        ParameterError: K < min(N, D) does not hold.
    """
    return (canal_bound(setting).value / seen_bound(setting).value) ** 2


def explain(setting: Setting) -> str:
    """The three bounds in words, with what they assume, a line each."""
    rows = (
        ("new comparisons of people trained on (Theorem 1)", seen_bound(setting)),
        ("the same without prototypes (Proposition C.4)", canal_bound(setting)),
        ("new people (Theorem 2)", unseen_bound(setting)),
    )
    lines = [
        f"{name}: excess risk at most {bound.value:.3g}"
        + (", vacuous: it is at most 1 anyway" if bound.vacuous else "")
        for name, bound in rows
    ]
    lines.append(f"answers a person without prototypes / with: {mixture_advantage(setting):.3g}")
    return "\n".join([*lines, "assuming that", *(f"- {line}" for line in ASSUMPTIONS)])


def _first(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The first whole number from low to high of which something holds, and of all after it."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _chance(setting: Setting) -> float:
    return math.sqrt(2.0 * math.log(2.0 / setting.delta) / (setting.people * setting.answers))


def _check_prototypes(setting: Setting) -> None:
    if setting.prototypes >= min(setting.people, setting.dimension):
        msg = (
            f"the theorems need fewer prototypes than people and than dimensions, not "
            f"K={setting.prototypes} with N={setting.people} and D={setting.dimension}"
        )
        raise ParameterError(msg)


def _check_target(target: float) -> None:
    if not target > 0.0:
        msg = f"the target must be above 0, not {target}"
        raise ParameterError(msg)
