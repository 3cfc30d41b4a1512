"""What many people taught: the prior of elicitations that are started without a strategy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from palate.errors import ParameterError
from palate.population.gaussian import GaussianPopulation
from palate.population.prior import with_outsiders
from palate.strategies import default_strategy
from palate.strategies.default import LARGEST

if TYPE_CHECKING:
    from palate.pool import Pool
    from palate.preference.prior import GaussianPrior
    from palate.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Population:
    """A population's prior, and the features that it speaks of.

    Attributes:
        prior: of somebody new, who may be unlike the population.
        embedder: name of what made the features, as pools have it.
        scaling: the rule by which they were scaled.
        d: how many there are.
    """

    prior: GaussianPrior
    embedder: str
    scaling: str
    d: int

    def strategy(self, pool: Pool) -> Strategy | None:
        """The default strategy on this prior, for a pool whose features it speaks of; else None.

        A pool that is too large for a belief about all utilities has none either.
        """
        if pool.features is None or len(pool) > LARGEST:
            return None
        made = pool.embedder, pool.scaling, pool.features.shape[1]
        known = made == (self.embedder, self.scaling, self.d)
        return default_strategy(pool, self.prior) if known else None


def load_population(path: str, base_url: str | None = None) -> Population:
    """The population in a file that ``palate population prior`` wrote.

    Args:
        path: the file.
        base_url: of the server of its embedder, where it has one.

    Raises:
        ModelError: there is no such file, or it is damaged.
        ParameterError: it is a folder; or the file does not say which embedder made its features,
            or that embedder makes others now.
    """
    from palate.embed import embedder_named  # noqa: PLC0415 - embedders are slow to import

    if Path(path).is_dir():
        msg = (
            f"{path} is a folder, and the service keeps no fitted model with its elicitations; "
            "learn a prior for it by palate population prior"
        )
        raise ParameterError(msg)
    population = GaussianPopulation.load(Path(path))
    try:
        made = (population.notes or {})["features"]
        spec, identity = str(made["embedder"]), str(made["identity"])
    except (KeyError, TypeError) as error:
        msg = (
            f"the population in {path} does not say which embedder made its features; learn it by "
            "palate population prior"
        )
        raise ParameterError(msg) from error
    embedder = embedder_named(spec, base_url=base_url)
    now = str(getattr(embedder, "identity", spec))
    if now != identity:
        msg = (
            f"the population in {path} was learned from features of {spec} ({identity}), which "
            f"makes others now ({now}); learn it anew"
        )
        raise ParameterError(msg)
    return Population(
        with_outsiders(population),
        str(getattr(embedder, "name", spec)),
        getattr(embedder, "scaling", None) or "half",
        len(population.mean),
    )
