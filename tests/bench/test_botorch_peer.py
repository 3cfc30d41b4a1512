"""BoTorch's peer is a strategy like any other; without the extra it says what to install."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from elicitation_cases import a_subject

from palate.bench.botorch_peer import BotorchEubo
from palate.bench.methods import strategy_for
from palate.bench.trial import run_trial
from palate.elicitation import Elicitation
from palate.errors import MissingExtraError, ParameterError
from palate.strategies import Strategy, View
from palate.testing import StrategyContract

needs_botorch = pytest.mark.skipif(
    importlib.util.find_spec("botorch") is None, reason="peers are an extra"
)


@needs_botorch
class TestContract(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return BotorchEubo(max_steps=2, iterations=2)  # a rough fit is as good for the contract


@needs_botorch
def test_it_finds_a_linear_persons_best_and_repeats_nothing() -> None:
    subject = a_subject([0.0] * 8, d=3)
    utilities = np.asarray(subject.pool.features) @ np.array([1.0, -2.0, 0.5])
    subject = type(subject)("g", "n", subject.pool, utilities)
    strategy = strategy_for("botorch-eubo", subject, 10)
    trial = run_trial(strategy, subject, 0)
    assert trial.cost == 10
    assert subject.ranks[trial.choices[-1]] == 1.0
    assert trial.bounds == [None] * 11
    elicitation = Elicitation(subject.pool, strategy, 0)
    person = subject.person(0)
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, person.answer(query, subject.pool))  # type: ignore[arg-type]
    asked = [frozenset(answer.query.options) for answer in elicitation.history]
    assert len(set(asked)) == len(asked) == 10


@needs_botorch
def test_ties_and_skips_are_not_asked_again_until_nothing_is_left() -> None:
    subject = a_subject([0.0, 1.0, 2.0])
    elicitation = Elicitation(subject.pool, BotorchEubo(max_steps=None), 0)
    for said in ("tie", "skip", 0):
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, said)
    assert elicitation.ask() is None
    assert elicitation.recommend().index == elicitation.history[-1].winner
    single = a_subject([1.0])
    assert BotorchEubo().propose(View(single.pool, [], 0)) is None
    assert BotorchEubo().choose(View(single.pool, [], 0)).certified


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("botorch", "botorch.acquisition.preference"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "palate\[peers\]"'):
        run_trial(BotorchEubo(), a_subject([0.0, 1.0, 2.0]), 0)
    with pytest.raises(ParameterError, match="max_steps"):
        BotorchEubo(max_steps=-1)
    with pytest.raises(ParameterError, match="iterations must be at least 1, not 0"):
        BotorchEubo(iterations=0)
