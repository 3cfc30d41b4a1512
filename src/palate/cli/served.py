"""Who is served with what, from files: for reports on diversity."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from palate._random import generator
from palate.data import SHIPPED_POOLS, shipped_pool
from palate.diversity import bilinear, diagnose
from palate.diversity.arrays import EACH, read_arrays
from palate.diversity.bilinear import heads_of
from palate.diversity.served import STAND_INS, new_people
from palate.errors import ParameterError
from palate.feedback import Comparison
from palate.formats import pools_of

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.cli.people import Saved
    from palate.diversity import DiversityReport
    from palate.pool import Pool
    from palate.population import PreferenceData

_LATE = 8  # simulated people who are served and do not answer
_SURE = 4.0  # standard deviation of a simulated person's rewards


def arrays_report(
    path: Path, *, each: int | None, tolerance: float | None, seed: int
) -> DiversityReport:
    """The report on a file of arrays.

    Args:
        path: as :func:`palate.diversity.read_arrays` reads it.
        each: pools drawn for each person; by default as the file says.
        tolerance: as :func:`palate.diversity.diagnose`.
        seed: of everything random.

    Raises:
        ParameterError: the file cannot be read, or its arrays do not fit each other.
    """
    given = read_arrays(path, each=each, seed=seed)
    return diagnose(
        given.population,
        given.feedback,
        given.served,
        new_answers=given.new_answers,
        tolerance=tolerance,
        seed=seed,
    )


def population_report(
    saved: Saved,
    comparisons: list[Comparison],
    others: list[Comparison],
    pools: list[Pool] | None,
    *,
    each: int | None,
    tolerance: float | None,
    seed: int,
) -> DiversityReport:
    """The report on a saved population.

    Args:
        saved: the model.
        comparisons: the answers that it was fitted to.
        others: answers of the people who are to be served; where there are none, those who gave
            the former are served, and as many people drawn like them.
        pools: what they are served from; by default the responses to each prompt of all answers.
        each: pools drawn for each person.
        tolerance: as :func:`palate.diversity.diagnose`.
        seed: of everything random.

    Raises:
        ParameterError: the model's reward is not linear in people's weights, or no pool has two
            responses.
    """
    model = saved.model
    feedback = saved.data(comparisons)[0] if comparisons else None
    new = saved.data(others)[0] if others else None
    shown = pools_of([*comparisons, *others]) if pools is None else pools
    if not shown:
        return diagnose(model, feedback, tolerance=tolerance, seed=seed)
    heads, names = _to_serve(saved, feedback, new, seed)
    tables, labels = _tables(saved, shown)
    served = bilinear(model).served(
        heads, tables, each=each or EACH, people=names, labels=labels, seed=seed
    )
    if new is None and feedback is not None:
        served = replace(served, note=STAND_INS)
    return diagnose(
        model,
        feedback,
        served,
        new_answers=None if new is None else _unknown(saved, new),
        tolerance=tolerance,
        seed=seed,
    )


def _to_serve(
    saved: Saved, feedback: PreferenceData | None, new: PreferenceData | None, seed: int
) -> tuple[FloatArray, tuple[str, ...]]:
    """Heads and names of the people who are served."""
    if new is not None:
        return heads_of(saved.model, new), new.people
    if feedback is None:
        return saved.model.weights, saved.model.people
    heads = heads_of(saved.model, feedback)
    drawn = new_people(heads, len(heads), seed)
    names = (*feedback.people, *(f"new person {i + 1}" for i in range(len(drawn))))
    return np.concatenate([heads, drawn]), names


def _unknown(saved: Saved, data: PreferenceData) -> PreferenceData | None:
    """The answers of people whom the model was not fitted to."""
    known = set(saved.model.people)
    new = [i for i, name in enumerate(data.people) if name not in known]
    return data.of_people(new) if new else None


def _tables(
    saved: Saved, pools: list[Pool]
) -> tuple[list[tuple[FloatArray, FloatArray | None]], list[str]]:
    """Items of each pool as the model takes them, with their prompts, and all texts."""
    asked = []
    for pool in pools:
        texts = list(dict.fromkeys(r.text for r in pool.responses if r.text is not None))
        if len(texts) > 1:
            asked.append(Comparison(pool.prompt, tuple(texts), 0))
    if not asked:
        raise ParameterError("no pool has two responses of text, so that nothing is to be decided")
    # A pool is a question whose options are all its responses.
    data = saved.data(asked)[0]
    ends = np.append(data.starts, len(data))
    tables = []
    for first, end in pairwise(ends):
        places = np.append(data.chosen[first], data.rejected[first:end])
        prompts = None
        if data.prompts is not None and data.prompt is not None:
            prompts = np.repeat(data.prompts[[data.prompt[first]]], len(places), axis=0)
        tables.append((data.items[places], prompts))
    return tables, [text for pool in asked for text in pool.options]


def simulated_arrays(
    path: Path,
    scheme: Literal["covered", "uncovered"],
    answers: int,
    seed: int,
    *,
    people: int = 40,
    latent: int = 5,
) -> None:
    """Write a file for ``palate diversity report --arrays`` about simulated people.

    Some people answer, and eight more are served in silence. Rewards are linear in the shipped
    embedder's features of the shipped pools, by some latent directions; of "uncovered" people those
    who answer lack one direction, which the eight have. Heads are known; the basis is left to be
    estimated.

    Args:
        path: the file to write.
        scheme: whether those who answer have all directions.
        answers: in all.
        seed: of everything.
        people: how many answer.
        latent: directions, J.

    Raises:
        ParameterError: the file cannot be written.
    """
    pools = [shipped_pool(name) for name in SHIPPED_POOLS]
    items = np.concatenate([np.asarray(pool.features, dtype=np.float64) for pool in pools])
    pool = np.repeat(np.arange(len(pools)), [len(p.responses) for p in pools])
    rng = generator(seed, "simulated people")
    heads = rng.normal(scale=latent**-0.5, size=(people + _LATE, latent))
    if scheme == "uncovered":
        heads[:people, -1] = 0.0
    basis = rng.normal(size=(latent, items.shape[1]))
    rewards = heads @ basis @ items.T
    basis *= _SURE / rewards.std()
    rewards *= _SURE / rewards.std()

    person = rng.integers(people, size=answers)
    one = rng.integers(len(items), size=answers)
    within = np.array([rng.permutation(np.flatnonzero(pool == p)) for p in range(len(pools))])
    place = np.argmax(within[pool[one]] == one[:, None], axis=1)
    step = rng.integers(1, within.shape[1], size=answers)
    other = within[pool[one], (place + step) % within.shape[1]]
    lead = rewards[person, one] - rewards[person, other]
    first = rng.logistic(size=answers) < lead
    winner, loser = np.where(first, one, other), np.where(first, other, one)
    names = [f"person {i + 1}" for i in range(people)]
    late = [f"silent person {i + 1}" for i in range(_LATE)]
    try:
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                heads=heads,
                people=np.array(names + late),
                person=person,
                delta=items[winner] - items[loser],
                items=items,
                pool=pool,
                labels=np.array([r.text for p in pools for r in p.responses]),
                note=np.array("These people are simulated."),
            )
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise ParameterError(msg) from error
