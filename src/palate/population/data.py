"""Preferences of many people as arrays over unique items and prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class PreferenceData:
    """Who preferred what to what: n rows over M unique items, P unique prompts and U people.

    Each item and each prompt is held once, however often it is compared, so that a network is
    evaluated once for it. A pick out of K options is K - 1 rows with the same number in ``pick``.

    Attributes:
        items: (M, D) features of the responses.
        person: (n,) whose preference it is, as a place in ``people``.
        chosen: (n,) the item preferred, as a row of ``items``.
        rejected: (n,) the item that it was preferred to.
        people: U names.
        prompts: (P, D_x) features of the prompts, or None where the items' features hold all.
        prompt: (n,) the prompt of each row; None exactly where ``prompts`` is.
        pick: (n,) the answer that a row belongs to, from 0, never falling; None: one row each.

    Raises:
        ParameterError: shapes do not fit, a place is outside its table, a number is not finite, or
            an item is preferred to itself.
    """

    items: FloatArray
    person: IndexArray
    chosen: IndexArray
    rejected: IndexArray
    people: tuple[str, ...]
    prompts: FloatArray | None = None
    prompt: IndexArray | None = None
    pick: IndexArray | None = None

    def __post_init__(self) -> None:
        _check_table("items", self.items)
        n = len(self.person)
        _check_places("person", self.person, n, len(self.people))
        _check_places("chosen", self.chosen, n, len(self.items))
        _check_places("rejected", self.rejected, n, len(self.items))
        if (self.prompts is None) != (self.prompt is None):
            raise ParameterError("give prompts and the prompt of each row together, or neither")
        if self.prompts is not None and self.prompt is not None:
            _check_table("prompts", self.prompts)
            _check_places("prompt", self.prompt, n, len(self.prompts))
        if self.pick is not None:
            _check_places("pick", self.pick, n, n)
            if (np.diff(self.pick) < 0).any():
                raise ParameterError("the rows of one pick stand together: pick must never fall")
        same = np.flatnonzero(self.chosen == self.rejected)
        if len(same):
            msg = f"row {same[0]} prefers item {self.chosen[same[0]]} to itself"
            raise ParameterError(msg)

    @classmethod
    def from_arrays(
        cls,
        items: ArrayLike,
        person: Sequence[object] | ArrayLike,
        chosen: ArrayLike,
        rejected: ArrayLike,
        *,
        prompts: ArrayLike | None = None,
        prompt: ArrayLike | None = None,
        pick: ArrayLike | None = None,
    ) -> Self:
        """From plain arrays; ``person`` holds a name (any value) a row.

        People are put in the order of their first row.

        Raises:
            ParameterError: as the class.
        """
        names = [str(name) for name in np.asarray(person).tolist()]
        places = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return cls(
            np.asarray(items, dtype=np.float64),
            np.array([places[name] for name in names], dtype=np.intp),
            np.asarray(chosen, dtype=np.intp),
            np.asarray(rejected, dtype=np.intp),
            tuple(places),
            None if prompts is None else np.asarray(prompts, dtype=np.float64),
            None if prompt is None else np.asarray(prompt, dtype=np.intp),
            None if pick is None else np.asarray(pick, dtype=np.intp),
        )

    def __len__(self) -> int:
        return len(self.person)

    @property
    def answers(self) -> int:
        """How many answers the rows come from: a K-way pick counts once."""
        return len(self) if self.pick is None else len(np.unique(self.pick))

    @property
    def per_person(self) -> IndexArray:
        """(U,) rows of each person."""
        return np.bincount(self.person, minlength=len(self.people))

    def rows(self, which: IndexArray) -> PreferenceData:
        """Some of the rows (places, or a mask of n), over the same items, prompts and people."""
        picks = None if self.pick is None else self.pick[which]
        if picks is not None:
            picks = np.unique(picks, return_inverse=True)[1]
        return replace(
            self,
            person=self.person[which],
            chosen=self.chosen[which],
            rejected=self.rejected[which],
            prompt=None if self.prompt is None else self.prompt[which],
            pick=picks,
        )

    def of_people(self, who: Iterable[int]) -> PreferenceData:
        """The rows of some people, who become all that there are, in the order given."""
        who = list(who)
        places = np.full(len(self.people), -1, dtype=np.intp)
        places[who] = np.arange(len(who))
        part = self.rows(np.flatnonzero(places[self.person] >= 0))
        return replace(part, person=places[part.person], people=tuple(self.people[i] for i in who))

    def joined(self) -> PreferenceData:
        """The same with each row's prompt in the features of its items: [item, prompt].

        Items become the unique pairs of item and prompt; there are no prompts besides.

        Raises:
            ParameterError: there are no prompts.
        """
        if self.prompts is None or self.prompt is None:
            raise ParameterError("there are no prompts to join to the items")
        pairs = np.concatenate(
            [
                np.stack([self.chosen, self.prompt], axis=1),
                np.stack([self.rejected, self.prompt], axis=1),
            ]
        )
        unique, places = np.unique(pairs, axis=0, return_inverse=True)
        items = np.hstack([self.items[unique[:, 0]], self.prompts[unique[:, 1]]])
        places = places.reshape(-1)
        n = len(self)
        return replace(
            self,
            items=items,
            chosen=places[:n],
            rejected=places[n:],
            prompts=None,
            prompt=None,
        )


def _check_table(name: str, table: FloatArray) -> None:
    if not isinstance(table, np.ndarray) or table.ndim != 2 or not table.shape[1]:
        msg = f"{name} must be a table of features, one row each, not of shape {np.shape(table)}"
        raise ParameterError(msg)
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        msg = f"{name} must be finite; row {row} is not"
        raise ParameterError(msg)


def _check_places(name: str, places: IndexArray, n: int, below: int) -> None:
    if not isinstance(places, np.ndarray) or places.shape != (n,) or places.dtype.kind not in "iu":
        msg = f"{name} must be {n} whole numbers, one a row, not of shape {np.shape(places)}"
        raise ParameterError(msg)
    if n and (places.min() < 0 or places.max() >= below):
        msg = f"{name} must lie from 0 to {below - 1}; it has {places.min()} to {places.max()}"
        raise ParameterError(msg)
