"""One run: what is noted of each step, and what a larger epsilon would have made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from elicitation_cases import a_subject

from palate.bench.cast import Subject
from palate.bench.exact import random_theta
from palate.bench.trial import SPARSE, Trial, run_trial
from palate.elicitation import Elicitation
from palate.errors import ParameterError
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.strategies import (
    IIDBest,
    Oracle,
    Random,
    Strategy,
    UserAlign,
    UserAlignLoss,
    WinnerStays,
)

UTILITIES = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]


@pytest.mark.parametrize(
    "strategy",
    [
        UserAlign(max_steps=30),
        UserAlign(max_steps=30, estimate="inside"),
        UserAlignLoss(max_steps=12),
        WinnerStays(),
        Random(),
        IIDBest(max_steps=28),
    ],
    ids=lambda strategy: strategy.name,
)
def test_a_trial_is_what_an_elicitation_recommends_along_the_way(strategy: Strategy) -> None:
    subject = replace(a_subject(UTILITIES, 2.8, d=3), flip_rate=0.1)
    trial = run_trial(strategy, subject, 5)
    elicitation = Elicitation(subject.pool, strategy, 5)
    person = SimulatedPerson(utilities=subject.utilities, flip_rate=0.1, seed=5)
    recommended = [elicitation.recommend()]
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, person.answer(query, subject.pool))  # type: ignore[arg-type]
        recommended.append(elicitation.recommend())
    assert trial.cost == len(recommended) - 1
    sparse = strategy.name == "iidbest"
    last = trial.cost
    assert trial.steps == [t for t in range(last + 1) if not sparse or t in SPARSE or t == last]
    at = [recommended[t] for t in trial.steps]
    assert trial.choices == [r.index for r in at]
    assert trial.bounds == [r.bound for r in at]
    assert trial.certified == [r.certified for r in at]
    assert trial.consistent == [r.consistent for r in at]
    assert trial.wins == [float(UTILITIES[r.index] > 2.8) for r in at]
    assert len(trial.seconds) == len(trial.steps)
    assert min(trial.seconds) >= 0.0
    wrong = [
        i
        for i, answer in enumerate(elicitation.history)
        if answer.winner is not None
        and UTILITIES[answer.winner] < max(UTILITIES[k] for k in answer.query.options)
    ]
    assert trial.contrary == wrong
    assert trial.flip_rate == (len(wrong) / last if last else 0.0)


def test_sparse_steps_are_those_that_are_reported() -> None:
    trial = run_trial(IIDBest(max_steps=35), a_subject(UTILITIES), 0)
    assert trial.steps == [*range(26), 30, 35]
    assert trial.places([0, 25, 29, 30, 34, 35, 99]) == [0, 25, 25, 26, 26, 27, 27]


def test_the_oracle_asks_nothing_and_is_right() -> None:
    trial = run_trial(Oracle(tuple(UTILITIES)), a_subject(UTILITIES), 0)
    assert (trial.cost, trial.choices, trial.flip_rate) == (0, [4], 0.0)


@pytest.mark.parametrize("kind", [UserAlign, UserAlignLoss])
@pytest.mark.parametrize("noise", ["none", "logit"])
@pytest.mark.parametrize("d", [2, 12])
def test_a_larger_epsilon_is_derived_as_it_would_have_run(
    kind: type[UserAlign], noise: str, d: int
) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, d])
        features = rng.normal(size=(9, d))
        pool = Pool("simulated", [f"response {i}" for i in range(9)], features, scaling="diameter")
        utilities = np.asarray(pool.features) @ random_theta(rng, d)
        subject = Subject("g", "n", pool, utilities, noise=noise)  # type: ignore[arg-type]
        whole = run_trial(kind(epsilon=0.0, max_steps=25), subject, seed)
        for epsilon in (3.0, 2.0, 1.0, 0.5, 0.3, 0.1, 0.0):
            again = run_trial(kind(epsilon=epsilon, max_steps=25), subject, seed)
            derived = whole.stopped_at(epsilon)
            assert derived.cost == again.cost
            assert derived.choices == again.choices
            assert derived.bounds == again.bounds
            assert derived.wins == again.wins
            assert derived.contrary == again.contrary
            assert derived.certified[-1] == again.certified[-1]
            assert derived.consistent == again.consistent
        assert whole.stopped_at(3.0).cost == 0
        assert whole.stopped_at(2.9).cost == 1 or whole.bounds[1] is None or whole.bounds[1] > 2.9


def test_what_cannot_be_derived() -> None:
    trial = Trial([0, 1, 5], [0, 1, 2], [0.0] * 3, [3.0, 2.0, 0.0], [False] * 3, [True] * 3)
    with pytest.raises(ParameterError, match="does not say when it would have stopped"):
        trial.stopped_at(1.0)
    unbounded = run_trial(WinnerStays(), a_subject(UTILITIES), 0)
    assert unbounded.stopped_at(0.5).cost == unbounded.cost
