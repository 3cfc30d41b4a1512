"""Populations as heads and a basis: what the diagnosis needs to know of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from palate._numbers import LARGEST, unfit_row
from palate.diversity.rows import Rows
from palate.diversity.served import Served
from palate.errors import ParameterError
from palate.population.localise import locate
from palate.population.model import LoRe, PalA, PalB, PopulationModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData

Items: TypeAlias = Callable[["FloatArray", "FloatArray | None"], "FloatArray"]
"""(M, D) items, and (M, D_x) prompts or None, to (M, F) features, or to (M,) offsets."""


@dataclass(frozen=True, eq=False)
class Bilinear:
    """A population in which person i's reward of an item is ``h_i . B psi + offset``.

    Any model can be diagnosed that is put into this form; :func:`bilinear` does so for those of
    :mod:`palate.population`.

    Attributes:
        heads: (U, J) of the people.
        basis: (J, F).
        people: U names; by default "person 1" and so on.
        features: items to psi; by default as they are.
        offset: items to what is everybody's, taken as known; None for 0.
        note: what of the model the form leaves out, in words; empty where it is exact.

    Raises:
        ParameterError: shapes do not fit, a number is not finite, or two people share a name.
    """

    heads: FloatArray
    basis: FloatArray
    people: tuple[str, ...] = ()
    features: Items = lambda items, _: items
    offset: Items | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.heads.ndim != 2 or self.basis.ndim != 2 or not self.basis.size:
            msg = (
                f"heads are (U, J) and the basis (J, F), not {self.heads.shape}, {self.basis.shape}"
            )
            raise ParameterError(msg)
        if self.heads.shape[1] != len(self.basis):
            msg = (
                f"heads of {self.heads.shape[1]} dimensions do not go with a basis of "
                f"{len(self.basis)}"
            )
            raise ParameterError(msg)
        for name, array in (("heads", self.heads), ("basis", self.basis)):
            if unfit_row(array) is not None:
                msg = f"{name} must be finite, at most {LARGEST:g}"
                raise ParameterError(msg)
        if not self.people:
            names = tuple(f"person {i + 1}" for i in range(len(self.heads)))
            object.__setattr__(self, "people", names)
        if len(self.people) != len(self.heads) or len(set(self.people)) < len(self.people):
            msg = f"{len(self.heads)} heads need as many different names of people"
            raise ParameterError(msg)

    def rows(self, data: PreferenceData) -> Rows:
        """Answers as rows; ``person`` are places in ``data.people``."""
        if data.prompts is None or data.prompt is None:
            chosen, rejected = (self._of(data.items, None, p) for p in (data.chosen, data.rejected))
        else:
            asked = data.prompts[data.prompt]
            chosen, rejected = (
                self._of(data.items[places], asked, np.arange(len(data)))
                for places in (data.chosen, data.rejected)
            )
        offset = None if self.offset is None else chosen[1] - rejected[1]
        return Rows(data.person, chosen[0] - rejected[0], data.pick, offset)

    def _of(
        self, items: FloatArray, prompts: FloatArray | None, places: IndexArray
    ) -> tuple[FloatArray, FloatArray]:
        """Features and offsets of some of the items."""
        base = np.zeros(len(items)) if self.offset is None else self.offset(items, prompts)
        return self.features(items, prompts)[places], base[places]

    def served(
        self,
        heads: FloatArray,
        pools: Sequence[tuple[FloatArray, FloatArray | None]],
        *,
        each: int | None = None,
        people: Sequence[str] = (),
        labels: Sequence[str] = (),
        seed: int = 0,
    ) -> Served:
        """People who are served from pools, given as the model takes items.

        Args:
            heads: (S, J) of the people.
            pools: (N, D) items of each pool, with (N, D_x) prompts or None.
            each: pools drawn for each person; by default all.
            people: S names.
            labels: texts of all responses, pool after pool.
            seed: of the draw.
        """
        offset = None
        if self.offset is not None:
            offset = np.concatenate([self.offset(items, prompts) for items, prompts in pools])
        return Served.of_pools(
            heads,
            [self.features(items, prompts) for items, prompts in pools],
            each=each,
            people=people,
            labels=labels,
            offset=offset,
            seed=seed,
        )


def bilinear(model: PopulationModel) -> Bilinear:
    """A population's model as heads and basis; heads are the weights.

    Weights sum to 1, so J prototypes give heads that lie in a hyperplane which misses the origin:
    they span J dimensions as soon as J of them are affinely independent, and what all prototypes
    share is one of the J.

    Args:
        model: LoRe, and PAL-A with a linear map, are exact. Of any other the K scores are taken as
            features, so that the basis is the identity and only the weights matter.

    Raises:
        ParameterError: the reward is not linear in the weights.
    """
    if isinstance(model, LoRe):
        return Bilinear(model.weights, model.scale * model.basis.T, model.people)
    if not model.linear_in_weights:
        msg = (
            f"the reward of this {model.kind} is not linear in people's weights, and the diagnosis "
            "is about models where it is; fit one with power 2, or norm 'each'"
        )
        raise ParameterError(msg)
    base = None if isinstance(model, PalB) else _base(model)
    if isinstance(model, PalA) and model.f.is_linear:
        # Less the image of 0, which a bias shifts for all items alike.
        matrix = model.f(np.eye(model.f.d_in)) - model.f(np.zeros((1, model.f.d_in)))
        return Bilinear(
            model.weights,
            2.0 * model.ideal_points(np.eye(model.k)) @ matrix.T,
            model.people,
            offset=base,
            note="what everybody's squared distances share, -|f(x)|^2, is taken as known",
        )
    return Bilinear(
        model.weights,
        np.eye(model.k),
        model.people,
        features=lambda items, prompts: model.scores(items, prompts).by_prototype,
        offset=base,
        note=f"the maps of this {model.kind} are taken as known: a response's features are its K "
        "scores, and only people's weights are judged",
    )


def heads_of(model: PopulationModel, data: PreferenceData) -> FloatArray:
    """(U, K) weights of ``data.people``: as trained, or else located by these answers.

    Args:
        model: of a population.
        data: answers.
    """
    trained = dict(zip(model.people, model.weights, strict=True))
    new = [i for i, name in enumerate(data.people) if name not in trained]
    result = np.array([trained.get(name, model.mean_weights) for name in data.people])
    if new:
        result[new] = locate(model, data.of_people(new)).weights
    return result.reshape(-1, model.k)


def _base(model: PopulationModel) -> Items:
    return lambda items, prompts: model.scores(items, prompts).base
