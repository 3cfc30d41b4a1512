"""What a population says of somebody new, and of somebody who does not belong to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from population_cases import D_X, D, Variant, make_model

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.population import GaussianPopulation, LoRe, ModelPrior, Simplex, with_outsiders
from palate.population.prior import COARSE, OUTSIDE
from palate.preference.prior import Features, Others
from palate.strategies import Challenge, Eubo

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population import PopulationModel
    from palate.preference.gaussian import Component

LINEAR = [
    Variant("lore"),
    Variant("lore", k=1),
    Variant("pal-a"),
    Variant("pal-a", ideal="f(P)w", deep=True),
    Variant("pal-a", ideal="Pw"),
]
BENT = [
    Variant("pal-a", deep=True),
    Variant("pal-a", power=1),
    Variant("pal-b", norm="mix"),
]


def a_pool(n: int = 12, d: int = D, scale: float = 1.0) -> Pool:
    rows = scale * np.random.default_rng(3).normal(size=(n, d))
    return Pool("what?", [f"text {i}" for i in range(n)], rows)


def unscaled(pool: Pool) -> FloatArray:
    return np.asarray(pool.features, dtype=np.float64) / pool.scale


def covariance(component: Component) -> FloatArray:
    return np.asarray(component.factor @ component.factor.T)


@pytest.mark.parametrize("variant", LINEAR, ids=lambda v: v.name)
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_models_prior_has_the_moments_of_its_people(variant: Variant, scale: float) -> None:
    model, pool = make_model(variant), a_pool(scale=scale)
    (found,) = ModelPrior(model, residual=0.2).components(pool)
    rewards = model.rewards(model.weights, unscaled(pool))
    rewards = rewards - rewards.mean(axis=1, keepdims=True)  # only differences count
    mean, between = rewards.mean(axis=0), np.cov(rewards, rowvar=False)
    size = (0.8 / (between.trace() / len(pool) + (mean**2).mean())) ** 0.5
    assert np.allclose(found.mean, size * mean, atol=1e-9)
    assert np.allclose(covariance(found), size**2 * between, atol=1e-9)
    assert found.residual == 0.2
    assert (covariance(found).trace() / len(pool)) + (found.mean**2).mean() == pytest.approx(0.8)


def test_a_model_that_knows_nobody_takes_all_mixtures_alike() -> None:
    model = LoRe(basis=np.random.default_rng(0).normal(size=(D, 3)), weights=np.zeros((0, 3)))
    pool = a_pool()
    (found,) = ModelPrior(model, residual=0.0).components(pool)
    w = np.random.default_rng(1).dirichlet(np.ones(3), size=200_000)
    scores = model.scores(unscaled(pool)).by_prototype
    scores = scores - scores.mean(axis=0)
    drawn = w @ scores.T
    size = np.sqrt((found.mean**2).sum() / (drawn.mean(axis=0) ** 2).sum())
    assert np.allclose(found.mean, size * drawn.mean(axis=0), atol=0.02)
    assert np.allclose(covariance(found), size**2 * np.cov(drawn, rowvar=False), atol=0.02)


def test_items_and_prompts_are_made_as_the_model_needs_them() -> None:
    model, pool = make_model(Variant("pal-b")), a_pool(d=7)
    rng = np.random.default_rng(0)
    items, prompt = rng.normal(size=(12, D)), rng.normal(size=D_X)
    asked: list[str] = []

    def prompted(about: Pool) -> FloatArray:
        asked.append(about.prompt)
        return prompt

    prior = ModelPrior(model, lambda about: items[: len(about)], prompted, residual=0.0)
    (found,) = prior.components(pool)
    rewards = model.rewards(model.mean_weights, items, np.tile(prompt, (12, 1)))
    assert np.corrcoef(found.mean, rewards)[0, 1] == pytest.approx(1.0)
    assert asked == ["what?"]
    belief = Simplex(model, prior.items, prior.prompt).start(pool)
    assert np.allclose(belief.mean(), rewards)


@pytest.mark.parametrize("kind", [ModelPrior, Simplex])
def test_what_a_models_prior_refuses(kind: Any) -> None:
    for variant in BENT:
        with pytest.raises(ParameterError, match=f"this {variant.kind} is not linear"):
            kind(make_model(variant))
    with pytest.raises(PoolError, match="needs features"):
        kind(make_model(LINEAR[0])).start(Pool("p", ["a", "b"]))
    with pytest.raises(ParameterError, match="features"):
        kind(make_model(LINEAR[0])).start(a_pool(d=D + 1))


def test_a_models_prior_remembers_no_other_prompts() -> None:
    prior = ModelPrior(make_model(LINEAR[0]))
    with pytest.raises(ParameterError, match="learn a GaussianPopulation"):
        prior.components(a_pool(), Others(np.zeros((2, D))))
    with pytest.raises(ParameterError, match="learn a GaussianPopulation"):
        with_outsiders(prior).components(a_pool(), Others(np.zeros((2, D))))
    for wrong in ({"residual": -1.0}, {"slopes": (0.0,)}):
        with pytest.raises(ParameterError):
            ModelPrior(make_model(LINEAR[0]), **wrong)


def test_settings_tell_models_apart() -> None:
    one, other = make_model(LINEAR[0], seed=0), make_model(LINEAR[0], seed=1)
    for kind in (ModelPrior, Simplex):
        assert kind(one).settings() == kind(make_model(LINEAR[0], seed=0)).settings()
        assert kind(one).settings() != kind(other).settings()
    assert ModelPrior(one).settings() != ModelPrior(one, residual=0.5).settings()
    assert ModelPrior(one).settings()["name"] != Simplex(one).settings()["name"]


# --- the simplex --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", LINEAR, ids=lambda v: v.name)
def test_the_simplex_starts_at_the_average_person_and_holds_everybody(variant: Variant) -> None:
    model, pool = make_model(variant), a_pool()
    belief = Simplex(model).start(pool)
    scores = model.scores(unscaled(pool))
    assert np.allclose(belief.mean(), scores.rewards(model.mean_weights))
    corners = scores.rewards(np.eye(model.k))
    incumbent = int(belief.mean().argmax())
    reach = belief.challenger(incumbent, 0.5)
    lead = (corners - corners[:, [incumbent]]).max(axis=0)
    lead[incumbent] = -np.inf
    assert reach.value == pytest.approx(lead.max(), abs=1e-7)


def test_somebody_of_the_simplex_is_certified_in_few_answers() -> None:
    model, pool = make_model(Variant("lore")), a_pool(n=30)
    for seed in range(5):
        w = np.random.default_rng(seed).dirichlet(np.ones(3))
        utilities = model.rewards(w, unscaled(pool))
        elicitation = Elicitation(pool, Challenge(prior=Simplex(model)), seed=seed)
        found = elicitation.run(SimulatedPerson(utilities=utilities))
        assert found.certified
        assert found.index == int(utilities.argmax())
        assert found.answers < 12


# --- outsiders ----------------------------------------------------------------------------------


def a_population(model: PopulationModel | None = None) -> GaussianPopulation | ModelPrior:
    if model is not None:
        return ModelPrior(model)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0]
    return GaussianPopulation(np.zeros(16), basis, people=100, answers=2000)


def test_the_mixture_is_of_the_population_twice_and_anybody() -> None:
    population = a_population()
    mixture = with_outsiders(population)
    assert mixture.priors == (
        population,
        mixture.priors[1],
        Features(slopes=population.slopes),
    )
    assert mixture.priors[1].settings() == replace(population, residual=COARSE).settings()
    assert mixture.weights == pytest.approx((0.5 - OUTSIDE / 2, 0.5 - OUTSIDE / 2, OUTSIDE))
    vague = replace(population, residual=0.9)
    assert with_outsiders(vague).priors[1].settings() == vague.settings()
    pool = a_pool(d=16)
    assert len(mixture.components(pool)) == 3
    assert with_outsiders(population, outside=0.4).weights[2] == pytest.approx(0.4)
    for outside in (0.0, 1.0, -1.0):
        with pytest.raises(
            ParameterError, match=f"outside must lie between 0 and 1, not {outside}"
        ):
            with_outsiders(population, outside=outside)


@pytest.mark.parametrize("model", [None, make_model(Variant("lore"))], ids=["gaussian", "lore"])
def test_answers_tell_who_does_not_belong(model: PopulationModel | None) -> None:
    """People of the population, and people with a taste across it: where the weight goes."""
    population = a_population(model)
    d = 16 if model is None else D
    rng = np.random.default_rng(2)
    outside: dict[bool, list[float]] = {True: [], False: []}
    for belongs, shares in outside.items():
        for _ in range(6):
            pool = Pool("p", [f"t{i}" for i in range(40)], rng.normal(size=(40, d)), scaling="half")
            if isinstance(population, GaussianPopulation):
                known = np.asarray(pool.features) @ population.factor
            else:
                known = population.model.scores(unscaled(pool)).by_prototype
            theta = np.asarray(pool.features) @ rng.normal(size=d)
            if belongs:
                w = rng.dirichlet(np.ones(3)) if model is not None else rng.normal(size=2)
                utilities = known @ w
            else:  # as far from all that the population knows as the features go
                centred = known - known.mean(axis=0)
                utilities = theta - theta.mean()
                utilities -= centred @ np.linalg.lstsq(centred, utilities, rcond=None)[0]
            belief = with_outsiders(population).start(pool)
            before = float(belief.weights[2].sum())
            assert before == pytest.approx(OUTSIDE)
            for _ in range(15):
                winner, loser = sorted(
                    rng.choice(40, 2, replace=False), key=lambda i: -utilities[i]
                )
                belief = belief.update(int(winner), [int(loser)])
            shares.append(float(belief.weights[2].sum()))
    assert np.mean(outside[True]) < OUTSIDE
    assert np.mean(outside[False]) > 2.0 * OUTSIDE
    assert np.median(outside[False]) > 3.0 * np.median(outside[True])


def test_an_outsider_is_found_their_best_all_the_same() -> None:
    rng = np.random.default_rng(7)
    pool = Pool("p", [f"t{i}" for i in range(20)], rng.normal(size=(20, 16)), scaling="half")
    utilities = np.asarray(pool.features) @ rng.normal(size=16)
    strategy = Eubo(prior=with_outsiders(a_population()), max_steps=25, tolerance=0.0)
    found = Elicitation(pool, strategy, seed=1).run(SimulatedPerson(utilities=utilities))
    regret = (utilities.max() - utilities[found.index]) / np.ptp(utilities)
    assert regret < 0.05
