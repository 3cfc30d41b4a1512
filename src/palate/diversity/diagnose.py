"""From a population, its answers and the people it serves to a report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity import verdict as judge
from palate.diversity.adequacy import adequacy
from palate.diversity.condition import at_risk, coverage, default_radius, identified, least
from palate.diversity.curvature import EXACT, curvature
from palate.diversity.describe import describe
from palate.diversity.directions import open_directions
from palate.diversity.findings import People
from palate.diversity.posterior import DRAWS, expected_gap, laplace
from palate.diversity.prepare import prepare
from palate.diversity.report import DiversityReport, Evidence, means
from palate.diversity.rows import lengths, margins
from palate.diversity.scores import conditioning, error_exponent, leverage
from palate.diversity.served import Served, contests
from palate.diversity.spectrum import SPLITS, cross_fitted
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.diversity.bilinear import Bilinear
    from palate.diversity.curvature import Curvature
    from palate.diversity.prepare import Case
    from palate.diversity.rows import Rows
    from palate.diversity.spectrum import Spectrum
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel

_SAMPLE, _QUESTIONS = 100, 10  # people, and questions of each, that predictions are made for


@dataclass(frozen=True)
class _Settings:
    """Those of :func:`diagnose`."""

    tolerance: float | None
    radius: float | None
    prior: float | None
    draws: int
    splits: int
    exact: bool | None
    seed: int


def diagnose(
    model: PopulationModel | Bilinear,
    feedback: PreferenceData | Rows | None,
    served: Served | None = None,
    *,
    new_answers: PreferenceData | Rows | None = None,
    tolerance: float | None = None,
    radius: float | None = None,
    prior: float | None = None,
    draws: int = DRAWS,
    splits: int = SPLITS,
    exact: bool | None = None,
    seed: int = 0,
) -> DiversityReport:
    """Whether a population's answers identify what decides the best responses of people served.

    Args:
        model: a fitted model, or heads and a basis.
        feedback: the answers that it was fitted to; of rows, ``person`` are places in the model's
            heads. None for what can be said without answers, which is little.
        served: who is served with what. Of answers that are no rows, by default the people who gave
            them, each with the options of their own questions, and as many people drawn like them,
            see :func:`palate.diversity.served.new_people`.
        new_answers: answers of people whom the model was not fitted to, to judge the basis by.
        tolerance: acceptable expected loss in units of reward; by default 2 % of the mean
            difference between the best and the mean response of a pool.
        radius: norm that the unseen part of the basis may have, see
            :func:`palate.diversity.condition.at_risk`; by default three deviations of the prior.
        prior: variance of an entry of the basis; by default by the evidence.
        draws: from the posterior.
        splits: of the cross-fitted spectrum; 0 leaves it out.
        exact: see :func:`palate.diversity.curvature.curvature`.
        seed: of everything random.

    Raises:
        ParameterError: the reward is not linear in people's weights, shapes do not fit each other,
            or a setting is outside its range.
    """
    settings = _Settings(tolerance, radius, prior, draws, splits, exact, seed)
    _check(settings)
    case = prepare(model, feedback, served, new_answers, seed)
    spread = 0.0 if case.served is None else _spread(case.served, case.basis)
    people = np.unique(case.rows.person)
    said = curvature(case.rows, case.heads, exact=exact)
    notes = list(case.notes)
    if exact is None and case.basis.size > EXACT:
        notes.append(
            f"the information matrix of {case.basis.size:,} entries is approximated by a "
            "Kronecker product"
        )
    report = DiversityReport(
        verdict="undecided",
        people=None,
        tolerance=judge.TOLERANCE * spread if tolerance is None else tolerance,
        spread=spread,
        latent=len(case.basis),
        features=case.basis.shape[1],
        answering=len(people),
        answers=len(case.rows.starts),
        rank=int(said.seen.sum()),
        head_rank=int(np.linalg.matrix_rank(case.heads[people])) if len(people) else 0,
        in_sample=_singular_values(case.heads[people] if len(people) else case.heads, case.basis),
        spectrum=_spectrum(case, settings),
        adequacy=None if case.new_rows is None else adequacy(case.new_rows, case.basis, seed=seed),
        conditioning=0.0,
        exponent=0.0,
        radius=0.0,
        directions=(),
        notes=tuple(notes),
        evidence=None,
    )
    if judge.is_inadequate(report.adequacy, report.spectrum, report.latent):
        report = replace(report, verdict="basis inadequate")
    if case.served is None or not report.answers:
        return report
    return _judged(report, case, case.served, said, settings)


def _judged(
    report: DiversityReport, case: Case, served: Served, said: Curvature, settings: _Settings
) -> DiversityReport:
    """The report with what answers say of the people who are served."""
    posterior = laplace(
        case.rows, case.heads, case.basis, variance=settings.prior, exact=settings.exact
    )
    decided = contests(served, case.basis)
    rows, heads = decided.rows, served.heads
    radius = settings.radius
    if radius is None:
        radius = default_radius(rows, heads, said, posterior.variance)
    per_person = np.bincount(case.rows.person[case.rows.starts], minlength=len(case.heads))
    asked, axes = np.linalg.eigh((case.heads.T * per_person) @ case.heads)
    evidence = Evidence(
        posterior,
        report.answers,
        served,
        decided,
        margins(rows, heads, case.basis),
        leverage(rows, heads, posterior.answered) * report.answers,
        open_directions(rows, heads, posterior),
        np.maximum(asked[::-1], 0.0),
        axes.T[::-1],
        _sample(served, rows, settings.seed),
        settings.draws,
        settings.seed,
    )
    people = _people(evidence, said, radius, report.tolerance)
    inadequate = report.verdict == "basis inadequate"
    return replace(
        report,
        verdict=judge.of_population(people.verdicts, people.asks, inadequate=inadequate),
        people=people,
        conditioning=conditioning(rows, heads, said) / report.answers,
        exponent=error_exponent(evidence.lead, evidence.spent),
        radius=radius,
        directions=describe(evidence, said, case.rows, case.heads),
        evidence=evidence,
    )


def _people(evidence: Evidence, said: Curvature, radius: float, tolerance: float) -> People:
    served, rows, posterior = evidence.served, evidence.contests.rows, evidence.posterior
    S, heads = len(served.heads), served.heads

    def of_people(of_questions: FloatArray) -> FloatArray:
        return means(of_questions, served.person, S)

    def expected(growth: float) -> tuple[FloatArray, FloatArray]:
        found = expected_gap(
            served, posterior, growth=growth, draws=evidence.draws, seed=evidence.seed
        )
        return of_people(found.gap), of_people(found.flip)

    asks = np.zeros(S, dtype=bool)
    asks[rows.person[lengths(rows, heads) > 0.0]] = True
    known = least(coverage(rows, heads, said), rows.person, S)
    risk = of_people(_questions_at_risk(served, posterior.basis, said, radius))
    gap, flip = expected(1.0)
    # What draws differ by may not make a part larger than the whole.
    floor = np.zeros(S) if posterior.answered.seen.all() else np.minimum(expected(np.inf)[0], gap)
    names = tuple(served.name(i) for i in range(S))
    verdicts = judge.of_people(known, risk, gap, tolerance, silent=not said.seen.any())
    return People(names, asks, known, risk, gap, floor, flip, verdicts)


def _questions_at_risk(
    served: Served, basis: FloatArray, said: Curvature, radius: float
) -> FloatArray:
    """(Q,) 1 where what is unseen may turn a question around, else 0."""
    result = np.zeros(len(served.person))
    if not said.seen.all():
        seen = identified(basis, said)
        rows = contests(served, seen).rows
        risky = at_risk(rows, served.heads, seen, said, radius)
        if rows.pick is not None:
            result[rows.pick[risky]] = 1.0
    return result


def _spectrum(case: Case, settings: _Settings) -> Spectrum | None:
    """None where nobody answered twice, or it was not asked for."""
    per_person = np.bincount(case.rows.person[case.rows.starts], minlength=1)
    if not settings.splits or per_person.max() < 2:
        return None
    # One direction more than the model has, which is noise unless the model has too few.
    latent = len(case.basis) + 1
    return cross_fitted(
        case.rows, len(case.heads), latent, splits=settings.splits, seed=settings.seed
    )


def _sample(served: Served, rows: Rows, seed: int) -> Served:
    """Some of the people who have anything to decide."""
    who = np.unique(rows.person)
    drawn = generator(seed, "people to predict for").permutation(who)[:_SAMPLE]
    return served.of(drawn, _QUESTIONS)


def _spread(served: Served, basis: FloatArray) -> float:
    """Best less mean reward of a question, on average."""
    rewards, starts = served.rewards(basis), served.starts
    if not len(starts):
        return 0.0
    sizes = np.diff(starts, append=len(rewards))
    mean = np.add.reduceat(rewards, starts) / sizes
    return float((np.maximum.reduceat(rewards, starts) - mean).mean())


def _singular_values(heads: FloatArray, basis: FloatArray) -> FloatArray:
    values: FloatArray = np.linalg.svd(heads @ basis)[1][: len(basis)]
    return values / np.sqrt(max(1, len(heads)))


def _check(settings: _Settings) -> None:
    for name in ("tolerance", "radius", "prior"):
        value = getattr(settings, name)
        if value is not None and not 0.0 <= value < np.inf:
            msg = f"{name} must be at least 0 and finite, not {value}"
            raise ParameterError(msg)
    if settings.draws < 1 or settings.splits < 0:
        msg = f"draws must be at least 1 and splits 0, not {settings.draws} and {settings.splits}"
        raise ParameterError(msg)
