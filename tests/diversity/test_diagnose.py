from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diversity_cases import Town, fitted, town

from palate.diversity import (
    Adequacy,
    Bilinear,
    DiversityReport,
    Rows,
    Served,
    Spectrum,
    bilinear,
    conditioning,
    curvature,
    diagnose,
)
from palate.diversity.learners import fit_low_rank
from palate.diversity.verdict import is_inadequate, of_people, of_population
from palate.errors import ParameterError
from palate.population import LoRe, PreferenceData, fit_lore, fit_pal_a, simulate_population


def report_on(place: Town, n: int, **settings: Any) -> DiversityReport:
    rows = place.answers(n)
    population = Bilinear(place.heads, fitted(place, rows))
    return diagnose(population, rows, place.served(), **{"splits": 1, **settings})


WHOLE = town(latent=4, dims=4, features=6, answering=30, silent=10, seed=1)
LACKING = town(latent=4, dims=3, features=6, answering=30, silent=10, seed=1)
COVERED = report_on(WHOLE, 8_000)
LEARNABLE = report_on(WHOLE, 900)
UNCOVERED = report_on(LACKING, 8_000)


def finite(value: object) -> None:
    """JSON that holds no NaN or infinity, whatever it is about."""
    json.dumps(value, allow_nan=False)


def test_answers_of_diverse_people_cover_everybody() -> None:
    assert COVERED.verdict == "covered"
    assert COVERED.recommend() == "greedy"
    assert COVERED.people is not None
    assert (COVERED.people.coverage > 0.9999).all()
    assert not COVERED.people.at_risk.any()
    assert not COVERED.people.floor.any()
    assert (COVERED.rank, COVERED.head_rank) == (24, 4)
    assert COVERED.tolerance == pytest.approx(0.02 * COVERED.spread)
    assert COVERED.ask_first is None
    assert COVERED.evidence is not None
    rows = WHOLE.answers(8_000)
    mean = curvature(rows, WHOLE.heads, np.full(len(rows), 1.0 / len(rows)))
    found = conditioning(COVERED.evidence.contests.rows, WHOLE.heads, mean)
    assert COVERED.conditioning == pytest.approx(found)
    assert COVERED.exponent > 0.0
    assert "keep one response" in " ".join(COVERED.next_steps)


def test_the_few_who_are_not_covered_are_told_of() -> None:
    people = UNCOVERED.people
    assert people is not None
    second = float(np.sort(people.gap)[-2])
    nearly = report_on(LACKING, 8_000, tolerance=second, splits=0)
    assert nearly.verdict == "covered"
    assert "all but 1 of the people served" in nearly.headline
    assert "one person is outside the tolerance" in nearly.next_steps[1]
    assert "outside the tolerance" not in " ".join(COVERED.next_steps)


def test_too_few_answers_are_a_matter_of_more() -> None:
    assert LEARNABLE.verdict == "learnable"
    needed = LEARNABLE.samples_for()
    assert needed is not None
    assert needed > 900
    assert "Collect more answers of the same people" in LEARNABLE.next_steps[0]
    # As many as are said to be needed are about enough, simulated.
    enough = report_on(WHOLE, needed, splits=0)
    assert enough.people is not None
    assert np.quantile(enough.people.gap, 0.95) == pytest.approx(LEARNABLE.tolerance, rel=0.5)


def test_what_nobody_answers_about_is_uncovered_and_found() -> None:
    people = UNCOVERED.people
    assert UNCOVERED.verdict == "uncovered"
    assert UNCOVERED.recommend() == "active"
    assert people is not None
    assert set(people.verdicts[:30]) <= {"covered", "learnable"}
    assert people.verdicts[30:].count("uncovered") >= 8
    assert (people.coverage[:30] > 0.9999).all()
    assert (people.coverage[30:] < 0.99).sum() == 9
    assert people.mean(people.floor) > 0.5 * people.mean(people.gap)
    assert (people.floor <= people.gap).all()
    assert not people.floor[:30].any()
    assert UNCOVERED.samples_for() is None
    assert UNCOVERED.exponent == UNCOVERED.conditioning == 0.0
    first = UNCOVERED.directions[0]
    assert (first.of, first.lacks) == ("people", "people")
    assert first.share > 0.8
    assert first.unseen > 0.95
    assert abs(first.vector[3]) > 0.99
    silent = {f"person {i}" for i in range(31, 41)}
    assert set(first.people) <= silent
    assert len({(e.better, e.worse) for e in first.examples}) == 5
    assert {e.person for e in first.examples} <= silent
    assert len({(e.person, e.better) for e in first.examples}) == 5  # one a question
    assert UNCOVERED.ask_first is not None
    assert set(UNCOVERED.ask_first.people[:3]) <= silent
    assert {e.person for e in UNCOVERED.ask_first.comparisons} <= silent
    assert "Nobody who answered has such tastes" in UNCOVERED.next_steps[0]
    assert "9 of 40 people served" in " ".join(UNCOVERED.reasons)


def test_the_silent_of_a_covered_population_are_covered_too() -> None:
    """The rank of the information is full for one of the two only: and that is not the reason."""
    people = UNCOVERED.people
    assert people is not None
    served = replace(
        LACKING.served().of(np.arange(30), 10), heads=LACKING.heads, people=(), labels=()
    )
    rows = LACKING.answers(8_000)
    alone = diagnose(Bilinear(LACKING.heads, fitted(LACKING, rows)), rows, served, splits=0)
    assert alone.verdict == "covered"
    assert alone.rank == UNCOVERED.rank == 18


def test_a_weak_missing_direction_is_a_harmless_gap() -> None:
    place = town(latent=4, dims=3, features=6, answering=30, silent=30, weak=0.01, seed=1)
    found = report_on(place, 20_000, prior=1e-3)
    assert found.verdict == "harmless gap"
    assert found.people is not None
    assert (found.people.coverage[30:] < 0.99).sum() >= 25
    assert "Nothing has to be done" in found.next_steps[0]
    assert found.recommend() == "greedy"


def test_responses_that_nobody_compared_are_uncovered_as_such() -> None:
    place = WHOLE
    rows = place.answers(8_000)
    rows = Rows(rows.person, rows.delta * [1, 1, 1, 1, 1, 0])
    found = diagnose(Bilinear(place.heads, fitted(place, rows)), rows, place.served(), splits=0)
    assert found.verdict == "uncovered"
    first = found.directions[0]
    assert (first.of, first.lacks) == ("responses", "responses")
    assert abs(first.vector[5]) > 0.99
    assert "other responses have to be compared" in found.next_steps[0]


def test_with_one_direction_of_taste_it_is_responses_that_lack() -> None:
    place = town(latent=1, dims=1, features=4, answering=20, silent=0)
    rows = place.answers(3_000)
    rows = Rows(rows.person, rows.delta * [1, 1, 0, 0])
    found = diagnose(Bilinear(place.heads, fitted(place, rows)), rows, place.served(), splits=0)
    assert found.verdict == "uncovered"
    assert {d.of for d in found.directions} == {d.lacks for d in found.directions} == {"responses"}


def test_people_not_asked_about_what_they_are_served_with() -> None:
    """Both sides are spanned, but nobody with the fourth taste compared the sixth feature."""
    place = WHOLE
    heads = place.heads.copy()
    heads[:15, 3] = 0.0
    place = replace(place, heads=heads)
    rows = place.answers(12_000)
    delta = rows.delta.copy()
    delta[rows.person >= 15, 5] = 0.0
    rows = Rows(rows.person, delta)
    found = diagnose(Bilinear(heads, fitted(place, rows)), rows, place.served(), splits=0)
    assert found.verdict == "uncovered"
    assert found.head_rank == 4
    assert found.directions[0].lacks == "combinations"


def test_a_basis_that_new_people_do_not_fit_is_inadequate() -> None:
    """Heads and basis unknown; new people are in the data of neither."""
    place = town(latent=4, dims=3, features=12, answering=30, silent=10, seed=3)
    rows = place.answers(10_000)
    heads, basis = fit_low_rank(rows, 40, 3)
    new = place.answers_of(np.arange(30, 40), 8_000, seed=2)
    found = diagnose(Bilinear(heads, basis), rows, None, new_answers=new, splits=0)
    assert found.adequacy is not None
    assert found.adequacy.ratio > 3.0
    assert found.verdict == "basis inadequate"
    assert "Nobody is named who is served" in " ".join(found.reasons)
    served = Served.of_pools(heads[:30], list(place.pools))
    found = diagnose(Bilinear(heads, basis), rows, served, new_answers=new, splits=0)
    assert found.verdict == "basis inadequate"
    assert "at least one prototype more" in found.next_steps[0]
    assert "above what noise explains" in " ".join(found.reasons)
    same = place.answers_of(np.arange(30), 20_000, seed=2)
    found = diagnose(Bilinear(heads, basis), rows, served, new_answers=same, splits=0)
    assert found.verdict == "covered"
    assert "no sign that the basis lacks anything" in " ".join(found.reasons)
    few = same.of(np.arange(2_000))
    found = diagnose(Bilinear(heads, basis), rows, served, new_answers=few, splits=0)
    assert "too few answers to judge the basis by" in " ".join(found.reasons)


def test_a_basis_of_too_few_directions_is_inadequate() -> None:
    """Of those who answered: one reward for everybody where there are two tastes."""
    place = town(latent=2, dims=2, features=6, answering=25, silent=0)
    rows = place.answers(4_000)
    found = []
    for latent in (1, 2):
        heads, basis = fit_low_rank(rows, 25, latent)
        served = Served.of_pools(heads, list(place.pools))
        found.append(diagnose(Bilinear(heads, basis), rows, served))
    assert [report.verdict for report in found] == ["basis inadequate", "covered"]
    assert "more latent directions of the answers than the 1" in " ".join(found[0].reasons)
    assert "with more prototypes" in found[0].next_steps[0]
    assert "the 2 latent directions of the model, and no more" in " ".join(found[1].reasons)


def test_verdicts_on_people_and_population() -> None:
    found = of_people(
        np.array([1.0, 1.0, 0.5, 0.5, 0.5]),
        np.array([0.0, 0.0, 1.0, 1.0, 0.01]),
        np.array([0.1, 0.3, 0.1, 0.3, 0.3]),
        0.2,
    )
    assert found == ("covered", "learnable", "harmless gap", "uncovered", "learnable")
    everybody = np.ones(100, dtype=bool)

    def verdict(inadequate: bool = False, **counts: int) -> str:  # noqa: FBT001, FBT002
        names = [name.replace("_", " ") for name, n in counts.items() for _ in range(n)]
        return of_population(tuple(names), everybody[: len(names)], inadequate=inadequate)  # type: ignore[arg-type]

    assert verdict(covered=95, uncovered=5) == "covered"
    assert verdict(covered=94, uncovered=6) == "uncovered"
    assert verdict(covered=94, learnable=6) == "learnable"
    assert verdict(covered=54, uncovered=6, learnable=40) == "uncovered"
    assert verdict(covered=94, uncovered=4, learnable=2) == "uncovered"
    assert verdict(covered=94, harmless_gap=6) == "harmless gap"
    # What some people lose by is not harmless.
    assert verdict(covered=92, harmless_gap=6, uncovered=2) == "covered"
    assert verdict(covered=95, inadequate=True) == "basis inadequate"
    nobody = of_population(("uncovered",), np.zeros(1, dtype=bool), inadequate=False)
    assert nobody == "covered"


def test_predictions_are_those_of_the_scores_and_fall_with_answers() -> None:
    now = LEARNABLE.people
    assert now is not None
    assert LEARNABLE.predict_gap(900) == pytest.approx(now.mean(now.gap), rel=0.1)
    gaps = [p.gap for p in LEARNABLE.predictions]
    errors = [p.error for p in LEARNABLE.predictions]
    assert gaps == sorted(gaps, reverse=True)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 < errors[2]
    assert LEARNABLE.predict_gap(math.inf) == 0.0
    assert UNCOVERED.predict_gap(math.inf) > UNCOVERED.tolerance / 4
    assert UNCOVERED.predict_error(math.inf) >= 0.2
    looser = LEARNABLE.samples_for(2.0 * LEARNABLE.tolerance)
    stricter = LEARNABLE.samples_for(0.5 * LEARNABLE.tolerance)
    needed = LEARNABLE.samples_for()
    assert looser is not None
    assert stricter is not None
    assert needed is not None
    assert looser < needed < stricter
    with pytest.raises(ParameterError, match="at least 0"):
        LEARNABLE.predict_gap(-1)


def test_enough_is_enough_for_nearly_everybody() -> None:
    """Of few people, for each of them: one of four is uncovered here."""
    rows = LACKING.answers(8_000)
    served = LACKING.served().of(np.array([0, 1, 2, 33]), 10)
    found = diagnose(Bilinear(LACKING.heads, fitted(LACKING, rows)), rows, served, splits=0)
    assert found.verdict == "uncovered"
    assert found.samples_for() is None
    assert found.predictions[-1].most == pytest.approx(4 * found.predictions[-1].gap, rel=0.1)


def test_plans_for_given_candidates() -> None:
    asked = LACKING.answers_of(np.array([0, 1, 2, 35]), 80)
    assert UNCOVERED.plan_users(1, asked).chosen.tolist() == [35]
    best = UNCOVERED.plan_queries(3, asked)
    assert (asked.person[best.chosen] == 35).all()
    heads = LACKING.heads[[0, 1, 2, 35]]
    places = Rows(np.searchsorted([0, 1, 2, 35], asked.person), asked.delta)
    assert UNCOVERED.plan_users(1, places, heads).chosen.tolist() == [3]


@pytest.mark.parametrize("tolerance", [-1.0, math.nan])
def test_a_number_of_answers_needs_a_tolerance(tolerance: float) -> None:
    with pytest.raises(ParameterError, match="tolerance must be at least 0, not"):
        LEARNABLE.samples_for(tolerance)


def test_settings_are_used_and_checked() -> None:
    loose = report_on(WHOLE, 900, tolerance=10.0)
    assert (loose.verdict, loose.tolerance) == ("covered", 10.0)
    screened = report_on(LACKING, 500, radius=0.0, splits=0).people
    assert screened is not None
    assert not screened.at_risk.any()
    for wrong in ({"tolerance": -1.0}, {"radius": np.inf}, {"prior": np.nan}, {"draws": 0}):
        with pytest.raises(ParameterError, match="must be at least"):
            report_on(WHOLE, 100, **wrong)
    other = report_on(WHOLE, 900, seed=1)
    assert other.people is not None
    assert LEARNABLE.people is not None
    again = report_on(WHOLE, 900)
    assert again.people is not None
    np.testing.assert_array_equal(again.people.gap, LEARNABLE.people.gap)
    assert (other.people.gap != LEARNABLE.people.gap).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"feedback": Rows(np.array([0]), np.ones((1, 3)))}, "answers have 3 features"),
        ({"feedback": Rows(np.array([99]), np.ones((1, 6)))}, "an answer is of person 99"),
        ({"served": Served.of_pools(np.ones((1, 2)), [np.ones((2, 6))])}, "basis is 4 x 6"),
        ({"new_answers": Rows(np.array([0]), np.ones((1, 3)))}, "new people's answers have 3"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"feedback": WHOLE.answers(50), "served": WHOLE.served()}
    with pytest.raises(ParameterError, match=said):
        diagnose(Bilinear(WHOLE.heads, WHOLE.basis), **{**good, **change})


DEGENERATE: dict[str, tuple[Bilinear, Rows, Served, str]] = {}


def degenerate(name: str, heads: np.ndarray, basis: np.ndarray, **rest: Any) -> None:
    rng = np.random.default_rng(0)
    pools = rest.get("pools", [rng.normal(size=(6, basis.shape[1])) for _ in range(4)])
    person = rng.integers(len(heads), size=400)
    pair = rng.normal(size=(400, basis.shape[1])) * rest.get("varies", 1.0)
    margin = np.einsum("nf,nf->n", pair, (heads @ basis)[person])
    delta = pair * np.where(rng.logistic(size=400) < margin, 1.0, -1.0)[:, None]
    served = Served.of_pools(rest.get("served", heads), pools)
    DEGENERATE[name] = (Bilinear(heads, basis), Rows(person, delta), served, rest["verdict"])


degenerate("one person", np.ones((1, 2)), np.eye(2, 3), verdict="covered")
degenerate("identical heads", np.ones((9, 2)), np.eye(2, 3), verdict="covered")
degenerate("one direction", np.ones((9, 1)), np.ones((1, 3)), verdict="covered")
degenerate("one feature", np.ones((9, 1)), np.ones((1, 1)), verdict="covered")
degenerate("one response", np.eye(3), np.eye(3), pools=[np.ones((1, 3))] * 2, verdict="covered")
degenerate("equal responses", np.eye(3), np.eye(3), pools=[np.ones((4, 3))], verdict="covered")
degenerate(
    "an unseen person",
    np.eye(3)[:2].repeat(5, axis=0),
    4.0 * np.ones((3, 3)) + np.eye(3),
    served=np.array([[0.0, 0.0, 1.0]]),
    verdict="uncovered",
)
degenerate("equal differences", np.eye(2), np.eye(2), varies=0.0, verdict="uncovered")
degenerate("nothing learnt", np.eye(2), np.zeros((2, 3)), varies=0.0, verdict="uncovered")
degenerate("no taste at all", np.zeros((3, 2)), np.eye(2), verdict="covered")
degenerate("an empty basis", np.eye(2), np.zeros((2, 3)), verdict="covered")


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_input_has_a_verdict_and_a_reason(name: str) -> None:
    population, rows, served, verdict = DEGENERATE[name]
    found = diagnose(population, rows, served)
    assert found.verdict == verdict
    assert found.reasons
    assert found.next_steps
    said = found.to_dict()
    finite(said)
    assert "nan" not in " ".join(found.reasons + found.next_steps).lower()
    assert found.people is not None
    if name in {"one response", "equal responses", "no taste at all"}:
        assert not found.people.asks.any()
        assert "nothing has to be learnt" in found.headline
        assert ">nan<" not in found.to_html()
    if name in {"equal differences", "nothing learnt"}:
        assert "these answers say nothing" in " ".join(found.reasons)
    if name == "one person":
        assert "the one person served has to decide" in " ".join(found.reasons)


@pytest.mark.parametrize("heads", [1, 26])
def test_no_answers_are_undecided(heads: int) -> None:
    place = town(answering=heads, silent=0)
    found = diagnose(Bilinear(place.heads, place.basis), None, place.served())
    assert (found.verdict, found.answers) == ("undecided", 0)
    assert found.people is None
    assert "No answers were given" in found.reasons[0]
    assert "with the answers" in found.next_steps[0]
    assert found.in_sample.max() > 0.0
    finite(found.to_dict())
    assert found.to_html()
    with pytest.raises(ParameterError, match="nothing to predict from"):
        found.predict_gap(10)


def test_many_features_are_reduced_and_approximated() -> None:
    place = town(features=300, latent=6, dims=6, answering=12, silent=2)
    rows = place.answers(300)
    found = diagnose(Bilinear(place.heads, place.basis), rows, place.served(), splits=0)
    notes = " ".join(found.notes)
    alone = diagnose(Bilinear(place.heads, place.basis), None)
    assert alone.features == 300
    assert found.features == 110  # that is how far responses of ten pools of twelve differ
    assert "300 features were reduced to their 110 principal components" in notes
    assert "100.0% of the squared differences" in notes
    wide = town(features=200, latent=8, dims=8, answering=12, silent=2)
    found = diagnose(Bilinear(wide.heads, wide.basis), wide.answers(300), wide.served(), splits=0)
    assert "Kronecker" in " ".join(found.notes)
    assert found.verdict in {"learnable", "uncovered"}
    finite(found.to_dict())


POPULATION = simulate_population(people=30, answers=60, k=2, d=5, unseen=5, support=20, noise=0.3)


@pytest.mark.parametrize("kind", ["lore", "pal-a"])
def test_models_of_a_population_are_diagnosed_on_their_answers(kind: str) -> None:
    fit = fit_lore if kind == "lore" else fit_pal_a
    model = fit(POPULATION.train, 2).model
    found = diagnose(model, POPULATION.train, new_answers=POPULATION.support)
    assert found.verdict in {"covered", "learnable"}
    assert found.people is not None
    # Those who answered with their own questions, and as many new people.
    assert found.people.names[:1] + found.people.names[30:31] == ("seen 0", "new person 1")
    assert len(found.people.names) == 60
    assert found.adequacy is not None
    assert found.adequacy.people == 5
    assert found.spectrum is not None
    assert ("taken as known" in " ".join(found.reasons)) == (kind == "pal-a")
    finite(found.to_dict())


def test_the_default_questions_are_those_that_were_answered() -> None:
    data = PreferenceData.from_arrays(
        np.eye(5),
        ["ann", "ann", "bob"],
        [0, 0, 3],
        [1, 2, 4],
        pick=[0, 0, 1],
    )
    model = LoRe(people=("ann", "bob"), weights=np.eye(2), basis=np.ones((5, 2)))
    found = diagnose(model, data)
    assert found.evidence is not None
    served = found.evidence.served
    assert served.people[:2] == ("ann", "bob")
    assert served.person[:2].tolist() == [0, 1]
    assert served.items[served.option[:3]].tolist() == np.eye(5)[:3].tolist()
    assert served.items[served.option[3:5]].tolist() == np.eye(5)[3:].tolist()
    assert len(served.people) == 4
    assert bilinear(model).basis.shape == (2, 5)


def test_inadequacy_needs_answers_and_a_ratio() -> None:
    unsupported = Spectrum(np.array([2.0, 0.8]), np.array([1.9, 0.0]), np.full(2, 0.1), 30)
    full = replace(unsupported, values=np.array([1.9, 0.7]))
    vague = replace(full, deviation=np.full(2, 0.4))
    assert (unsupported.rank, full.rank, vague.rank) == (1, 2, 1)
    for ratio, answers, spectrum, expected in (
        (3.1, 500.0, None, True),
        (3.1, 499.0, full, False),
        (2.9, 5_000.0, full, False),
        (1.6, 200.0, unsupported, True),
        (1.6, 199.0, unsupported, False),
        (1.4, 499.0, unsupported, False),
    ):
        assert is_inadequate(Adequacy(ratio, answers, 10, 5), spectrum, 2) is expected
    assert not is_inadequate(None, unsupported, 2)
    assert is_inadequate(None, full, 1)
