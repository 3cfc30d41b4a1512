"""Preferences of many people as arrays over unique items and prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from palate._numbers import LARGEST, unfit_row
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate._typing import BoolArray, FloatArray, IndexArray


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
        ParameterError: shapes do not fit, a place is outside its table, a number is not finite, an
            item is preferred to itself, two people share a name, or a pick has two people, prompts
            or chosen items.
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
            self._check_picks()
        if len(set(self.people)) < len(self.people):
            raise ParameterError("people must have different names")
        same = np.flatnonzero(self.chosen == self.rejected)
        if len(same):
            msg = f"row {same[0]} prefers item {self.chosen[same[0]]} to itself"
            raise ParameterError(msg)

    def _check_picks(self) -> None:
        same = np.diff(self.pick) == 0 if self.pick is not None else np.zeros(0, dtype=bool)
        for name, of in (("person", self.person), ("item", self.chosen), ("prompt", self.prompt)):
            if of is not None and (np.diff(of)[same] != 0).any():
                row = 1 + int(np.argmax(same & (np.diff(of) != 0)))
                msg = f"row {row} has another {name} than the row before, of the same pick"
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
        names = [str(name) for name in np.asarray(person).reshape(-1).tolist()]
        places = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return cls(
            _numbers("items", items),
            np.array([places[name] for name in names], dtype=np.intp),
            _places("chosen", chosen),
            _places("rejected", rejected),
            tuple(places),
            None if prompts is None else _numbers("prompts", prompts),
            None if prompt is None else _places("prompt", prompt),
            None if pick is None else _places("pick", pick),
        )

    def __len__(self) -> int:
        return len(self.person)

    @property
    def answers(self) -> int:
        """How many answers the rows come from: a K-way pick counts once."""
        return len(self.starts)

    @property
    def starts(self) -> IndexArray:
        """(A,) the first row of each answer; an answer's rows stand together."""
        if self.pick is None:
            return np.arange(len(self))
        return np.flatnonzero(np.diff(self.pick, prepend=-1))

    @property
    def per_person(self) -> IndexArray:
        """(U,) rows of each person."""
        return np.bincount(self.person, minlength=len(self.people))

    @property
    def answers_per_person(self) -> IndexArray:
        """(U,) answers of each person; a K-way pick counts once."""
        return np.bincount(self.person[self.starts], minlength=len(self.people))

    def rows(self, which: IndexArray | BoolArray) -> PreferenceData:
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


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be a table of numbers: {error}"
        raise ParameterError(msg) from error


def _places(name: str, values: ArrayLike) -> IndexArray:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":  # a conversion would cut 0.7 down to 0
        msg = f"{name} must be whole numbers, not {array.dtype}"
        raise ParameterError(msg)
    return array.astype(np.intp)


def _check_table(name: str, table: FloatArray) -> None:
    if not isinstance(table, np.ndarray) or table.ndim != 2 or not table.shape[1]:
        msg = f"{name} must be a table of features, one row each, not of shape {np.shape(table)}"
        raise ParameterError(msg)
    if (row := unfit_row(table)) is not None:
        msg = f"{name} must be finite, at most {LARGEST:g}; row {row} is not"
        raise ParameterError(msg)


def _check_places(name: str, places: IndexArray, n: int, below: int) -> None:
    if not isinstance(places, np.ndarray) or places.shape != (n,) or places.dtype.kind not in "iu":
        shown = f"{getattr(places, 'dtype', type(places).__name__)} of shape {np.shape(places)}"
        msg = f"{name} must be {n} whole numbers, one a row, not {shown}"
        raise ParameterError(msg)
    if n and (places.min() < 0 or places.max() >= below):
        msg = f"{name} must lie from 0 to {below - 1}; it has {places.min()} to {places.max()}"
        raise ParameterError(msg)
