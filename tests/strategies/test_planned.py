"""The strategy that asks what was planned beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.feedback import SKIP
from palate.pool import Pool
from palate.strategies import Planned, strategy_named

QUERIES = ((0, 1), (3, 1, 2), (4, 0))


def make_pool(n: int = 5) -> Pool:
    return Pool("p", [f"r{i}" for i in range(n)], np.eye(n, 6))


def test_the_queries_are_asked_in_order_whatever_is_answered() -> None:
    for said in (0, 1, SKIP, "tie"):
        elicitation = Elicitation(make_pool(), Planned(QUERIES), 3)
        asked: list[frozenset[int]] = []
        while (query := elicitation.ask()) is not None:
            assert elicitation.recommend().questions_left == len(QUERIES) - len(asked)
            asked.append(frozenset(query.options))
            elicitation.tell(query, said)
        assert asked == [frozenset(query) for query in QUERIES]
        assert not elicitation.recommend().certified


def test_the_choice_goes_by_what_was_picked() -> None:
    elicitation = Elicitation(make_pool(), Planned(QUERIES), 0)
    for best in (1, 2, 4):
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, query.options.index(best))
    assert elicitation.recommend().index in {2, 4}


@pytest.mark.parametrize(
    "queries", [(), ((0,),), ((0, 0),), ((0, -1),), ((0, True),), ((0, 1.0),), "01", (3,), ("ab",)]
)
def test_what_is_no_plan_is_refused(queries: Any) -> None:
    with pytest.raises(ParameterError, match=r"query|two or more"):
        Planned(queries)


def test_a_name_alone_is_no_plan() -> None:
    with pytest.raises(ParameterError, match="at least one query"):
        strategy_named({"name": "planned"})


def test_a_pool_that_is_too_small_is_refused() -> None:
    with pytest.raises(ParameterError, match="query 0 shows response 4 of 3"):
        Elicitation(make_pool(3), Planned(((0, 4),)), 0).ask()


def test_it_needs_features_for_its_choice() -> None:
    elicitation = Elicitation(Pool("p", ["a", "b"]), Planned(((0, 1),)), 0)
    with pytest.raises(PoolError, match="features"):
        elicitation.recommend()
