"""The report: a verdict, what to do next, and the figures behind both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from palate.diversity import wording
from palate.diversity.findings import Example, Prediction, Suggestions
from palate.diversity.plans import Plan, plan_queries, plan_users
from palate.diversity.posterior import expected_gap
from palate.diversity.scores import MOST, answers_needed, selector_error
from palate.diversity.verdict import ENOUGH
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.adequacy import Adequacy
    from palate.diversity.directions import Open
    from palate.diversity.findings import Direction, People
    from palate.diversity.posterior import Posterior
    from palate.diversity.rows import Rows
    from palate.diversity.served import Contests, Served
    from palate.diversity.spectrum import Spectrum
    from palate.diversity.verdict import Verdict

_TIMES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # the answers so far
_ASKED, _QUERIES = 200, 20  # people, and contests of each, that are planned with by default


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a report's figures are computed from.

    Attributes:
        posterior: of the basis.
        answers: number of answers that it is from.
        served: people and their questions.
        contests: what has to be told apart.
        lead: (n,) by how much the best response of each contest leads.
        spent: (n,) variance of that, from one answer; see :func:`palate.diversity.scores.leverage`.
        unknown: what is open.
        asked: (J,) information about each direction of heads, greatest first.
        axes: (J, J) these directions, as rows.
        sample: some of the served, for predictions.
        draws: from the posterior.
        seed: of the draws.
    """

    posterior: Posterior
    answers: int
    served: Served
    contests: Contests
    lead: FloatArray
    spent: FloatArray
    unknown: Open
    asked: FloatArray
    axes: FloatArray
    sample: Served
    draws: int
    seed: int


@dataclass(frozen=True, eq=False)
class DiversityReport:
    """Whether a population can be relied on for the people who are served.

    Attributes:
        verdict: see :data:`palate.diversity.verdict.Verdict`.
        people: who is served; None without answers or pools to judge by.
        tolerance: acceptable expected loss, in units of reward.
        spread: best less mean reward of a pool, on average: what there is to gain.
        latent: J.
        features: F.
        answering: how many people gave answers.
        answers: how many answers they gave.
        rank: of their information matrix; decides nothing by itself.
        head_rank: of the heads of those who answered.
        in_sample: at most J singular values of the given ``H B`` of those who answered, over the
            root of their number; never 0 for noise.
        spectrum: cross-fitted, with one direction more than the model has; None where it was not
            asked for or there are too few answers.
        adequacy: of the basis for new people; None without answers of theirs.
        conditioning: least information of a contest an answer, of unit length; 0 if uncovered.
        exponent: rate at which errors vanish an answer, ``exp(-c n)``; 0 if uncovered.
        radius: norm that the unseen part of the basis was allowed.
        directions: what is open, what carries most of it first.
        notes: what was approximated or left out, in words.
        evidence: what predictions and plans are computed from; None as ``people``.
    """

    verdict: Verdict
    people: People | None
    tolerance: float
    spread: float
    latent: int
    features: int
    answering: int
    answers: int
    rank: int
    head_rank: int
    in_sample: FloatArray
    spectrum: Spectrum | None
    adequacy: Adequacy | None
    conditioning: float
    exponent: float
    radius: float
    directions: tuple[Direction, ...]
    notes: tuple[str, ...]
    evidence: Evidence | None

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        return wording.headline(self)

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do now, the first thing first."""
        return wording.next_steps(self)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences with the figures."""
        return wording.reasons(self)

    def recommend(self) -> Literal["greedy", "active"]:
        """How to go on: serve and learn greedily, or ask for what is missing first."""
        return "greedy" if self.verdict in {"covered", "learnable", "harmless gap"} else "active"

    def predict_error(self, n: float) -> float:
        """Share of best responses expected to be taken for another after n answers like these.

        A union bound, at the estimate; see :func:`palate.diversity.scores.selector_error`.

        Raises:
            ParameterError: n is below 0, or there was nothing to judge by.
        """
        evidence = self._evidence(n)
        pick = evidence.contests.rows.pick
        question = np.zeros(0, dtype=np.intp) if pick is None else pick
        asked = len(evidence.served.person)
        return selector_error(evidence.lead, evidence.spent, question, asked, n)

    def predict_gap(self, n: float) -> float:
        """Expected loss of the people served, on average, after n answers like these.

        Raises:
            ParameterError: n is below 0, or there was nothing to judge by.
        """
        return float(np.mean(self._gaps(n)))

    def samples_for(self, tolerance: float | None = None) -> int | None:
        """The fewest answers like these for which 95 % of the people are within the tolerance.

        Args:
            tolerance: of the expected loss, in units of reward; by default the report's.

        Returns:
            The number, those given included; None where no number is enough.

        Raises:
            ParameterError: there was nothing to judge by, or the tolerance is below 0.
        """
        wanted = self.tolerance if tolerance is None else tolerance
        if not wanted >= 0.0:
            msg = f"tolerance must be at least 0, not {wanted}"
            raise ParameterError(msg)
        return answers_needed(
            lambda n: _nearly_all(self._gaps(math.inf if n >= MOST else n)), wanted
        )

    @cached_property
    def predictions(self) -> tuple[Prediction, ...]:
        """What more answers like these are predicted to bring; empty where nothing can be said."""
        if self.evidence is None:
            return ()
        counts = [max(1, round(self.answers * times)) for times in _TIMES]
        return tuple(
            Prediction(n, float(gaps.mean()), _nearly_all(gaps), self.predict_error(n))
            for n, gaps in ((n, self._gaps(n)) for n in counts)
        )

    @cached_property
    def ask_first(self) -> Suggestions | None:
        """Whom of the people served to ask, and what; None where no answer is missing."""
        evidence = self.evidence
        if evidence is None or self.verdict not in {"learnable", "uncovered"}:
            return None
        people, queries = self.plan_users(), self.plan_queries()
        decided, name, label = evidence.contests, evidence.served.name, evidence.served.label
        return Suggestions(
            tuple(name(int(person)) for person in people.chosen),
            people.gains,
            people.left,
            tuple(
                Example(
                    name(int(decided.rows.person[row])),
                    label(int(decided.better[row])),
                    label(int(decided.worse[row])),
                )
                for row in queries.chosen
            ),
            queries.gains,
            queries.left,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything that the report says, as JSON values."""
        from palate.diversity.record import record  # noqa: PLC0415 - it knows this class

        return record(self)

    def to_html(self, title: str = "Diversity report") -> str:
        """The report as one page that needs nothing beside it.

        Figures are left out, and that is said, where matplotlib is not installed.
        """
        from palate.diversity.html import page  # noqa: PLC0415 - it knows this class

        return page(self, title)

    def plan_users(
        self, k: int = 5, candidates: Rows | None = None, heads: FloatArray | None = None
    ) -> Plan:
        """The people whose answers would close most; see :func:`palate.diversity.plan_users`.

        Args:
            k: how many.
            candidates: what each person would be asked, some twenty comparisons; by default the
                people served are asked about their own contests.
            heads: (C, J) of the people who could be asked; by default those served.

        Returns:
            ``chosen`` are places among these people.

        Raises:
            ParameterError: k is below 1, or there was nothing to judge by.
        """
        evidence = self._evidence(0)
        rows = evidence.contests.rows.of(self._likely()) if candidates is None else candidates
        of = evidence.served.heads if heads is None else heads
        return plan_users(rows, of, evidence.posterior, evidence.unknown, k)

    def plan_queries(
        self, k: int = 5, candidates: Rows | None = None, heads: FloatArray | None = None
    ) -> Plan:
        """The comparisons that would close most; see :func:`palate.diversity.plan_queries`.

        Args:
            k: how many.
            candidates: what could be asked, and of whom; by default the contests of those served.
            heads: (C, J) of the people who could be asked; by default those served.

        Returns:
            ``chosen`` are rows of the candidates, by default of ``evidence.contests``.

        Raises:
            ParameterError: k is below 1, or there was nothing to judge by.
        """
        evidence = self._evidence(0)
        of = evidence.served.heads if heads is None else heads
        if candidates is not None:
            return plan_queries(candidates, of, evidence.posterior, evidence.unknown, k)
        likely = self._likely()
        rows = evidence.contests.rows.of(likely)
        found = plan_queries(rows, of, evidence.posterior, evidence.unknown, k)
        return replace(found, chosen=likely[found.chosen])

    def _likely(self) -> IndexArray:
        """Rows of the contests to plan with: of those who lose most, some of each."""
        evidence = self._evidence(0)
        people, person = self.people, evidence.contests.rows.person
        worst = np.arange(0) if people is None else people.worst[:_ASKED]
        rank = np.full(len(evidence.served.heads), -1)
        rank[worst] = np.arange(len(worst))
        near = np.argsort(-evidence.unknown.weights, kind="stable")
        near = near[rank[person[near]] >= 0]
        order = near[np.argsort(rank[person[near]], kind="stable")]
        of = rank[person[order]]
        return np.sort(order[np.arange(len(order)) - np.searchsorted(of, of) < _QUERIES])

    def _gaps(self, n: float) -> FloatArray:
        """Expected loss of each person of the sample after n answers."""
        evidence = self._evidence(n)
        found = expected_gap(
            evidence.sample,
            evidence.posterior,
            growth=n / evidence.answers if evidence.answers else 1.0,
            draws=evidence.draws,
            seed=evidence.seed,
        )
        people, place = np.unique(evidence.sample.person, return_inverse=True)
        return means(found.gap, place, len(people)) if len(people) else np.zeros(1)

    def _evidence(self, n: float) -> Evidence:
        if self.evidence is None:
            raise ParameterError("without answers and pools there is nothing to predict from")
        if not n >= 0.0:
            msg = f"answers must be at least 0, not {n}"
            raise ParameterError(msg)
        return self.evidence


def _nearly_all(gaps: FloatArray) -> float:
    return float(np.quantile(gaps, ENOUGH, method="higher"))


def means(values: FloatArray, group: IndexArray, groups: int) -> FloatArray:
    """(groups,) mean of each group, 0 for a group without any."""
    count = np.bincount(group, minlength=groups)
    return np.bincount(group, weights=values, minlength=groups) / np.maximum(count, 1)
