"""Whether what is called certain is true, how many answers that takes, and how exact the solver is.

People, pools and answers are simulated here, and consistent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean, median, stdev
from typing import TYPE_CHECKING

import numpy as np

from palate.elicitation import Elicitation
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference import VersionSpace, fit_logistic
from palate.strategies import Strategy, UserAlign, WinnerStays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.pool import Scaling

NORM_BOUND = 3.0
DELTA = 0.05
_PATIENCE = 5_000  # questions after which a run that is not certain yet counts as not certified


@dataclass(slots=True)
class Verdicts:
    """What became of certified responses.

    Attributes:
        name: what was run.
        answers: questions of each run.
        certified: how many runs ended with a certificate.
        right: how many of those returned the true best response.
    """

    name: str
    answers: list[int] = field(default_factory=list)
    certified: int = 0
    right: int = 0

    @property
    def standard_error(self) -> float:
        """Of the mean number of answers."""
        n = len(self.answers)
        return stdev(self.answers) / n**0.5 if n > 1 else 0.0


def certificates(cases: int, *, seed: int) -> list[Verdicts]:
    """Run random pools and people to the certificate at epsilon = 0, both estimates in turn.

    N from 2 to 40, d from 1 to 64, either scaling.
    """
    verdicts = {name: Verdicts(f"random pools, estimate {name}") for name in ("mle", "inside")}
    for case in range(cases):
        rng = np.random.default_rng([seed, case])
        n, d = int(rng.integers(2, 41)), int(rng.integers(1, 65))
        scaling: Scaling = "half" if rng.random() < 0.5 and d > 1 else "diameter"
        pool = random_pool(rng, n, d, scaling)
        strategy = UserAlign(estimate="mle" if case % 2 else "inside", max_steps=_PATIENCE)
        _run(verdicts[strategy.estimate], pool, random_theta(rng, d), strategy, case)
    return list(verdicts.values())


def answers_to_certainty(people: int, *, seed: int, n: int = 20, d: int = 64) -> list[Verdicts]:
    """Answers until epsilon = 0 is certified on pools of n responses with d >= n features."""
    strategies: dict[str, Strategy] = {
        "UserAlign, estimate mle": UserAlign(max_steps=_PATIENCE),
        "UserAlign, estimate inside": UserAlign(max_steps=_PATIENCE, estimate="inside"),
        "WinnerStays": WinnerStays(),
    }
    verdicts = {name: Verdicts(f"N = {n}, d = {d}, {name}") for name in strategies}
    for person in range(people):
        rng = np.random.default_rng([seed, n, d, person])
        pool, theta = random_pool(rng, n, d, "half"), random_theta(rng, d)
        for name, strategy in strategies.items():
            _run(verdicts[name], pool, theta, strategy, person)
    return list(verdicts.values())


def _run(verdicts: Verdicts, pool: Pool, theta: FloatArray, strategy: Strategy, seed: int) -> None:
    person = SimulatedPerson(theta)
    recommendation = Elicitation(pool, strategy, seed).run(person)
    utilities = person.utilities(pool)
    verdicts.answers.append(recommendation.answers)
    verdicts.certified += recommendation.certified
    best = utilities[recommendation.index] >= utilities.max() - 1e-9
    verdicts.right += bool(recommendation.certified and best)


@dataclass(slots=True)
class Differences:
    """Ours less the reference's over random cases.

    Attributes:
        estimate: distance of the two estimates, per case.
        support: largest difference of support values relative to S, per case.
    """

    estimate: list[float] = field(default_factory=list)
    support: list[float] = field(default_factory=list)


def against_reference(cases: int, *, seed: int) -> Differences:
    """Compare estimates and support values with the reference solver's.

    Cases have d from 1 to 512, t from 1 to 60 unit differences or shorter, of consistent, noisy or
    contradicting people, some rows twice, some collinear.

    Raises:
        MissingExtraError: cvxpy is not installed.
    """
    from palate.bench.reference import reference_estimate, reference_support  # noqa: PLC0415

    found = Differences()
    for case in range(cases):
        rng = np.random.default_rng([seed, case])
        differences = random_differences(rng, int(2 ** rng.uniform(0, 9)), int(rng.integers(1, 61)))
        directions = rng.normal(size=(4, differences.shape[1]))
        directions /= np.sqrt((directions**2).sum(axis=1, keepdims=True))
        estimate = fit_logistic(differences, NORM_BOUND)
        reference = reference_estimate(differences, NORM_BOUND)
        found.estimate.append(float(np.sqrt(((estimate - reference) ** 2).sum())))
        ours = VersionSpace(differences, NORM_BOUND, DELTA).support(directions)
        theirs, _ = reference_support(differences, directions, NORM_BOUND, DELTA)
        found.support.append(float(np.abs(ours - theirs).max()) / NORM_BOUND)
    return found


def random_differences(rng: np.random.Generator, d: int, t: int) -> FloatArray:
    """(t, d) differences of norm at most 1, answered consistently, with noise, or at random."""
    differences = rng.normal(size=(t, d))
    differences *= (
        rng.uniform(0.05, 1.0, size=(t, 1)) / np.sqrt((differences**2).sum(axis=1))[:, None]
    )
    margins = differences @ random_theta(rng, d)
    flipped = rng.random(t) < rng.choice([0.0, 0.1, 0.5])
    differences *= np.where((margins < 0) ^ flipped, -1.0, 1.0)[:, None]
    if rng.random() < 0.3:
        differences[-1] = differences[0]
    if rng.random() < 0.3:
        differences[t // 2] = 0.5 * differences[0]
    return differences


def random_pool(rng: np.random.Generator, n: int, d: int, scaling: Scaling) -> Pool:
    """A pool with normal features."""
    return Pool(
        "simulated", [f"response {i}" for i in range(n)], rng.normal(size=(n, d)), scaling=scaling
    )


def random_theta(rng: np.random.Generator, d: int) -> FloatArray:
    """Weights uniform on the sphere of radius S."""
    direction = rng.normal(size=(d,))
    return direction * (NORM_BOUND / float(np.sqrt(direction @ direction)))


def verdict_rows(verdicts: Sequence[Verdicts]) -> list[list[str]]:
    """Table rows: name, runs, certified, right, mean answers with standard error, most."""
    return [
        [
            v.name,
            str(len(v.answers)),
            str(v.certified),
            str(v.right),
            f"{mean(v.answers):.2f} ({v.standard_error:.2f})",
            str(max(v.answers)),
        ]
        for v in verdicts
    ]


def difference_rows(found: Differences) -> list[list[str]]:
    """Table rows: what is compared, cases, median and largest difference."""
    named = (
        ("theta_hat, distance", found.estimate),
        ("support values, relative to S", found.support),
    )
    return [
        [name, str(len(values)), f"{median(values):.1e}", f"{max(values):.1e}"]
        for name, values in named
    ]
