"""Which query next: USERALIGN, its loss-based variant, and what they are compared with."""

from palate.strategies.base import Choice, Strategy, View, comparisons
from palate.strategies.baselines import IIDBest, Oracle, Random, WinnerStays
from palate.strategies.useralign import UserAlign, UserAlignLoss

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (UserAlign, UserAlignLoss, IIDBest, Random, WinnerStays, Oracle)
}
"""The built-in strategies by name, for logs and the command line."""

__all__ = [
    "STRATEGIES",
    "Choice",
    "IIDBest",
    "Oracle",
    "Random",
    "Strategy",
    "UserAlign",
    "UserAlignLoss",
    "View",
    "WinnerStays",
    "comparisons",
]
