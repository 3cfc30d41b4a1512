"""Small models of every kind and variant, and preferences that they can be asked about."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
import pytest

from palate.population import LoRe, PalA, PalB, PreferenceData, Projector
from palate.population.model import IdealPoint

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population import PopulationModel

D, D_X, PEOPLE = 4, 5, ("ann", "bob", "çà \udc80", "")
"""Features of items and of prompts, and names that a file must not trip over."""


def mlp(rng: np.random.Generator, *widths: int, residual: bool = False) -> Projector:
    """A network with biases in all layers but the last."""
    weights = tuple(rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(widths))
    biases = (*(rng.normal(size=len(w)) for w in weights[:-1]), None)
    return Projector(weights, biases, "relu" if residual else "gelu", residual)


def simplex(rng: np.random.Generator, people: int, k: int) -> FloatArray:
    """Rows of the simplex, one of them a corner."""
    weights = rng.dirichlet(np.ones(k), size=people)
    weights[0] = np.eye(k)[-1]
    return weights


@dataclass(frozen=True)
class Variant:
    """What makes a model besides its numbers."""

    kind: str
    deep: bool = False
    ideal: str = "f(Pw)"
    power: int = 2
    norm: str = "each"
    k: int = 3

    @property
    def name(self) -> str:
        rest = [self.ideal, f"p{self.power}"] if self.kind == "pal-a" else [self.norm]
        return "-".join([self.kind, "mlp" if self.deep else "linear", *rest, f"K{self.k}"])


VARIANTS = [
    *(
        Variant("pal-a", deep, ideal, power, k=k)
        for deep in (False, True)
        for ideal in get_args(IdealPoint)
        for power in (1, 2)
        for k in (3, 1)
    ),
    *(
        Variant("pal-b", deep, norm=norm, k=k)
        for deep in (False, True)
        for norm in ("each", "mix")
        for k in (3, 1)
    ),
    Variant("lore"),
    Variant("lore", k=1),
]

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)


def make_model(variant: Variant, seed: int = 0) -> PopulationModel:
    """A model with random numbers and four people."""
    rng = np.random.default_rng(seed)
    k = variant.k
    weights = simplex(rng, len(PEOPLE), k)
    if variant.kind == "lore":
        return LoRe(people=PEOPLE, weights=weights, basis=rng.normal(size=(D, k)), scale=0.5)
    f = (
        mlp(rng, D, 6, D, residual=True)
        if variant.deep
        else Projector.linear(rng.normal(size=(3, D)))
    )
    if variant.kind == "pal-a":
        d = f.d_out if variant.ideal == "Pw" else D
        return PalA(
            people=PEOPLE,
            weights=weights,
            f=f,
            prototypes=rng.normal(size=(k, d)),
            ideal=cast("IdealPoint", variant.ideal),
            power=cast("Literal[1, 2]", variant.power),
        )
    return PalB(
        people=PEOPLE,
        weights=weights,
        f=f,
        g=tuple(mlp(rng, D_X, 6, f.d_out) for _ in range(k)),
        scale=3.0,
        norm=cast('Literal["each", "mix"]', variant.norm),
    )


def make_data(
    variant: Variant, n: int = 60, seed: int = 1, people: tuple[str, ...] = PEOPLE
) -> PreferenceData:
    """Random comparisons, with prompts where the model maps them."""
    rng = np.random.default_rng(seed)
    pairs = np.array([rng.permutation(12)[:2] for _ in range(n)], dtype=np.intp).reshape(n, 2)
    prompts = variant.kind == "pal-b"
    return PreferenceData(
        rng.normal(size=(12, D)),
        rng.integers(0, len(people), size=n),
        pairs[:, 0],
        pairs[:, 1],
        people,
        rng.normal(size=(7, D_X)) if prompts else None,
        rng.integers(0, 7, size=n) if prompts else None,
    )
