from __future__ import annotations

import sys

import numpy as np
import pytest
from diversity_cases import town
from scipy.optimize import minimize

from palate.diversity import Adequacy, Rows, adequacy
from palate.diversity.learners import fit_low_rank
from palate.diversity.rows import unit_scale


def test_it_is_the_likelihood_ratio_of_two_fits() -> None:
    place = town(latent=2, dims=2, features=5, answering=3, silent=0)
    rows = place.answers(120, options=3)
    rows = Rows(rows.person, rows.delta, rows.pick, 0.3 * rows.delta[:, 0])
    found = adequacy(rows, place.basis, ridge=0.5)
    assert (found.people, found.freedom, found.answers) == (3, 3, 40.0)
    assert rows.pick is not None
    assert rows.offset is not None
    span = np.linalg.qr(place.basis.T)[0]
    total = 0.0
    for person in range(3):
        mine = rows.person == person
        delta, base = unit_scale(rows) * rows.delta[mine], rows.offset[mine]

        def loss(theta: np.ndarray, table: np.ndarray, base: np.ndarray = base) -> float:
            margin = (base + table @ theta).reshape(-1, 2)
            terms = np.log1p(np.exp(-margin).sum(axis=1))
            return float(terms.sum() + 0.25 * theta @ theta)

        ours = [minimize(loss, np.zeros(t.shape[1]), (t,)).fun for t in (delta @ span, delta)]
        total += 2.0 * (ours[0] - ours[1])
    assert found.ratio == pytest.approx(total / 9.0, abs=1e-4)


def test_a_basis_that_lacks_what_new_people_want_is_found_out() -> None:
    """Simulated, as the experiment with a frozen basis but smaller."""
    ratios = []
    for dims in (3, 4):
        place = town(latent=4, dims=dims, features=12, answering=40, silent=10, seed=5)
        _, basis = fit_low_rank(place.answers(16_000), 50, dims)
        new = place.answers_of(np.arange(40, 50), 8_000, seed=2)
        ratios.append(adequacy(new, basis).ratio)
    assert ratios[0] > 3.0
    assert ratios[1] < 3.0
    assert ratios[0] > 3.0 * ratios[1]


def test_a_basis_that_spans_everything_and_no_answers_are_adequate() -> None:
    place = town(latent=6, dims=6, features=5)
    rows = place.answers(100)
    assert adequacy(rows, place.basis).ratio == 0.0
    assert adequacy(rows, place.basis).freedom == 0
    nothing = adequacy(rows.of(np.arange(0)), place.basis[:2])
    assert (nothing.ratio, nothing.people, nothing.answers) == (0.0, 0, 0.0)


def test_a_basis_of_repeated_rows_spans_one_dimension() -> None:
    place = town()
    twice = np.tile(place.basis[:1], (3, 1))
    rows = place.answers(200)
    assert adequacy(rows, twice).freedom == 4
    assert adequacy(rows, twice).ratio == pytest.approx(adequacy(rows, place.basis[:1]).ratio)


def test_equal_responses_say_nothing() -> None:
    rows = Rows(np.zeros(5, dtype=np.intp), np.zeros((5, 5)))
    assert adequacy(rows, town().basis).ratio == 0.0


def test_of_many_people_some_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Adequacy.__module__], "PEOPLE", 4)
    place = town()
    rows = place.answers(200)
    assert adequacy(rows, place.basis[:2], seed=1).people == 4
