"""The population as one Gaussian: what it learns, what it believes of a pool, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.special import logsumexp

from palate.errors import ModelError, ParameterError
from palate.pool import Pool
from palate.population import GaussianPopulation, PreferenceData, fit_gaussian
from palate.population.gaussian import _Batch, _batches, _geodesic, evidence
from palate.preference.prior import Features, Others

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray, IndexArray

D, RANK, LOGITS = 64, 3, 30.0


def a_basis(seed: int = 0, rank: int = RANK, d: int = D) -> FloatArray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, rank)))[0]


def people(
    users: int,
    answers: int,
    *,
    k: int = 2,
    mean: float = 0.0,
    d: int = D,
    rank: int = RANK,
    seed: int = 0,
    sizes: tuple[int, ...] | None = None,
) -> PreferenceData:
    """Simulated picks of k, of people whose weights are a mean and a draw from a basis.

    Args:
        users: how many.
        answers: of each, unless ``sizes`` says how many each gives.
        k: options a pick.
        mean: length of what all share, beside a length of about sqrt(rank) of their own.
        d: features.
        rank: directions.
        seed: of everything but the basis.
        sizes: options of each answer, of each person in turn; instead of ``answers`` and ``k``.
    """
    rng = np.random.default_rng(seed + 1)
    items = rng.normal(size=(600, d))
    items /= 2.0 * np.linalg.norm(items, axis=1, keepdims=True)
    shared = np.zeros(d)
    shared[0] = mean
    person, chosen, rejected, pick, number = [], [], [], [], 0
    for user in range(users):
        theta = LOGITS * (a_basis(rank=rank, d=d) @ rng.normal(size=rank) + shared)
        for size in sizes or (k,) * answers:
            shown = rng.choice(len(items), size, replace=False)
            utilities = items[shown] @ theta + rng.gumbel(size=size)
            best = int(np.argmax(utilities))
            for other in np.delete(shown, best):
                person.append(f"person {user}")
                chosen.append(shown[best])
                rejected.append(other)
                pick.append(number)
            number += 1
    return PreferenceData.from_arrays(items, person, chosen, rejected, pick=pick)


def curve(data: PreferenceData, **settings: Any) -> tuple[GaussianPopulation, list[float]]:
    found: list[tuple[int, float]] = []
    fitted = fit_gaussian(data, on_step=lambda *step: found.append(step), **settings)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return fitted, [value for _, value in found]


def capture(fitted: GaussianPopulation, basis: FloatArray) -> float:
    """The share of a basis that lies in as many first directions of a population."""
    rank = basis.shape[1]
    first = np.linalg.eigh(fitted.covariance)[1][:, -rank:]
    return float(np.linalg.norm(first.T @ basis) ** 2) / rank


# --- learning -----------------------------------------------------------------------------------


def test_a_planted_taste_of_three_directions_is_found() -> None:
    fitted, found = curve(people(200, 20))
    assert (fitted.people, fitted.answers) == (200, 4000)
    assert capture(fitted, a_basis()) > 0.85
    values = np.linalg.eigvalsh(fitted.covariance)
    assert values[-RANK:].sum() > 0.8 * values.sum()
    assert min(np.diff(found)) >= -1e-8
    assert found[-1] > -0.62 > -np.log(2.0)
    new = people(50, 20, seed=9)
    assert evidence(fitted, new) > evidence(replace(fitted, factor=0.01 * fitted.factor), new)


@pytest.mark.parametrize(
    "data",
    [
        people(40, 10, d=12),
        people(40, 10, d=12, mean=2.0),
        people(30, 6, k=4, d=12),
        people(20, 0, d=12, sizes=(2, 5, 3, 2)),
        people(3, 3),
        people(60, 8, d=4, rank=4),
    ],
    ids=["pairs", "mean", "of four", "mixed", "few", "full rank"],
)
def test_the_evidence_never_falls(data: PreferenceData) -> None:
    fitted, found = curve(data, tolerance=1e-6)
    assert min(np.diff(found)) >= -1e-8
    assert len(found) > 3
    assert np.isfinite(fitted.factor).all()
    assert fitted.covariance.trace() > 0.0


def test_it_ends_where_the_evidence_hardly_rises_or_at_the_limit() -> None:
    data = people(40, 10, d=12)
    lengths = [len(curve(data, tolerance=t)[1]) for t in (1e-2, 1e-4, 1e-6)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[1] < lengths[2]
    assert len(curve(data, max_iterations=4)[1]) <= 4 + 10


def test_what_all_share_is_told_from_an_accident() -> None:
    shares = []
    for mean in (0.0, 1.5):
        fitted = [fit_gaussian(people(80, 15, d=16, mean=mean, seed=s)) for s in range(4)]
        shares.append([float(f.mean @ f.mean / f.covariance.trace()) for f in fitted])
        if mean:
            axis = [abs(f.mean[0]) / np.linalg.norm(f.mean) for f in fitted]
            assert min(axis) > 0.9
            assert all(f.mean[0] > 0.0 for f in fitted)
    assert np.mean(shares[0]) < 0.004  # about 0.01 if the accident were left in
    assert min(shares[1]) > 0.3  # the truth is 1.5^2 / 3


def test_picks_out_of_more_say_more() -> None:
    pairs, fours = (capture(fit_gaussian(people(60, 8, k=k, d=24)), a_basis(d=24)) for k in (2, 4))
    assert fours > pairs
    assert fours > 0.8


# --- one E step, against plain loops ------------------------------------------------------------


def log_posterior(
    weights: FloatArray, picks: list[FloatArray], mean: FloatArray, covariance: FloatArray
) -> float:
    off = weights - mean
    value = -0.5 * off @ np.linalg.solve(covariance, off)
    for rows in picks:  # differences of what was picked to each of the others
        value -= logsumexp(np.append(0.0, -rows @ weights))
    return float(value)


def picks_of(data: PreferenceData) -> list[list[FloatArray]]:
    """Each person's picks, as rows of differences."""
    differences = data.items[data.chosen] - data.items[data.rejected]
    pick = np.arange(len(data)) if data.pick is None else data.pick
    return [
        [differences[pick == number] for number in np.unique(pick[data.person == u])]
        for u in range(len(data.people))
    ]


def naive(
    data: PreferenceData, mean: FloatArray, covariance: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Laplace's evidence and moments, a person at a time, by scipy and a dense Hessian."""
    d = len(mean)
    total, first, second = 0.0, np.zeros(d), np.zeros((d, d))
    for picks in picks_of(data):
        if not picks:
            continue
        found = minimize(
            lambda w, picks=picks: -log_posterior(w, picks, mean, covariance),
            mean,
            method="BFGS",
            options={"gtol": 1e-9},
        )
        weights, hessian = found.x, np.linalg.inv(covariance)
        for rows in picks:
            logits = np.append(0.0, -rows @ weights)
            p = np.exp(logits - logsumexp(logits))[1:]
            hessian = hessian + rows.T @ (np.diag(p) - np.outer(p, p)) @ rows
        half = 0.5 * np.linalg.slogdet(hessian @ covariance)[1]
        total += log_posterior(weights, picks, mean, covariance) - half
        first += weights
        second += np.outer(weights, weights) + np.linalg.inv(hessian)
    return total, first, second


def one_step(
    batches: list[_Batch], mean: FloatArray, covariance: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    found = [batch.moments(mean, covariance) for batch in batches]
    total, first, second = (sum(parts) for parts in zip(*found, strict=True))
    return total, first, second


def unequal() -> PreferenceData:
    """People with different numbers of answers of different sizes, one of whom has none."""
    parts = [
        people(1, 0, d=5, seed=i, sizes=sizes)
        for i, sizes in enumerate([(2,), (2, 3, 2, 5), (3,) * 4, (2,) * 9, (5, 2), (4, 4, 2)])
    ]
    items = np.concatenate([part.items for part in parts])
    chosen, rejected, pick, person = [], [], [], []
    base = picks = 0
    for number, part in enumerate(parts):
        chosen += (part.chosen + base).tolist()
        rejected += (part.rejected + base).tolist()
        assert part.pick is not None
        pick += (part.pick + picks).tolist()
        person += [number] * len(part)
        base, picks = base + len(part.items), picks + part.answers
    names = (*(f"p{i}" for i in range(len(parts))), "silent")
    return PreferenceData(
        items,
        np.array(person),
        np.array(chosen),
        np.array(rejected),
        names,
        pick=np.array(pick),
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_one_step_is_that_of_a_loop_over_people(seed: int) -> None:
    data, rng = unequal(), np.random.default_rng(seed)
    root = rng.normal(size=(5, 5))
    mean, covariance = 3.0 * rng.normal(size=5), 9.0 * (root @ root.T + 0.1 * np.eye(5))
    found = one_step(list(_batches(data)), mean, covariance)
    expected = naive(data, mean, covariance)
    assert found[0] == pytest.approx(expected[0], abs=1e-7)
    assert np.allclose(found[1], expected[1], atol=1e-4)
    assert np.allclose(found[2], expected[2], rtol=1e-4, atol=1e-3)


def test_who_is_put_together_with_whom_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    data = unequal()
    mean, covariance = np.ones(5), 4.0 * np.eye(5)
    together = list(_batches(data))
    assert len(together) == 1
    assert together[0].rows.shape[0] == 6
    for name, value in (("_PEOPLE", 2), ("_CELLS", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(f"palate.population.gaussian.{name}", value)
            apart = list(_batches(data))
        assert len(apart) > 1
        whole, parts = one_step(together, mean, covariance), one_step(apart, mean, covariance)
        for i in range(3):
            assert np.allclose(whole[i], parts[i], atol=1e-7)


def test_answers_may_come_in_any_order() -> None:
    data = people(10, 6, d=8)
    shuffled = np.random.default_rng(0).permutation(len(data))
    mixed = data.rows(shuffled) if data.pick is None else replace(data, pick=None).rows(shuffled)
    one, other = fit_gaussian(replace(data, pick=None)), fit_gaussian(mixed)
    assert np.allclose(one.mean, other.mean, atol=1e-6)
    assert np.allclose(one.covariance, other.covariance, atol=1e-5)


def test_a_person_with_many_answers_does_not_widen_everybodys_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = [batch.rows.shape for batch in _batches(with_one_talker())]
    assert len(sizes) == 1
    monkeypatch.setattr("palate.population.gaussian._CELLS", 20_000)
    sizes = [batch.rows.shape for batch in _batches(with_one_talker())]
    assert sizes == [(50, 4, 5), (1, 100, 5)]


def with_one_talker() -> PreferenceData:
    quiet, talker = people(50, 4, d=5), people(1, 100, d=5)
    person = np.concatenate([quiet.person, talker.person + 50])
    return PreferenceData(
        quiet.items,
        person,
        np.concatenate([quiet.chosen, talker.chosen]),
        np.concatenate([quiet.rejected, talker.rejected]),
        (*quiet.people, "talker"),
    )


def test_steps_along_the_geodesic() -> None:
    rng = np.random.default_rng(0)
    a, b = (m @ m.T + np.eye(4) for m in rng.normal(size=(2, 4, 4)))
    assert np.allclose(_geodesic(a, b, 0.0), a, atol=1e-7)
    assert np.allclose(_geodesic(a, b, 1.0), b, atol=1e-7)
    half = _geodesic(a, b, 0.5)
    assert np.allclose(half @ np.linalg.solve(a, half), b, atol=1e-6)  # the geometric mean
    far = _geodesic(a, b, 8.0)
    assert np.linalg.eigvalsh(far).min() > 0.0
    commuting = _geodesic(np.diag([1.0, 4.0]), np.diag([2.0, 2.0]), 3.0)
    assert np.allclose(commuting, np.diag([8.0, 0.5]), atol=1e-6)


# --- little to learn from -----------------------------------------------------------------------


@pytest.mark.parametrize("data", [people(1, 1), people(1, 12), people(5, 1, k=3)])
def test_little_data_is_no_trouble(data: PreferenceData) -> None:
    fitted = fit_gaussian(data)
    assert np.isfinite(fitted.factor).all()
    assert fitted.people == len(data.people)
    assert np.linalg.norm(fitted.mean) < 1e3
    pool = Pool("p", ["a", "b", "c"], data.items[:3], scaling="none")
    belief = fitted.start(pool)
    assert np.isfinite(belief.mean()).all()


def test_equal_items_say_nothing() -> None:
    data = people(10, 6, k=3, d=6)
    blank = np.zeros(6)
    items = np.vstack([data.items, blank, blank, blank])
    n = len(data.items)
    assert data.pick is not None
    equal = PreferenceData(
        items,
        np.append(data.person, [0, 0]),
        np.append(data.chosen, [n, n]),
        np.append(data.rejected, [n + 1, n + 2]),
        data.people,
        pick=np.append(data.pick, [60, 60]),
    )
    one, other = fit_gaussian(replace(data, items=items)), fit_gaussian(equal)
    assert np.allclose(one.covariance, other.covariance, rtol=0.05, atol=0.05)
    # An answer about equal things is worth log(1/3), no more.
    assert 61 * evidence(one, equal) == pytest.approx(60 * evidence(one, data) - np.log(3.0))


def test_what_cannot_be_learned_from() -> None:
    data = people(3, 3)
    with pytest.raises(ParameterError, match="there is none"):
        fit_gaussian(data.rows(np.zeros(0, dtype=np.intp)))
    with pytest.raises(ParameterError, match="the same features"):
        fit_gaussian(replace(data, items=np.ones_like(data.items)))
    prompted = replace(
        data, pick=None, prompts=np.ones((1, 2)), prompt=np.zeros(len(data), dtype=np.intp)
    )
    with pytest.raises(ParameterError, match=r"data\.joined\(\)"):
        fit_gaussian(prompted)


# --- as a prior ---------------------------------------------------------------------------------


def a_population(d: int = 4, rank: int = 2, **settings: Any) -> GaussianPopulation:
    rng = np.random.default_rng(0)
    return GaussianPopulation(
        rng.normal(size=d), rng.normal(size=(d, rank)), people=7, answers=70, **settings
    )


def a_pool(d: int = 4, n: int = 9) -> Pool:
    rows = np.random.default_rng(1).normal(size=(n, d))
    return Pool("p", [f"text {i}" for i in range(n)], rows, scaling="half")


@pytest.mark.parametrize(
    ("remainder", "residual"), [(0.0, 0.0), (0.3, 0.0), (0.1, 0.4), (0.0, 1.0)]
)
def test_remainder_and_residual_are_shares_of_the_variance(
    remainder: float, residual: float
) -> None:
    population, pool = a_population(remainder=remainder, residual=residual), a_pool()
    (found,) = population.components(pool)
    features = np.asarray(pool.features) - np.asarray(pool.features).mean(axis=0)
    mean, covariance = features @ population.mean, features @ population.covariance @ features.T
    spread = (covariance.trace() + mean @ mean) / len(pool)
    every = features @ features.T
    anything = every * len(pool) / every.trace()
    # What is believed on average: squared means and variances together are 1.
    total = found.factor @ found.factor.T + np.outer(found.mean, found.mean)
    known = (covariance + np.outer(mean, mean)) / spread
    expected = (1.0 - residual) * ((1.0 - remainder) * known + remainder * anything)
    assert np.allclose(total, expected, atol=1e-9)
    assert found.residual == residual
    assert total.trace() / len(pool) + residual == pytest.approx(1.0)


def test_others_follow_the_pool() -> None:
    population, pool = a_population(), a_pool()
    rows = np.asarray(pool.features)
    (found,) = population.components(pool, Others(rows[[2, 5]]))
    assert np.allclose(found.mean[9:], found.mean[[2, 5]])
    assert np.allclose(found.factor[9:], found.factor[[2, 5]])
    assert np.allclose(found.mean[:9], population.components(pool)[0].mean)


def test_where_the_population_sees_no_difference_each_response_stands_alone() -> None:
    still = replace(a_population(), mean=np.zeros(4), factor=np.zeros((4, 1)))
    (found,) = still.components(a_pool())
    assert found.residual == 1.0
    assert not found.factor.any()


def test_other_features_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"has 5 features.*learned from 4.*embedder"):
        a_population().start(a_pool(d=5))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mean": np.zeros(3)}, r"do not fit: \(3,\), \(4, 2\)"),
        ({"factor": np.zeros(4)}, "do not fit"),
        ({"mean": np.array([0.0, np.nan, 0.0, 0.0])}, "finite"),
        ({"factor": np.full((4, 2), np.inf)}, "finite"),
        ({"remainder": 1.0}, r"remainder must lie in \[0, 1\), not 1.0"),
        ({"remainder": -0.1}, "not -0.1"),
        ({"residual": 1.5}, "residual must lie between 0 and 1, not 1.5"),
        ({"slopes": ()}, "slopes"),
    ],
)
def test_settings_outside_their_range(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        replace(a_population(), **change)


def test_settings_tell_populations_apart() -> None:
    base = a_population()
    others = [
        replace(base, mean=base.mean + 1e-12),
        replace(base, factor=base.factor * 2.0),
        replace(base, remainder=0.5),
        replace(base, residual=0.5),
        replace(base, slopes=(1.0,)),
    ]
    told = {json.dumps(p.settings()) for p in (base, *others)}
    assert len(told) == 6
    assert replace(base, notes={"a": 1}).settings() == base.settings()


# --- its file -----------------------------------------------------------------------------------


def test_it_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "new" / "people.safetensors"
    turned = np.random.default_rng(0).normal(size=(2, 4)).T  # its bytes lie in the other order
    for population in (
        a_population(notes={"features": {"embedder": "static"}, "ü": [1, None]}),
        replace(a_population(remainder=0.25, residual=0.5, slopes=(1.0, 7.0)), factor=turned),
        fit_gaussian(people(5, 3, d=6)),
    ):
        population.save(path)
        back = GaussianPopulation.load(path)
        for name in ("mean", "factor"):
            one, other = getattr(population, name), getattr(back, name)
            assert one.dtype == other.dtype == np.float64
            assert np.ascontiguousarray(one).tobytes() == other.tobytes()
        for name in ("people", "answers", "remainder", "residual", "slopes"):
            assert getattr(back, name) == getattr(population, name)
        assert back.notes == (population.notes or {})
        assert back.settings() == population.settings()
    assert [p.name for p in path.parent.iterdir()] == ["people.safetensors"]


def headed(change: dict[str, Any] | None, **arrays: FloatArray) -> dict[str, Any]:
    header = {
        "format": 1,
        "people": 7,
        "answers": 70,
        "remainder": 0.02,
        "residual": 0.05,
        "slopes": [1.0],
        "notes": {},
    }
    tensors = {"mean": np.zeros(4), "factor": np.zeros((4, 2))} | arrays
    text = None if change is None else {"palate-population": json.dumps(header | change)}
    return {"tensors": tensors, "metadata": text}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "holds no population"),
        (b"not a tensor in it", "holds no population"),
        (headed(None), "holds no population"),
        (headed({"format": 2}), "has format 2; this palate reads 1"),
        (headed({"format": None}), "holds no population"),
        (headed({"people": "many"}), "holds no population"),
        (headed({"slopes": [-1.0]}), "slopes"),
        (headed({"slopes": None}), "holds no population"),
        (headed({"notes": 3}), "holds no population"),
        (headed({"remainder": 2.0}), "remainder must lie"),
        (headed({}, mean=np.zeros(3)), "do not fit"),
        (headed({}, factor=np.full((4, 2), np.nan)), "finite"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: Any, match: str) -> None:
    path = tmp_path / "people.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content["tensors"], path, content["metadata"])
    with pytest.raises(ModelError, match=match) as caught:
        GaussianPopulation.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_or_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        GaussianPopulation.load(tmp_path / "absent")
    with pytest.raises(ModelError, match="holds no population"):
        GaussianPopulation.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot save the population"):
        a_population().save(tmp_path / "file" / "people.safetensors")
    with pytest.raises(ParameterError, match="notes of a population are JSON"):
        a_population(notes={"x": {1, 2}}).save(tmp_path / "people.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# --- what it is for -----------------------------------------------------------------------------


def test_a_population_makes_a_few_answers_worth_more() -> None:
    """Somebody new, after four answers: the choice under the prior against that without one."""
    fitted, rng = fit_gaussian(people(150, 12)), np.random.default_rng(5)
    gained = []
    for person in range(30):
        theta = a_basis() @ rng.normal(size=RANK)
        pool = Pool("p", [f"t{i}" for i in range(20)], rng.normal(size=(20, D)), scaling="half")
        utilities = np.asarray(pool.features) @ theta
        pairs: IndexArray = rng.permutation(20)[:8].reshape(4, 2)
        chosen = []
        for prior in (fitted, Features(style=0.0)):
            belief = prior.start(pool)
            for pair in pairs:
                winner, loser = sorted(pair.tolist(), key=lambda i: -utilities[i])
                belief = belief.update(winner, [loser])
            chosen.append(float(utilities[int(belief.mean().argmax())]))
        gained.append((chosen[0] - chosen[1]) / float(np.ptp(utilities)))
        assert person >= 0
    assert np.mean(gained) > 0.08
