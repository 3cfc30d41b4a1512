"""A simulated world whose rewards are bilinear in a context and an action, with a known truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity.served import Served
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray

PROBLEM_SEED = 1000
"""Of the paper's accepted problem; it names no other setting from which its draws could be had."""

_BATCHES = 2_000


@dataclass(frozen=True, eq=False)
class BilinearWorld:
    """People, and a pool for each of them: ``r_i(x, a) = h_i^T B vec(x a^T)``.

    Everybody has C contexts and A actions of their own; all pairs of a person's context and action
    are possible. Arrays given to the methods are in the same letters, F = d_x d_a.

    Attributes:
        heads: (U, J), the main people first.
        basis: (J, F), with the scale of the rewards in it.
        contexts: (U, C, d_x).
        actions: (U, A, d_a), from which the reference policy draws uniformly.
        late: how many people, the last ones, are latecomers: they are served, and may be silent.
    """

    heads: FloatArray
    basis: FloatArray
    contexts: FloatArray
    actions: FloatArray
    late: int = 0

    @property
    def people(self) -> int:
        """U, the latecomers among them."""
        return len(self.heads)

    @property
    def main(self) -> int:
        """People who are no latecomers."""
        return self.people - self.late

    @cached_property
    def rewards(self) -> FloatArray:
        """(U, C, A) true rewards."""
        return self.scores(self.heads @ self.basis)

    @cached_property
    def best(self) -> FloatArray:
        """(U, C) reward of the best action."""
        return np.asarray(self.rewards.max(axis=2))

    def scores(self, directions: FloatArray) -> FloatArray:
        """(U, C, A) scores of every context and action under (U, F) directions ``h_i^T B``."""
        shape = (self.people, self.contexts.shape[2], self.actions.shape[2])
        points = self.contexts @ directions.reshape(shape)
        return np.asarray(points @ self.actions.transpose(0, 2, 1))

    def scores_of(
        self, person: IndexArray, context: IndexArray, directions: FloatArray
    ) -> FloatArray:
        """(n, A) scores of the actions of n persons in a context each, under (n, F) directions."""
        x, actions = self.contexts[person, context], self.actions[person]
        images = np.einsum("nx,nxa->na", x, directions.reshape(len(x), x.shape[1], -1))
        return np.asarray((actions @ images[:, :, None])[:, :, 0])

    def regret(self, scores: FloatArray) -> FloatArray:
        """(U, C) reward that is lost where the action of the highest of (U, C, A) scores is taken.

        Among equal scores the first action is taken.
        """
        taken = scores.argmax(axis=2)[:, :, None]
        return self.best - np.take_along_axis(self.rewards, taken, axis=2)[:, :, 0]

    def served(self, people: IndexArray, contexts: int | None = None) -> Served:
        """Some people in their contexts, all or the first so many, as a diagnosis takes them."""
        x, actions = self.contexts[people, :contexts], self.actions[people]
        items = np.einsum("ucx,uba->ucbxa", x, actions)
        asked, pool = len(people) * x.shape[1], actions.shape[1]
        return Served(
            heads=self.heads[people],
            items=items.reshape(asked * pool, -1),
            person=np.repeat(np.arange(len(people)), x.shape[1]),
            question=np.repeat(np.arange(asked), pool),
            option=np.arange(asked * pool),
        )

    def differences(
        self, person: IndexArray, context: IndexArray, one: IndexArray, other: IndexArray
    ) -> FloatArray:
        """Pair features ``delta = vec(x (a - b)^T)``, shape (n, K, F).

        Args:
            person: (n,) whose context and actions.
            context: (n,) index of x among the person's.
            one: (n, K) index of a, or (n, 1) where it is the same for all.
            other: (n, K) index of b.
        """
        who = person[:, None]
        apart = self.actions[who, one] - self.actions[who, other]
        x = self.contexts[person, context]
        return (x[:, None, :, None] * apart[:, :, None, :]).reshape(*apart.shape[:2], -1)


def simulate_world(
    *,
    people: int = 50,
    late: int = 0,
    d: int = 5,
    latent: int = 10,
    head_dims: int | None = None,
    weak: float = 1.0,
    contexts: int = 100,
    actions: int = 100,
    min_gap: float = 0.5,
    scale: float = 3.0,
    seed: int = PROBLEM_SEED,
) -> BilinearWorld:
    """Draw a world as the paper's experiment has it (Kang 2026, the numerical experiment).

    The dimensions, the numbers of people, contexts and actions, the seed's number and the
    existence of a test of the gap are the paper's; the distributions, the scale and the threshold
    of that test are ours. Basis entries are N(0, scale^2), heads N(0, I/J), contexts and actions
    uniform on the sphere. A context is drawn again until its best action leads by ``min_gap``.

    Args:
        people: main people.
        late: latecomers, whose heads have all ``latent`` dimensions.
        d: dimensions of a context, and of an action; F = d^2.
        latent: J.
        head_dims: dimensions k of the main people's heads, in a random subspace; by default J.
        weak: by which the basis is multiplied along the directions that the main heads lack.
        contexts: of each person.
        actions: of each person.
        min_gap: least lead of the best action over the next, in reward.
        scale: of the rewards.
        seed: of everything. Each part is drawn for itself.

    Raises:
        ParameterError: a number is out of range, or contexts with such a gap are not to be found.
    """
    k = latent if head_dims is None else head_dims
    if min(people, d, latent, contexts, actions) < 1 or late < 0 or not 1 <= k <= latent:
        raise ParameterError(
            "people, d, latent, contexts and actions must be at least 1, late 0 and head_dims "
            f"from 1 to latent, not {people}, {d}, {latent}, {contexts}, {actions}, {late} and {k}"
        )
    if not (0.0 <= weak < np.inf and 0.0 <= min_gap < np.inf and 0.0 < scale < np.inf):
        raise ParameterError(
            f"weak and min_gap must be at least 0 and scale above 0, not {weak}, {min_gap}, {scale}"
        )
    rotation = np.linalg.qr(generator(seed, "rotation").normal(size=(latent, latent)))[0]
    missing = rotation[:, k:]
    basis = scale * generator(seed, "basis").normal(size=(latent, d * d))
    basis += (weak - 1.0) * missing @ (missing.T @ basis)
    heads = generator(seed, "heads").normal(scale=k**-0.5, size=(people, k)) @ rotation[:, :k].T
    others = generator(seed, "late heads").normal(scale=latent**-0.5, size=(late, latent))
    heads = np.concatenate((heads, others))
    pools = _unit(generator(seed, "actions"), (len(heads), actions, d))
    chosen = _contexts(generator(seed, "contexts"), heads @ basis, pools, contexts, min_gap)
    return BilinearWorld(heads, basis, chosen, pools, late)


def _contexts(
    rng: np.random.Generator,
    directions: FloatArray,
    actions: FloatArray,
    contexts: int,
    min_gap: float,
) -> FloatArray:
    """(U, C, d) of unit length, given that the best action leads by the gap."""
    people, pool, d = actions.shape
    found = np.empty((people, contexts, d))
    for i, pull in enumerate(directions.reshape(people, d, d) @ actions.transpose(0, 2, 1)):
        count = 0
        for _ in range(_BATCHES):
            drawn = _unit(rng, (2 * contexts, d))
            if pool > 1:
                top = np.partition(drawn @ pull, pool - 2, axis=1)[:, -2:]
                drawn = drawn[top[:, 1] - top[:, 0] >= min_gap]
            drawn = drawn[: contexts - count]
            found[i, count : count + len(drawn)] = drawn
            count += len(drawn)
            if count == contexts:
                break
        else:
            msg = (
                f"person {i}: {2 * contexts * _BATCHES:,} draws gave only {count} of {contexts} "
                f"contexts whose best action leads by {min_gap}; lower min_gap, or raise scale"
            )
            raise ParameterError(msg)
    return found


def _unit(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Uniform on the sphere."""
    drawn = rng.normal(size=shape)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))
