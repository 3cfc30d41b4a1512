from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import every_z, town

from palate.diversity import Rows
from palate.diversity.rows import (
    along,
    fisher,
    information,
    lengths,
    margins,
    quadratic,
    unit_scale,
)
from palate.errors import ParameterError
from palate.preference.likelihood import multinomial_hessian

PLACE = town()
ROWS = PLACE.answers(80)
HEADS = PLACE.heads
Z = every_z(ROWS, HEADS)
RNG = np.random.default_rng(3)


@pytest.fixture(params=[8_000_000, 60])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All people at once, and a few at a time."""
    monkeypatch.setattr("palate.diversity.rows._BLOCK", request.param)


def test_a_margin_is_the_product_of_the_basis_with_z() -> None:
    expected = Z @ PLACE.basis.reshape(-1)
    np.testing.assert_allclose(margins(ROWS, HEADS, PLACE.basis), expected)
    base = RNG.normal(size=len(ROWS))
    with_base = Rows(ROWS.person, ROWS.delta, None, base)
    np.testing.assert_allclose(margins(with_base, HEADS, PLACE.basis), expected + base)
    np.testing.assert_allclose(lengths(ROWS, HEADS), np.linalg.norm(Z, axis=1))


@pytest.mark.usefixtures("_blocks")
def test_blocks_of_people_give_what_z_gives() -> None:
    w = RNG.random(len(ROWS))
    np.testing.assert_allclose(information(ROWS, HEADS), Z.T @ Z, atol=1e-12)
    np.testing.assert_allclose(information(ROWS, HEADS, w), (Z.T * w) @ Z, atol=1e-12)
    matrix = (Z.T * w) @ Z
    np.testing.assert_allclose(
        quadratic(ROWS, HEADS, matrix), np.einsum("na,ab,nb->n", Z, matrix, Z)
    )
    directions = RNG.normal(size=(4, *PLACE.basis.shape))
    np.testing.assert_allclose(along(ROWS, HEADS, directions), Z @ directions.reshape(4, -1).T)


def test_no_rows_have_no_information() -> None:
    nothing = ROWS.of(np.arange(0))
    assert not information(nothing, HEADS).any()
    assert along(nothing, HEADS, np.ones((2, *PLACE.basis.shape))).shape == (0, 2)
    assert unit_scale(nothing) == 1.0
    assert unit_scale(Rows(np.zeros(2, dtype=np.intp), np.zeros((2, 3)))) == 1.0


@pytest.mark.parametrize("options", [2, 4])
def test_fisher_information_is_the_hessian_of_the_loss(options: int) -> None:
    rows = PLACE.answers(50, options=options)
    weighted, weights = fisher(rows, margins(rows, HEADS, PLACE.basis))
    assert (weights >= 0.0).all()
    answer = np.arange(len(rows)) // (options - 1)
    expected = multinomial_hessian(PLACE.basis.reshape(-1), every_z(rows, HEADS), answer)
    np.testing.assert_allclose(information(weighted, HEADS, weights), expected, atol=1e-12)


def test_fisher_information_of_sure_answers_does_not_overflow() -> None:
    rows = PLACE.answers(10, options=3)
    for margin in (np.full(20, 800.0), np.full(20, -800.0)):
        _, weights = fisher(rows, margin)
        assert np.isfinite(weights).all()


def test_the_unit_is_that_of_two_unit_vectors() -> None:
    scaled = Rows(ROWS.person, 7.0 * ROWS.delta)
    one, seven = unit_scale(ROWS), unit_scale(scaled)
    assert seven == pytest.approx(one / 7.0)
    assert ((one * ROWS.delta) ** 2).sum(axis=1).mean() == pytest.approx(2.0)


def test_some_of_the_rows_keep_what_belongs_to_them() -> None:
    rows = PLACE.answers(10, options=3)
    rows = Rows(rows.person, rows.delta, rows.pick, np.arange(20.0))
    part = rows.of(np.arange(4, 8))
    assert part.pick is not None
    assert part.offset is not None
    assert part.pick.tolist() == [2, 2, 3, 3]
    assert part.offset.tolist() == [4.0, 5.0, 6.0, 7.0]
    assert part.starts.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"delta": np.zeros((3, 2))}, r"shape \(2, F\)"),
        ({"delta": np.array([[1.0, np.nan], [0.0, 0.0]])}, "row 0 is not"),
        ({"pick": np.zeros(3, dtype=np.intp)}, "pick must have shape"),
        ({"offset": np.zeros(1)}, "offset must have shape"),
        ({"person": np.array([0, -1])}, "from 0 on"),
    ],
)
def test_rows_that_do_not_fit_are_refused(change: dict[str, np.ndarray], said: str) -> None:
    good = {"person": np.array([0, 1]), "delta": np.zeros((2, 2))}
    with pytest.raises(ParameterError, match=said):
        Rows(**{**good, **change})
