"""People's weights where the reward is not linear in them: from several starts, uncertified.

Around a start the margins are nearly linear, and for linear margins the problem is convex and
solved exactly (:mod:`palate.population._newton`). Each step does that, held near where it stands by
a proximal term that grows when the step did not pay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate.population._answers import Answers
from palate.population._newton import newton
from palate.population.model import PalA, PalB

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.population._newton import Penalty
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel

_STEPS = 200
_TOLERANCE = 1e-7  # of the Frank-Wolfe gap: here a measure of how stationary, no more
_DIFFERENCE = 1e-6  # of a weight, either way
_PAYS = 1e-4  # of what the proximal term says
_WEAKEST, _STRONGEST = 1e-6, 1e9  # proximal terms; a step that needs more gains nothing


def multistart(
    model: PopulationModel, data: PreferenceData, penalty: Penalty, starts: FloatArray
) -> tuple[FloatArray, IndexArray]:
    """The best that is found from S starts.

    Args:
        model: any model.
        data: answers of U people, at least one each.
        penalty: of each person.
        starts: (S, K, U) points of the simplex.

    Returns:
        (K, U) weights and (U,) steps taken from the start that led there.
    """
    S, K, U = starts.shape
    asked = _asked(data)
    owner = np.repeat(np.arange(U), S)  # a problem for each person and start
    penalty = penalty.of(owner)
    w = starts.transpose(2, 0, 1).reshape(U * S, K).T.copy()
    answers = _linearised(model, asked, owner, w)
    value = answers.loss(answers.margins(w)) + penalty.value(w)
    hold, steps = np.ones(U * S), np.zeros(U * S, dtype=np.intp)
    for _ in range(_STEPS):
        gradient = answers.gradient(answers.margins(w)) + penalty.gradient(w)
        gap = (gradient * w).sum(axis=0) - gradient.min(axis=0)
        on = (gap > _TOLERANCE) & (hold < _STRONGEST)
        if not on.any():
            break
        held = penalty.and_near(w, hold)
        found, _, _ = newton(answers.of(on), held.of(on), w[:, on], 0.1 * _TOLERANCE)
        there = _linearised(model, asked, owner[on], found)
        value_there = there.loss(there.margins(found)) + penalty.of(on).value(found)
        moved = ((found - w[:, on]) ** 2).sum(axis=0)
        pays = value_there < value[on] - _PAYS * hold[on] * moved

        to = np.zeros(U * S, dtype=bool)
        to[on] = pays
        w[:, to], value[to] = found[:, pays], value_there[pays]
        rows, rows_there = np.repeat(to, answers.rows), np.repeat(pays, there.rows)
        answers.b[rows], answers.G[:, rows] = there.b[rows_there], there.G[:, rows_there]
        hold = np.where(to, np.maximum(hold / 4.0, _WEAKEST), np.where(on, 8.0 * hold, hold))
        steps += on
    best = np.arange(U) * S + value.reshape(U, S).argmin(axis=1)
    return w[:, best], steps[best]


def linearised_at(model: PopulationModel, data: PreferenceData, weights: FloatArray) -> Answers:
    """The answers of U people, at least one each, with margins linear around (K, U) weights."""
    return _linearised(model, _asked(data), np.arange(weights.shape[1]), weights)


def linear_surrogate(model: PopulationModel) -> PopulationModel:
    """A model with the same maps whose reward is linear in the weights, to begin from."""
    if isinstance(model, PalA):
        ideal = "f(P)w" if model.ideal == "f(Pw)" and not model.f.is_linear else model.ideal
        return replace(model, power=2, ideal=ideal)
    if isinstance(model, PalB):
        return replace(model, norm="each")
    return model


@dataclass(frozen=True, eq=False)
class _Asked:
    """What one person was asked: unique items with their prompts, and the rows between them."""

    items: FloatArray
    prompts: FloatArray | None
    chosen: IndexArray
    rejected: IndexArray
    sizes: IndexArray


def _asked(data: PreferenceData) -> list[_Asked]:
    m = len(data.items)
    prompt = np.zeros(len(data), dtype=np.intp) if data.prompt is None else data.prompt
    answer = np.arange(len(data)) if data.pick is None else data.pick
    order = np.argsort(data.person, kind="stable")
    result = []
    for rows in np.split(order, np.cumsum(data.per_person)[:-1]):
        pairs = prompt[rows] * m + np.stack([data.chosen[rows], data.rejected[rows]])
        unique, places = np.unique(pairs, return_inverse=True)
        chosen, rejected = places.reshape(2, -1)
        prompts = None if data.prompts is None else data.prompts[unique // m]
        sizes = np.unique(answer[rows], return_counts=True)[1]
        result.append(_Asked(data.items[unique % m], prompts, chosen, rejected, sizes))
    return result


def _linearised(
    model: PopulationModel, asked: list[_Asked], owner: IndexArray, w: FloatArray
) -> Answers:
    """The answers of the owner of each of P problems, with margins linear around (K, P) w."""
    K = len(w)
    either = _DIFFERENCE * np.concatenate([np.zeros((1, K)), np.eye(K), -np.eye(K)])
    margins, slopes = [], []
    for u in np.unique(owner):
        one, at = asked[u], w[:, owner == u].T
        rewards = model.rewards((at[:, None] + either).reshape(-1, K), one.items, one.prompts)
        found = rewards[:, one.chosen] - rewards[:, one.rejected]
        found = found.reshape(len(at), 2 * K + 1, -1)
        slope = (found[:, 1 : K + 1] - found[:, K + 1 :]) / (2.0 * _DIFFERENCE)
        margins.append((found[:, 0] - np.einsum("pk,pkn->pn", at, slope)).reshape(-1))
        slopes.append(slope.transpose(1, 0, 2).reshape(K, -1))
    return Answers(
        np.concatenate(margins),
        np.concatenate(slopes, axis=1),
        np.array([len(asked[u].chosen) for u in owner]),
        np.concatenate([asked[u].sizes for u in owner]),
        np.array([len(asked[u].sizes) for u in owner]),
    )
