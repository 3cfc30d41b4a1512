"""PAL-A and PAL-B in torch: what is trained, and the margins of answers as functions of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from palate.population.model import IdealPoint, PalA, PalB
from palate.population.projector import Activation, Projector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.population._batches import Batch

FIRST_SCALE = 1.0 / 0.07
MOST_SCALE = 100.0

_TINY = 1e-12
_DENSE = 16  # a table may hold so many entries for each one that is asked for


class Network(nn.Module):  # type: ignore[misc]
    """K multilayer perceptrons of one shape, evaluated together.

    What goes in is shifted and divided by a unit first, so that the first layer begins at the same
    place for every embedder; a residual adds it as it was.

    Args:
        copies: K.
        widths: dimensions from first to last, two or more.
        activation: between layers.
        residual: add what goes in to what comes out.
        table: (M, widths[0]) the kind of rows that go in, to shift and scale by.
        rng: of the weights.
    """

    def __init__(
        self,
        copies: int,
        widths: Sequence[int],
        *,
        activation: Activation,
        residual: bool,
        table: torch.Tensor,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.residual = residual
        centre = table.mean(dim=0)
        unit = (table - centre).square().mean().sqrt()
        self.register_buffer("centre", centre)
        self.register_buffer("unit", unit if unit > 0.0 else torch.ones_like(unit))
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise(widths):
            for shape, into in (
                ((copies, fan_out, fan_in), self.weights),
                ((copies, 1, fan_out), self.biases),
            ):
                numbers = 2.0 * torch.rand(shape, generator=rng) - 1.0
                into.append(nn.Parameter(numbers / math.sqrt(fan_in)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, D) rows to (K, n, d)."""
        h = ((x - self.centre) / self.unit).expand(len(self.weights[0]), *x.shape)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                h = functional.relu(h) if self.activation == "relu" else functional.gelu(h)
            h = torch.baddbmm(bias, h, weight.transpose(1, 2))
        return h + x if self.residual else h

    def projectors(self) -> tuple[Projector, ...]:
        """The K networks in numpy, the shift and the unit folded into the first layer."""
        centre, unit = _array(self.centre), _array(self.unit)
        weights, biases = ([_array(p) for p in part] for part in (self.weights, self.biases))
        weights[0] = weights[0] / unit
        biases[0] = biases[0] - (weights[0] @ centre)[:, None]
        return tuple(
            Projector(
                tuple(weight[k] for weight in weights),
                tuple(bias[k, 0] for bias in biases),
                self.activation,
                self.residual,
            )
            for k in range(len(weights[0]))
        )


class Mixture(nn.Module):  # type: ignore[misc]
    """People's weights, the softmax of their logits; nothing to learn for K = 1.

    Args:
        people: U, those with answers.
        k: prototypes.
        partition: everybody belongs to the prototype of their greatest weight, once trained.
        rng: of the logits.
    """

    def __init__(self, people: int, k: int, *, partition: bool, rng: torch.Generator) -> None:
        super().__init__()
        self.partition = partition
        self.logits = nn.Parameter(torch.randn(people, k, generator=rng), requires_grad=k > 1)

    def forward(self) -> torch.Tensor:
        """(U + 1, K) weights; the last row, their mean, is that of people without answers."""
        weights = self.logits.softmax(dim=1)
        if self.partition and not self.training:
            weights = functional.one_hot(weights.argmax(dim=1), weights.shape[1]).to(weights)
        return torch.cat([weights, weights.mean(dim=0, keepdim=True)])

    def of(self, places: IndexArray) -> FloatArray:
        """(n, K) weights of people, -1 being one without answers, in numpy."""
        with torch.no_grad():
            weights = _array(self())[places]
        return weights / weights.sum(axis=1, keepdims=True)


class PalAHead(nn.Module):  # type: ignore[misc]
    """PAL-A: the reward is ``-|f(x) - u|^p`` with a person's ideal point u (Eq. 4 and 5).

    Args:
        f: one network.
        prototypes: (K, D), or (K, d) for ideal "Pw".
        mixture: of people.
        ideal: as :class:`PalA` has it.
        power: likewise.
    """

    def __init__(
        self,
        f: Network,
        prototypes: torch.Tensor,
        mixture: Mixture,
        *,
        ideal: IdealPoint,
        power: Literal[1, 2],
    ) -> None:
        super().__init__()
        self.f, self.mixture = f, mixture
        self.prototypes = nn.Parameter(prototypes)
        self.ideal: IdealPoint = ideal
        self.power: Literal[1, 2] = power

    def margins(self, batch: Batch) -> torch.Tensor:
        """(n,) reward of each row's chosen item less that of the rejected."""
        images = self.f(batch.items)[0]
        points = self.ideal_points(self.mixture()[batch.people])
        # Distances know no origin; about the images' centre the squares below keep their digits.
        centre = images.detach().mean(dim=0)
        images, points = images - centre, points - centre
        first, second = images[batch.first], images[batch.second]
        if self.power == 2:
            base = second.square().sum(-1) - first.square().sum(-1)
            ahead = inner(2.0 * (first - second), points, batch.pair, batch.person)
            return batch.sign * (base[batch.pair] + ahead)
        own = points[batch.person]
        near, far = (
            ((own - of[batch.pair]).square().sum(-1) + _TINY).sqrt() for of in (first, second)
        )
        return batch.sign * (far - near)

    def model(self, people: tuple[str, ...], places: IndexArray) -> PalA:
        """In numpy, for people at these places of the mixture."""
        return PalA(
            people=people,
            weights=self.mixture.of(places),
            f=self.f.projectors()[0],
            prototypes=_array(self.prototypes),
            ideal=self.ideal,
            power=self.power,
        )

    def ideal_points(self, weights: torch.Tensor) -> torch.Tensor:
        """(n, d) ideal points of (n, K) weights."""
        if self.ideal == "f(Pw)":
            return self.f(weights @ self.prototypes)[0]
        images = self.prototypes if self.ideal == "Pw" else self.f(self.prototypes)[0]
        return weights @ images


class PalBHead(nn.Module):  # type: ignore[misc]
    """PAL-B: the reward is ``tau <f(x)/|f(x)|, z>``, z mixed of K maps of the prompt (Eq. 6, 7).

    Args:
        f: one network, of items.
        g: K networks, of prompts.
        mixture: of people.
        norm: as :class:`PalB` has it.
    """

    def __init__(
        self, f: Network, g: Network, mixture: Mixture, *, norm: Literal["each", "mix"]
    ) -> None:
        super().__init__()
        self.f, self.g, self.mixture = f, g, mixture
        self.norm: Literal["each", "mix"] = norm
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> torch.Tensor:
        """Tau, at most 100."""
        return self.log_scale.exp().clamp(max=MOST_SCALE)

    def margins(self, batch: Batch) -> torch.Tensor:
        """(n,) reward of each row's chosen item less that of the rejected."""
        images = functional.normalize(self.f(batch.items)[0], dim=-1, eps=_TINY)
        difference = self.scale * (images[batch.first] - images[batch.second])
        mapped = self.g(batch.prompts)
        if self.norm == "each":
            mapped = functional.normalize(mapped, dim=-1, eps=_TINY)
        by_prototype = (difference * mapped[:, batch.prompt]).sum(-1).T
        weights = self.mixture()[batch.people]
        ahead = inner(by_prototype, weights, batch.pair, batch.person)
        if self.norm == "mix":  # divided by |sum_k w_k g_k|, a quadratic form in w
            gram = torch.einsum("ipd,jpd->pij", mapped, mapped).flatten(1)
            squares = (weights[:, :, None] * weights[:, None, :]).flatten(1)
            length = inner(gram, squares, batch.prompt[batch.pair], batch.person)
            ahead = ahead / length.clamp(min=_TINY).sqrt()
        return batch.sign * ahead

    def model(self, people: tuple[str, ...], places: IndexArray) -> PalB:
        """In numpy, for people at these places of the mixture."""
        return PalB(
            people=people,
            weights=self.mixture.of(places),
            f=self.f.projectors()[0],
            g=self.g.projectors(),
            scale=float(_array(self.scale)),
            norm=self.norm,
        )


def first_prototypes(table: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
    """(K, D) points about the mean of a table's rows, at random and as far from it as they are."""
    centre = table.mean(dim=0)
    length = (table - centre).square().sum(dim=1).mean().sqrt()
    directions = torch.randn(k, table.shape[1], generator=rng)
    return centre + length * functional.normalize(directions, dim=1)


def inner(
    left: torch.Tensor, right: torch.Tensor, i: torch.Tensor, j: torch.Tensor
) -> torch.Tensor:
    """(n,) inner products of rows i of one table with rows j of another."""
    if len(left) * len(right) <= _DENSE * len(i):  # all of them, at the speed of a matrix product
        return (left @ right.T).flatten().index_select(0, i * len(right) + j)
    return (left.index_select(0, i) * right.index_select(0, j)).sum(-1)


def _array(tensor: torch.Tensor) -> FloatArray:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)
