"""Fits are minima of the loss that they say: on explicit rows z, and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from palate.diversity.learners import Estimate, draw_bases, first_estimate, fit_basis, fit_low_rank
from palate.diversity.rows import Rows
from palate.diversity.world import simulate_world
from palate.errors import ParameterError
from palate.preference.likelihood import (
    multinomial_gradient,
    multinomial_hessian,
    multinomial_loss,
)

U, J, F, RIDGE = 5, 3, 4, 0.1


def some_rows(n: int, options: int, seed: int = 0) -> tuple[Rows, np.ndarray]:
    """Answers of people 1 to 4 in any order, and everybody's heads."""
    rng = np.random.default_rng(seed)
    heads = rng.normal(size=(U, J))
    person = np.repeat(rng.integers(1, U, size=n), options - 1)
    delta = rng.normal(size=(n * (options - 1), F))
    pick = None if options == 2 else np.repeat(np.arange(n), options - 1)
    return Rows(person, delta, pick), heads


def explicit(rows: Rows, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = (heads[rows.person][:, :, None] * rows.delta[:, None, :]).reshape(len(rows), -1)
    return z, np.arange(len(rows)) if rows.pick is None else rows.pick


@pytest.mark.parametrize("options", [2, 4])
def test_a_basis_is_the_minimum_of_the_loss_on_explicit_rows(options: int) -> None:
    rows, heads = some_rows(60, options)
    z, groups = explicit(rows, heads)
    found = fit_basis(rows, heads, ridge=RIDGE)
    theta = found.reshape(-1)
    gradient = multinomial_gradient(theta, z, groups) + RIDGE * theta
    assert np.abs(gradient).max() < 1e-4
    start = np.random.default_rng(1).normal(size=(J, F))
    np.testing.assert_allclose(fit_basis(rows, heads, ridge=RIDGE, start=start), found, atol=1e-4)


def test_newton_gets_there_from_far_away() -> None:
    rows, heads = some_rows(200, 2)
    far = 50.0 * np.random.default_rng(1).normal(size=(J, F))
    np.testing.assert_allclose(fit_basis(rows, heads, start=far), fit_basis(rows, heads), atol=1e-4)


def test_a_known_part_of_the_margin_counts() -> None:
    rows, heads = some_rows(60, 2)
    truth = np.random.default_rng(1).normal(size=(J, F))
    known = np.einsum("nf,nf->n", rows.delta, (heads @ truth)[rows.person])
    whole = fit_basis(Rows(rows.person, rows.delta, offset=known), heads, ridge=1e3)
    # What is known already is not learned again: a strong ridge leaves almost nothing.
    z, groups = explicit(rows, heads)
    theta = whole.reshape(-1)
    both = np.column_stack([z, known])
    gradient = multinomial_gradient(np.append(theta, 1.0), both, groups)[:-1] + 1e3 * theta
    assert np.abs(gradient).max() < 1e-3


def test_without_answers_nothing_is_learned() -> None:
    for options in (2, 3):
        rows, heads = some_rows(0, options)
        assert (fit_basis(rows, heads) == 0.0).all()
        found, basis = fit_low_rank(rows, U, J)
        assert np.abs(found @ basis).max() < 1e-3


@pytest.mark.parametrize("options", [2, 4])
def test_heads_and_basis_are_a_minimum_together(options: int) -> None:
    rows, _ = some_rows(80, options)
    heads, basis = fit_low_rank(rows, U, J, ridge=RIDGE, tolerance=1e-12, max_iterations=5000)

    def loss(x: np.ndarray) -> float:
        h, b = x[: U * J].reshape(U, J), x[U * J :].reshape(J, F)
        margin = np.einsum("nf,nf->n", rows.delta, (h @ b)[rows.person])
        groups = np.arange(len(rows)) if rows.pick is None else rows.pick
        return multinomial_loss(np.ones(1), margin[:, None], groups) + 0.5 * RIDGE * x @ x

    x = np.concatenate([heads.reshape(-1), basis.reshape(-1)])
    assert check_grad(loss, np.zeros_like, x) < 1e-2  # the gradient there is 0
    assert np.abs(heads[0]).max() < 1e-3  # who never answered
    rng = np.random.default_rng(2)
    assert all(loss(x) < loss(x + 0.05 * rng.normal(size=x.shape)) for _ in range(20))


def test_a_low_rank_fit_finds_what_people_want() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 6))
    person, delta = rng.integers(20, size=8000), rng.normal(size=(8000, 6))
    margin = np.einsum("nf,nf->n", delta, truth[person])
    delta *= np.where(rng.random(8000) < 1.0 / (1.0 + np.exp(-margin)), 1.0, -1.0)[:, None]
    heads, basis = fit_low_rank(Rows(person, delta), 20, 2)
    assert np.linalg.norm(heads @ basis - truth) < 0.2 * np.linalg.norm(truth)
    warm = fit_low_rank(Rows(person, delta), 20, 2, start=(heads, basis))
    np.testing.assert_allclose(warm[0] @ warm[1], heads @ basis, atol=0.02)


@pytest.mark.parametrize("options", [2, 3])
def test_draws_have_the_covariance_of_laplace(options: int) -> None:
    rows, heads = some_rows(30, options)
    rows, heads = Rows(rows.person, rows.delta[:, :2], rows.pick), heads[:, :2]
    basis = fit_basis(rows, heads)
    draws = draw_bases(np.random.default_rng(0), rows, Estimate(heads, basis), 40_000)
    assert draws.shape == (40_000, 2, 2)
    z, groups = explicit(rows, heads)
    hessian = multinomial_hessian(basis.reshape(-1), z, groups) + RIDGE * np.eye(4)
    flat = draws.reshape(len(draws), -1)
    scale = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose((flat.mean(axis=0) - basis.reshape(-1)) / scale, 0.0, atol=0.03)
    found = np.cov(flat.T) / np.outer(scale, scale)
    expected = np.linalg.inv(hessian) / np.outer(scale, scale)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_an_estimate_is_refitted_as_its_heads_allow() -> None:
    world = simulate_world(people=4, d=2, latent=2, contexts=3, actions=5, min_gap=0.0)
    rng = np.random.default_rng(0)
    rows = Rows(rng.integers(4, size=50), rng.normal(size=(50, 4)))
    known, unknown = (first_estimate(world, heads, seed=3) for heads in ("known", "unknown"))
    assert (known.directions == 0.0).all()
    assert (unknown.directions == 0.0).all()
    assert not np.allclose(unknown.heads, world.heads)
    refitted = known.refit(rows, "known")
    assert refitted.heads is world.heads
    np.testing.assert_array_equal(refitted.basis, fit_basis(rows, world.heads))
    refitted = unknown.refit(rows, "unknown")
    heads, basis = fit_low_rank(rows, 4, 2, start=(unknown.heads, unknown.basis))
    np.testing.assert_array_equal(refitted.directions, heads @ basis)


def test_settings_are_checked() -> None:
    rows, heads = some_rows(3, 2)
    for ridge in (0.0, -1.0, float("nan")):
        with pytest.raises(ParameterError, match="ridge must be above 0"):
            fit_basis(rows, heads, ridge=ridge)
        with pytest.raises(ParameterError, match="ridge must be above 0"):
            fit_low_rank(rows, U, J, ridge=ridge)
    world = simulate_world(people=1, d=1, latent=1, contexts=1, actions=1)
    with pytest.raises(ParameterError, match="not 'guessed'"):
        first_estimate(world, "guessed")  # type: ignore[arg-type]
