"""Reward models of a population: PAL-A, PAL-B, LoRe and Bradley-Terry.

A model turns an item into a base score and K scores, one a prototype; a person is a point w of the
simplex, and their reward of the item is ``base + scores . w``. A higher reward is better. So one
solver locates a new person for every model, and one elicitation asks them, in K dimensions.
Variants whose reward is not linear in w say so (``linear_in_weights``) and give rewards only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias, get_args

import numpy as np
from scipy.special import expit

from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData
    from palate.population.projector import Projector

IdealPoint: TypeAlias = Literal["f(Pw)", "f(P)w", "Pw"]
"""Where a person's ideal point lies: the image of the mixture, the mixture of the images, or the
mixture of prototypes that live in the image already. For a linear f the first two agree."""

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of M items, before it knows the person.

    Attributes:
        base: (M,) the part of the reward that is everybody's.
        by_prototype: (M, K) the reward that a prototype adds; mixed by a person's weights.
    """

    base: FloatArray
    by_prototype: FloatArray

    def rewards(self, weights: FloatArray) -> FloatArray:
        """(M,) rewards of one person's (K,) weights, or (U, M) of (U, K)."""
        return self.base + weights @ self.by_prototype.T


@dataclass(frozen=True, eq=False, kw_only=True)
class PopulationModel(ABC):
    """A reward model of many people, each a point of the simplex of K prototypes.

    Attributes:
        people: names of those it was trained on.
        weights: (U, K) their weights, rows of the simplex.
    """

    kind: ClassVar[str]

    people: tuple[str, ...] = ()
    weights: FloatArray = field(default_factory=lambda: np.zeros((0, 1)))

    def __post_init__(self) -> None:
        if self.weights.shape != (len(self.people), self.k):
            msg = (
                f"{len(self.people)} people and {self.k} prototypes need weights of shape "
                f"({len(self.people)}, {self.k}), not {self.weights.shape}"
            )
            raise ParameterError(msg)
        if not all(isinstance(name, str) for name in self.people):
            raise ParameterError("people's names must be texts")
        if len(set(self.people)) < len(self.people):
            raise ParameterError("people must have different names")
        w = self.weights
        if not ((w >= 0.0).all() and np.allclose(w.sum(axis=1), 1.0, rtol=0.0, atol=1e-5)):
            raise ParameterError("each person's weights must be at least 0 and sum to 1")

    @property
    @abstractmethod
    def k(self) -> int:
        """How many prototypes there are."""

    @property
    def linear_in_weights(self) -> bool:
        """Whether the reward is linear in a person's weights, so that locating them is convex."""
        return True

    @abstractmethod
    def scores(self, items: FloatArray, prompts: FloatArray | None = None) -> Scores:
        """What the model says of items.

        Args:
            items: (M, D) features.
            prompts: (M, D_x) features of the prompt that each item answers, or None.

        Raises:
            ParameterError: the features do not fit the model, or the reward is not linear in the
                weights.
        """

    def rewards(
        self, weights: FloatArray, items: FloatArray, prompts: FloatArray | None = None
    ) -> FloatArray:
        """(M,) rewards of one person's (K,) weights, or (U, M) of (U, K); higher is better."""
        return self.scores(items, prompts).rewards(weights)

    @property
    def mean_weights(self) -> FloatArray:
        """(K,) the average person: the guess about somebody new (Section 2.2)."""
        if not len(self.people):
            return np.full(self.k, 1.0 / self.k)
        return np.asarray(self.weights.mean(axis=0))

    def weights_of(self, person: str) -> FloatArray:
        """(K,) weights of somebody it was trained on.

        Raises:
            ParameterError: it was not trained on anybody of that name.
        """
        if person not in self.people:
            msg = f"the model was not trained on anybody named {person!r}; locate them by answers"
            raise ParameterError(msg)
        return np.asarray(self.weights[self.people.index(person)])

    def margins(self, data: PreferenceData, weights: FloatArray | None = None) -> FloatArray:
        """(n,) reward of the chosen less that of the rejected: above 0 where the model agrees.

        Args:
            data: preferences; items and prompts of the kind that the model was trained on.
            weights: (U, K), a row for each of ``data.people``; by default those of the people of
                these names that the model was trained on.
        """
        w = self._weights_for(data) if weights is None else weights
        if w.shape != (len(data.people), self.k):
            msg = f"weights must have shape ({len(data.people)}, {self.k}), not {w.shape}"
            raise ParameterError(msg)
        chosen, rejected, items, prompts = _pairs(data)
        if not self.linear_in_weights:
            result = np.zeros(len(data))
            for person in np.unique(data.person):
                rows = np.flatnonzero(data.person == person)
                needed, places = np.unique(
                    np.concatenate([chosen[rows], rejected[rows]]), return_inverse=True
                )
                part = None if prompts is None else prompts[needed]
                r = self.rewards(w[person], items[needed], part)[places.reshape(-1)]
                result[rows] = r[: len(rows)] - r[len(rows) :]
            return result
        said = self.scores(items, prompts)
        b, gains = _differences(said, chosen, rejected)
        return b + np.einsum("nk,nk->n", gains, w[data.person])

    def linearised(self, data: PreferenceData) -> tuple[FloatArray, FloatArray]:
        """Margins as a function of the weights: ``b + G w``, for locating people.

        Returns:
            (n,) b and (n, K) G.

        Raises:
            ParameterError: the reward is not linear in the weights.
        """
        chosen, rejected, items, prompts = _pairs(data)
        return _differences(self.scores(items, prompts), chosen, rejected)

    def predict_proba(self, data: PreferenceData, weights: FloatArray | None = None) -> FloatArray:
        """(n,) probability that the chosen one is preferred, by the logistic model."""
        return np.asarray(expit(self.margins(data, weights)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Save the model; see :func:`palate.population.save.save_pretrained`."""
        from palate.population.save import save_pretrained  # noqa: PLC0415 - it knows all models

        save_pretrained(self, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load a model of this kind, or of any kind if called on :class:`PopulationModel`.

        Raises:
            ModelError: see :func:`palate.population.save.from_pretrained`; or the model is of
                another kind.
        """
        from palate.population.save import from_pretrained  # noqa: PLC0415 - it knows all models

        model = from_pretrained(folder)
        if not isinstance(model, cls):
            msg = f"{folder} holds a model of kind {model.kind}; load it as a PopulationModel"
            raise ModelError(msg)
        return model

    def _weights_for(self, data: PreferenceData) -> FloatArray:
        if data.people == self.people:
            return self.weights
        return np.array([self.weights_of(name) for name in data.people]).reshape(-1, self.k)

    def _refuse_scores(self) -> ParameterError:
        return ParameterError(
            f"the reward of this {self.kind} is not linear in the weights; use rewards()"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PalA(PopulationModel):
    """PAL-A: a person is an ideal point among prototypes, and likes what is near (Section 2.1).

    The reward of x is ``-||f(x) - u||^p`` with the ideal point u of ``ideal``. For p = 2 what is
    the same for all items of one person is left out of :meth:`scores`.

    Attributes:
        f: the map of items.
        prototypes: (K, D) in f's input space; (K, d) in its output space for ideal "Pw".
        ideal: where the ideal point lies.
        power: p, 2 as printed (Eq. 4), or 1 as in Appendix D.2; predictions agree in sign.
    """

    kind: ClassVar[str] = "pal-a"

    f: Projector
    prototypes: FloatArray
    ideal: IdealPoint = "f(Pw)"
    power: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        if self.ideal not in get_args(IdealPoint) or self.power not in {1, 2}:
            places = ", ".join(get_args(IdealPoint))
            msg = f"ideal is one of {places}, power 1 or 2, not {self.ideal!r}, {self.power!r}"
            raise ParameterError(msg)
        d = self.f.d_out if self.ideal == "Pw" else self.f.d_in
        if self.prototypes.ndim != 2 or self.prototypes.shape[1] != d or not len(self.prototypes):
            msg = f"prototypes must have shape (K, {d}), not {self.prototypes.shape}"
            raise ParameterError(msg)
        super().__post_init__()

    @property
    def k(self) -> int:
        """How many prototypes there are."""
        return len(self.prototypes)

    @property
    def linear_in_weights(self) -> bool:
        """For squared distances, if f is linear or mixes nothing but its images."""
        return self.power == 2 and (self.ideal != "f(Pw)" or self.f.is_linear)

    def ideal_points(self, weights: FloatArray) -> FloatArray:
        """(U, d) ideal points of (U, K) weights."""
        if self.ideal == "f(Pw)":
            return self.f(weights @ self.prototypes)
        images = self.prototypes if self.ideal == "Pw" else self.f(self.prototypes)
        return weights @ images

    def scores(self, items: FloatArray, prompts: FloatArray | None = None) -> Scores:
        """See :meth:`PopulationModel.scores`; a prompt belongs into the items' features."""
        _refuse_prompts(prompts, "PAL-A")
        if not self.linear_in_weights:
            raise self._refuse_scores()
        images = self.f(items)
        return Scores(
            -np.einsum("md,md->m", images, images),
            2.0 * images @ self.ideal_points(np.eye(self.k)).T,
        )

    def rewards(
        self, weights: FloatArray, items: FloatArray, prompts: FloatArray | None = None
    ) -> FloatArray:
        """``-||f(x) - u||^p``; see :meth:`PopulationModel.rewards`."""
        _refuse_prompts(prompts, "PAL-A")
        images, points = self.f(items), self.ideal_points(np.atleast_2d(weights))
        # A matrix product, about the images' centre so that the squares keep their digits.
        centre = images.mean(axis=0) if len(images) else 0.0
        images, points = images - centre, points - centre
        lengths = [np.einsum("nd,nd->n", rows, rows) for rows in (points, images)]
        squares = lengths[0][:, None] + lengths[1] - 2.0 * points @ images.T
        squares = np.maximum(squares, 0.0)
        rewards = -squares if self.power == 2 else -np.sqrt(squares + _TINY)
        return rewards if np.ndim(weights) == 2 else rewards[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class PalB(PopulationModel):
    """PAL-B: a person mixes K mappings of the prompt, and likes what points their way (Eq. 6, 7).

    The reward of x for the prompt x_c is ``tau <f(x)/|f(x)|, z>``.

    Attributes:
        f: the map of items.
        g: K maps of prompts into f's output space.
        scale: tau > 0.
        norm: "each": ``z = sum_k w_k g_k/|g_k|``, as printed; "mix": ``z`` is the normalised
            ``sum_k w_k g_k``, as the authors' code has it. Predictions agree in sign only for
            K = 1; "mix" is not linear in the weights.
    """

    kind: ClassVar[str] = "pal-b"

    f: Projector
    g: tuple[Projector, ...]
    scale: float = 1.0
    norm: Literal["each", "mix"] = "each"

    def __post_init__(self) -> None:
        if self.norm not in {"each", "mix"} or not 0.0 < self.scale < np.inf:
            msg = f"norm is 'each' or 'mix' and scale above 0, not {self.norm!r}, {self.scale!r}"
            raise ParameterError(msg)
        shapes = {(g.d_in, g.d_out) for g in self.g}
        if len(shapes) != 1 or any(d_out != self.f.d_out for _, d_out in shapes):
            msg = f"PAL-B needs one or more maps g of one shape into d = {self.f.d_out}"
            raise ParameterError(msg)
        super().__post_init__()

    @property
    def k(self) -> int:
        """How many prototypes there are."""
        return len(self.g)

    @property
    def linear_in_weights(self) -> bool:
        """Where each mapping is normalised by itself."""
        return self.norm == "each"

    def scores(self, items: FloatArray, prompts: FloatArray | None = None) -> Scores:
        """See :meth:`PopulationModel.scores`; the prompts are needed."""
        if not self.linear_in_weights:
            raise self._refuse_scores()
        images, mapped = self._maps(items, prompts)
        by_prototype = np.einsum("md,mkd->mk", images, _unit(mapped))
        return Scores(np.zeros(len(items)), self.scale * by_prototype)

    def rewards(
        self, weights: FloatArray, items: FloatArray, prompts: FloatArray | None = None
    ) -> FloatArray:
        """``tau <f(x)/|f(x)|, z>``; see :meth:`PopulationModel.rewards`."""
        if self.linear_in_weights:
            return self.scores(items, prompts).rewards(weights)
        images, mapped = self._maps(items, prompts)
        z = _unit(np.einsum("uk,mkd->umd", np.atleast_2d(weights), mapped))
        rewards = self.scale * np.einsum("md,umd->um", images, z)
        return rewards if np.ndim(weights) == 2 else rewards[0]

    def _maps(self, items: FloatArray, prompts: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """(M, d) unit images of the items and (M, K, d) maps of their prompts."""
        if prompts is None or len(prompts) != len(items):
            raise ParameterError("PAL-B maps prompts: give the features of each item's prompt")
        unique, places = np.unique(prompts, axis=0, return_inverse=True)
        mapped = np.stack([g(unique) for g in self.g], axis=1)
        return _unit(self.f(items)), mapped[places.reshape(-1)]


@dataclass(frozen=True, eq=False, kw_only=True)
class LoRe(PopulationModel):
    """LoRe: the reward is ``scale phi(x) V w``, low rank and linear (Bose et al., 2025).

    The peer of PAL. With K = 1 it is the homogeneous Bradley-Terry model.

    Attributes:
        basis: (D, K), V.
        scale: LoRe's logits are divided by 100; here by default they are not.
    """

    kind: ClassVar[str] = "lore"

    basis: FloatArray
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.basis.ndim != 2 or not self.basis.shape[1] or not 0.0 < self.scale < np.inf:
            msg = f"LoRe needs a (D, K) basis and scale > 0, not {self.basis.shape}, {self.scale!r}"
            raise ParameterError(msg)
        super().__post_init__()

    @property
    def k(self) -> int:
        """How many prototypes there are."""
        return int(self.basis.shape[1])

    def scores(self, items: FloatArray, prompts: FloatArray | None = None) -> Scores:
        """See :meth:`PopulationModel.scores`; a prompt belongs into the items' features."""
        _refuse_prompts(prompts, "LoRe")
        if items.shape[1:] != self.basis.shape[:1]:
            d = len(self.basis)
            msg = f"features have shape {items.shape}; this model was trained on d = {d}"
            raise ParameterError(msg)
        return Scores(np.zeros(len(items)), self.scale * items @ self.basis)


def _refuse_prompts(prompts: FloatArray | None, name: str) -> None:
    if prompts is not None:
        msg = f"{name} has no map of prompts: join them to the items, PreferenceData.joined()"
        raise ParameterError(msg)


def _pairs(
    data: PreferenceData,
) -> tuple[IndexArray, IndexArray, FloatArray, FloatArray | None]:
    """Rows' chosen and rejected as places among (item, prompt) pairs, each pair once."""
    if data.prompts is None or data.prompt is None:
        return data.chosen, data.rejected, data.items, None
    m = len(data.items)
    keys = np.concatenate([data.prompt * m + data.chosen, data.prompt * m + data.rejected])
    unique, places = np.unique(keys, return_inverse=True)
    places = places.reshape(-1)
    return (
        places[: len(data)],
        places[len(data) :],
        data.items[unique % m],
        data.prompts[unique // m],
    )


def _differences(
    said: Scores, chosen: IndexArray, rejected: IndexArray
) -> tuple[FloatArray, FloatArray]:
    return (
        said.base[chosen] - said.base[rejected],
        said.by_prototype[chosen] - said.by_prototype[rejected],
    )


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.sqrt(np.einsum("...d,...d->...", rows, rows))[..., None]
    return rows / np.maximum(lengths, _TINY)
