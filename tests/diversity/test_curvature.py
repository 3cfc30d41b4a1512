from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import every_z, town

from palate.diversity import Rows, curvature
from palate.diversity.rows import quadratic

PLACE = town(dims=2)
ROWS = PLACE.answers(200)
HEADS, SHAPE = PLACE.heads, PLACE.basis.shape
RNG = np.random.default_rng(5)


def crossed(people: int = 6, pairs: int = 30) -> tuple[Rows, np.ndarray]:
    """Everybody compares the same pairs, so that the information is a Kronecker product."""
    rng = np.random.default_rng(0)
    person, pair = np.indices((people, pairs)).reshape(2, -1)
    return Rows(person, rng.normal(size=(pairs, 5))[pair]), rng.normal(size=(people, 3))


def test_the_decomposition_is_of_the_information() -> None:
    w = RNG.random(len(ROWS))
    z = every_z(ROWS, HEADS)
    matrix = (z.T * w) @ z
    found = curvature(ROWS, HEADS, w)
    directions = RNG.normal(size=(3, *SHAPE))
    expected = directions.reshape(3, -1) @ matrix
    np.testing.assert_allclose(
        found.applied(directions, found.values).reshape(3, -1), expected, atol=1e-10
    )
    np.testing.assert_allclose(
        found.quadratic(ROWS, HEADS, found.values), quadratic(ROWS, HEADS, matrix), rtol=1e-9
    )
    # The pseudo-inverse, against numpy's.
    expected = np.einsum("na,ab,nb->n", z, np.linalg.pinv(matrix, rcond=1e-9), z)
    np.testing.assert_allclose(found.quadratic(ROWS, HEADS, found.inverse), expected, rtol=1e-7)


@pytest.mark.parametrize("exact", [True, False])
def test_what_nobody_was_asked_about_is_unseen(exact: bool) -> None:  # noqa: FBT001
    found = curvature(ROWS, HEADS, exact=exact)
    assert found.seen.sum() == 2 * SHAPE[1]
    missing = np.zeros((1, *SHAPE))
    missing[0, 2] = 1.0
    unseen = (~found.seen).astype(float)
    np.testing.assert_allclose(found.applied(missing, unseen), missing, atol=1e-9)
    np.testing.assert_allclose(found.quadratic(ROWS, HEADS, unseen), 0.0, atol=1e-9)


@pytest.mark.parametrize("exact", [True, False])
def test_no_answers_see_nothing(exact: bool) -> None:  # noqa: FBT001
    found = curvature(ROWS.of(np.arange(0)), HEADS, exact=exact)
    assert not found.seen.any()
    assert not found.inverse.any()


@pytest.mark.parametrize("exact", [True, False])
def test_mixed_noise_has_the_covariance_asked_for(exact: bool) -> None:  # noqa: FBT001
    found = curvature(ROWS, HEADS, exact=exact)
    of = 1.0 / (found.values + 0.3)
    # The noise of each entry alone: the rows of Q diag(sqrt of).
    parts = found.mixed(np.eye(len(of)), np.sqrt(of)).reshape(len(of), -1)
    covariance = parts.T @ parts
    units = np.eye(len(of)).reshape(-1, *SHAPE)
    np.testing.assert_allclose(
        covariance, found.applied(units, of).reshape(len(of), -1), atol=1e-10
    )


def test_the_kronecker_product_is_exact_where_everybody_compares_the_same() -> None:
    rows, heads = crossed()
    exact, product = (curvature(rows, heads, exact=exact) for exact in (True, False))
    np.testing.assert_allclose(np.sort(product.values), exact.values, atol=1e-9)
    for power in (1.0, -1.0):
        of_product, of_exact = ((found.values + 1.0) ** power for found in (product, exact))
        np.testing.assert_allclose(
            product.quadratic(rows, heads, of_product),
            exact.quadratic(rows, heads, of_exact),
            rtol=1e-9,
        )


def test_the_kronecker_product_comes_near_where_pairs_are_drawn() -> None:
    place = town(answering=40)
    rows = place.answers(4_000)
    w = RNG.random(len(rows))
    exact, product = (curvature(rows, place.heads, w, exact=exact) for exact in (True, False))
    ratio = product.quadratic(rows, place.heads, product.inverse) / exact.quadratic(
        rows, place.heads, exact.inverse
    )
    low, high = np.quantile(ratio, [0.01, 0.99])
    assert low > 0.8
    assert high < 1.2
    assert abs(np.log(np.median(ratio))) < 0.05


def test_large_bases_are_approximated_by_default() -> None:
    few, many = ROWS, Rows(ROWS.person, np.tile(ROWS.delta, 120))
    assert type(curvature(few, HEADS)) is type(curvature(few, HEADS, exact=True))
    assert type(curvature(many, HEADS)) is type(curvature(few, HEADS, exact=False))
