"""What a learner shows: slates of K responses drawn from a pool, and the answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy.special import softmax

from palate.diversity.rows import Rows
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.world import BilinearWorld

Sampler: TypeAlias = Literal["reference", "softmax", "greedy", "baseline"]
"""How a slate is drawn. ``reference``: K responses of the reference policy, here uniform on the
pool. ``softmax``: K of ``pi_0 exp(score / beta)``, which concentrates on what is thought good.
``greedy``: the deployed response and K - 1 of the reference. ``baseline``: the deployed response
and the pool's first, whatever happens; the only one that never shows most of the pool."""


def draw_slates(
    rng: np.random.Generator,
    sampler: Sampler,
    scores: FloatArray,
    deployed: IndexArray,
    *,
    options: int = 2,
    temperature: float = 1.0,
) -> IndexArray:
    """Slates of K responses, drawn independently, so that one can occur twice.

    Args:
        rng: is drawn from.
        sampler: how.
        scores: (n, A) of the pool in each round.
        deployed: (n,) response that the person is given.
        options: K.
        temperature: beta of ``softmax``, above 0.

    Returns:
        (n, K) indices into the pool.

    Raises:
        ParameterError: no such sampler, or a setting is outside its range.
    """
    check_sampler(sampler, options, temperature)
    n, pool = scores.shape
    if sampler == "softmax":
        shares = softmax(scores / temperature, axis=1).cumsum(axis=1)
        drawn = rng.random((n, options, 1)) * shares[:, None, -1:]
        return np.asarray((shares[:, None, :] <= drawn).sum(axis=2))
    slates = rng.integers(pool, size=(n, options))
    if sampler == "baseline":
        slates[:, 1] = 0
    if sampler != "reference":
        slates[:, 0] = deployed
    return slates


def answer(
    rng: np.random.Generator,
    world: BilinearWorld,
    person: IndexArray,
    context: IndexArray,
    slates: IndexArray,
) -> Rows:
    """Answers by a multinomial logit in the true rewards (Bradley-Terry for K = 2).

    Args:
        rng: is drawn from.
        world: whose people answer.
        person: (n,) who.
        context: (n,) in which of their contexts.
        slates: (n, K) actions shown.

    Returns:
        K - 1 rows an answer, the response picked against each other one.
    """
    n, options = slates.shape
    rewards = world.rewards[person[:, None], context[:, None], slates]
    picked = (rewards + rng.gumbel(size=slates.shape)).argmax(axis=1)[:, None]
    others = slates[np.arange(options) != picked].reshape(n, options - 1)
    delta = world.differences(person, context, np.take_along_axis(slates, picked, axis=1), others)
    return Rows(
        np.repeat(person, options - 1),
        delta.reshape(n * (options - 1), -1),
        None if options == 2 else np.repeat(np.arange(n), options - 1),
    )


def no_answers(world: BilinearWorld, options: int) -> Rows:
    """Rows of no answer to slates of so many options."""
    none = np.zeros(0, dtype=np.intp)
    return Rows(none, np.zeros((0, world.basis.shape[1])), None if options == 2 else none)


def joined(rows: Rows, more: Rows) -> Rows:
    """Rows of answers, and then those of later ones."""
    pick = None
    if rows.pick is not None and more.pick is not None:
        pick = np.concatenate([rows.pick, more.pick + len(rows.starts)])
    return Rows(
        np.concatenate([rows.person, more.person]),
        np.concatenate([rows.delta, more.delta]),
        pick,
    )


def check_sampler(sampler: str, options: int, temperature: float) -> None:
    """A known sampler with settings in their range, or a ParameterError."""
    if sampler not in get_args(Sampler):
        msg = f"sampler is one of {', '.join(get_args(Sampler))}, not {sampler!r}"
        raise ParameterError(msg)
    if options < 2 or (sampler == "baseline" and options != 2):
        msg = f"a slate has at least 2 options, with the sampler 'baseline' just 2, not {options}"
        raise ParameterError(msg)
    if not 0.0 < temperature < np.inf:
        msg = f"temperature must be above 0, not {temperature}"
        raise ParameterError(msg)
