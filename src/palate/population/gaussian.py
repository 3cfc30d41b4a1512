"""People's tastes as one Gaussian, learned from a few answers of each: a prior for the next one."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import eigh

from palate._beside import beside
from palate._cache import digest
from palate.errors import ModelError, ParameterError
from palate.preference.laplace import laplace
from palate.preference.prior import (
    SLOPES,
    GaussianPrior,
    check_share,
    check_slopes,
    component,
    features_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from palate._typing import FloatArray, IndexArray
    from palate.pool import Pool
    from palate.population.data import PreferenceData
    from palate.preference.gaussian import Component
    from palate.preference.prior import Others

FORMAT = 1
"""Version of the file's format."""

_START = 2.0  # logits per standard deviation of a margin, before any answer
_PEOPLE = 512  # at a time
_CELLS = 1_000_000  # of a table of all their margins by margins, which bounds the memory
_MEAN_STEPS = 10
_FASTER, _FASTEST = 1.1, 10.0  # growth and limit of the steps, as multiples of EM's own
_FLOOR = 1e-9  # of the mean variance of weights, lest a direction vanish


@dataclass(frozen=True, eq=False)
class GaussianPopulation(GaussianPrior):
    """Weights of people as draws from ``N(mean, factor factor^T)``, and a little of everything.

    As a prior of somebody new it keeps ``remainder`` of the variance for directions that the
    population does not know, and ``residual`` for what features miss, so that nobody is locked
    out. For those who may be quite unlike the population see :func:`with_outsiders`.

    Attributes:
        mean: (d,) the average person's weights.
        factor: (d, R).
        people: how many it was learned from.
        answers: of theirs.
        remainder: share of the variance, in [0, 1), spread evenly over all features.
        residual: share of the variance that is each response's own, in [0, 1].
        slopes: levels of noise to infer from.
        notes: what else belongs to it, such as the embedder that made the features; JSON.
    """

    name: ClassVar[str] = "population"

    mean: FloatArray
    factor: FloatArray
    people: int
    answers: int
    remainder: float = 0.02
    residual: float = 0.05
    slopes: tuple[float, ...] = SLOPES
    notes: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.factor.shape[:1] != self.mean.shape or self.factor.ndim != 2:
            msg = f"mean (d,) and factor (d, R) do not fit: {self.mean.shape}, {self.factor.shape}"
            raise ParameterError(msg)
        if not (np.isfinite(self.mean).all() and np.isfinite(self.factor).all()):
            raise ParameterError("mean and factor must be finite")
        if not 0.0 <= self.remainder < 1.0:
            msg = f"remainder must lie in [0, 1), not {self.remainder}"
            raise ParameterError(msg)
        check_share("residual", self.residual)
        object.__setattr__(self, "slopes", check_slopes(self.slopes))

    @property
    def covariance(self) -> FloatArray:
        """(d, d) of people's weights, without the remainder."""
        return self.factor @ self.factor.T

    def components(self, pool: Pool, others: Others | None = None) -> tuple[Component, ...]:
        """See :meth:`GaussianPrior.components`."""
        features, n = features_of(pool, others), len(pool)
        if features.shape[1] != len(self.mean):
            msg = (
                f"the pool has {features.shape[1]} features, and the population was learned from "
                f"{len(self.mean)}: embed the pool with the population's embedder"
            )
            raise ParameterError(msg)
        centre = features[:n].mean(axis=0)
        features = features - centre
        mean, known = features @ self.mean, features @ self.factor
        spread = float((known[:n] ** 2).sum() + (mean[:n] ** 2).sum())
        every = float((features[:n] ** 2).sum())
        share = self.remainder / (1.0 - self.remainder)
        anything = features * np.sqrt(share * spread / every) if every > 0.0 else features
        return (component(mean, np.hstack([known, anything]), self.residual, n),)

    def settings(self) -> dict[str, Any]:
        """See :meth:`palate.preference.prior.Prior.settings`."""
        return {
            "name": self.name,
            "digest": digest(repr(self.mean.tolist()), repr(self.factor.tolist())),
            "remainder": self.remainder,
            "residual": self.residual,
            "slopes": list(self.slopes),
        }

    def save(self, path: Path) -> None:
        """Write it to a safetensors file, whole or not at all.

        Raises:
            ParameterError: the notes are no JSON.
            ModelError: the file cannot be written.
        """
        from safetensors.numpy import save  # noqa: PLC0415 - slow to import

        header = {
            "format": FORMAT,
            "people": self.people,
            "answers": self.answers,
            "remainder": self.remainder,
            "residual": self.residual,
            "slopes": self.slopes,
            "notes": dict(self.notes or {}),
        }
        try:
            text = json.dumps(header, allow_nan=False)
        except (TypeError, ValueError) as error:
            msg = f"the notes of a population are JSON: {error}"
            raise ParameterError(msg) from error
        arrays = {"mean": self.mean, "factor": np.ascontiguousarray(self.factor)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside(path) as name, name.open("xb") as file:
                file.write(save(arrays, {"palate-population": text}))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            msg = f"cannot save the population in {path}: {error.strerror or error}"
            raise ModelError(msg) from error

    @classmethod
    def load(cls, path: Path) -> GaussianPopulation:
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: there is no such file, it is damaged, or newer than this palate.
        """
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - slow to import

        try:
            with safe_open(path, framework="np") as file:
                header = json.loads((file.metadata() or {})["palate-population"])
                arrays = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}  # noqa: SIM118
            if header["format"] > FORMAT:
                msg = f"{path} has format {header['format']}; this palate reads {FORMAT}"
                raise ModelError(msg)
            return cls(
                arrays["mean"],
                arrays["factor"],
                int(header["people"]),
                int(header["answers"]),
                float(header["remainder"]),
                float(header["residual"]),
                tuple(header["slopes"]),
                dict(header["notes"]),
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            said = getattr(error, "strerror", None) or " ".join(str(error).split())
            msg = f"{path} holds no population saved by palate: {said}"
            raise ModelError(msg) from error


def fit_gaussian(
    data: PreferenceData,
    *,
    max_iterations: int = 100,
    tolerance: float = 1e-4,
    on_step: Callable[[int, float], None] | None = None,
) -> GaussianPopulation:
    """Learn how people's weights are distributed: the mixed logit, by expectation-maximisation.

    A person's answers follow the multinomial logit with weights of their own; these are a draw
    from ``N(mean, covariance)``, which is what is fitted: the E step is Laplace's approximation of
    each person's weights, the M step the moments of those (empirical Bayes; McFadden and Train
    2000). At first the mean is held at 0, so that it is one direction among those of the
    covariance, and no more than they can it learn the answers by heart; a few steps then tell the
    two apart. In the end it is shrunk to 0 as far as it may be an accident of so many people (James
    and Stein's positive part).

    Steps grow beyond EM's own while the evidence rises (Salakhutdinov and Roweis 2003), along the
    geodesic of positive definite matrices; one by which it would fall is taken back.

    Nobody's weights are estimated from their own answers alone, so 200 people with 20 answers each
    can teach a taste in 64 features, where nobody's answers determine their own.

    Args:
        data: answers of many people, items of (M, d) features; prompts joined to the items, if any.
        max_iterations: of EM with the mean held at 0.
        tolerance: it ends when an iteration raises the evidence by less, in nats an answer.
        on_step: called with the number of each iteration and the evidence in nats an answer, unless
            the step was taken back.

    Raises:
        ParameterError: there is no answer, or there are separate prompts.
    """
    if data.prompts is not None:
        raise ParameterError("join the prompts to the items first: data.joined()")
    if not len(data):
        raise ParameterError("a population is learned from answers; there is none")
    batches = list(_batches(data))
    rows = sum(int(np.count_nonzero(batch.rows.any(axis=2))) for batch in batches)
    squares = sum(float((batch.rows**2).sum()) for batch in batches)
    if squares == 0.0:
        raise ParameterError("all items that were compared have the same features")
    numbers = itertools.count(1)

    def report(evidence: float) -> None:
        if on_step is not None:
            on_step(next(numbers), evidence / data.answers)

    start = np.eye(data.items.shape[1]) * (_START**2 * rows / squares)
    least = tolerance * data.answers
    evidence, mean, second = _with_mean_held(batches, start, max_iterations, least, report)
    for _ in range(_MEAN_STEPS):
        found, first, raw = _em(batches, mean, second - np.outer(mean, mean))
        if found < evidence:
            break
        evidence, mean, second = found, first, raw
        report(evidence)
    people = int(np.count_nonzero(data.per_person))
    by_chance = float(np.trace(second) - mean @ mean) / people
    mean *= max(0.0, 1.0 - by_chance / max(float(mean @ mean), 1e-300))
    values, vectors = np.linalg.eigh(second - np.outer(mean, mean))
    kept = values > _FLOOR * values[-1]
    factor = vectors[:, kept] * np.sqrt(values[kept])
    return GaussianPopulation(mean, factor, people, data.answers)


def evidence(population: GaussianPopulation, data: PreferenceData) -> float:
    """Log probability of people's answers, in nats an answer, by Laplace's approximation.

    The answers are as :func:`fit_gaussian` takes them, and so are those people: drawn from the
    population, with neither remainder nor residual.
    """
    batches = list(_batches(data))
    return _em(batches, population.mean, population.covariance)[0] / data.answers


def _with_mean_held(
    batches: list[_Batch],
    start: FloatArray,
    max_iterations: int,
    least: float,
    report: Callable[[float], None],
) -> tuple[float, FloatArray, FloatArray]:
    """EM with the mean at 0: log evidence, and people's first and second moments in the end."""
    zero = np.zeros(len(start))
    evidence, mean, second, proposed, faster = -np.inf, zero, start, start, 1.0
    for _ in range(max_iterations):
        found, first, raw = _em(batches, zero, proposed)
        if found < evidence:
            if faster == 1.0:
                break
            proposed, faster = second, 1.0  # that was too far
            continue
        before, mean, second = proposed, first, raw
        rise, evidence = found - evidence, found
        report(evidence)
        if rise < least:
            break
        faster = min(faster * _FASTER, _FASTEST)
        proposed = _geodesic(before, second, faster)
    return evidence, mean, second


def _em(
    batches: list[_Batch], mean: FloatArray, covariance: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """The log evidence, and people's first and second moments, (d,) and (d, d), given the answers.

    Where the mean is held at 0, the second moments are the covariance that EM goes on with.
    """
    people = sum(len(batch.rows) for batch in batches)
    moments = [batch.moments(mean, covariance) for batch in batches]
    evidence, first, second = (sum(parts) for parts in zip(*moments, strict=True))
    return evidence, first / people, _definite(second / people)


def _geodesic(start: FloatArray, end: FloatArray, length: float) -> FloatArray:
    """The positive definite matrix on the way from one through another: 1 is the other."""
    values, vectors = eigh(end, start)
    root = start @ vectors * np.maximum(values, 0.0) ** (0.5 * length)
    return _definite(root @ root.T)


def _definite(matrix: FloatArray) -> FloatArray:
    """Symmetric, and with something left of each direction."""
    floor = _FLOOR * float(np.trace(matrix)) / len(matrix)
    return np.asarray(0.5 * (matrix + matrix.T) + floor * np.eye(len(matrix)))


@dataclass(eq=False)
class _Batch:
    """Some people, each with as many picks of each size as any of them; those added say nothing.

    Attributes:
        rows: (U, m, d) differences; those of picks that were added are 0.
        groups: (m,) the pick that each row belongs to.
        constant: what the picks added take from the log evidence.
        start: (U, m) coefficients of the last E step.
    """

    rows: FloatArray
    groups: IndexArray
    constant: float
    start: FloatArray | None = None

    def moments(
        self, mean: FloatArray, covariance: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """The E step: log evidence, sum of the weights, and of their squares, (d,) and (d, d)."""
        towards = self.rows @ covariance
        fit = laplace(
            self.rows @ mean,
            towards @ self.rows.transpose(0, 2, 1),
            self.groups,
            np.ones(len(self.rows)),
            start=self.start,
        )
        self.start = fit.coefficients
        weights = mean + np.einsum("um,umd->ud", fit.coefficients, towards)
        d = len(mean)
        known = towards.reshape(-1, d).T @ (fit.gain @ towards).reshape(-1, d)
        second = weights.T @ weights + len(weights) * covariance - known
        return float(fit.log_evidence.sum()) + self.constant, weights.sum(axis=0), second


def _batches(data: PreferenceData) -> Iterator[_Batch]:
    """Everybody who answered, put together with others who gave about as many answers."""
    differences = data.items[data.chosen] - data.items[data.rejected]
    answer = np.repeat(np.arange(data.answers), np.diff(np.append(data.starts, len(data))))
    sizes, size = np.unique(np.bincount(answer), return_inverse=True)
    by = data.person[data.starts]  # whose answer it is
    counts = np.zeros((len(data.people), len(sizes)), dtype=np.intp)
    np.add.at(counts, (by, size), 1)
    # The place of an answer among those of its person and size, and of a row in its answer.
    order = np.lexsort((size, by))
    place = np.empty(len(by), dtype=np.intp)
    place[order] = _number_in_group(by[order] * len(sizes) + size[order])
    within = _number_in_group(answer)
    for people in _chunks(counts, sizes):
        most = counts[people].max(axis=0)
        first = np.cumsum(most * sizes) - most * sizes
        columns = first[size] + place * sizes[size]
        who = np.full(len(data.people), -1)
        who[people] = np.arange(len(people))
        rows = np.flatnonzero(who[data.person] >= 0)
        table = np.zeros((len(people), int(most @ sizes), differences.shape[1]))
        table[who[data.person[rows]], columns[answer[rows]] + within[rows]] = differences[rows]
        groups = np.repeat(np.arange(most.sum()), np.repeat(sizes, most))
        added = len(people) * most - counts[people].sum(axis=0)
        yield _Batch(table, groups, float(added @ np.log(sizes + 1.0)))


def _number_in_group(groups: IndexArray) -> IndexArray:
    """The place of each entry among the equal ones that it stands with, from 0."""
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    lengths = np.diff(np.append(first, len(groups)))
    return np.arange(len(groups)) - np.repeat(first, lengths)


def _chunks(counts: IndexArray, sizes: IndexArray) -> Iterator[IndexArray]:
    """People who answered, by how much; so many at a time that their table is not too large.

    Args:
        counts: (U, S) picks of each person and size.
        sizes: (S,) rows of such a pick.
    """
    total = counts @ sizes
    people = np.argsort(total, kind="stable")[np.count_nonzero(total == 0) :]
    while len(people):
        widths = np.maximum.accumulate(counts[people[:_PEOPLE]], axis=0) @ sizes
        fitting = np.arange(1, len(widths) + 1) * widths**2 <= _CELLS
        n = max(1, int(np.count_nonzero(fitting)))
        yield people[:n]
        people = people[n:]
