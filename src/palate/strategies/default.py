"""Which strategy to take where nobody names one; the evidence is in docs/priors.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palate.preference.prior import Features
from palate.strategies.posterior import Eubo
from palate.strategies.useralign import UserAlign

if TYPE_CHECKING:
    from palate.pool import Pool
    from palate.preference.prior import Prior
    from palate.strategies.base import Strategy

LARGEST = 10_000
"""Responses up to which a belief about all utilities is kept, a step of which then takes a tenth of
a second; beyond, USERALIGN's search is."""


def default_strategy(pool: Pool, prior: Prior | None = None) -> Strategy:
    """EUBO on the best prior there is: for few answers, and for answers that may be wrong.

    USERALIGN, exact and certified, for pools too large for it.

    Args:
        pool: what is asked about.
        prior: of a population, or of the person's own history; by default the features alone.
    """
    if len(pool) > LARGEST and prior is None:
        return UserAlign(estimate="inside")
    return Eubo(Features() if prior is None else prior)
