"""A strategy that asks what was planned beforehand, such as by :mod:`palate.design`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from palate.errors import ParameterError
from palate.preference.prior import Features, Prior, checked_prior
from palate.strategies._run import Run
from palate.strategies.base import Choice, Strategy, View, check_max_steps

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Planned(Strategy):
    """Asks the queries of a plan one by one, whatever is answered.

    So what :func:`palate.design.plan` chose for many people is answered wherever an elicitation is:
    in a store, by a service. A tie or a skip answers a query as well. The choice is the response of
    highest expected utility.

    Args:
        queries: pool indices of each query's options, at least two, all different.
        prior: what the choice goes by; the queries do not depend on it.
        max_steps: most questions to ask, or None for all.

    Raises:
        ParameterError: there is no query, or one is none.
    """

    name: ClassVar[str] = "planned"

    queries: tuple[tuple[int, ...], ...] = ()
    prior: Prior = field(default_factory=Features)
    max_steps: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "queries", _checked(self.queries))
        object.__setattr__(self, "prior", checked_prior(self.prior))
        check_max_steps(self.max_steps)

    def settings(self) -> dict[str, Any]:
        """See :meth:`Strategy.settings`."""
        queries = [list(query) for query in self.queries]
        return super().settings() | {"queries": queries, "prior": self.prior.settings()}

    def propose(self, view: View) -> tuple[int, ...] | None:
        if len(view.pool) == 1 or self._questions_left(view) == 0:
            return None
        number = len(view.answers)
        query = self.queries[number]
        if max(query) >= len(view.pool):
            msg = f"query {number} shows response {max(query)} of {len(view.pool)}, from 0 on"
            raise ParameterError(msg)
        return query

    def choose(self, view: View) -> Choice:
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        run = Run.of(view, self.name, self.prior)
        consistent = not (run.contradictory or run.belief.contradictory)
        left, regret = self._questions_left(view), run.expected_regret
        return Choice(run.incumbent, None, False, left, consistent, regret)

    def _questions_left(self, view: View) -> int:
        left, most = max(0, len(self.queries) - len(view.answers)), self.steps_left(view)
        return left if most is None else min(left, most)


def _checked(queries: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    if isinstance(queries, str) or not queries:
        raise ParameterError("a plan has at least one query: give pool indices, such as ((0, 3),)")
    for query in queries:
        listed = isinstance(query, list | tuple)
        whole = listed and all(type(i) is int and i >= 0 for i in query)
        if not whole or len(query) < 2 or len(set(query)) < len(query):
            msg = f"a query shows two or more different responses, by pool index, not {query!r}"
            raise ParameterError(msg)
    return tuple(tuple(query) for query in queries)
