"""Runs of many strategies for many people: in parallel, and resumable.

A cell is one run. Its trial is kept in a journal as soon as it is there, under a key that says
everything it depends on: the person with their pool and utilities, the strategy with its settings,
the seed. So the same experiment begun again goes on, and a larger one takes over what it can.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
import platform
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

import palate
from palate._journal import Journal
from palate._random import generator
from palate.bench.trial import Trial, run_trial
from palate.errors import LogError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.bench.cast import Subject
    from palate.strategies import Strategy

_LIBRARIES = (
    *("numpy", "scipy", "model2vec", "joblib", "matplotlib"),
    *("cvxpy", "clarabel", "botorch", "gpytorch", "torch"),
)


@dataclass(frozen=True, eq=False)
class Cell:
    """One run to make.

    Attributes:
        subject: who answers.
        method: name of the strategy with its settings.
        strategy: what asks.
        seed: number of the repetition.
    """

    subject: Subject
    method: str
    strategy: Strategy
    seed: int

    @property
    def key(self) -> str:
        """What tells this run from any other, in 24 hexadecimal digits."""
        settings = json.dumps(self.strategy.settings(), sort_keys=True, default=str)
        seed = run_seed(self.subject, self.seed)
        said = f"{palate.__version__} {self.subject.fingerprint} {seed} {settings}"
        return hashlib.sha256(said.encode()).hexdigest()[:24]

    def run(self) -> Outcome:
        """Make the run."""
        began = time.thread_time()  # the runs of a played person share the process
        trial = run_trial(self.strategy, self.subject, run_seed(self.subject, self.seed))
        return Outcome(self.subject, self.method, self.seed, trial, time.thread_time() - began)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One run, made.

    Attributes:
        subject: who answered.
        method: the method's name.
        seed: number of the repetition.
        trial: what happened.
        cpu_seconds: that it took.
    """

    subject: Subject
    method: str
    seed: int
    trial: Trial
    cpu_seconds: float

    def choices(self, ts: Sequence[int]) -> list[int]:
        """The response that would be returned at each t, the last one carried forward."""
        return [self.trial.choices[place] for place in self.trial.places(ts)]

    def wins(self, ts: Sequence[int]) -> FloatArray:
        """Win-rate against the baseline at each t."""
        return np.array(self.trial.wins)[self.trial.places(ts)]

    def shares(self, ts: Sequence[int]) -> FloatArray:
        """Share of the pool's range of utilities that the choice reaches at each t."""
        return self.subject.shares[self.choices(ts)]

    @property
    def flip_rate(self) -> float:
        """Realised share of answers that named the worse response; NaN if that is unknown."""
        return np.nan if self.subject.utilities is None else self.trial.flip_rate

    @property
    def final_share(self) -> float:
        """Share of the pool's range that the last choice reaches."""
        return float(self.subject.shares[self.trial.choices[-1]])

    @property
    def final_best(self) -> float:
        """1 where the last choice is a best response of the pool, 0 where not; NaN if unknown."""
        rank = float(self.subject.ranks[self.trial.choices[-1]])
        return float(rank == 1.0) if np.isfinite(rank) else np.nan


def run_seed(subject: Subject, repetition: int) -> int:
    """Seed of a person's run: another one for every person, the same for every method."""
    return int(generator(repetition, f"{subject.group}/{subject.name}").integers(2**32))


def run_cells(
    cells: Iterable[Cell],
    journal: Path,
    *,
    jobs: int = 1,
    on_done: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Make the runs that the journal does not hold yet, and return them all.

    They are made by joblib: within ``joblib.parallel_config(backend=...)`` on any backend that is
    registered there, such as Ray's or Dask's. Where a model plays people they share this process.

    Args:
        cells: the runs, in the order in which they are returned.
        journal: a file, made if there is none, to which each run is added as it comes.
        jobs: how many at a time; -1 as many as there are cores.
        on_done: called with the number of runs that were done each time; first with that of the
            runs that were there already.

    Raises:
        ParameterError: no run at a time.
        LogError: the journal cannot be read or written, or is in use.
    """
    if jobs == 0:
        raise ParameterError("jobs must be at least 1, or -1 for as many as there are cores, not 0")
    keys = {cell.key: cell for cell in cells}
    try:
        opened = Journal.create(journal, {"palate-bench": 1})
    except FileExistsError:
        opened = Journal.open(journal)
    with opened as file:
        if file.header.get("palate-bench") != 1:
            msg = f"{journal} is not a journal of runs; name another folder"
            raise LogError(msg)
        records = {record["key"]: record for record in file.records if record["key"] in keys}
        if on_done is not None:
            on_done(len(records))
        todo = [
            list(group)
            for _, group in itertools.groupby(
                ((key, cell) for key, cell in keys.items() if key not in records),
                key=lambda item: (id(item[1].subject), item[1].method),
            )
        ]
        threads = any(cell.subject.played is not None for cell in keys.values())
        parallel = joblib.Parallel(
            n_jobs=jobs,
            prefer="threads" if threads else "processes",
            return_as="generator_unordered",
        )
        for made in parallel(joblib.delayed(_run)(group) for group in todo):
            for record in made:
                file.append(record)
                records[record["key"]] = record
            if on_done is not None:
                on_done(len(made))
    return [_outcome(cell, records[key]) for key, cell in keys.items()]


def _run(cells: Sequence[tuple[str, Cell]]) -> list[dict[str, Any]]:
    """Make some runs; as records of the journal."""
    records = []
    for key, cell in cells:
        outcome = cell.run()
        records.append(
            {
                "key": key,
                "group": cell.subject.group,
                "person": cell.subject.name,
                "method": cell.method,
                "seed": cell.seed,
                "cpu_seconds": outcome.cpu_seconds,
                "trial": asdict(outcome.trial),
            }
        )
    return records


def _outcome(cell: Cell, record: dict[str, Any]) -> Outcome:
    trial = Trial(**record["trial"])
    return Outcome(cell.subject, cell.method, cell.seed, trial, record["cpu_seconds"])


def versions() -> dict[str, str]:
    """Versions of palate, Python and the libraries that an experiment may use."""
    found = {"palate": palate.__version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
