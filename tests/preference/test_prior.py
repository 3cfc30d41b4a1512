"""Priors: their scale, their settings, and what they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from belief_cases import covariance

from palate.errors import ParameterError, PoolError
from palate.pool import Pool
from palate.preference.gaussian import GaussianBelief
from palate.preference.prior import (
    SLOPES,
    Ball,
    Features,
    GaussianPrior,
    Kernel,
    Mixture,
    Others,
    Prior,
    component,
    prior_from_settings,
)
from palate.preference.sets import BallBelief

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray

KERNELS: tuple[Kernel, ...] = ("linear", "rbf")


def make_pool(n: int = 12, d: int = 5, seed: int = 0, *, spread: float = 1.0) -> Pool:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=d) + spread * rng.normal(size=(n, d))
    return Pool("Which?", [f"Text {i}. " * (1 + i % 5) for i in range(n)], features)


def features_of(pool: Pool) -> FloatArray:
    assert pool.features is not None
    return pool.features.astype(np.float64)


# --- scale ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("residual", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("style", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spread", [0.01, 1.0])
def test_utilities_vary_by_one_on_average_and_the_residual_is_its_share(
    kernel: Kernel, residual: float, style: float, spread: float
) -> None:
    (prior,) = Features(kernel, residual, style).components(make_pool(spread=spread))
    assert prior.variances.mean() == pytest.approx(1.0)
    assert prior.residual == residual
    assert prior.mean == pytest.approx(np.zeros(12))
    assert np.diagonal(covariance(prior)) == pytest.approx(prior.variances)


def test_a_linear_prior_is_that_of_utilities_linear_in_the_features() -> None:
    pool = make_pool()
    x = features_of(pool) - features_of(pool).mean(axis=0)
    (prior,) = Features("linear", 0.2, style=0.0).components(pool)
    expected = 0.8 * x @ x.T / np.einsum("nd,nd->n", x, x).mean()
    assert covariance(prior) - 0.2 * np.eye(12) == pytest.approx(expected)


def test_an_rbf_prior_is_smooth_at_the_scale_of_the_median_distance() -> None:
    pool = make_pool()
    x = features_of(pool)
    squares = ((x[:, None] - x) ** 2).sum(axis=2)
    kernel = np.exp(-0.5 * squares / np.median(squares[np.triu_indices(12, 1)]))
    centre = np.eye(12) - 1.0 / 12
    expected = centre @ kernel @ centre
    expected *= 0.9 / np.diagonal(expected).mean()
    (prior,) = Features("rbf", 0.1, style=0.0).components(pool)
    assert covariance(prior) - 0.1 * np.eye(12) == pytest.approx(expected, abs=1e-4)


def test_columns_of_the_covariance_may_repeat() -> None:
    (prior,) = Features(residual=0.3).components(make_pool())
    columns = np.array([3, 0, 3])
    assert prior.covariances(columns) == pytest.approx(covariance(prior)[:, columns])


@pytest.mark.parametrize("kernel", KERNELS)
def test_equal_features_leave_all_to_the_residual(kernel: Kernel) -> None:
    alike = component(np.zeros(4), np.ones((4, 2)), 0.3, 4)
    assert covariance(alike) == pytest.approx(np.eye(4))
    one = Pool("Which?", ["The one."], [[1.0, 2.0]])
    assert covariance(Features(kernel).components(one)[0]) == pytest.approx(np.eye(1))


def test_a_mean_is_centred_and_counts_towards_the_variance() -> None:
    prior = component(np.array([4.0, 6.0]), np.array([[1.0], [-1.0]]), 0.5, 2)
    assert prior.mean == pytest.approx([-0.5, 0.5])
    assert (prior.variances + prior.mean**2).mean() == pytest.approx(1.0)


def test_other_responses_follow_the_pool_and_do_not_scale_it() -> None:
    pool = make_pool()
    others = Others(3.0 * np.random.default_rng(1).normal(size=(5, 5)))
    for kernel in KERNELS:
        (alone,) = Features(kernel, 0.2).components(pool)
        (together,) = Features(kernel, 0.2).components(pool, others)
        assert together.mean.shape == (17,)
        assert covariance(together)[:12, :12] == pytest.approx(covariance(alone), abs=1e-4)


# --- what they start -----------------------------------------------------------------------------


def test_a_ball_starts_the_version_space_without_answers() -> None:
    pool = make_pool()
    belief = Ball(norm_bound=2.0, delta=0.1).start(pool)
    assert isinstance(belief, BallBelief)
    assert belief.certain
    assert (belief.space.norm_bound, belief.space.delta, belief.space.answers) == (2.0, 0.1, 0)
    assert np.array_equal(belief.features, features_of(pool))


def test_features_start_a_gaussian_belief_with_all_slopes() -> None:
    belief = Features().start(make_pool())
    assert isinstance(belief, GaussianBelief)
    assert not belief.certain
    assert belief.weights == pytest.approx(np.full((1, len(SLOPES)), 1.0 / len(SLOPES)))


def test_a_mixture_has_the_weights_of_its_priors() -> None:
    parts = Features(), Features("rbf"), Features(residual=1.0)
    mixture = Mixture(parts, (2.0, 1.0, 1.0))
    assert mixture.start(make_pool()).weights.sum(axis=1) == pytest.approx([0.5, 0.25, 0.25])
    nested = Mixture((mixture, Features(residual=0.0)), (1.0, 3.0))
    weights = [c.weight for c in nested.components(make_pool())]
    assert weights == pytest.approx([0.125, 0.0625, 0.0625, 0.75])
    assert nested.slopes == SLOPES


@pytest.mark.parametrize("prior", [Ball(), Features(), Mixture((Features(),), (1.0,))], ids=str)
def test_a_pool_without_features_is_refused_in_one_line(prior: Prior) -> None:
    pool = Pool("Which?", ["One.", "Two."])
    with pytest.raises(PoolError, match="needs features: embed the pool") as caught:
        prior.start(pool)
    assert "\n" not in str(caught.value)


# --- settings ------------------------------------------------------------------------------------

EVERY: tuple[Prior, ...] = (
    Ball(),
    Ball(norm_bound=1.5, delta=0.2),
    Features(),
    Features("rbf", 0.05, slopes=(1.0, 2.0)),
    Features(style=0.1),
    Mixture((Features(), Mixture((Features("rbf"),), (1.0,))), (3.0, 1.0)),
)


@pytest.mark.parametrize("prior", EVERY, ids=str)
def test_settings_say_all_of_a_prior_as_json(prior: Prior) -> None:
    settings = json.loads(json.dumps(prior.settings()))
    assert prior_from_settings(settings) == prior
    assert prior_from_settings(settings).settings() == prior.settings()


def test_settings_tell_priors_apart() -> None:
    settings = [json.dumps(prior.settings()) for prior in EVERY]
    assert len(set(settings)) == len(EVERY)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": "population"}, "'population' was learned from answers"),
        ({}, "None was learned from answers"),
        ({"name": "ball", "size": 3}, "'ball' do not fit"),
        ({"name": "features"}, "'features' do not fit"),
        ({"name": "mixture", "priors": [{"name": "ball"}], "weights": [1.0]}, "Gaussian priors"),
        ({"name": "mixture", "weights": [1.0]}, "'mixture' do not fit"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ParameterError, match=told) as caught:
        prior_from_settings(settings)
    assert "\n" not in str(caught.value)


# --- what they refuse ----------------------------------------------------------------------------


def of(weights: tuple[float, ...], *priors: GaussianPrior) -> Mixture:
    return Mixture(priors, weights)


@pytest.mark.parametrize(
    ("make", "value", "rule"),
    [
        (lambda: Features(kernel="cubic"), "'cubic'", "'linear' or 'rbf'"),  # type: ignore[arg-type]
        (lambda: Features(residual=-0.1), "-0.1", "between 0 and 1"),
        (lambda: Features(residual=1.5), "1.5", "between 0 and 1"),
        (lambda: Features(residual=float("nan")), "nan", "between 0 and 1"),
        (lambda: Features(style=2.0), "2.0", "style must lie between 0 and 1"),
        (lambda: Features(slopes=()), "()", "at least one"),
        (lambda: Features(slopes=(1.0, 0.0)), "0.0", "positive"),
        (lambda: Features(slopes=(float("inf"),)), "inf", "positive"),
        (lambda: Ball(norm_bound=0.0), "0.0", "positive"),
        (lambda: Ball(delta=1.0), "1.0", "between 0 and 1"),
        (lambda: of((1.0, 2.0), Features()), "2 weights", "one each"),
        (lambda: of(()), "0 priors", "one each"),
        (lambda: of((0.0,), Features()), "0.0", "above 0"),
        (lambda: of((float("nan"),), Features()), "nan", "above 0"),
        (
            lambda: of((1.0, 1.0), Features(), Features(slopes=(2.0,))),
            "(2.0,)",
            "the same slopes",
        ),
        (lambda: Mixture((Ball(),), (1.0,)), "Ball", "Gaussian"),  # type: ignore[arg-type]
    ],
)
def test_what_is_out_of_range_is_told_with_its_value(
    make: Callable[[], Prior], value: str, rule: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        make()
    message = str(caught.value)
    assert value in message
    assert rule in message
    assert "\n" not in message
