"""People who pick whole prompts: how well their next picks are predicted, by whose questions.

Designs know tokens; the people and the estimate see each prompt as one text, as in the paper's code
(ED-PBRL, Section 6). There a method is tested on held-out questions of its own. Questions that
tell apart what differs much are easier to predict, so that alone favours a design; hence the same
is done on one pool of questions for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from palate.bench.design import (
    CRITERIA,
    OPTIONS,
    RANDOM,
    Method,
    World,
    designs,
    generator_seed,
)
from palate.design import (
    ask_all,
    fit_choice_model,
    pose,
    sample_queries,
    style_person,
    uniform_design,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import FloatArray
    from palate.design import Design, Questions
    from palate.design.styles import StyleName
    from palate.embed import Embedder
    from palate.feedback import Person, Picked

HELD_OUT = 10
"""Episodes that are predicted, as in each fold of the paper's."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """Shares of held-out picks that were predicted, one a seed.

    Attributes:
        own: of questions that the method itself would ask.
        common: of questions at random, the same for all methods.
        oracle_own: what knowing the person's weights would reach; none where nobody knows them.
        oracle_common: likewise.
    """

    own: list[float] = field(default_factory=list)
    common: list[float] = field(default_factory=list)
    oracle_own: list[float] = field(default_factory=list)
    oracle_common: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class PickedPeople:
    """The experiment in one world.

    Attributes:
        world: vocabulary and tastes.
        embedder: of prompts.
        episodes: that are answered before the prediction.
        lam: prior precision.
        beta: strength of the simulated people; None for people who are played.
        designs: by method.
        found: by style and method.
    """

    world: World
    embedder: Embedder
    episodes: int
    lam: float
    beta: float | None
    designs: dict[Method, Design]
    found: dict[tuple[StyleName, Method], Predicted]


def run_people(
    world: World,
    embedder: Embedder,
    *,
    episodes: int = 10,
    seeds: int = 10,
    beta: float | None = 20.0,
    lam: float | None = None,
    person_of: Callable[[StyleName, Questions, int], Person] | None = None,
    methods: Sequence[Method] = (RANDOM, *CRITERIA),
) -> PickedPeople:
    """Let people answer each method's questions, and predict their answers to others.

    Args:
        world: vocabulary and tastes.
        embedder: of prompts; that of the world's tokens.
        episodes: T.
        seeds: how many; each draws questions and answers anew.
        beta: strength of the simulated people.
        lam: prior precision; by default the one that matches beta.
        person_of: plays the person of a style who is asked some questions, with a seed; by default
            simulated ones, whose weights are the style's.
        methods: ways to ask.
    """
    strength = 20.0 if beta is None else beta
    lam = world.matched(strength) if lam is None else lam
    planned = designs(world, methods, episodes, lam)
    uniform = uniform_design(world.problem, n_queries=1, lam=1.0, criterion="D")
    known = person_of is None
    found = {(style, method): Predicted() for style in world.directions for method in planned}

    def simulated(style: StyleName, asked: Questions, seed: int) -> Person:
        theta = strength * world.directions[style]
        return style_person(asked, world.problem, theta, embedder=embedder, seed=seed)

    answering = person_of or simulated
    for seed in range(seeds):
        common = Held.drawn(world, uniform, embedder, HELD_OUT, generator_seed(seed, 1))
        for method, design in planned.items():
            train = Held.drawn(world, design, embedder, episodes, generator_seed(seed, 2))
            own = Held.drawn(world, design, embedder, HELD_OUT, generator_seed(seed, 3))
            for style, direction in world.directions.items():
                said = ask_all(answering(style, train.asked, generator_seed(seed, 4)), train.asked)
                theta = fit_choice_model(train.options, said, lam=lam).theta
                row = found[style, method]
                for held, mine, oracle, part in (
                    (own, row.own, row.oracle_own, 5),
                    (common, row.common, row.oracle_common, 6),
                ):
                    answers = ask_all(
                        answering(style, held.asked, generator_seed(seed, part)), held.asked
                    )
                    mine.append(held.predicted(theta, answers))
                    if known:
                        oracle.append(held.predicted(strength * direction, answers))
    return PickedPeople(world, embedder, episodes, lam, beta if known else None, planned, found)


@dataclass(frozen=True, eq=False)
class Held:
    """Questions about prompts, with the features of what they show.

    Attributes:
        asked: the questions.
        options: (n, K, d) features of their prompts, each embedded as one text.
    """

    asked: Questions
    options: FloatArray

    @classmethod
    def drawn(
        cls, world: World, design: Design, embedder: Embedder, episodes: int, seed: int
    ) -> Held:
        """Episodes of a design's questions."""
        queries = sample_queries(design, n_options=OPTIONS, episodes=episodes, seed=seed)
        asked = pose(world.problem, queries)
        return cls(asked, np.array(asked.options(world.problem, embedder)))

    def predicted(self, theta: FloatArray, answers: Sequence[Picked]) -> float:
        """Share of the picks that are what theta likes best; ties and skips are left out."""
        guess = (self.options @ theta).argmax(axis=1)
        right = [g == a for g, a in zip(guess, answers, strict=True) if isinstance(a, int)]
        return float(np.mean(right)) if right else float("nan")


def people_table(runs: PickedPeople) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows: accuracy of each method on its own questions and on the common pool."""
    header = (
        f"{runs.world.name}, T = {runs.episodes}: picks predicted",
        "own questions",
        "oracle there",
        "common pool",
        "oracle there",
        "uniform's share",
    )
    rows = []
    for style in (*runs.world.directions, None):
        for method, design in runs.designs.items():
            cells = [
                _share(runs, style, method, name)
                for name in ("own", "oracle_own", "common", "oracle_common")
            ]
            share = "-" if method.criterion is None else f"{design.uniform_share:.2f}"
            rows.append((f"{style or 'all'}, {method.name}", *cells, share))
    return header, rows


def values(runs: PickedPeople, style: StyleName | None, method: Method, name: str) -> FloatArray:
    """(seeds,) a field; without a style its mean over styles, seed by seed."""
    styles = runs.world.directions if style is None else (style,)
    rows = [getattr(runs.found[s, method], name) for s in styles]
    return np.array(rows, dtype=np.float64).mean(axis=0)


def _share(runs: PickedPeople, style: StyleName | None, method: Method, name: str) -> str:
    found = values(runs, style, method, name)
    if not len(found) or not np.isfinite(found).all():  # somebody unknown, or who only ties
        return "-"
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
    return f"{100 * found.mean():.1f} ± {100 * error:.1f} %"


def people_findings(runs: PickedPeople) -> list[str]:
    """By how much each design is ahead of random questions, measured either way."""
    lines = []
    first = next(iter(runs.designs))
    for method in list(runs.designs)[1:]:
        ahead = [
            100.0 * (values(runs, None, method, name) - values(runs, None, first, name)).mean()
            for name in ("own", "common")
        ]
        if not np.isfinite(ahead).all():
            continue
        lines.append(
            f"{method.name}: {ahead[0]:+.1f} points over {first.name} on its own questions, "
            f"{ahead[1]:+.1f} on the common pool."
        )
    return lines
