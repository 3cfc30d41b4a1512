"""Who is served, and with what: the people and pools whose best responses have to be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from palate._numbers import LARGEST, unfit_row
from palate._random import generator
from palate.diversity.rows import Rows
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray

COMPETITORS = 8
"""Of each best response; those farther behind decide nothing."""

STAND_INS = (
    "new person 1 and so on are nobody yet: they stand for people to come, drawn like those who "
    "answered"
)
"""What to say where :func:`new_people` are served."""


@dataclass(frozen=True, eq=False)
class Served:
    """Questions: a person and the responses that compete for them.

    Attributes:
        heads: (S, J) of the people served.
        items: (M, F) features of all responses.
        person: (Q,) whose question it is, as a row of ``heads``.
        question: (m,) the question that an option belongs to, never falling; each has one or more.
        option: (m,) the option, as a row of ``items``.
        offset: (M,) what everybody's reward of an item has besides; None for 0.
        people: S names; by default "person 1" and so on.
        labels: M texts to show for the items; by default "response 1" and so on.
        note: what has to be said of these people wherever they are named; may be empty.

    Raises:
        ParameterError: shapes do not fit, a place is outside its table, or a number is not finite.
    """

    heads: FloatArray
    items: FloatArray
    person: IndexArray
    question: IndexArray
    option: IndexArray
    offset: FloatArray | None = None
    people: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        for name, table in (("heads", self.heads), ("items", self.items)):
            if table.ndim != 2:
                msg = f"{name} of the served must be a table, not of shape {table.shape}"
                raise ParameterError(msg)
            if unfit_row(table) is not None:
                msg = f"{name} of the served must be finite, at most {LARGEST:g}"
                raise ParameterError(msg)
        if not np.array_equal(np.unique(self.question), np.arange(len(self.person))):
            raise ParameterError("each question of the served needs at least one option")
        if len(self.option) != len(self.question) or (np.diff(self.question) < 0).any():
            raise ParameterError("options need the number of their question, which never falls")
        for name, places, below in (
            ("person", self.person, len(self.heads)),
            ("option", self.option, len(self.items)),
        ):
            if len(places) and not 0 <= places.min() <= places.max() < below:
                msg = f"{name} of the served must lie from 0 to {below - 1}"
                raise ParameterError(msg)
        for name, value, n in (
            ("offset", self.offset, len(self.items)),
            ("people", self.people or None, len(self.heads)),
            ("labels", self.labels or None, len(self.items)),
        ):
            if value is not None and len(value) != n:
                msg = f"the served need {n} {name}, not {len(value)}"
                raise ParameterError(msg)

    @classmethod
    def of_pools(
        cls,
        heads: FloatArray,
        pools: Sequence[FloatArray],
        *,
        each: int | None = None,
        people: Sequence[str] = (),
        labels: Sequence[str] = (),
        offset: FloatArray | None = None,
        seed: int = 0,
    ) -> Self:
        """Everybody is asked about pools.

        Args:
            heads: (S, J).
            pools: (N, F) features of the responses of each pool.
            each: pools drawn for each person; by default all.
            people: S names.
            labels: texts of all responses, pool after pool.
            offset: as the class, pool after pool.
            seed: of the draw.

        Raises:
            ParameterError: a pool is empty, or ``each`` is below 1; or as the class.
        """
        if not pools or any(pool.ndim != 2 or not len(pool) for pool in pools):
            raise ParameterError("people are served from one or more pools, none of them empty")
        if each is not None and each < 1:
            msg = f"each must be at least 1 pool a person, not {each}"
            raise ParameterError(msg)
        S, P = len(heads), len(pools)
        if each is None or each >= P:
            drawn = np.tile(np.arange(P), (S, 1))
        else:
            ranks = generator(seed, "served").random((S, P))
            drawn = np.sort(np.argpartition(ranks, each - 1, axis=1)[:, :each], axis=1)
        sizes = np.array([len(pool) for pool in pools])
        first = np.cumsum(sizes) - sizes
        asked = drawn.reshape(-1)
        question = np.repeat(np.arange(len(asked)), sizes[asked])
        within = np.arange(len(question)) - np.repeat(
            np.cumsum(sizes[asked]) - sizes[asked], sizes[asked]
        )
        return cls(
            heads,
            np.concatenate(pools),
            np.repeat(np.arange(S), drawn.shape[1]),
            question,
            np.repeat(first[asked], sizes[asked]) + within,
            offset,
            tuple(people),
            tuple(labels),
        )

    @property
    def starts(self) -> IndexArray:
        """(Q,) the first option of each question."""
        return np.flatnonzero(np.diff(self.question, prepend=-1))

    def name(self, person: int) -> str:
        """Of a person, by place."""
        return self.people[person] if self.people else f"person {person + 1}"

    def label(self, item: int) -> str:
        """Of an item, by place."""
        return self.labels[item] if self.labels else f"response {item + 1}"

    def rewards(self, basis: FloatArray) -> FloatArray:
        """(m,) what each question's person thinks of each option, by a (J, F) basis."""
        scores = (self.items @ basis.T)[self.option]
        rewards = np.einsum("mj,mj->m", scores, self.heads[self.person[self.question]])
        return rewards if self.offset is None else rewards + self.offset[self.option]

    def of(self, people: IndexArray, most: int) -> Served:
        """Some people with at most so many of their questions, the first ones."""
        order = np.argsort(self.person, kind="stable")
        owner = self.person[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        keep = np.zeros(len(self.person), dtype=bool)
        keep[order[(rank < most) & np.isin(owner, people)]] = True
        options = keep[self.question]
        number = np.cumsum(keep) - 1
        needed, option = np.unique(self.option[options], return_inverse=True)
        return replace(
            self,
            items=self.items[needed],
            person=self.person[keep],
            question=number[self.question[options]],
            option=option.reshape(-1),
            offset=None if self.offset is None else self.offset[needed],
            labels=tuple(self.labels[i] for i in needed) if self.labels else (),
        )


@dataclass(frozen=True, eq=False)
class Contests:
    """The best response of each question against what comes next.

    Attributes:
        rows: (n,) rows, best less competitor; ``pick`` is the question.
        better: (n,) the best response, as an item.
        worse: (n,) the competitor, as an item.
    """

    rows: Rows
    better: IndexArray
    worse: IndexArray


def contests(served: Served, basis: FloatArray, most: int = COMPETITORS) -> Contests:
    """What has to be told apart for everybody's best response to be right.

    A question of one option gives no row: nothing is to be decided.

    Args:
        served: people and their questions.
        basis: (J, F), which says what is best.
        most: competitors of each best response, the nearest ones.
    """
    rewards = served.rewards(basis)
    order = np.lexsort((-rewards, served.question))
    starts = served.starts
    rank = np.arange(len(order)) - starts[served.question]
    behind = (rank > 0) & (rank <= most)
    question = served.question[behind]
    better = served.option[order[starts[question]]]
    worse = served.option[order[behind]]
    offset = None if served.offset is None else served.offset[better] - served.offset[worse]
    delta = served.items[better] - served.items[worse]
    return Contests(Rows(served.person[question], delta, question, offset), better, worse)


def new_people(heads: FloatArray, n: int, seed: int = 0) -> FloatArray:
    """(n, J) heads of people like those who are known, but not the same.

    From a Dirichlet distribution with the mean and the mean variance of the heads where these lie
    on the simplex, so that anybody whom the model can describe may appear; else from a Gaussian
    with their mean and covariance.

    Args:
        heads: (U, J) of those who are known.
        n: how many.
        seed: of the draw.
    """
    rng = generator(seed, "new people")
    mean = heads.mean(axis=0)
    if on_simplex(heads):
        spread = heads.var(axis=0).sum()
        # Var w_j = m_j (1 - m_j) / (c + 1)
        concentration = (1.0 - mean @ mean) / spread - 1.0 if spread > 0.0 else np.inf
        share = np.clip(mean * np.clip(concentration, 1e-2, 1e6), 1e-6, None)
        return rng.dirichlet(share, size=n)
    covariance = np.atleast_2d(np.cov(heads.T, bias=True))
    return rng.multivariate_normal(mean, covariance, size=n, method="eigh")


def on_simplex(heads: FloatArray) -> bool:
    """Whether all heads are weights: at least 0, with sum 1."""
    return bool((heads >= 0.0).all() and np.allclose(heads.sum(axis=1), 1.0, rtol=0.0, atol=1e-5))
