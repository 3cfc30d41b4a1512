"""What a profile says of a person: only what is told from chance, and what is so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from palate import Elicitation, Pool, Profile, SimulatedPerson
from palate.feedback import Answer, Query
from palate.formats import comparisons_of
from palate.strategies import IIDBest, View, contrary_share

D = 5


def a_pool(prompt: str, seed: int, n: int = 14) -> Pool:
    """Texts whose length and numbers have nothing to do with each other or with the features."""
    rng = np.random.default_rng(seed)
    texts = []
    for i in range(n):
        words = ["word"] * int(rng.integers(3, 40))
        digits = ["7"] * int(rng.integers(0, 9))
        texts.append(f"{prompt} {i}: {' '.join(words + digits)}.")
    return Pool(prompt, texts, rng.normal(size=(n, D)), scaling="half", embedder="mine")


def lengths(pool: Pool) -> Any:
    return np.array([len((r.text or "").split()) for r in pool.responses], dtype=np.float64)


def answered(utilities: Any, prompts: int = 4, questions: int = 8, **settings: Any) -> Profile:
    """A profile of a simulated person whose utilities of a pool a function says."""
    profile = Profile()
    for number in range(prompts):
        pool = a_pool(f"prompt {number}", number)
        elicitation = Elicitation(pool, IIDBest(max_steps=questions), seed=number)
        person = SimulatedPerson(utilities=utilities(pool), seed=number, **settings)
        elicitation.run(person, record=profile.recorder(elicitation))
    return profile


def test_a_leaning_is_counted_and_told() -> None:
    summary = answered(lambda pool: -lengths(pool)).summary()
    told = {leaning.words: leaning for leaning in summary.leanings}
    assert told["shorter"].picks == told["shorter"].of == 32
    assert told["shorter"].chance == pytest.approx(0.001)
    assert "longer" not in told
    assert "shorter: 32 of 32" in str(summary)
    assert "permutation test" in str(summary)
    longer = answered(lengths, noise="logit").summary()
    assert {leaning.words for leaning in longer.leanings} >= {"longer"}
    assert longer.leanings[0].picks > 0.7 * longer.leanings[0].of


def test_counts_are_those_of_the_answers() -> None:
    profile = answered(lengths)
    by_hand = 0
    for comparison in profile.comparisons():
        [(chosen, (rejected,))] = comparison.stages
        by_hand += len(chosen.split()) > len(rejected.split())
    (longer,) = (one for one in profile.summary().leanings if one.words == "longer")
    assert longer.picks == by_hand


def test_what_has_nothing_to_do_with_style_is_hardly_ever_called_a_leaning() -> None:
    """People who like features alone: 7 quantities each, told by accident in 1 of 100."""
    told = 0
    for person in range(30):
        theta = np.random.default_rng(person).normal(size=D)
        profile = answered(lambda pool, t=theta: np.asarray(pool.features) @ t, prompts=3)
        told += len(profile.summary().leanings)
    assert told <= 7  # of 210; by a binomial test of the picks it would be more than 20


def test_one_response_picked_again_and_again_is_no_leaning() -> None:
    """The same two texts ten times over: ten answers, and one fact."""
    pool = Pool("p", ["short", "a much longer one", "middling so"], np.eye(3), embedder="mine")
    elicitation = Elicitation(pool, IIDBest(max_steps=20), seed=0)
    profile = Profile()
    person = SimulatedPerson(utilities=[3.0, 2.0, 1.0])
    elicitation.run(person, record=profile.recorder(elicitation))
    summary = profile.summary()
    assert summary.answers == 20
    assert summary.leanings == ()
    assert "none is told from chance" in str(summary)


def test_orders_count_by_stages() -> None:
    profile = Profile()
    for number in range(5):
        pool = a_pool(f"{number}", number, n=4)
        order = np.argsort(lengths(pool))
        elicitation = Elicitation(pool, IIDBest(max_steps=1), seed=number)
        # An order of four, as strategies that show more than two ask for it.
        query = Query(0, (0, 1, 2, 3), tuple(r.id for r in pool.responses))
        elicitation._pending = query
        elicitation.tell(query, tuple(order.tolist()))
        profile.remember(elicitation)
    (shorter,) = (one for one in profile.summary().leanings if one.words == "shorter")
    assert shorter.of == 5 * 3
    assert shorter.picks == 15


def test_numbers_of_answers_and_prompts() -> None:
    profile = Profile()
    for number, replies in enumerate([[0, "tie", 1], ["skip", 0]]):
        pool = a_pool(f"prompt {number}", number)
        elicitation = Elicitation(pool, IIDBest(max_steps=9), seed=number)
        for reply in replies:
            query = elicitation.ask()
            assert query is not None
            elicitation.tell(query, reply, at=f"2026-02-0{number + 1}T10:00:00.000+00:00")  # type: ignore[arg-type]
        profile.remember(elicitation)
    summary = profile.summary()
    assert (summary.answers, summary.undecided, summary.prompts) == (5, 2, 2)
    assert summary.since.startswith("2026-02-01")
    first = str(summary).splitlines()[0]
    assert first == "5 answers (2 of them ties or skips) to 2 prompts, since 2026-02-01."
    assert set(asdict(summary)) == {
        "answers",
        "undecided",
        "prompts",
        "since",
        "leanings",
        "best",
        "least",
        "contrary",
    }


def test_best_and_least_are_those_of_the_taste() -> None:
    theta = np.array([3.0, -2.0, 0.0, 0.0, 0.0])
    profile = answered(lambda pool: np.asarray(pool.features) @ theta, questions=15)
    summary = profile.summary()
    shown = {c for comparison in profile.comparisons() for c in comparison.options}
    features: dict[str, Any] = {}
    for answer in profile.answers():
        rows = np.asarray(answer.features)
        features |= {(r.text or ""): rows[i] for i, r in enumerate(answer.options)}
    utilities = {text: float(features[text] @ theta) for text in shown}
    low, high = np.quantile(list(utilities.values()), [0.25, 0.75])

    def utility(words: str) -> float:
        (text,) = (t for t in shown if t.startswith(words.removesuffix("...").strip()))
        return utilities[text]

    assert len(summary.best) == len(summary.least) == 2
    assert all(utility(words) >= high for words in summary.best)
    assert all(utility(words) <= low for words in summary.least)
    assert f"Liked best so far: {summary.best[0]}" in str(summary)


def test_contrary_answers_show() -> None:
    theta = np.array([3.0, -2.0, 0.0, 0.0, 0.0])
    shares = []
    for rate in (0.0, 0.4):
        profile = answered(
            lambda pool: np.asarray(pool.features) @ theta, questions=15, flip_rate=rate
        )
        share = profile.summary().contrary
        assert share is not None
        shares.append(share)
        assert f"{share:.0%} of the latest answers" in str(profile.summary())
    assert shares[0] < 0.1
    assert 0.2 < shares[1] < 0.5


def test_one_prompt_is_judged_as_its_elicitation_is() -> None:
    profile = answered(lambda pool: np.asarray(pool.features) @ np.ones(D), prompts=1)
    pool = a_pool("prompt 0", 0)
    shown = [r.id for answer in profile.answers() for r in answer.options]
    ids = list(dict.fromkeys(shown))
    places = [pool.index(i) for i in ids]
    features = pool.features
    assert features is not None
    part = Pool(
        "", [pool.responses[i] for i in places], features[places], scaling="none", embedder="mine"
    )
    told = [
        Answer(Query(n, tuple(ids.index(r.id) for r in a.options), ()), a.picked)
        for n, a in enumerate(profile.answers())
    ]
    expected = contrary_share(View(part, told, seed=0))
    assert profile.summary().contrary == pytest.approx(expected, abs=1e-6)
    assert len(comparisons_of(pool, [])) == 0


def test_nothing_and_little() -> None:
    assert str(Profile().summary()) == "Nothing is remembered."
    empty = Profile().summary()
    assert (empty.answers, empty.since, empty.best, empty.contrary) == (0, "", (), None)
    profile = answered(lengths, prompts=1, questions=1)
    assert "1 answer to 1 prompt" in str(profile.summary())
    assert len(profile.summary().best) == 1
    tied = answered(lengths, prompts=1, questions=1, tie_below=1e9).summary()
    assert (tied.undecided, tied.best, tied.contrary) == (1, (), None)


def test_without_features_style_alone_is_told() -> None:
    profile = Profile()
    pool = Pool("p", ["a", "b c", "d e f"])
    elicitation = Elicitation(pool, IIDBest(max_steps=2))
    query = Query(0, (0, 1), ("r1", "r2"))
    elicitation._pending = query
    elicitation.tell(query, 0)
    profile.remember(elicitation)
    summary = profile.summary()
    assert summary.contrary is None
    assert summary.best == ()
    assert "none is told" in str(summary)


def test_features_that_tell_nothing_apart() -> None:
    pool = Pool("p", ["a", "b c", "d"], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], embedder="mine")
    elicitation = Elicitation(pool, IIDBest(max_steps=2))
    query = Query(0, (0, 1), ("r1", "r2"))
    elicitation._pending = query
    elicitation.tell(query, 0)
    profile = Profile()
    profile.remember(elicitation)
    assert profile.summary().contrary is None


def test_features_of_pools_with_scales_of_their_own_are_compared_as_they_were() -> None:
    summaries = []
    for scaling in ("none", "diameter"):
        profile = Profile()
        for number, spread in enumerate((0.1, 0.01)):
            rng = np.random.default_rng(number)
            rows, texts = spread * rng.normal(size=(10, D)), [f"{number} {i}" for i in range(10)]
            pool = Pool(f"p{number}", texts, rows, scaling=scaling, embedder="mine")
            elicitation = Elicitation(pool, IIDBest(max_steps=10), seed=number)
            person = SimulatedPerson(utilities=rows[:, 0], flip_rate=0.2, seed=1)
            elicitation.run(person, record=profile.recorder(elicitation))
        summaries.append(profile.summary())
    one, other = summaries
    assert one.contrary == pytest.approx(other.contrary, abs=1e-9)
    assert (one.best, one.least) == (other.best, other.least)
