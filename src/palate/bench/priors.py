"""How few questions a prior leaves: experiments on simulated people, personas and real pools.

Each part returns :class:`Arm` objects, a strategy's run for the same people as the others', and
:mod:`palate.bench.priors_tables` prints them beside the figures that they are to be held against.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import joblib
import numpy as np

from palate._random import generator
from palate.bench.cast import cast
from palate.bench.experiment import Cell
from palate.bench.priors_people import (
    LowRank,
    others_answers,
    simulated_features,
    with_style,
)
from palate.elicitation import Elicitation
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.population import GaussianPopulation, learn_prior, with_outsiders
from palate.preference.memory import Past, Remembering
from palate.preference.prior import Features, GaussianPrior, Mixture
from palate.strategies import (
    Challenge,
    Eubo,
    IIDBest,
    InformationGain,
    Strategy,
    Thompson,
    UserAlign,
    WinnerStays,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate._typing import FloatArray
    from palate.bench.cast import Subject
    from palate.bench.domains import Domain
    from palate.bench.experiment import Outcome
    from palate.population import PreferenceData

PEOPLE, ANSWERS, POOL = 200, 20, 20
"""The population learned from: people, answers of each, responses of the pools they saw."""

STYLE = 0.5
"""Weight of style beside the embedding, in the features of texts."""

BEST = "eubo, style"
"""The strategy without a population that is held against the others on texts."""

Task = tuple["Subject", "Strategy"]


@dataclass(frozen=True, eq=False)
class Arm:
    """A method's runs for the people of an experiment.

    Attributes:
        name: of the method.
        shares: (U, T + 1) share of the pool's range of utilities after t answers.
        best: (U, T + 1) whether the choice is a best response.
        wins: (U, T + 1) win-rate against the baseline.
        step: median seconds of a step.
    """

    name: str
    shares: FloatArray
    best: FloatArray
    wins: FloatArray
    step: float

    @property
    def regret(self) -> FloatArray:
        """(U, T + 1) what is missing to the best, as a share of the range."""
        return 1.0 - self.shares


def run_arms(
    arms: Mapping[str, Sequence[Task]], most: int, *, seeds: int = 1, jobs: int = 1
) -> list[Arm]:
    """Run each method for everybody.

    Args:
        arms: by name, the people with their strategies; the same people in each.
        most: T, questions looked at.
        seeds: runs of each person, averaged.
        jobs: processes.
    """
    tasks = [
        (name, subject, strategy) for name, pairs in arms.items() for subject, strategy in pairs
    ]
    parallel = joblib.Parallel(n_jobs=jobs)
    outcomes = parallel(
        joblib.delayed(_runs)(name, subject, strategy, seeds) for name, subject, strategy in tasks
    )
    found: dict[str, list[list[Outcome]]] = {name: [] for name in arms}
    for (name, _, _), runs in zip(tasks, outcomes, strict=True):
        found[name].append(runs)
    return [_arm(name, runs, most) for name, runs in found.items()]


def _runs(name: str, subject: Subject, strategy: Strategy, seeds: int) -> list[Outcome]:
    return [Cell(subject, name, strategy, seed).run() for seed in range(seeds)]


def _arm(name: str, people: list[list[Outcome]], most: int) -> Arm:
    ts = range(most + 1)
    return Arm(
        name,
        np.array([np.mean([run.shares(ts) for run in runs], axis=0) for runs in people]),
        np.array(
            [
                np.mean([run.subject.ranks[run.choices(ts)] == 1.0 for run in runs], axis=0)
                for runs in people
            ]
        ),
        np.array([np.mean([run.wins(ts) for run in runs], axis=0) for runs in people]),
        float(np.median([s for runs in people for run in runs for s in run.trial.seconds])),
    )


PLAIN = Features(style=0.0)
"""Nothing but the features: for simulated responses, and where style is among the features."""


def ours(prior: GaussianPrior, most: int) -> Eubo:
    """EUBO that never stops early, so that every t is measured."""
    return Eubo(prior, tolerance=None, max_steps=most)


def taught(data: PreferenceData) -> Mixture:
    """The prior that a population's answers teach, for somebody who may not belong to it."""
    return with_outsiders(learn_prior(data), anybody=PLAIN)


def paper_and_peers(most: int) -> dict[str, Strategy]:
    """The paper's methods, winner-stays, and strategies on the features' prior."""
    return {
        "iidbest": IIDBest(max_steps=most),
        "useralign": UserAlign(max_steps=most),
        "useralign-inside": UserAlign(estimate="inside", max_steps=most),
        "winner-stays": WinnerStays(max_steps=most),
        "eubo": ours(PLAIN, most),
    }


def low_rank(
    rank: int,
    n: int,
    flip_rate: float,
    *,
    people: int = 60,
    most: int = 20,
    population: int = PEOPLE,
    seed: int = 0,
    jobs: int = 1,
) -> list[Arm]:
    """Simulated people of low rank: with what others taught, without, and with the truth itself.

    Args:
        rank: of the tastes.
        n: N, responses of a pool.
        flip_rate: share of all answers that are turned round, the population's included.
        people: new people.
        most: T.
        population: people learned from.
        seed: of the world.
        jobs: processes.
    """
    world = LowRank.drawn(rank, seed)
    subjects = world.subjects(people, n, flip_rate)
    learned = taught(world.population(population, ANSWERS, POOL, flip_rate))
    truth = GaussianPopulation(np.zeros(len(world.basis)), world.basis, 0, 0, 0.0, 0.0)
    methods: dict[str, Strategy] = {
        **paper_and_peers(most),
        "eubo, population": ours(learned, most),
        "eubo, the true prior": ours(truth, most),
    }
    arms = {name: [(s, strategy) for s in subjects] for name, strategy in methods.items()}
    return run_arms(arms, most, jobs=jobs)


def population_sizes(
    rank: int,
    sizes: Sequence[int],
    *,
    people: int = 60,
    most: int = 10,
    seed: int = 0,
    jobs: int = 1,
) -> list[Arm]:
    """Simulated people of low rank, with populations of several sizes and with none."""
    world = LowRank.drawn(rank, seed)
    subjects = world.subjects(people, POOL, 0.0)
    methods: dict[str, Strategy] = {"no population": ours(PLAIN, most)}
    for size in sizes:
        learned = taught(world.population(size, ANSWERS, POOL, 0.0))
        methods[f"{size} people"] = ours(learned, most)
    arms = {name: [(s, strategy) for s in subjects] for name, strategy in methods.items()}
    return run_arms(arms, most, jobs=jobs)


def outside(
    *, people: int = 60, most: int = 20, flip_rate: float = 0.0, seed: int = 0, jobs: int = 1
) -> list[Arm]:
    """People of full rank, where the population taught a rank of 3."""
    learned = learn_prior(LowRank.drawn(3, seed).population(PEOPLE, ANSWERS, POOL, 0.0))
    subjects = LowRank.drawn(64, seed).subjects(people, POOL, flip_rate)
    methods: dict[str, Strategy] = {
        "useralign": UserAlign(max_steps=most),
        "eubo": ours(PLAIN, most),
        "eubo, population": ours(with_outsiders(learned, anybody=PLAIN), most),
        "eubo, population alone": ours(learned, most),
    }
    arms = {name: [(s, strategy) for s in subjects] for name, strategy in methods.items()}
    return run_arms(arms, most, jobs=jobs)


def personas(
    domain: Domain,
    flip_rate: float,
    *,
    per_prompt: int = 3,
    most: int = 20,
    answers: int = 30,
    seeds: int = 1,
    style: float = STYLE,
    jobs: int = 1,
) -> list[Arm]:
    """Personas on the pools of a domain, with and without a population of the other personas.

    The population's answers are simulated from the other personas' ratings of the other prompts
    that the person rates, such as those of a topic: neither the person nor the pool tested has a
    part in it. They are flipped as the person's own.

    Args:
        domain: with ratings.
        flip_rate: share of all answers that are turned round.
        per_prompt: people a prompt.
        most: T.
        answers: of each of the others.
        seeds: runs of each person.
        style: weight of style in the features.
        jobs: processes.
    """
    plain = cast(domain, "persona", per_prompt=per_prompt, flip_rate=flip_rate)
    joined = with_style(domain, style)
    subjects = cast(joined, "persona", per_prompt=per_prompt, flip_rate=flip_rate)
    both = Mixture((Features(), Features("rbf")), (1.0, 1.0))
    on_plain: dict[str, Strategy] = {
        **paper_and_peers(most),
        "eubo, style": ours(Features(), most),
        "eubo, style, linear and RBF": ours(both, most),
    }
    arms: dict[str, Sequence[Task]] = {
        name: [(s, strategy) for s in plain] for name, strategy in on_plain.items()
    }
    arms |= {
        "useralign, style": [(s, UserAlign(max_steps=most)) for s in subjects],
        "eubo, style, population": list(
            zip(
                subjects,
                _populations(
                    joined, subjects, flip_rate=flip_rate, answers=answers, most=most, jobs=jobs
                ),
                strict=True,
            )
        ),
    }
    return run_arms(arms, most, seeds=seeds, jobs=jobs)


def _populations(
    domain: Domain,
    subjects: Sequence[Subject],
    *,
    flip_rate: float,
    answers: int,
    most: int,
    jobs: int,
) -> list[Strategy]:
    """For each person the strategy with a prior of the other personas and prompts."""
    fits = joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(_learned)(domain, *_places(domain, s), flip_rate, answers) for s in subjects
    )
    return [ours(found, most) for found in fits]


def _learned(domain: Domain, prompt: int, person: int, flip_rate: float, answers: int) -> Mixture:
    rated = np.isfinite(np.asarray(domain.ratings)[:, person, 0])
    prompts = [p for p in np.flatnonzero(rated).tolist() if p != prompt]
    return taught(
        others_answers(domain, person, prompts, answers, flip_rate=flip_rate, seed=prompt)
    )


def _places(domain: Domain, subject: Subject) -> tuple[int, int]:
    """The prompt's and the persona's place in the domain."""
    prompt, _, persona = subject.name.partition("/")
    return (
        [str(pool.id) for pool in domain.pools].index(prompt),
        [p.id for p in domain.personas].index(persona),
    )


@dataclass(frozen=True, eq=False)
class Visits:
    """One person's prompts, one after the other.

    Attributes:
        name: of the method.
        shares: (U, V, T + 1) of person u at their v-th prompt after t answers.
        wins: (U, V, T + 1) win-rate against the baseline.
    """

    name: str
    shares: FloatArray
    wins: FloatArray


def returning(
    domain: Domain,
    *,
    visits: int = 3,
    most: int = 20,
    remembered: int = 15,
    population: bool = False,
    style: float = STYLE,
    seed: int = 0,
    jobs: int = 1,
) -> list[Visits]:
    """Personas who come back: what they answered before enters the next prompt, or does not.

    Args:
        domain: where every persona rates every prompt.
        visits: V, prompts of each, drawn by the seed.
        most: T.
        remembered: answers that they gave at each earlier prompt.
        population: whether what others answered about other prompts is known as well.
        style: weight of style in the features.
        seed: of the prompts.
        jobs: processes.
    """
    domain = with_style(domain, style)
    everybody = joblib.Parallel(n_jobs=jobs)(
        joblib.delayed(_visits)(
            domain,
            person,
            visits=visits,
            most=most,
            remembered=remembered,
            seed=seed,
            population=population,
        )
        for person in range(len(domain.personas))
    )
    return [
        Visits(
            name,
            np.array([[run.shares(range(most + 1)) for run in one[name]] for one in everybody]),
            np.array([[run.wins(range(most + 1)) for run in one[name]] for one in everybody]),
        )
        for name in everybody[0]
    ]


def _visits(
    domain: Domain,
    person: int,
    *,
    visits: int,
    most: int,
    remembered: int,
    seed: int,
    population: bool,
) -> dict[str, list[Outcome]]:
    """One person's runs at their prompts, by method."""
    prompts = generator(seed, "prompts", person).permutation(len(domain.pools))[:visits].tolist()
    base: GaussianPrior = PLAIN
    if population:
        others = [p for p in range(len(domain.pools)) if p not in prompts]
        data = others_answers(domain, person, others, 30, flip_rate=0.0, seed=seed)
        base = taught(data)
    found: dict[str, list[Outcome]] = {"useralign": [], "anew": [], "remembering": []}
    past: list[Elicitation] = []
    for prompt in prompts:
        ratings = np.asarray(domain.ratings)[prompt, person]
        name = f"{domain.pools[prompt].id}/{domain.personas[person].id}"
        [subject] = [
            replace(s, utilities=ratings[1:], baseline=float(ratings[0]), name=name)
            for s in cast(domain, "persona", per_prompt=1)[prompt : prompt + 1]
        ]
        for method, strategy in (
            ("useralign", UserAlign(max_steps=most)),
            ("anew", ours(base, most)),
            ("remembering", ours(remembering(base, past), most)),
        ):
            found[method].append(Cell(subject, method, strategy, 0).run())
        elicitation = Elicitation(subject.pool, ours(remembering(base, past), remembered), prompt)
        elicitation.run(SimulatedPerson(utilities=subject.utilities))
        past.append(elicitation)
    return found


def remembering(base: GaussianPrior, past: Sequence[Elicitation]) -> GaussianPrior:
    """A prior after elicitations about other prompts, the last of them one prompt ago."""
    if not past:
        return base
    features, age, winner, loser, group = [], [], [], [], []
    first = picks = 0
    for number, elicitation in enumerate(past):
        rows = np.asarray(elicitation.pool.features, dtype=np.float64)
        features.append(rows)
        age += [len(past) - number] * len(rows)
        for answer in elicitation.history:
            for won, losers in answer.stages:
                winner += [first + won] * len(losers)
                loser += [first + i for i in losers]
                group += [picks] * len(losers)
                picks += 1
        first += len(rows)
    places = [np.array(column, dtype=np.intp) for column in (age, winner, loser, group)]
    return Remembering(base, Past(np.vstack(features), *places))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long steps take.

    Attributes:
        name: of the strategy.
        n: responses in the pool.
        after: answers before the step.
        seconds: of each step timed: the answer taken in, the next query and the choice.
    """

    name: str
    n: int
    after: int
    seconds: list[float]


def speed(sizes: Sequence[int] = (20, 1_000), repeats: int = 9, seed: int = 0) -> list[Pace]:
    """Time steps of strategies on beliefs, the learned prior's among them."""
    world = LowRank.drawn(3, seed)
    learned = taught(world.population(PEOPLE, ANSWERS, POOL, 0.0))
    strategies: dict[str, Strategy] = {
        "eubo": Eubo(PLAIN, tolerance=0.0),
        "eubo, population": Eubo(learned, tolerance=0.0),
        "eubo, three options": Eubo(PLAIN, options=3, tolerance=0.0),
        "information-gain": InformationGain(PLAIN, tolerance=0.0),
        "thompson": Thompson(PLAIN, tolerance=0.0),
        "challenge, Gaussian": Challenge(PLAIN),
    }
    rng = generator(seed, "timed")
    found = []
    for n in sizes:
        pool = Pool(
            "simulated",
            [f"response {i}" for i in range(n)],
            simulated_features(rng, n),
            scaling="none",
        )
        person = SimulatedPerson(world.weights(rng), flip_rate=0.1)
        for name, strategy in strategies.items():
            elicitation = Elicitation(pool, strategy, seed)
            taken: dict[int, list[float]] = {10: [], 30: []}
            for answers in range(30 + repeats):
                query = elicitation.ask()
                if query is None:
                    break
                picked = person.answer(query, pool)
                began = time.perf_counter()
                elicitation.tell(query, picked)  # type: ignore[arg-type]  # they never stop
                elicitation.ask()
                elicitation.recommend()
                for after, seconds in taken.items():
                    if after <= answers < after + repeats:
                        seconds.append(time.perf_counter() - began)
            found += [Pace(name, n, after, seconds) for after, seconds in taken.items() if seconds]
    return found
