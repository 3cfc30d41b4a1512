"""The methods of an experiment by name, and how the paper writes their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from palate.errors import ParameterError
from palate.preference.prior import Features
from palate.strategies import (
    Eubo,
    IIDBest,
    InformationGain,
    Oracle,
    Random,
    Strategy,
    Thompson,
    UserAlign,
    UserAlignLoss,
    WinnerStays,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.bench.cast import Subject

Make: TypeAlias = "Callable[[int], Strategy]"
"""A strategy that asks at most so many questions."""


BELIEF_STEPS = 30
"""Most questions of strategies on a belief, which take longest; what is compared comes before."""


def _botorch_eubo(most: int) -> Strategy:
    from palate.bench.botorch_peer import BotorchEubo  # noqa: PLC0415 - an extra

    return BotorchEubo(max_steps=min(most, BELIEF_STEPS))


METHODS: dict[str, Make] = {
    "random": lambda _: Random(),
    "iidbest": lambda most: IIDBest(max_steps=most),
    "useralign": lambda most: UserAlign(max_steps=most),
    "useralign-inside": lambda most: UserAlign(max_steps=most, estimate="inside"),
    "useralign-fixed": lambda most: UserAlign(epsilon=None, max_steps=most),
    "useralign-loss": lambda most: UserAlignLoss(max_steps=most),
    "winner-stays": lambda most: WinnerStays(max_steps=most),
    "eubo": lambda most: Eubo(max_steps=min(most, BELIEF_STEPS)),
    "eubo-rbf": lambda most: Eubo(Features("rbf"), max_steps=min(most, BELIEF_STEPS)),
    "information-gain": lambda most: InformationGain(max_steps=min(most, BELIEF_STEPS)),
    "thompson": lambda most: Thompson(max_steps=min(most, BELIEF_STEPS)),
    "botorch-eubo": _botorch_eubo,
}
"""Every method but the oracle, which is made for one person.

USERALIGN runs at epsilon = 0, which holds the runs at every larger epsilon. Strategies on a belief
have the linear prior of the features, or the RBF one, each with a residual of every response.
"""

ON_REQUEST = {"useralign-fixed", "eubo-rbf", "botorch-eubo"}
"""Methods that an experiment runs only where they are named."""

BUILT_IN = ("oracle", *(name for name in METHODS if name not in ON_REQUEST))
"""What an experiment runs by default."""

BY_EPSILON = ("useralign", "useralign-inside", "useralign-loss")
"""Methods whose runs at a larger epsilon are derived from that at 0."""

_IN_PRINT = {
    "oracle": "ORACLE",
    "random": "RANDOM",
    "iidbest": "IIDBEST",
    "useralign": "USERALIGN",
    "useralign-inside": "USERALIGN, inside",
    "useralign-fixed": "USERALIGN, fixed steps",
    "useralign-loss": "USERALIGN_LOSS",
}


def in_print(method: str) -> str:
    """A method's name as the paper writes it, where it is the paper's."""
    return _IN_PRINT.get(method, method)


def strategy_for(method: str, subject: Subject, most: int) -> Strategy:
    """The strategy of a method for a person, who matters to the oracle alone.

    Raises:
        ParameterError: there is no such method, or the oracle is asked about unknown utilities.
        MissingExtraError: a library that the method is made of is not installed.
    """
    if method == "oracle":
        if subject.utilities is None:
            raise ParameterError("the oracle knows the utilities, and a played person has none")
        return Oracle(tuple(subject.utilities.tolist()))
    if method not in METHODS:
        msg = f"there is no method {method!r}; there are oracle, {', '.join(METHODS)}"
        raise ParameterError(msg)
    return METHODS[method](most)
