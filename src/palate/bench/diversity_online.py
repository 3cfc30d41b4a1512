"""Greedy learning online on simulated people: where their heads span, and where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from palate._random import generator
from palate.bench.diversity import at_least, at_most, between, curve
from palate.diversity.curvature import curvature
from palate.diversity.offline import reference_answers
from palate.diversity.online import Service, run_online
from palate.diversity.world import PROBLEM_SEED, BilinearWorld, simulate_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from palate.bench.diversity import Check, Curve
    from palate.diversity.learners import Heads
    from palate.diversity.online import Deploy
    from palate.diversity.slates import Sampler

PEOPLE = (10, 50, 100)
"""Of the paper's three curves."""


def regret_curves(
    kinds: Sequence[Heads], people: Sequence[int], seeds: int, rounds: int
) -> dict[tuple[Heads, int], Curve]:
    """Heads that span all directions: everybody is served, and everybody answers."""
    return {
        (heads, size): curve(
            f"{heads}, U = {size}",
            simulate_world(people=size),
            seeds,
            heads=heads,
            rounds=rounds,
        )
        for heads in kinds
        for size in people
    }


def regret_checks(curves: Mapping[tuple[Heads, int], Curve]) -> Iterator[Check]:
    """Whether regret stops growing, for known heads and for few people with unknown ones.

    With unknown heads the bound grows with the number of people, and so does the time until it is
    reached; 64,000 rounds are enough for 10.
    """
    for (heads, people), c in curves.items():
        if heads == "known":
            slopes = c.slopes()
            what = f"{c.name}: growth per ln t, last interval over second"
            yield at_most(what, float(slopes[3] / slopes[1]), 0.1)
            yield at_most(f"{c.name}: CPU seconds, the longest run", max(c.seconds), 40.0)
        elif people <= min(PEOPLE):
            right = float((c.gap() == 0.0).mean())
            yield at_least(f"{c.name}: share of seeds with nothing wrong in the end", right, 0.8)
        else:
            continue
        yield at_most(
            f"{c.name}: share of the regret after half of the rounds", c.after_half(), 0.02
        )


MAIN, LATE = 50, 10
RARE = 40.0
"""c, where latecomers are served in round t with a chance of at most c / t."""

SCHEMES: Final[Mapping[str, tuple[int, Service]]] = {
    "spanned, late silent": (10, Service()),
    "missing, late silent": (9, Service()),
    "missing, late rare": (9, Service(late_budget=RARE, late_answers=True)),
    "missing, late answer": (9, Service(late_answers=True)),
}
"""Dimensions of the main people's heads, of 10, and who is served and answers."""


def coverage_schemes(seeds: int, rounds: int) -> dict[str, Curve]:
    """50 main people whose heads span all directions or all but one, and 10 latecomers.

    Heads are known. Latecomers need all directions; whether the main people's answers identify them
    is what the schemes differ in.
    """
    return {
        name: curve(
            name,
            simulate_world(people=MAIN, late=LATE, head_dims=dims),
            seeds,
            rounds=rounds,
            service=service,
        )
        for name, (dims, service) in SCHEMES.items()
    }


def answered_rank(world: BilinearWorld, service: Service) -> int:
    """Rank of the information of those who answer, of JF."""
    people = np.arange(world.people if service.late_answers else world.main)
    rows = reference_answers(world, people, 20_000)
    return int(curvature(rows, world.heads).seen.sum())


def scheme_checks(curves: Mapping[str, Curve]) -> Iterator[Check]:
    """Who pays for a missing direction, and how the price grows."""
    spanned, silent, rare, answering = (curves[name] for name in SCHEMES)
    ratio = float(silent.regret(group=1).mean() / spanned.regret(group=1).mean())
    yield at_least(f"latecomers' regret, '{silent.name}' over '{spanned.name}'", ratio, 4.0)
    grown = [c.slopes(1)[3] / c.slopes(1)[0] for c in (silent, spanned)]
    of_late = "latecomers' growth per ln t, last interval over first"
    yield at_least(f"{silent.name}: {of_late}", float(grown[0]), 5.0)
    yield at_most(f"{spanned.name}: {of_late}", float(grown[1]), 0.15)
    share = float(rare.slopes(1)[3] / (RARE * rare.gap(1).mean()))
    what = "latecomers' growth per ln t in the last interval, over c times their gap"
    yield between(f"{rare.name}: {what}", share, 0.5, 2.0)
    yield at_most(
        f"{answering.name}: latecomers' gap in the end", float(answering.gap(1).mean()), 0.01
    )
    yield at_least(f"{silent.name}: latecomers' gap in the end", float(silent.gap(1).mean()), 0.3)
    for c in (silent, rare, answering):
        what = f"{c.name}: main people, share of the regret after half of the rounds"
        yield at_most(what, c.after_half(), 0.02)


ARMS, ARM_FEATURES, ARM_LATENT = 20, 5, 3

CONTRASTS: Final[Mapping[str, tuple[Deploy, Sampler]]] = {
    "greedy against the baseline": ("greedy", "baseline"),
    "exploring with 10/t": ("explore", "baseline"),
    "Thompson sampling": ("thompson", "baseline"),
    "greedy, with a reference response": ("greedy", "greedy"),
}


def arms_world(seed: int, *, shared: bool) -> BilinearWorld:
    """50 people who choose among the same 20 responses, without contexts.

    Args:
        seed: of everything.
        shared: whether all have one head, or each their own.
    """
    rng = generator(seed, "arms")
    heads = rng.normal(scale=ARM_LATENT**-0.5, size=(1 if shared else MAIN, ARM_LATENT))
    basis = rng.normal(scale=3.0, size=(ARM_LATENT, ARM_FEATURES))
    arms = rng.normal(size=(ARMS, ARM_FEATURES))
    arms /= np.linalg.norm(arms, axis=1, keepdims=True)
    return BilinearWorld(
        np.broadcast_to(heads, (MAIN, ARM_LATENT)).copy(),
        basis,
        np.ones((MAIN, 1, 1)),
        np.broadcast_to(arms, (MAIN, ARMS, ARM_FEATURES)).copy(),
    )


def contrast_header(rounds: int) -> tuple[str, ...]:
    """Of :func:`contrast_rows`."""
    regret = f"C({rounds:,}), median"
    return ("heads", "learner", regret, "largest", "flat after half", "still growing evenly")


def contrast_rows(seeds: int, rounds: int) -> Iterator[tuple[str, ...]]:
    """Slates without a reference response, for a learner that explores and for one that does not.

    Feedback is about the deployed response and a fixed baseline alone; heads are known. Each seed
    is another world. "Growing evenly" is said of a run with more than 0.4 of its regret in the
    second half: somebody is given a wrong response, and no answer tells.
    """
    for shared in (True, False):
        for name, (deploy, sampler) in CONTRASTS.items():
            runs = [
                run_online(
                    arms_world(PROBLEM_SEED + seed, shared=shared),
                    rounds=rounds,
                    deploy=deploy,
                    sampler=sampler,
                    seed=seed,
                )
                for seed in range(seeds)
            ]
            whole, half = (
                np.array([run.cumulative(t)[0] for run in runs]) for t in (rounds, rounds / 2)
            )
            yield (
                "one for all" if shared else "diverse",
                name,
                f"{np.median(whole):,.0f}",
                f"{whole.max():,.0f}",
                f"{int((whole == half).sum())} of {seeds}",
                f"{int((whole - half > 0.4 * whole).sum())} of {seeds}",
            )
