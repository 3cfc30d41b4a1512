"""Simulated people with a known truth, as the paper's numerical experiment has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy.special import softmax

from palate._random import generator
from palate.errors import ParameterError
from palate.population.data import PreferenceData
from palate.population.model import PalA
from palate.population.projector import Projector

if TYPE_CHECKING:
    from palate._typing import FloatArray

Mixture: TypeAlias = Literal["softmax", "dirichlet", "partition"]
"""How people's weights are drawn: the softmax of N(0, I) logits, uniformly from the simplex, or
one prototype each."""

_BATCH = 1_000
_BATCHES = 1_000


@dataclass(frozen=True, eq=False)
class SimulatedPopulation:
    """Answers of simulated people, and the truth behind them.

    Attributes:
        truth: whom they are drawn from: f, prototypes, and the weights of everybody below.
        train: answers of the seen people.
        held_out: other answers of theirs.
        support: answers of unseen people, to locate them by.
        unseen_held_out: other answers of theirs.
    """

    truth: PalA
    train: PreferenceData
    held_out: PreferenceData
    support: PreferenceData
    unseen_held_out: PreferenceData


def simulate_population(
    *,
    people: int = 100,
    answers: int = 100,
    k: int = 3,
    d: int = 16,
    held_out: int = 50,
    unseen: int = 100,
    support: int = 100,
    mixture: Mixture = "softmax",
    separation: float = 1.0,
    options: int = 2,
    noise: float = 0.0,
    seed: int = 0,
) -> SimulatedPopulation:
    """Draw a population and its answers (PAL, Section 4.2 and Appendix D.2).

    The map f is a (d, d) matrix of N(0, 1/d) entries, of which the paper says only that it is
    linear. Prototypes and items are drawn from N(0, I/d), prototypes again until each pair lies
    ``separation`` apart; every answer is about fresh items, and picks the one whose image is
    nearest to that of the person's mixture of prototypes.

    Args:
        people: seen people.
        answers: of each seen person, to train on.
        k: prototypes.
        d: dimensions.
        held_out: further answers of everybody, to report on.
        unseen: unseen people.
        support: answers of each unseen person, to locate them by.
        mixture: how weights are drawn.
        separation: least distance of two prototypes, the paper's delta.
        options: items shown for an answer.
        noise: 0, or the temperature of a multinomial logit in the negative squared distances (for
            two items Bradley-Terry), by which people answer.
        seed: of everything. Each part is drawn for itself: with more answers the truth stays.

    Raises:
        ParameterError: a number is out of range, or prototypes so far apart are not to be found.
    """
    if min(people, k, d) < 1 or min(answers, held_out, unseen, support) < 0 or options < 2:
        raise ParameterError(
            "people, k and d must be at least 1, options 2 and the other counts 0, not "
            f"{people}, {k}, {d}, {options} and {answers, held_out, unseen, support}"
        )
    if not 0.0 <= noise < np.inf:
        msg = f"noise must be at least 0, not {noise}"
        raise ParameterError(msg)
    truth = PalA(
        people=tuple(f"seen {i}" for i in range(people))
        + tuple(f"unseen {i}" for i in range(unseen)),
        weights=np.concatenate(
            (
                _weights(generator(seed, "seen"), mixture, people, k),
                _weights(generator(seed, "unseen"), mixture, unseen, k),
            )
        ),
        f=Projector.linear(generator(seed, "f").normal(scale=d**-0.5, size=(d, d))),
        prototypes=_prototypes(generator(seed, "prototypes"), k, d, separation),
    )

    def drawn(name: str, who: slice, each: int) -> PreferenceData:
        rng = generator(seed, name)
        return _answers(rng, truth, who, each=each, options=options, noise=noise)

    seen, others = slice(people), slice(people, None)
    return SimulatedPopulation(
        truth,
        train=drawn("train", seen, answers),
        held_out=drawn("held out", seen, held_out),
        support=drawn("support", others, support),
        unseen_held_out=drawn("unseen held out", others, held_out),
    )


def _weights(rng: np.random.Generator, mixture: Mixture, people: int, k: int) -> FloatArray:
    if mixture == "softmax":
        return np.asarray(softmax(rng.normal(size=(people, k)), axis=1))
    if mixture == "dirichlet":
        return rng.dirichlet(np.ones(k), size=people)
    if mixture == "partition":
        return np.eye(k)[rng.integers(k, size=people)]
    msg = f"mixture is one of {', '.join(get_args(Mixture))}, not {mixture!r}"
    raise ParameterError(msg)


def _prototypes(rng: np.random.Generator, k: int, d: int, separation: float) -> FloatArray:
    """(K, d), from N(0, I/d) given that no two are nearer than the separation."""
    one, other = np.triu_indices(k, 1)
    for _ in range(_BATCHES):
        sets = rng.normal(scale=d**-0.5, size=(_BATCH, k, d))
        apart = np.linalg.norm(sets[:, one] - sets[:, other], axis=2) >= separation
        good = np.flatnonzero(apart.all(axis=1))
        if len(good):
            return np.asarray(sets[good[0]])
    msg = (
        f"found no {k} prototypes at distance {separation} in d = {d} among "
        f"{_BATCH * _BATCHES:,} draws; lower the separation"
    )
    raise ParameterError(msg)


def _answers(
    rng: np.random.Generator, truth: PalA, who: slice, *, each: int, options: int, noise: float
) -> PreferenceData:
    """So many answers of each of some people, person after person."""
    names, d = truth.people[who], truth.f.d_in
    n = len(names) * each
    person = np.repeat(np.arange(len(names)), each)
    items = rng.normal(scale=d**-0.5, size=(n, options, d))
    images = truth.f(items.reshape(-1, d)).reshape(items.shape)
    rest = images - truth.ideal_points(truth.weights[who])[person, None]
    rewards = -np.einsum("nod,nod->no", rest, rest)
    if noise:
        rewards += rng.gumbel(scale=noise, size=rewards.shape)
    # The one picked comes first; the rows of an answer set it against each other.
    order = np.argsort(-rewards, axis=1)
    items = np.take_along_axis(items, order[..., None], axis=1)
    place = np.arange(n * options).reshape(n, options)
    return PreferenceData(
        items.reshape(-1, d),
        np.repeat(person, options - 1),
        np.repeat(place[:, 0], options - 1),
        place[:, 1:].reshape(-1),
        names,
        pick=None if options == 2 else np.repeat(np.arange(n), options - 1),
    )
