"""The built-in strategies by name, and a strategy from its name and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from palate.errors import ParameterError
from palate.strategies.baselines import IIDBest, Oracle, Random, WinnerStays
from palate.strategies.planned import Planned
from palate.strategies.posterior import Challenge, Eubo, InformationGain, Thompson
from palate.strategies.useralign import UserAlign, UserAlignLoss

if TYPE_CHECKING:
    from palate.strategies.base import Strategy

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        UserAlign,
        UserAlignLoss,
        Challenge,
        Eubo,
        InformationGain,
        Thompson,
        IIDBest,
        Random,
        WinnerStays,
        Planned,
        Oracle,
    )
}
"""The built-in strategies by name, for logs, stores and the command line."""


def strategy_kind(name: object) -> type[Strategy]:
    """The built-in strategy of this name that somebody can be asked with: not the oracle.

    Raises:
        ParameterError: there is none.
    """
    names = [known for known in STRATEGIES if known != Oracle.name]
    if name not in names:
        msg = f"there is no strategy {name!r}; there are {', '.join(names)}"
        raise ParameterError(msg)
    return STRATEGIES[str(name)]


def strategy_settings(kind: type[Strategy]) -> tuple[str, ...]:
    """The names of a strategy's settings."""
    return tuple(field.name for field in dataclasses.fields(cast("Any", kind)))


def strategy_named(settings: Mapping[str, Any]) -> Strategy:
    """The built-in strategy of a name and settings, as somebody wrote them down.

    Args:
        settings: ``name`` and the settings that differ from the strategy's defaults, as JSON
            values; such as :meth:`Strategy.settings` returns.

    Raises:
        ParameterError: there is no such strategy, it has no such setting, or a value does not fit.
    """
    if not isinstance(settings, Mapping):
        msg = f"a strategy is a name with settings, such as {{'name': 'eubo'}}, not {settings!r}"
        raise ParameterError(msg)
    rest = dict(settings)
    name = rest.pop("name", None)
    kind = strategy_kind(name)
    known = strategy_settings(kind)
    for setting in rest.keys() - set(known):
        msg = f"the strategy {name} has no setting {setting!r}; it has {', '.join(known)}"
        raise ParameterError(msg)
    try:
        return kind(**rest)
    except TypeError as error:
        msg = f"the settings of the strategy {name} do not fit: {error}"
        raise ParameterError(msg) from error
