"""Where a belief about a person starts: before their first answer, and from other people's."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from palate.errors import ParameterError, PoolError
from palate.preference.confidence import check_delta
from palate.preference.estimate import check_norm_bound
from palate.preference.gaussian import Component, GaussianBelief
from palate.preference.sets import BallBelief
from palate.preference.version_space import VersionSpace

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.pool import Pool
    from palate.preference.belief import Belief

SLOPES = (0.75, 1.5, 3.0, 6.0, 12.0)
"""Logits per unit of utility, where utilities vary by 1: from coin flips to certainty."""

Kernel = Literal["linear", "rbf"]


class Prior(ABC):
    """What is believed of anybody's taste before they answer: it starts a belief about a pool."""

    name: ClassVar[str]

    @abstractmethod
    def start(self, pool: Pool) -> Belief:
        """The belief about the utilities of a pool's responses before any answer.

        Raises:
            PoolError: the pool lacks what the prior needs, such as features.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What tells it from another, as JSON values: part of an elicitation's fingerprint."""


@dataclass(frozen=True)
class Ball(Prior):
    """USERALIGN's prior: the weights lie in a ball, and every answer is true (Eq. 3 and 4).

    Args:
        norm_bound: S, the largest norm of the weights.
        delta: probability with which the loss-based set may miss the truth.
    """

    name: ClassVar[str] = "ball"

    norm_bound: float = 3.0
    delta: float = 0.05

    def __post_init__(self) -> None:
        check_norm_bound(self.norm_bound)
        check_delta(self.delta)

    def start(self, pool: Pool) -> BallBelief:
        """See :meth:`Prior.start`."""
        features = features_of(pool)
        nothing = np.zeros((0, features.shape[1]))
        return BallBelief(features, VersionSpace(nothing, self.norm_bound, self.delta))

    def settings(self) -> dict[str, Any]:
        """See :meth:`Prior.settings`."""
        return {"name": self.name, **dataclasses.asdict(self)}


@dataclass(frozen=True, eq=False, slots=True)
class Others:
    """Responses beyond a pool.

    Attributes:
        features: (M, d) scaled as the pool's.
        style: (M, 7) how they are written, as :attr:`palate.Pool.style` has it; None: unknown, as
            if they were all written alike.
    """

    features: FloatArray
    style: FloatArray | None = None


class GaussianPrior(Prior):
    """A prior under which utilities are Gaussian, one of several or a mixture of them."""

    slopes: tuple[float, ...]

    @abstractmethod
    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """The Gaussian priors of the utilities, each of mean variance about 1, with weights.

        Args:
            pool: N responses, by which the priors are scaled.
            others: other responses, such as those that the person saw before; their utilities
                follow the pool's.
        """

    def start(self, pool: Pool) -> GaussianBelief:
        """See :meth:`Prior.start`."""
        return GaussianBelief(self.components(pool), np.array(self.slopes))


@dataclass(frozen=True)
class Features(GaussianPrior):
    """Nothing known but the features: responses that are alike are liked alike, to some degree.

    Utilities have mean 0 and a mean variance of 1 in the pool: ``residual`` of it from each
    response alone, the rest from the features and, where the responses are texts, from how they
    are written (:func:`palate.embed.style_features`), which embeddings lose.

    Args:
        kernel: "linear": utilities linear in the features; "rbf": smooth in them, at the scale of
            the median distance between two responses, at a cost of N^3 once.
        residual: share of the variance that is each response's own, in [0, 1].
        style: share of the rest that comes from style, in [0, 1]; without texts there is none.
        slopes: levels of noise to infer from, as logits per unit of utility.
    """

    name: ClassVar[str] = "features"

    kernel: Kernel = "linear"
    residual: float = 0.4
    style: float = 0.5
    slopes: tuple[float, ...] = SLOPES

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            msg = f"kernel is 'linear' or 'rbf', not {self.kernel!r}"
            raise ParameterError(msg)
        check_share("residual", self.residual)
        check_share("style", self.style)
        object.__setattr__(self, "slopes", check_slopes(self.slopes))

    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """See :meth:`GaussianPrior.components`."""
        features, n = features_of(pool, others), len(pool)
        if self.style and pool.style is not None:
            style = np.zeros((len(features), pool.style.shape[1]))
            style[:n] = pool.style
            if others is not None and others.style is not None:
                style[n:] = others.style
            blocks = ((1.0 - self.style, features), (self.style, style))
            features = np.hstack([np.sqrt(share) * _even(rows, n) for share, rows in blocks])
        factor = features if self.kernel == "linear" else _rbf_factor(features, n)
        return (component(np.zeros(len(features)), factor, self.residual, n),)

    def settings(self) -> dict[str, Any]:
        """See :meth:`Prior.settings`."""
        return {"name": self.name, **dataclasses.asdict(self), "slopes": list(self.slopes)}


@dataclass(frozen=True)
class Mixture(GaussianPrior):
    """One of several priors, it is not known which: answers decide.

    Such as a population's beside that of the features: somebody unlike the population is noticed
    by their answers, and the population is left aside.

    Args:
        priors: Gaussian priors.
        weights: how probable each is before any answer; positive.
    """

    name: ClassVar[str] = "mixture"

    priors: tuple[GaussianPrior, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "priors", tuple(self.priors))
        object.__setattr__(self, "weights", tuple(self.weights))
        for prior in self.priors:
            if not isinstance(prior, GaussianPrior):
                msg = f"a mixture is of Gaussian priors, such as Features(), not of {prior!r}"
                raise ParameterError(msg)
        if not self.priors or len(self.priors) != len(self.weights):
            msg = f"{len(self.priors)} priors have {len(self.weights)} weights: give one each"
            raise ParameterError(msg)
        if not all(0.0 < w < np.inf for w in self.weights):
            msg = f"the weights of priors must be above 0, not {self.weights}"
            raise ParameterError(msg)
        slopes = sorted({prior.slopes for prior in self.priors})
        if len(slopes) > 1:
            msg = f"the priors of a mixture must have the same slopes, not {slopes[0]}, {slopes[1]}"
            raise ParameterError(msg)

    @property
    def slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        """Levels of noise, those of the priors."""
        return self.priors[0].slopes

    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """See :meth:`GaussianPrior.components`."""
        total = sum(self.weights)
        return tuple(
            dataclasses.replace(c, weight=c.weight * weight / total)
            for prior, weight in zip(self.priors, self.weights, strict=True)
            for c in prior.components(pool, others)
        )

    def settings(self) -> dict[str, Any]:
        """See :meth:`Prior.settings`."""
        priors = [prior.settings() for prior in self.priors]
        return {"name": self.name, "priors": priors, "weights": list(self.weights)}


def prior_from_settings(settings: dict[str, Any]) -> Prior:
    """The prior that has these settings, where they say all of it.

    Raises:
        ParameterError: they do not, as those of a prior learned from people, or they do not fit.
    """
    name, rest = settings.get("name"), {k: v for k, v in settings.items() if k != "name"}
    try:
        if name == Ball.name:
            return Ball(**rest)
        if name == Features.name:
            return Features(**(rest | {"slopes": tuple(rest["slopes"])}))
        if name == Mixture.name:
            priors = tuple(prior_from_settings(p) for p in rest["priors"])
            return Mixture(priors, rest["weights"])  # type: ignore[arg-type]  # it checks them
    except (KeyError, TypeError) as error:
        msg = f"the settings of the prior {name!r} do not fit: {error}"
        raise ParameterError(msg) from error
    msg = f"the prior {name!r} was learned from answers: pass the strategy with the prior"
    raise ParameterError(msg)


def checked_prior(prior: object) -> Prior:
    """A strategy's prior, or the one that the settings in a log describe.

    Raises:
        ParameterError: it is neither.
    """
    if isinstance(prior, dict):
        return prior_from_settings(prior)
    if not isinstance(prior, Prior):
        msg = f"prior must be a Prior, such as Features(), not {prior!r}"
        raise ParameterError(msg)
    return prior


def component(mean: FloatArray, factor: FloatArray, residual: float, n: int) -> Component:
    """A prior scaled so that utilities vary by 1 on average, ``residual`` of it each one's own.

    Args:
        mean: (N + M,) utilities, those of the pool first.
        factor: (N + M, R); where neither it nor the mean varies, all is left to the residual.
        residual: share of the variance, in [0, 1].
        n: N, how many responses the pool has; only differences within it count.
    """
    mean, factor = mean - mean[:n].mean(), factor - factor[:n].mean(axis=0)
    spread = float((np.einsum("nr,nr->n", factor[:n], factor[:n]) + mean[:n] ** 2).mean())
    scale = (1.0 - residual) / spread if spread > 0.0 else 0.0
    own = residual if spread > 0.0 else 1.0
    return Component(mean * np.sqrt(scale), factor * np.sqrt(scale), own)


def features_of(pool: Pool, others: Others | None = None) -> FloatArray:
    """(N + M, d) float64 features of a pool and of other responses.

    Raises:
        PoolError: the pool has none.
        ParameterError: the others have another number of them.
    """
    if pool.features is None:
        raise PoolError("this prior needs features: embed the pool, or give it an array")
    features = pool.features.astype(np.float64)
    if others is None:
        return features
    if others.features.shape[1:] != features.shape[1:]:
        there = others.features.shape[1]
        msg = f"the pool has {features.shape[1]} features, and what is remembered {there}"
        raise ParameterError(msg)
    return np.concatenate([features, others.features])


def check_share(name: str, share: float) -> None:
    """A share lies in [0, 1]."""
    if not 0.0 <= share <= 1.0:
        msg = f"{name} must lie between 0 and 1, not {share}"
        raise ParameterError(msg)


def check_slopes(slopes: tuple[float, ...]) -> tuple[float, ...]:
    """At least one positive number, as a tuple."""
    if not slopes or not all(0.0 < s < np.inf for s in slopes):
        msg = f"slopes must be positive numbers, at least one, not {slopes!r}"
        raise ParameterError(msg)
    return tuple(float(s) for s in slopes)


def _even(rows: FloatArray, n: int) -> FloatArray:
    """Rows about the mean of the first n, these of mean squared length 1."""
    rows = rows - rows[:n].mean(axis=0)
    spread = float((rows[:n] ** 2).sum()) / n
    return np.asarray(rows / np.sqrt(spread)) if spread > 0.0 else rows


def _rbf_factor(features: FloatArray, n: int) -> FloatArray:
    """A factor of the RBF kernel's matrix, at the scale of the first n rows."""
    squares = np.einsum("nd,nd->n", features, features)
    distances = np.maximum(squares[:, None] + squares - 2.0 * features @ features.T, 0.0)
    apart = distances[:n, :n][np.triu_indices(n, 1)]
    median = float(np.median(apart)) if len(apart) else 0.0
    if median <= 0.0:
        return np.zeros((len(features), 1))
    values, vectors = np.linalg.eigh(np.exp(-0.5 * distances / median))
    kept = values > 1e-6 * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
