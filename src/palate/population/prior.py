"""What a population says of somebody new: priors for :mod:`palate.strategies`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from palate.errors import ParameterError, PoolError
from palate.population.save import fingerprint
from palate.preference.prior import (
    SLOPES,
    Features,
    GaussianPrior,
    Mixture,
    Prior,
    check_share,
    check_slopes,
    component,
)
from palate.preference.sets import SimplexBelief

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray
    from palate.pool import Pool
    from palate.population.gaussian import GaussianPopulation
    from palate.population.model import PopulationModel, Scores
    from palate.preference.gaussian import Component
    from palate.preference.prior import Others

OUTSIDE = 0.1
"""Probability that somebody new is unlike the population."""

COARSE = 0.5
"""Residual for people whom the population's features describe badly."""


def with_outsiders(
    population: GaussianPopulation | ModelPrior,
    *,
    outside: float = OUTSIDE,
    anybody: GaussianPrior | None = None,
) -> Mixture:
    """A population's prior for somebody who may not belong to it.

    A mixture: the population as it is, the population with more left to each response, and, with
    probability ``outside``, nothing but the features. Answers decide; somebody unlike the
    population is asked a few questions more, and not misled.

    Args:
        population: the prior of those who belong to it.
        outside: in (0, 1).
        anybody: the prior of those who do not; by default :class:`Features`.

    Raises:
        ParameterError: ``outside`` is no such number.
    """
    if not 0.0 < outside < 1.0:
        msg = f"outside must lie between 0 and 1, not {outside}"
        raise ParameterError(msg)
    inside = 0.5 * (1.0 - outside)
    coarse = replace(population, residual=max(COARSE, population.residual))
    if anybody is None:
        anybody = Features(slopes=population.slopes)
    return Mixture((population, coarse, anybody), (inside, inside, outside))


@dataclass(frozen=True, eq=False)
class ModelPrior(GaussianPrior):
    """A Gaussian around the people of PAL, LoRe or any model linear in their weights.

    The reward is ``base + scores . w``, and w has the mean and the covariance of the people whom
    the model was trained on; of a model that knows nobody, those of the uniform law on the simplex.

    Args:
        model: of the population.
        items: makes the model's (N, D) items of a pool, in order; by default the pool's features
            before they were scaled, which is right where both come from the same embedder.
        prompt: makes the features (D_x,) of the pool's prompt, for a model that maps prompts.
        residual: share of the variance that is each response's own, in [0, 1].
        slopes: levels of noise to infer from.
    """

    name: ClassVar[str] = "population-model"

    model: PopulationModel
    items: Callable[[Pool], FloatArray] | None = None
    prompt: Callable[[Pool], FloatArray] | None = None
    residual: float = 0.05
    slopes: tuple[float, ...] = SLOPES

    def __post_init__(self) -> None:
        check_share("residual", self.residual)
        object.__setattr__(self, "slopes", check_slopes(self.slopes))
        _check_linear(self.model)

    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """See :meth:`GaussianPrior.components`."""
        if others is not None:
            raise ParameterError(
                "a model of a population scores whole pools, and remembers nothing of other "
                "prompts: learn a GaussianPopulation to combine the two"
            )
        said = _scores(self.model, pool, self.items, self.prompt)
        values, vectors = np.linalg.eigh(_spread(self.model))
        factor = said.by_prototype @ (vectors * np.sqrt(np.maximum(values, 0.0)))
        mean = said.rewards(self.model.mean_weights)
        return (component(mean, factor, self.residual, len(pool)),)

    def settings(self) -> dict[str, Any]:
        """See :meth:`palate.preference.prior.Prior.settings`."""
        return {
            "name": self.name,
            "model": fingerprint(self.model),
            "residual": self.residual,
            "slopes": list(self.slopes),
        }


@dataclass(frozen=True, eq=False)
class Simplex(Prior):
    """All mixtures of a population's prototypes, each as possible as any other.

    For :class:`palate.strategies.Challenge`: USERALIGN in K dimensions, certified for everybody
    who is such a mixture and answers truly.

    Args:
        model: of the population, linear in the weights.
        items: see :class:`ModelPrior`.
        prompt: see :class:`ModelPrior`.
    """

    name: ClassVar[str] = "simplex"

    model: PopulationModel
    items: Callable[[Pool], FloatArray] | None = None
    prompt: Callable[[Pool], FloatArray] | None = None

    def __post_init__(self) -> None:
        _check_linear(self.model)

    def start(self, pool: Pool) -> SimplexBelief:
        """See :meth:`palate.preference.prior.Prior.start`."""
        said = _scores(self.model, pool, self.items, self.prompt)
        return SimplexBelief.start(said.base, said.by_prototype, self.model.mean_weights)

    def settings(self) -> dict[str, Any]:
        """See :meth:`palate.preference.prior.Prior.settings`."""
        return {"name": self.name, "model": fingerprint(self.model)}


def _check_linear(model: PopulationModel) -> None:
    if not model.linear_in_weights:
        msg = (
            f"the reward of this {model.kind} is not linear in people's weights, and a prior needs "
            "that: fit PAL-A with ideal 'f(P)w', PAL-B with norm 'each', or LoRe"
        )
        raise ParameterError(msg)


def _scores(
    model: PopulationModel,
    pool: Pool,
    items: Callable[[Pool], FloatArray] | None,
    prompt: Callable[[Pool], FloatArray] | None,
) -> Scores:
    """What the model says of a pool's responses."""
    if items is not None:
        rows = np.asarray(items(pool), dtype=np.float64)
    elif pool.features is None:
        raise PoolError("this prior needs features: embed the pool, or give it an array")
    else:
        rows = pool.features.astype(np.float64) / pool.scale
    return model.scores(rows, None if prompt is None else np.tile(prompt(pool), (len(pool), 1)))


def _spread(model: PopulationModel) -> FloatArray:
    """(K, K) covariance of people's weights; of the uniform law where there are fewer than two."""
    k = model.k
    if len(model.people) < 2:
        return (np.eye(k) - 1.0 / k) / (k * (k + 1.0))
    return np.cov(model.weights, rowvar=False).reshape(k, k)
