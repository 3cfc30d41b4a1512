"""Simulated people and answers for the tests of the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.diversity import Rows, Served
from palate.diversity.learners import fit_basis

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class Town:
    """People with known heads: those who answer come first, then the silent ones.

    Attributes:
        heads: (U, J).
        basis: (J, F), the truth.
        answering: how many answer.
        pools: (P, N, F) what people are served from.
    """

    heads: FloatArray
    basis: FloatArray
    answering: int
    pools: FloatArray

    def answers(self, n: int, seed: int = 1, options: int = 2) -> Rows:
        """To random slates of the pools, of the people who answer."""
        return self.answers_of(np.arange(self.answering), n, seed, options)

    def answers_of(self, people: IndexArray, n: int, seed: int = 1, options: int = 2) -> Rows:
        rng = np.random.default_rng(seed)
        person = rng.choice(people, size=n)
        pool = rng.integers(len(self.pools), size=n)
        slates = rng.random((n, self.pools.shape[1])).argsort(axis=1)[:, :options]
        shown = self.pools[pool[:, None], slates]
        rewards = np.einsum("nkf,nf->nk", shown, (self.heads @ self.basis)[person])
        picked = (rewards + rng.gumbel(size=rewards.shape)).argmax(axis=1)
        others = np.arange(options) != picked[:, None]
        delta = shown[np.arange(n), picked][:, None] - shown[others].reshape(n, options - 1, -1)
        pick = None if options == 2 else np.repeat(np.arange(n), options - 1)
        return Rows(np.repeat(person, options - 1), delta.reshape(n * (options - 1), -1), pick)

    def served(self) -> Served:
        return Served.of_pools(self.heads, list(self.pools))

    def loss(self, basis: FloatArray) -> FloatArray:
        """(U,) true loss of the best responses by an estimate."""
        wanted = np.einsum("pnf,uf->upn", self.pools, self.heads @ self.basis)
        guessed = np.einsum("pnf,uf->upn", self.pools, self.heads @ basis)
        got = np.take_along_axis(wanted, guessed.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
        return np.asarray((wanted.max(axis=2) - got).mean(axis=1))


def town(
    *,
    dims: int = 3,
    latent: int = 3,
    features: int = 5,
    answering: int = 20,
    silent: int = 6,
    weak: float = 1.0,
    seed: int = 0,
) -> Town:
    """Those who answer have the first ``dims`` latent dimensions, those who are silent all."""
    rng = np.random.default_rng(seed)
    heads = rng.normal(scale=latent**-0.5, size=(answering + silent, latent))
    heads[:answering, dims:] = 0.0
    basis = 3.0 * rng.normal(size=(latent, features))
    basis[dims:] *= weak
    pools = rng.normal(size=(10, 12, features))
    pools /= np.linalg.norm(pools, axis=2, keepdims=True)
    return Town(heads, basis, answering, pools)


def fitted(place: Town, rows: Rows) -> FloatArray:
    return fit_basis(rows, place.heads)


def every_z(rows: Rows, heads: FloatArray) -> FloatArray:
    """(n, JF), formed as the code never does."""
    z = heads[rows.person, :, None] * rows.delta[:, None, :]
    return z.reshape(len(rows), -1)
