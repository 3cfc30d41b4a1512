"""A prior that remembers what the person answered before, about other prompts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

import numpy as np

from palate._cache import digest
from palate.errors import ParameterError
from palate.preference.prior import GaussianPrior, Others
from palate.preference.propagation import propagate

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.pool import Pool
    from palate.preference.gaussian import Component

_JITTER = 1e-12
_LEAST = 1e-300  # weight of a component, whose logarithm is taken


@dataclass(frozen=True, eq=False, slots=True)
class Past:
    """Picks of one person among responses to other prompts.

    Attributes:
        features: (M, d) of the responses shown, scaled as those of the pools to come.
        age: (M,) how many prompts ago each was shown, from 1.
        winner: (m,) row of the response picked, one for each that it was picked over.
        loser: (m,) row of that one.
        group: (m,) the pick that a row belongs to, from 0, never decreasing.
        style: (M, 7) how they were written, beside those of their pools; see
            :attr:`palate.Pool.style`. None: unknown.
    """

    features: FloatArray
    age: IndexArray
    winner: IndexArray
    loser: IndexArray
    group: IndexArray
    style: FloatArray | None = field(default=None, kw_only=True)

    def digest(self) -> str:
        """What tells it from another past."""
        rows = [self.features, self.age, self.winner, self.loser, self.group]
        rows += [] if self.style is None else [self.style]
        return digest(*(repr(row.tolist()) for row in rows))


@dataclass(frozen=True, eq=False)
class Remembering(GaussianPrior):
    """Another prior after the person's earlier answers, the older the less they count.

    Tastes drift from prompt to prompt: utilities of responses ``a`` prompts apart correlate by
    ``keep^a`` as much as they would at the same prompt (an Ornstein-Uhlenbeck process). The
    posterior is that of expectation propagation, one Gaussian a prior component, its moments taken
    over all slopes. Of the weight that the evidence gives a component the share ``keep^a`` stays,
    ``a`` being the age of the latest answer, and the rest is as before all answers.

    Args:
        base: what was believed before all answers.
        past: the answers.
        keep: in [0, 1]; 1 forgets nothing, 0 everything.
    """

    name: ClassVar[str] = "remembering"

    base: GaussianPrior
    past: Past
    keep: float = 0.9
    _latest: tuple[ref[Pool], tuple[Component, ...]] | None = field(
        default=None, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not 0.0 <= self.keep <= 1.0:
            msg = f"keep must lie between 0 and 1, not {self.keep}"
            raise ParameterError(msg)

    @property
    def slopes(self) -> tuple[float, ...]:  # type: ignore[override]
        """Levels of noise, those of the base."""
        return self.base.slopes

    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """See :meth:`GaussianPrior.components`."""
        if others is not None:
            raise ParameterError("put all that is remembered into one past")
        if not len(self.past.winner):
            return self.base.components(pool)
        if self._latest is not None and self._latest[0]() is pool:
            return self._latest[1]
        found = self._components(pool)
        # Kept, since it takes long and is asked for again when an answer is taken back.
        object.__setattr__(self, "_latest", (ref(pool), found))
        return found

    def _components(self, pool: Pool) -> tuple[Component, ...]:
        components = self.base.components(pool, Others(self.past.features, self.past.style))
        found = [self._after(component, len(pool)) for component in components]
        before = np.array([component.weight for component in components])
        evidence = np.array([evidence for _, evidence in found])
        after = before * np.exp(evidence - evidence.max())
        kept = self.keep ** float(self.past.age.min())
        weights = kept * after / after.sum() + (1.0 - kept) * before / before.sum()
        return tuple(
            replace(component, weight=max(float(weight), _LEAST))
            for (component, _), weight in zip(found, weights, strict=True)
        )

    def _after(self, prior: Component, n: int) -> tuple[Component, float]:
        """One component after the past, for the pool alone, and the evidence of the past."""
        past, new, old = self.past, prior.factor[:n], prior.factor[n:]
        seen = old * self.keep ** past.age[:, None].astype(np.float64)
        towards = (seen[past.winner] - seen[past.loser]).T
        drift = self.keep ** np.abs(past.age[:, None] - past.age).astype(np.float64)
        among = (old @ old.T) * drift + prior.residual * np.eye(len(old))
        covariance = among[past.winner] - among[past.loser]
        covariance = covariance[:, past.winner] - covariance[:, past.loser]
        mean = prior.mean[n:][past.winner] - prior.mean[n:][past.loser]
        s = len(self.slopes)
        fit = propagate(
            np.tile(mean, (s, 1)),
            np.tile(covariance, (s, 1, 1)),
            np.eye(len(mean)),
            past.group,
            np.array(self.slopes),
        )
        share = np.exp(fit.log_evidence - fit.log_evidence.max())
        evidence = float(fit.log_evidence.max() + np.log(share.mean()))
        share /= share.sum()
        moved = fit.coefficients @ towards.T  # (S, R): the factor's coordinates, slope by slope
        centre = share @ moved
        spread = (
            np.eye(new.shape[1]) - towards @ np.einsum("s,smn->mn", share, fit.gain) @ towards.T
        )
        spread += (moved - centre).T @ (share[:, None] * (moved - centre))
        values, vectors = np.linalg.eigh(spread)
        root = vectors * np.sqrt(np.maximum(values, _JITTER))
        return replace(prior, mean=prior.mean[:n] + new @ centre, factor=new @ root), evidence

    def settings(self) -> dict[str, Any]:
        """See :meth:`Prior.settings`."""
        return {
            "name": self.name,
            "base": self.base.settings(),
            "past": self.past.digest(),
            "keep": self.keep,
        }
