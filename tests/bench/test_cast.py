"""The people of an experiment: their utilities, noise and win-rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from elicitation_cases import a_subject, write_small
from scipy.special import expit

from palate.bench.cast import cast
from palate.bench.domains import Domain, Persona, read_domain
from palate.chat import OpenAIModel
from palate.errors import ParameterError
from palate.feedback import Query
from palate.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path

    from palate.bench.fake_server import FakeServer


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return read_domain(write_small(tmp_path / "small.json"))


def test_measures_of_a_pool_of_three_by_hand() -> None:
    subject = a_subject([0.0, 1.0, 4.0], 1.0)
    assert subject.shares.tolist() == [0.0, 0.25, 1.0]
    assert subject.ranks.tolist() == [3.0, 2.0, 1.0]
    assert [subject.preference(i) for i in range(3)] == [0.0, 0.5, 1.0]
    assert [subject.preference(1, i) for i in range(3)] == [1.0, 0.5, 0.0]
    assert subject.pair_accuracy == 1.0
    noisy = a_subject([0.0, 1.0, 4.0], 1.0, noise="logit")
    assert noisy.preference(2) == pytest.approx(expit(3.0))
    assert noisy.preference(0, 2) == pytest.approx(expit(-4.0))
    assert noisy.pair_accuracy == pytest.approx(np.mean(expit([1.0, 3.0, 4.0])))
    flat = a_subject([2.0, 2.0])
    assert flat.shares.tolist() == [1.0, 1.0]
    assert flat.ranks.tolist() == [1.0, 1.0]


def test_fingerprints_tell_people_apart() -> None:
    people = [
        a_subject([0.0, 1.0]),
        a_subject([0.0, 2.0]),
        a_subject([0.0, 1.0], 1.0),
        a_subject([0.0, 1.0], noise="logit"),
        a_subject([0.0, 1.0], d=4),
    ]
    assert len({subject.fingerprint for subject in people}) == len(people)
    assert a_subject([0.0, 1.0]).fingerprint == people[0].fingerprint


def test_people_with_weights_are_on_the_sphere_and_differ(domain: Domain) -> None:
    people = cast(domain, "consistent", per_prompt=4)
    assert len(people) == 8
    assert len({person.name for person in people}) == 8
    for place, subject in enumerate(people):
        features = np.asarray(subject.pool.features)
        weights = np.linalg.lstsq(features, np.asarray(subject.utilities), rcond=None)[0]
        assert weights @ weights == pytest.approx(9.0)
        assert domain.baselines[place // 4] @ weights == pytest.approx(subject.baseline)
        assert (subject.group, subject.noise) == ("small, consistent", "none")
    again = cast(domain, "btl", per_prompt=2)
    assert {subject.noise for subject in again} == {"logit"}
    np.testing.assert_array_equal(again[1].utilities, people[1].utilities)
    other = cast(domain, "btl", per_prompt=2, seed=1)
    assert not np.allclose(np.asarray(other[0].utilities), np.asarray(again[0].utilities))


def test_rescaled_people_name_the_better_response_85_times_in_100(domain: Domain) -> None:
    plain, scaled = cast(domain, "btl"), cast(domain, "btl85")
    assert np.mean([s.pair_accuracy for s in scaled]) == pytest.approx(0.85)
    assert np.mean([s.pair_accuracy for s in plain]) < 0.8
    factors = [
        np.asarray(s.utilities) / np.asarray(p.utilities)
        for p, s in zip(plain, scaled, strict=True)
    ]
    np.testing.assert_allclose(factors, factors[0][0])
    assert scaled[0].baseline == pytest.approx(plain[0].baseline * factors[0][0])
    subject, query = scaled[0], Query(0, (0, 1), ("a", "b"))
    picked = [subject.person(seed).answer(query, subject.pool) for seed in range(400)]
    assert picked.count(0) / 400 == pytest.approx(subject.preference(0, 1), abs=0.06)


def test_personas_of_the_prompt_come_first_and_others_are_drawn() -> None:
    pools = tuple(Pool(p, ["a", "b"], [[0.0], [1.0]], id=p, baseline="plain") for p in ("p", "q"))
    personas = (*(Persona(f"other {i}", f"{i}") for i in range(6)), Persona("own", "own", "q"))
    ratings = np.random.default_rng(0).random((2, 7, 3))
    domain = Domain("d", pools, np.zeros((2, 1)), personas, ratings)
    people = cast(domain, "persona", per_prompt=2, flip_rate=0.1)
    assert [subject.name for subject in people][2] == "q/own"
    assert people[3].name.startswith("q/other")
    assert {subject.flip_rate for subject in people} == {0.1}
    np.testing.assert_array_equal(people[2].utilities, ratings[1, 6, 1:])
    assert people[2].baseline == ratings[1, 6, 0]
    drawn = {cast(domain, "persona", per_prompt=2, seed=seed)[3].name for seed in range(12)}
    assert len(drawn) > 2


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_flips_are_answers_turned_round(rate: float) -> None:
    pool = Pool("p", ["a", "b"], [[0.0], [1.0]], id="p", baseline="plain")
    ratings = np.array([[[1.0, 0.0, 2.0]]])  # the baseline, a, b
    domain = Domain("d", (pool,), np.zeros((1, 1)), (Persona("x", "x"),), ratings)
    (subject,) = cast(domain, "persona", per_prompt=1, flip_rate=rate)
    answers = [
        subject.person(seed).answer(Query(0, (0, 1), ("a", "b")), pool) for seed in range(300)
    ]
    assert answers.count(0) / len(answers) == pytest.approx(rate, abs=0.07)
    assert (subject.preference(0), subject.preference(1)) == (0.0, 1.0)  # what is truly preferred


def test_people_that_cannot_be_had(domain: Domain) -> None:
    with pytest.raises(ParameterError, match=r"people are one of consistent, btl, .* not 'human'"):
        cast(domain, "human")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="2 personas of small judge the prompt 'p0', not 3"):
        cast(domain, "persona")
    with pytest.raises(ParameterError, match="at least one person a prompt, not 0"):
        cast(domain, "btl", per_prompt=0)
    with pytest.raises(ParameterError, match="played by a model need one: name it by --model"):
        cast(domain, "played", per_prompt=1)
    bare = Domain("bare", domain.pools, domain.baselines, domain.personas)
    with pytest.raises(ParameterError, match="nobody has rated the responses of bare; take"):
        cast(bare, "persona")


def test_a_model_plays_the_personas(domain: Domain, server: FakeServer) -> None:
    server.reply = lambda *_: "1"
    with OpenAIModel("m", base_url=server.url) as model:
        subject, *_ = cast(domain, "played", per_prompt=1, model=model)
        assert subject.utilities is None
        assert subject.preference(0) == 0.5  # always the first shown: the two orders disagree
        assert subject.preference(0, 0) == 0.5
        assert np.isnan(subject.shares).all()
        assert np.isnan(subject.ranks).all()
        assert "p0-ann likes it hot" in str(server.requests)
