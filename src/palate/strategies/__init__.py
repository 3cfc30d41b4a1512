"""Which query next: USERALIGN, its loss-based variant, strategies on a belief, and baselines."""

from palate.strategies.base import Choice, Strategy, View, comparisons
from palate.strategies.baselines import IIDBest, Oracle, Random, WinnerStays
from palate.strategies.contrary import contrary_share, doubts
from palate.strategies.default import default_strategy
from palate.strategies.named import STRATEGIES, strategy_named
from palate.strategies.planned import Planned
from palate.strategies.posterior import Challenge, Eubo, InformationGain, Thompson
from palate.strategies.useralign import UserAlign, UserAlignLoss

__all__ = [
    "STRATEGIES",
    "Challenge",
    "Choice",
    "Eubo",
    "IIDBest",
    "InformationGain",
    "Oracle",
    "Planned",
    "Random",
    "Strategy",
    "Thompson",
    "UserAlign",
    "UserAlignLoss",
    "View",
    "WinnerStays",
    "comparisons",
    "contrary_share",
    "default_strategy",
    "doubts",
    "strategy_named",
]
