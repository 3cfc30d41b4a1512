"""The people of the experiments on priors: simulated tastes of low rank, and personas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.bench.cast import Subject
from palate.embed import style_features
from palate.errors import ParameterError
from palate.pool import Pool
from palate.population import PreferenceData

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate._typing import FloatArray
    from palate.bench.domains import Domain

D = 64
"""Features of the simulated responses, whose variances fall as 1, 1/2, 1/3 and so on."""


@dataclass(frozen=True, eq=False)
class LowRank:
    """Simulated people whose weights are a draw from ``N(0, V V^T)``, V of few columns.

    Attributes:
        basis: (d, rank) V, orthonormal.
        seed: of everything that is drawn.
    """

    basis: FloatArray
    seed: int

    @classmethod
    def drawn(cls, rank: int, seed: int) -> LowRank:
        """A random basis; of rank d people are anything."""
        if not 1 <= rank <= D:
            msg = f"rank must lie between 1 and {D}, not {rank}"
            raise ParameterError(msg)
        normal = generator(seed, "basis", rank).normal(size=(D, rank))
        return cls(np.linalg.qr(normal)[0], seed)

    def weights(self, rng: np.random.Generator) -> FloatArray:
        """(d,) somebody's weights."""
        return self.basis @ rng.normal(size=self.basis.shape[1])

    def subjects(self, people: int, n: int, flip_rate: float) -> list[Subject]:
        """New people, each with a pool of their own."""
        found = []
        for number in range(people):
            rng = generator(self.seed, "new person", number)
            theta = self.weights(rng)
            features = simulated_features(rng, n)
            pool = Pool("simulated", [f"response {i}" for i in range(n)], features, scaling="none")
            found.append(
                Subject("simulated", f"{number}", pool, features @ theta, flip_rate=flip_rate)
            )
        return found

    def population(self, people: int, answers: int, n: int, flip_rate: float) -> PreferenceData:
        """Answers of others to random pairs, each person's from a pool of their own."""
        rows = []
        for number in range(people):
            rng = generator(self.seed, "population", number)
            theta, features = self.weights(rng), simulated_features(rng, n)
            rows.append((features, features @ theta))
        return simulated_answers(
            [[(features, utilities)] for features, utilities in rows],
            answers,
            flip_rate,
            self.seed,
        )


def simulated_features(rng: np.random.Generator, n: int) -> FloatArray:
    """(n, d) responses with a falling spectrum, in rows of length 1/2: distances are at most 1."""
    rows = rng.normal(size=(n, D)) / np.sqrt(np.arange(1, D + 1))
    return np.asarray(0.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True))


def simulated_answers(
    people: Sequence[Sequence[tuple[FloatArray, FloatArray]]],
    answers: int,
    flip_rate: float,
    seed: int,
) -> PreferenceData:
    """What people with known utilities answer to random pairs.

    Args:
        people: of each, the pools that they saw as (N, d) features and (N,) utilities; each pool
            gets an equal part of the questions, as nearly as it goes.
        answers: of each person.
        flip_rate: share of the answers that are turned round.
        seed: of the pairs and the flips.
    """
    items: list[FloatArray] = []
    person, chosen, rejected = [], [], []
    first = 0
    for number, pools in enumerate(people):
        rng = generator(seed, "answers", number)
        starts = []
        for features, _ in pools:
            starts.append(first)
            items.append(features)
            first += len(features)
        for question in range(answers):
            place = question % len(pools)
            utilities = pools[place][1]
            one, other = rng.choice(len(utilities), 2, replace=False)
            if (utilities[one] < utilities[other]) != (rng.random() < flip_rate):
                one, other = other, one
            person.append(number)
            chosen.append(starts[place] + int(one))
            rejected.append(starts[place] + int(other))
    return PreferenceData.from_arrays(np.vstack(items), person, chosen, rejected)


def with_style(domain: Domain, weight: float) -> Domain:
    """A domain whose features are the embedding beside how a response is written.

    Each block has the same spread in every pool, the style's share of both is ``weight``; how far
    a text departs from the pool's average counts, not its direction alone.
    """
    pools = []
    for pool in domain.pools:
        style = style_features([str(r.text) for r in pool.responses])
        joined = np.hstack(
            [
                np.sqrt(1.0 - weight) * _even(np.asarray(pool.features, dtype=np.float64)),
                np.sqrt(weight) * _even(style),
            ]
        )
        name = f"{pool.embedder}+style{weight:g}"
        pools.append(pool.with_features(joined, scaling="diameter", embedder=name))
    wide = np.zeros((len(pools), np.asarray(pools[0].features).shape[1]))
    return replace(domain, pools=tuple(pools), baselines=wide)  # nobody weighs baselines here


def _even(rows: FloatArray) -> FloatArray:
    """Rows about their mean, of mean squared length 1."""
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred / np.sqrt(max(float((centred**2).sum(axis=1).mean()), 1e-300)))


def others_answers(
    domain: Domain,
    person: int,
    prompts: Iterable[int],
    answers: int,
    *,
    flip_rate: float,
    seed: int,
) -> PreferenceData:
    """Simulated answers of everybody but one persona, about some of a domain's prompts.

    Somebody who rates none of the prompts has no part in it.

    Args:
        domain: with ratings.
        person: who is left out.
        prompts: places of the prompts.
        answers: of each, spread over the prompts that they rate.
        flip_rate: share of the answers that are turned round.
        seed: of pairs and flips.
    """
    prompts = list(prompts)
    people = []
    for other in range(len(domain.personas)):
        seen = [p for p in prompts if other != person and np.isfinite(_rated(domain)[p, other, 0])]
        if seen:
            people.append(
                [(np.asarray(domain.pools[p].features), _rated(domain)[p, other, 1:]) for p in seen]
            )
    if not people:
        raise ParameterError("nobody else rates these prompts, so there is no population")
    return simulated_answers(people, answers, flip_rate, seed)


def _rated(domain: Domain) -> FloatArray:
    if domain.ratings is None:
        msg = f"nobody rated the responses of {domain.name}"
        raise ParameterError(msg)
    return domain.ratings
