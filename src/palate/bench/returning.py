"""What it costs to start asking somebody who comes back: everybody is simulated."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from palate._random import generator
from palate.bench.priors import ANSWERS, PEOPLE, PLAIN, POOL, taught
from palate.bench.priors_people import LowRank, simulated_features
from palate.bench.report import markdown_table
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.store import open_store
from palate.strategies import Eubo, IIDBest, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from palate.store import Store


@dataclass(frozen=True, slots=True)
class Start:
    """Starts of elicitations in a store, each with its first question.

    Attributes:
        name: what they start from besides the person's answers.
        picks: of the person that are remembered.
        seconds: of each start.
    """

    name: str
    picks: int
    seconds: list[float]


def starts(picks: Sequence[int] = (0, 20, 60, 200), repeats: int = 9, seed: int = 0) -> list[Start]:
    """Time starts about pools of 20, in an SQLite file, after so many picks about others."""
    world, rng = LowRank.drawn(3, seed), generator(seed, "timed starts")
    learned = taught(world.population(PEOPLE, ANSWERS, POOL, 0.0))
    strategies: dict[str, Strategy] = {"features": Eubo(PLAIN), "population": Eubo(learned)}
    found = []
    with tempfile.TemporaryDirectory() as folder, open_store(str(Path(folder) / "s.db")) as store:
        pool = store.add_pool(_pool(rng))
        for several in picks:
            person, taste = store.add_person(), SimulatedPerson(world.weights(rng))
            for first in range(0, several, POOL):
                _answer(store, person, taste, _pool(rng), min(POOL, several - first))
            for name, strategy in strategies.items():
                seconds = []
                for again in range(repeats):
                    began = time.perf_counter()
                    started = store.start(person, pool, strategy, seed=again, remember=True)
                    store.ask(started)
                    seconds.append(time.perf_counter() - began)
                found.append(Start(name, store.elicitation(started).remembered, seconds))
    return found


def starts_table(found: Iterable[Start]) -> str:
    """Medians."""
    rows = [(s.name, str(s.picks), f"{1e3 * median(s.seconds):.0f}") for s in found]
    return markdown_table(("start from", "picks remembered", "median ms"), rows)


def _pool(rng: np.random.Generator) -> Pool:
    texts = [f"response {i}" for i in range(POOL)]
    features = simulated_features(rng, POOL)
    return Pool("simulated", texts, features, scaling="none", embedder="simulated")


def _answer(store: Store, person: str, taste: SimulatedPerson, pool: Pool, picks: int) -> None:
    strategy = IIDBest(max_steps=picks)
    elicitation = store.start(person, store.add_pool(pool), strategy, seed=picks)
    while (asked := store.ask(elicitation)) is not None:
        store.tell(elicitation, asked.id, taste.answer(asked.query, pool))  # type: ignore[arg-type]
