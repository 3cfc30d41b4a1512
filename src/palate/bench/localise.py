"""How long it takes to locate people, and how near the best they end: ours and two kinds of Adam.

All sides solve the same problem in this process, on one thread: the most plausible weights on the
simplex, without a prior, of people who answer by their own (simulated) weights. The margins are
given, so that what is timed is the solver alone. Adam is timed on fewer people where it is slow,
and scaled; the table says on how many.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from palate._random import generator
from palate.bench._torch import one_thread_torch
from palate.errors import MissingExtraError
from palate.population.evaluate import learning_curve
from palate.population.linear import fit_pal_a
from palate.population.localise import Located, locate_on_simplex
from palate.population.simulate import simulate_population

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from palate._typing import FloatArray

_REPEATS = 5
_LOGIT_SCALE = 3.0
_AUTHORS_RATE, _AUTHORS_EPOCHS, _AUTHORS_BATCH = 5e-3, 20, 4
_BATCHED_RATE, _BATCHED_STEPS = 5e-2, 400


@dataclass(frozen=True, eq=False)
class Answered:
    """(U, n, K) G of people who gave n answers each; the margins of weights w are ``G w``."""

    gains: FloatArray

    @classmethod
    def simulated(cls, people: int, answers: int, k: int, seed: int) -> Answered:
        """Bradley-Terry answers of people uniform on the simplex; normal rows, three nats long."""
        rng = generator(seed, "bench locate", people, answers, k)
        rows = _LOGIT_SCALE * rng.normal(size=(people, answers, k))
        margins = np.einsum("unk,uk->un", rows, rng.dirichlet(np.ones(k), size=people))
        right = rng.random(margins.shape) < 1.0 / (1.0 + np.exp(-margins))
        return cls(np.where(right, 1.0, -1.0)[:, :, None] * rows)

    def first(self, people: int) -> Answered:
        """Only the first people."""
        return Answered(self.gains[:people])

    def losses(self, weights: FloatArray) -> FloatArray:
        """(U,) mean log losses at (U, K) weights."""
        margins = np.einsum("unk,uk->un", self.gains, weights)
        return np.asarray(np.logaddexp(0.0, -margins).mean(axis=1))


@dataclass(frozen=True, slots=True)
class LocateRow:
    """One way to locate people: seconds, of as many people as it was timed on."""

    name: str
    people: int
    cpu: float
    wall: float
    weights: FloatArray

    def seconds_for(self, people: int) -> float:
        """CPU seconds, scaled to another number of people."""
        return self.cpu * people / self.people


def exactly(answered: Answered) -> tuple[LocateRow, Located]:
    """Ours: the median of five runs."""
    people, n, k = answered.gains.shape
    person = np.repeat(np.arange(people), n)
    rows = answered.gains.reshape(-1, k)

    def run() -> Located:
        return locate_on_simplex(
            np.zeros(len(rows)),
            rows,
            person,
            people,
            prior_weight=0.0,
            prior_mean=np.full(k, 1.0 / k),
        )

    timed = [_timed(run) for _ in range(_REPEATS)]
    cpu, wall = (median(row[i] for row in timed) for i in (0, 1))
    located = timed[0][2]
    return LocateRow("exact, all at once", people, cpu, wall, located.weights), located


def by_cvxpy(answered: Answered) -> LocateRow:
    """One conic program a person, by CLARABEL at its default settings.

    Raises:
        MissingExtraError: cvxpy or CLARABEL is not installed.
    """
    try:
        importlib.import_module("clarabel")
        cp = importlib.import_module("cvxpy")
    except ImportError as error:
        msg = 'the reference solver is not installed: pip install "palate[reference]"'
        raise MissingExtraError(msg) from error

    def solve(gains: FloatArray) -> FloatArray:
        w = cp.Variable(gains.shape[1])
        loss = cp.sum(cp.logistic(-(gains @ w))) / len(gains)
        cp.Problem(cp.Minimize(loss), [w >= 0, cp.sum(w) == 1]).solve(solver="CLARABEL")
        weights = np.maximum(w.value, 0.0)
        return np.asarray(weights / weights.sum())

    solve(answered.gains[0])  # what cvxpy sets up once is not timed
    cpu, wall, weights = _timed(lambda: np.array([solve(gains) for gains in answered.gains]))
    return LocateRow("cvxpy and CLARABEL, one by one", len(weights), cpu, wall, weights)


def by_authors_adam(answered: Answered, seed: int) -> LocateRow:
    """As the authors' code locates people: AdamW on each one's softmax logits, by minibatches.

    Learning rate 5e-3, no decay, 20 epochs, batches of 4, random logits to begin from. Their loop
    goes through the networks and a data loader besides, which are left out here.

    Raises:
        MissingExtraError: torch is not installed.
    """
    torch = one_thread_torch()
    rng = generator(seed, "bench locate, Adam")

    def solve(gains: FloatArray) -> FloatArray:
        n, k = gains.shape
        rows = torch.tensor(gains, dtype=torch.float32)
        logits = torch.tensor(rng.normal(size=k), dtype=torch.float32, requires_grad=True)
        optimiser = torch.optim.AdamW([logits], lr=_AUTHORS_RATE, weight_decay=0.0)
        for _ in range(_AUTHORS_EPOCHS):
            order = torch.tensor(rng.permutation(n))
            for batch in order.split(_AUTHORS_BATCH):
                optimiser.zero_grad()
                margins = rows[batch] @ torch.softmax(logits, dim=0)
                torch.nn.functional.softplus(-margins).mean().backward()
                optimiser.step()
        return _weights(torch, logits)

    solve(answered.gains[0])
    cpu, wall, weights = _timed(lambda: np.array([solve(gains) for gains in answered.gains]))
    name = f"AdamW one by one, {_AUTHORS_EPOCHS} epochs"
    return LocateRow(name, len(weights), cpu, wall, weights)


def by_batched_adam(answered: Answered) -> LocateRow:
    """Adam on everybody's softmax logits at once, 400 whole steps at learning rate 5e-2.

    Raises:
        MissingExtraError: torch is not installed.
    """
    torch = one_thread_torch()

    def solve() -> FloatArray:
        people, _, k = answered.gains.shape
        rows = torch.tensor(answered.gains, dtype=torch.float32)
        logits = torch.zeros((people, k), requires_grad=True)
        optimiser = torch.optim.Adam([logits], lr=_BATCHED_RATE)
        for _ in range(_BATCHED_STEPS):
            optimiser.zero_grad()
            margins = (rows @ torch.softmax(logits, dim=1)[:, :, None])[:, :, 0]
            torch.nn.functional.softplus(-margins).mean(dim=1).sum().backward()
            optimiser.step()
        return _weights(torch, logits)

    cpu, wall, weights = _timed(solve)
    name = f"Adam, all at once, {_BATCHED_STEPS} steps"
    return LocateRow(name, len(weights), cpu, wall, weights)


LOCATE_HEADER = (
    "locating people",
    "timed on",
    "CPU s",
    "wall s",
    "CPU s for all",
    "ratio",
    "mean excess loss",
    "largest excess loss",
)


def locate_rows(answered: Answered, rows: Sequence[LocateRow]) -> list[tuple[str, ...]]:
    """The table's rows; the first is the one that the others are compared with."""
    ours, people = rows[0], len(answered.gains)
    cells: list[tuple[str, ...]] = []
    for row in rows:
        part = answered.first(row.people)
        excess = part.losses(row.weights) - part.losses(ours.weights[: row.people])
        seconds = row.seconds_for(people)
        cells.append(
            (
                row.name,
                f"{row.people:,}",
                f"{row.cpu:.3f}",
                f"{row.wall:.3f}",
                f"{seconds:.3f}",
                f"{seconds / ours.seconds_for(people):.0f}",
                f"{excess.mean():.1e}",
                f"{excess.max():.1e}",
            )
        )
    return cells


PRIOR_WEIGHTS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0)
PRIOR_COUNTS = (0, 1, 2, 5, 10, 20, 40, 100)
_POPULATIONS: dict[str, dict[str, Any]] = {
    "mixture, K = 3, d = 16": {},
    "mixture, K = 5, d = 16": {"k": 5, "people": 250, "answers": 50},
    "mixture, K = 3, d = 2": {"d": 2},
    "mixture, K = 3, d = 16, noisy": {"noise": 0.1},
    "partition, K = 3, d = 16": {"mixture": "partition"},
}


def prior_rows(seeds: int) -> Iterator[tuple[str, ...]]:
    """Accuracy (%) of unseen people's held-out answers, by prior weight and number of answers.

    PAL-A is fitted to each of the simulated populations; means over the seeds. Log loss follows.
    """
    for name, settings in _POPULATIONS.items():
        curves = np.zeros((2, len(PRIOR_WEIGHTS), len(PRIOR_COUNTS)))
        for seed in range(seeds):
            population = simulate_population(**settings, seed=seed)
            model = fit_pal_a(population.train, population.truth.k, seed=seed).model
            for row, prior_weight in enumerate(PRIOR_WEIGHTS):
                curve = learning_curve(
                    model,
                    population.support,
                    population.unseen_held_out,
                    PRIOR_COUNTS,
                    prior_weight=prior_weight,
                )
                losses = [evaluation.log_loss for evaluation in curve.evaluations]
                curves[:, row] += np.array([100.0 * curve.accuracy, losses]) / seeds
        for prior_weight, accuracy, loss in zip(PRIOR_WEIGHTS, *curves, strict=True):
            cells = (f"{a:.1f} ({b:.3f})" for a, b in zip(accuracy, loss, strict=True))
            yield (name, f"{prior_weight:g}", *cells)


def _timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds, wall seconds, and what came of it."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def _weights(torch: Any, logits: Any) -> FloatArray:  # noqa: ANN401
    """Softmax in double precision: single would show in the excess loss."""
    return np.asarray(torch.softmax(logits.detach().double(), dim=-1).numpy())
