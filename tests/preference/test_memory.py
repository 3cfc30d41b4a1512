"""What was answered about other prompts is believed of the next one as a joint belief has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import ParameterError
from palate.pool import Pool
from palate.preference.gaussian import GaussianBelief
from palate.preference.memory import Past, Remembering
from palate.preference.prior import Features, GaussianPrior, Mixture, Others
from palate.preference.propagation import propagate

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.preference.gaussian import Component

D = 5
ONE_SLOPE = Features(slopes=(3.0,), style=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def a_pool(n: int = 6, seed: int = 0, scale: float = 1.0) -> Pool:
    rows = rng(seed).normal(size=(n, D))
    return Pool("p", [f"text {i}" for i in range(n)], scale * rows, scaling="half")


def a_past(picks: int = 8, k: int = 2, prompts: int = 1, seed: int = 1) -> Past:
    """Answers of somebody who likes large first features, k options a pick."""
    features = 0.5 * rng(seed).normal(size=(picks * k, D))
    winner, loser, group = [], [], []
    for pick in range(picks):
        shown = np.arange(pick * k, (pick + 1) * k)
        best = int(shown[np.argmax(features[shown, 0])])
        others = [int(i) for i in shown if i != best]
        winner += [best] * (k - 1)
        loser += others
        group += [pick] * (k - 1)
    age = np.repeat(prompts - np.arange(picks) * prompts // picks, k)
    return Past(features, age, np.array(winner), np.array(loser), np.array(group))


def covariance(component: Component) -> FloatArray:
    n = len(component.mean)
    return np.asarray(component.factor @ component.factor.T + component.residual * np.eye(n))


def dense(
    prior: Features, pool: Pool, past: Past, keep: float, slope: float
) -> tuple[FloatArray, FloatArray]:
    """Posterior mean and covariance of the pool's utilities, by all utilities at once."""
    n = len(pool)
    (joint,) = prior.components(pool, Others(past.features, past.style))
    age = np.concatenate([np.zeros(n), past.age])
    k = joint.factor @ joint.factor.T * keep ** np.abs(age[:, None] - age)
    k += joint.residual * np.eye(len(k))
    differences = np.zeros((len(past.winner), len(k)))
    rows = np.arange(len(past.winner))
    differences[rows, n + past.winner] = 1.0
    differences[rows, n + past.loser] = -1.0
    fit = propagate(joint.mean[None], k[None], differences, past.group, np.array([slope]))
    after = k - k @ fit.gain[0] @ k
    return (joint.mean + k @ fit.coefficients[0])[:n], after[:n, :n]


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("keep", [1.0, 0.7])
@pytest.mark.parametrize("prompts", [1, 4])
def test_it_is_the_posterior_of_all_utilities_at_once(k: int, keep: float, prompts: int) -> None:
    pool, past = a_pool(), a_past(k=k, prompts=prompts)
    (found,) = Remembering(ONE_SLOPE, past, keep).components(pool)
    mean, after = dense(ONE_SLOPE, pool, past, keep, 3.0)
    assert np.allclose(found.mean, mean, atol=1e-8)
    assert np.allclose(covariance(found), after, atol=1e-8)


def test_it_is_the_belief_about_one_pool_of_old_and_new_responses() -> None:
    pool, past = a_pool(), a_past(k=3)
    n = len(pool)
    (joint,) = ONE_SLOPE.components(pool, Others(past.features))
    belief = GaussianBelief((joint,), np.array([3.0]))
    for number in range(past.group[-1] + 1):
        rows = past.group == number
        belief = belief.update(
            n + int(past.winner[rows][0]), [n + int(i) for i in past.loser[rows]]
        )
    found = Remembering(ONE_SLOPE, past, 1.0).start(pool)
    assert np.allclose(found.mean(), belief.mean()[:n], atol=1e-4)
    for level in (0.6, 0.95):  # quantiles of the differences: means and variances
        expected = belief.advantage(2, level)[:n]
        assert np.allclose(found.advantage(2, level), expected, atol=1e-7)


def test_answers_about_the_new_pool_come_on_top() -> None:
    pool, past = a_pool(), a_past()
    (joint,) = ONE_SLOPE.components(pool, Others(past.features))
    belief = GaussianBelief((joint,), np.array([3.0]))
    n = len(pool)
    for w, v in zip(past.winner, past.loser, strict=True):
        belief = belief.update(n + int(w), [n + int(v)])
    found = Remembering(ONE_SLOPE, past, 1.0).start(pool).update(4, [1])
    # The approximation is made twice instead of once, so that they agree only nearly.
    assert np.allclose(found.mean(), belief.update(4, [1]).mean()[:n], atol=0.02)


def test_moments_are_those_of_the_mixture_over_slopes() -> None:
    pool, past, slopes = a_pool(), a_past(), (0.5, 3.0, 12.0)
    (found,) = Remembering(replace(ONE_SLOPE, slopes=slopes), past, 0.8).components(pool)
    each, evidence = [], []
    for slope in slopes:
        one = replace(ONE_SLOPE, slopes=(slope,))
        (component,) = Remembering(one, past, 0.8).components(pool)
        each.append((component.mean, covariance(component)))
        evidence.append(evidence_of(one, pool, past, slope))
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    mean = sum(w * m for w, (m, _) in zip(weights, each, strict=True))
    spread = sum(
        w * (c + np.outer(m - mean, m - mean)) for w, (m, c) in zip(weights, each, strict=True)
    )
    assert np.allclose(found.mean, mean, atol=1e-7)
    assert np.allclose(covariance(found), spread, atol=1e-6)
    assert weights.min() > 0.01  # else one slope would be all there is


def evidence_of(prior: GaussianPrior, pool: Pool, past: Past, slope: float) -> float:
    """Log evidence of a past whose ages are all alike, under one Gaussian and one slope."""
    (joint,) = prior.components(pool, Others(past.features))
    n = len(pool)
    k = covariance(joint)[n:, n:]
    d = np.zeros((len(past.winner), len(k)))
    rows = np.arange(len(d))
    d[rows, past.winner] = 1.0
    d[rows, past.loser] = -1.0
    fit = propagate(joint.mean[n:][None], k[None], d, past.group, np.array([slope]))
    return float(fit.log_evidence[0])


@pytest.mark.parametrize("base", [ONE_SLOPE, Features(style=0.0)])
def test_keeping_nothing_is_the_base(base: Features) -> None:
    pool = a_pool()
    (found,) = Remembering(base, a_past(prompts=3), 0.0).components(pool)
    (before,) = base.components(pool)
    assert np.allclose(found.mean, before.mean, atol=1e-12)
    assert np.allclose(covariance(found), covariance(before), atol=1e-9)


def test_without_a_past_it_is_the_base() -> None:
    empty = np.zeros(0, dtype=np.intp)
    past = Past(np.zeros((0, D)), empty, empty, empty, empty)
    pool, base = a_pool(), Mixture((Features(), Features(residual=0.9)), (2.0, 1.0))
    for found, before in zip(
        Remembering(base, past).components(pool), base.components(pool), strict=True
    ):
        assert np.array_equal(found.mean, before.mean)
        assert np.array_equal(found.factor, before.factor)
        assert found.weight == before.weight


def test_older_answers_count_less() -> None:
    pool, past = a_pool(), a_past(picks=12)
    liked = np.asarray(pool.features)[:, 0]
    taught = []
    for age in (1, 2, 5, 20):
        aged = replace(past, age=np.full(len(past.age), age))
        (found,) = Remembering(ONE_SLOPE, aged, 0.8).components(pool)
        taught.append(float(found.mean @ (liked - liked.mean())))
        assert covariance(found).trace() <= covariance(ONE_SLOPE.components(pool)[0]).trace()
    assert taught == sorted(taught, reverse=True)
    assert taught[0] > 10.0 * taught[-1] > 0.0


def test_a_recent_answer_outweighs_an_old_one_that_says_the_opposite() -> None:
    features = np.array([[0.5, 0, 0, 0, 0], [-0.5, 0, 0, 0, 0]] * 2, dtype=np.float64)
    places = np.array([0, 3]), np.array([1, 2]), np.array([0, 1])
    pool = a_pool()
    first = np.asarray(pool.features)[:, 0]
    for age, sign in (([5, 5, 1, 1], -1.0), ([1, 1, 5, 5], 1.0)):
        past = Past(features, np.array(age), *places)
        (found,) = Remembering(ONE_SLOPE, past, 0.7).components(pool)
        assert sign * float(found.mean @ (first - first.mean())) > 0.01


def test_a_component_keeps_as_much_of_its_evidence_as_the_latest_answer_is_worth() -> None:
    pool, past = a_pool(), a_past(picks=30)
    # The past is of one direction: with features it is likely, without them a row of accidents.
    base = Mixture((ONE_SLOPE, replace(ONE_SLOPE, residual=1.0)), (1.0, 3.0))
    evidence = [evidence_of(prior, pool, past, 3.0) for prior in base.priors]
    after = np.array([0.25, 0.75]) * np.exp(np.array(evidence) - max(evidence))
    after /= after.sum()
    assert after[0] > 0.9
    for keep in (1.0, 0.6, 0.0):
        found = Remembering(base, past, keep).components(pool)
        weights = np.array([component.weight for component in found])
        assert np.allclose(weights, keep * after + (1.0 - keep) * np.array([0.25, 0.75]))
    aged = replace(past, age=past.age + 2)
    weights = np.array([c.weight for c in Remembering(base, aged, 0.6).components(pool)])
    assert weights[0] < 0.25 + 0.6**3 * 0.75


def test_a_component_without_a_chance_is_not_lost_in_rounding() -> None:
    pool, past = a_pool(), a_past(picks=300)
    base = Mixture((ONE_SLOPE, replace(ONE_SLOPE, residual=1.0)), (1.0, 1e-290))
    belief = Remembering(base, past, 1.0).start(pool)
    assert np.isfinite(belief.weights).all()
    assert belief.weights.sum() == pytest.approx(1.0)


def test_style_is_remembered_too() -> None:
    texts = ["short", "much longer than the other one is", "middling in length", "tiny", "a b c d"]
    pool = Pool("p", texts, rng().normal(size=(5, D)), scaling="half")
    style = pool.style
    assert style is not None
    past = a_past(picks=10)
    length = rng(5).normal(size=len(past.age))
    # The same picks, now of what was shorter, whatever the features say.
    rows = np.zeros((len(past.age), style.shape[1]))
    rows[:, 0] = length
    longer = np.array([past.winner, past.loser])[:, np.arange(len(past.winner))]
    order = np.argsort(length[longer], axis=0)
    winner, loser = np.take_along_axis(longer, order, axis=0)
    known = replace(past, winner=winner, loser=loser, style=rows)
    prior = Features(style=0.9)
    (found,) = Remembering(prior, known, 1.0).components(pool)
    (blind,) = Remembering(prior, replace(known, style=None), 1.0).components(pool)
    correlation = [np.corrcoef(c.mean, style[:, 0])[0, 1] for c in (found, blind)]
    assert correlation[0] < -0.7
    assert correlation[0] < correlation[1] - 0.2
    assert known.digest() != replace(known, style=None).digest()


def test_what_is_equal_or_repeated_breaks_nothing() -> None:
    past = a_past()
    same = replace(past, features=np.ones_like(past.features))
    twice = replace(
        past,
        winner=np.repeat(past.winner, 2),
        loser=np.repeat(past.loser, 2),
        group=np.arange(2 * len(past.winner)),
    )
    for odd in (same, twice):
        belief = Remembering(Features(), odd).start(a_pool())
        assert np.isfinite(belief.mean()).all()
        assert np.isfinite(belief.draws(rng(), 50).utilities).all()
    assert np.allclose(Remembering(Features(), same).start(a_pool()).mean(), 0.0)


def test_settings_tell_pasts_apart() -> None:
    prior = Remembering(ONE_SLOPE, a_past())
    assert prior.settings() == Remembering(ONE_SLOPE, a_past()).settings()
    others = [
        replace(prior, keep=0.8),
        replace(prior, base=Features()),
        *(
            replace(prior, past=replace(a_past(), **{name: getattr(a_past(), name) + 1}))
            for name in ("features", "age", "winner", "loser", "group")
        ),
    ]
    settings = [str(other.settings()) for other in (prior, *others)]
    assert len(set(settings)) == len(settings)


def test_what_is_refused() -> None:
    for keep in (-0.1, 1.1, float("nan")):
        with pytest.raises(ParameterError, match=f"keep must lie between 0 and 1, not {keep}"):
            Remembering(ONE_SLOPE, a_past(), keep)
    wide = replace(a_past(), features=np.zeros((16, D + 1)))
    with pytest.raises(ParameterError, match="has 5 features, and what is remembered 6"):
        Remembering(ONE_SLOPE, wide).start(a_pool())
    once = Remembering(ONE_SLOPE, a_past())
    with pytest.raises(ParameterError, match="into one past"):
        Remembering(once, a_past()).start(a_pool())


def test_what_is_believed_of_a_pool_is_found_out_once() -> None:
    """An undo asks for it again."""
    pool, past = a_pool(), a_past()
    prior = Remembering(ONE_SLOPE, past, 1.0)
    assert prior.components(pool) is prior.components(pool)
    moved = prior.components(a_pool(seed=3))[0].mean
    assert not np.allclose(moved, prior.components(pool)[0].mean)
    anew = Remembering(ONE_SLOPE, past, 1.0)
    assert np.array_equal(anew.components(pool)[0].mean, prior.components(pool)[0].mean)
