"""Offline learning: one fit to answers of the main people, judged on everybody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palate.diversity.learners import fit_basis
from palate.diversity.offline import reference_answers, run_offline
from palate.diversity.world import simulate_world
from palate.errors import ParameterError

SMALL: dict[str, Any] = {
    "people": 12,
    "late": 4,
    "d": 3,
    "latent": 3,
    "contexts": 10,
    "actions": 10,
    "min_gap": 0.6,
    "scale": 5.0,
}


def test_the_gap_falls_faster_and_faster_where_heads_span() -> None:
    world = simulate_world(**SMALL)
    counts = (50, 400, 3_200)
    gaps = np.mean([run_offline(world, counts, seed=seed).gap for seed in range(4)], axis=0)
    main, late = gaps[:, :12].mean(axis=1), gaps[:, 12:].mean(axis=1)
    assert main[1] < 0.5 * main[0]
    assert main[2] < 0.1 * main[1]
    assert late[2] < 0.1  # though no latecomer ever answered


def test_the_gap_of_those_who_need_a_missing_direction_stays() -> None:
    world = simulate_world(**SMALL, head_dims=2)
    run = run_offline(world, (400, 3_200, 20_000))
    assert run.gap[2, :12].mean() < 0.01
    assert run.gap[2, 12:].mean() > 0.3
    assert run.gap[2, 12:].mean() > 0.7 * run.gap[1, 12:].mean()
    assert run.wrong[2, 12:].mean() > 0.1


def test_a_run_is_made_of_fits_to_the_first_answers() -> None:
    world = simulate_world(**SMALL)
    run = run_offline(world, (30, 60), options=3, seed=5)
    rows = reference_answers(world, np.arange(12), 60, options=3, seed=5)
    assert rows.person.max() < 12
    for n, estimate, gap, wrong in zip(run.counts, run.estimates, run.gap, run.wrong, strict=True):
        basis = fit_basis(rows.of(np.arange(2 * n)), world.heads)
        np.testing.assert_allclose(estimate.basis, basis, atol=1e-4)
        lost = world.regret(world.scores(estimate.directions))
        np.testing.assert_array_equal(gap, lost.mean(axis=1))
        np.testing.assert_array_equal(wrong, (lost > 0.0).mean(axis=1))


def test_more_answers_leave_the_first_ones() -> None:
    world = simulate_world(**SMALL)
    people = np.array([3, 14])
    few, many = (reference_answers(world, people, n, options=3, seed=1) for n in (10, 40))
    np.testing.assert_array_equal(few.delta, many.delta[:20])
    assert set(many.person.tolist()) == {3, 14}


def test_unknown_heads_are_learned_too() -> None:
    world = simulate_world(**{**SMALL, "late": 0})
    run = run_offline(world, (400, 6_000), heads="unknown")
    assert run.gap[1].mean() < 0.1 * run.gap[0].mean()


def test_counts_and_slates_are_checked() -> None:
    world = simulate_world(**SMALL)
    for counts in ((), (0, 5), (5, 5)):
        with pytest.raises(ParameterError, match="positive and growing"):
            run_offline(world, counts)
    with pytest.raises(ParameterError, match="at least 2 options, not 1"):
        reference_answers(world, np.arange(3), 5, options=1)
