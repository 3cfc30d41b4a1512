"""Answers to train on, to choose by and to report on, kept apart; and people kept for later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData


@dataclass(frozen=True, eq=False)
class Split:
    """Five parts that share no answer.

    Attributes:
        train: of the people to train on.
        seen_test: other answers of theirs, to report on.
        support: of other people, unseen in training; to locate them by.
        validation: other answers of theirs, to choose settings by: the prior, the temperature.
        test: yet other answers of theirs, to report on.
    """

    train: PreferenceData
    seen_test: PreferenceData
    support: PreferenceData
    validation: PreferenceData
    test: PreferenceData


def split(
    data: PreferenceData,
    *,
    unseen: float = 0.2,
    test: float = 0.2,
    validation: float = 0.2,
    seed: int = 0,
) -> Split:
    """Put answers into parts by chance: people first, then the answers of each person.

    A size below 1 is a share, one of at least 1 a number: of people for ``unseen``, of each
    person's answers for the others. An answer is never torn apart, and answers of one person to
    the same question (the same options for the same prompt) go into the same part, so that a part
    can miss its number by as many as are repeated. Everyone keeps an answer to train or be located
    on: somebody with no more answers than the other parts want is not drawn among the unseen,
    and of those trained on they are only trained on.

    Args:
        data: all answers.
        unseen: how many people are kept from training.
        test: answers of each person, seen or not, that are reported on.
        validation: answers of each unseen person.
        seed: of all draws.

    Raises:
        ParameterError: a size is below 0, or there are not that many people with enough answers.
    """
    for name, size in (("unseen", unseen), ("test", test), ("validation", validation)):
        if not (0.0 <= size < 1.0 or (size >= 1.0 and float(size).is_integer())):
            msg = f"{name} must be a share below 1 or a whole number, not {size}"
            raise ParameterError(msg)
    totals = data.answers_per_person
    for_test, for_validation = _number(test, totals), _number(validation, totals)
    enough = np.flatnonzero(totals > for_test + for_validation)
    wanted = int(_number(unseen, np.array(len(data.people))))
    if wanted > len(enough):
        msg = (
            f"{wanted} unseen people are wanted, and {len(enough)} of {len(data.people)} have "
            f"enough answers; lower unseen, test or validation"
        )
        raise ParameterError(msg)
    new = np.sort(generator(seed, "split people").permutation(enough)[:wanted])
    seen = np.setdiff1d(np.arange(len(data.people)), new)
    for_validation[seen] = 0
    for_test[seen[totals[seen] <= for_test[seen]]] = 0
    part = _parts(data, for_test, for_validation, generator(seed, "split answers"))
    part = np.repeat(part, np.diff(np.append(data.starts, len(data))))
    tested, validated, rest = (data.rows(np.flatnonzero(part == i)) for i in range(3))
    return Split(
        train=rest.of_people(seen),
        seen_test=tested.of_people(seen),
        support=rest.of_people(new),
        validation=validated.of_people(new),
        test=tested.of_people(new),
    )


def first_answers(data: PreferenceData, count: int, order: FloatArray) -> PreferenceData:
    """The first answers of each person, ``count`` or all there are.

    Args:
        data: answers.
        count: how many of each person.
        order: (A,) a key of each answer to sort by.
    """
    person = data.person[data.starts]
    by_person = np.lexsort((order, person))
    rank = np.empty(len(person), dtype=np.intp)
    rank[by_person] = _since_change(person[by_person])
    rows = np.repeat(rank < count, np.diff(np.append(data.starts, len(data))))
    return data.rows(np.flatnonzero(rows))


def _number(size: float, of: IndexArray) -> IndexArray:
    """How many a size is, out of each of some totals."""
    return (size * of).astype(np.intp) if size < 1.0 else np.full(of.shape, int(size))


def _parts(
    data: PreferenceData, first: IndexArray, second: IndexArray, rng: np.random.Generator
) -> IndexArray:
    """(A,) 0, 1 or 2: ``first`` (U,) answers of each person, ``second`` (U,) more, and the rest."""
    if not len(data):
        return np.zeros(0, dtype=np.intp)
    question, person = _questions(data), data.person[data.starts]
    order = np.lexsort((rng.random(question.max() + 1)[question], person))
    q, p = question[order], person[order]
    before = _since_change(p) - _since_change(q)  # of this person, in questions drawn earlier
    part = np.where(before < first[p], 0, np.where(before < first[p] + second[p], 1, 2))
    end = np.cumsum(np.bincount(p, minlength=len(data.people))) - 1
    part[q == q[end[p]]] = 2
    result = np.empty(len(order), dtype=np.intp)
    result[order] = part
    return result


def _questions(data: PreferenceData) -> IndexArray:
    """(A,) a number for each answer, the same where one person was asked the same again.

    A set of options is told by the sum of random 64-bit numbers, one an item.
    """
    starts = data.starts
    rng = generator(0, "items")
    numbers = rng.integers(0, 2**64, size=len(data.items), dtype=np.uint64)
    options = numbers[data.chosen[starts]] + np.add.reduceat(numbers[data.rejected], starts)
    prompt = np.zeros(len(data), dtype=np.intp) if data.prompt is None else data.prompt
    keys = np.stack([data.person[starts], prompt[starts], options.astype(np.int64)], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def _since_change(values: IndexArray) -> IndexArray:
    """How many places ago the present run of equal values began."""
    place = np.arange(len(values))
    began = np.where(np.diff(values, prepend=-1) != 0, place, 0)
    return np.asarray(place - np.maximum.accumulate(began))
