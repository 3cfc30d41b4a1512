"""How long a design takes, and how much longer Frank-Wolfe takes to one as good."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from palate.bench.diversity import at_least, at_most
from palate.design import Vocabulary, Words, load_vocabulary, plan, problem_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.bench.diversity import Check
    from palate.design import Design, Problem
    from palate.design.criteria import CriterionName
    from palate.embed import Embedder

LAMBDAS = (0.1, 1.0, 10.0, 100.0)
NAMES: tuple[CriterionName, ...] = ("D", "A", "V")
_LOOSER = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)
_EPISODES = 50


@dataclass(frozen=True, eq=False)
class Timed:
    """A design, and how long it took; beside it Frank-Wolfe after so many steps.

    Attributes:
        problem: what it is for.
        lam: prior precision.
        design: the design.
        seconds: of CPU.
        frank_wolfe: what Frank-Wolfe with exact line search came to; None where it was not run.
        frank_wolfe_seconds: of CPU.
        equal_seconds: how long our solver takes to a design at least as good as that.
    """

    problem: Problem
    lam: float
    design: Design
    seconds: float
    frank_wolfe: Design | None = None
    frank_wolfe_seconds: float = float("nan")
    equal_seconds: float = float("nan")

    @property
    def ratio(self) -> float:
        """Frank-Wolfe's time over ours at equal objective."""
        return self.frank_wolfe_seconds / self.equal_seconds


def timed(
    problem: Problem, name: CriterionName, lam: float, *, tol: float, steps: int, repeats: int = 3
) -> Timed:
    """Time a design, the best of some repeats, and Frank-Wolfe once.

    Args:
        problem: slots.
        name: the criterion.
        lam: prior precision.
        tol: relative gap to reach.
        steps: of Frank-Wolfe; 0 leaves it out.
        repeats: how often ours is run; the fastest counts, since others use the machine.
    """
    seconds, design = _fastest(problem, name, lam, tol, repeats)
    if not steps:
        return Timed(problem, lam, design, seconds)
    began = time.process_time()
    slow = plan(
        problem,
        n_queries=_EPISODES,
        lam=lam,
        criterion=name,
        solver="fw",
        tol=1e-5,
        max_steps=steps,
    )
    slow_seconds = time.process_time() - began
    equal = float("nan")
    for looser in _LOOSER:
        equal, as_good = _fastest(problem, name, lam, looser, repeats)
        if as_good.value >= slow.value:
            break
    return Timed(problem, lam, design, seconds, slow, slow_seconds, equal)


def _fastest(
    problem: Problem, name: CriterionName, lam: float, tol: float, repeats: int
) -> tuple[float, Design]:
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        design = plan(problem, n_queries=_EPISODES, lam=lam, criterion=name, tol=tol)
        best = min(best, time.process_time() - began)
    return best, design


def large_problem(n: int, embedder: Embedder) -> Problem:
    """The shipped vocabularies together, and as many tokens more as make n."""
    both = zip(load_vocabulary("redundant").slots, load_vocabulary("balanced").slots, strict=True)
    names, lists = [], []
    for redundant, balanced in both:
        more = (f"quite {token}" for token in balanced.tokens)
        names.append(balanced.name)
        lists.append(list(dict.fromkeys((*redundant.tokens, *balanced.tokens, *more))))
    while sum(map(len, lists)) > n:
        max(lists, key=len).pop()
    slots = tuple(Words(name, tuple(tokens)) for name, tokens in zip(names, lists, strict=True))
    return problem_from(Vocabulary(f"{n} tokens", slots), embedder)


def speed_table(rows: Sequence[Timed]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows, a row a criterion and lambda."""
    header = (
        "tokens, d, criterion, lambda",
        "CPU s",
        "relative gap",
        "uniform's share",
        "Frank-Wolfe steps, gap",
        "its CPU s",
        "ours as good, CPU s",
        "ratio",
    )
    return header, [_row(row) for row in rows]


def _row(row: Timed) -> tuple[str, ...]:
    design, slow = row.design, row.frank_wolfe
    name = f"{sum(row.problem.sizes):,}, {row.problem.d}, {design.criterion.name}, {row.lam:g}"
    cells = [name, f"{row.seconds:.2f}", f"{design.relative_gap:.1e}"]
    cells.append(f"{design.uniform_share:.3f}")
    if slow is None:
        return (*cells, "-", "-", "-", "-")
    return (
        *cells,
        f"{slow.steps}, {slow.relative_gap:.1e}",
        f"{row.frank_wolfe_seconds:.1f}",
        f"{row.equal_seconds:.2f}",
        f"{row.ratio:.0f}",
    )


def speed_checks(small: Sequence[Timed], large: Sequence[Timed]) -> list[Check]:
    """What is asked of the solver."""
    checks = []
    if small:
        checks += [
            at_most("small: CPU s, the longest", max(r.seconds for r in small), 3.0),
            at_most("small: relative gap", max(r.design.relative_gap for r in small), 1e-3),
        ]
        ratios = [r.ratio for r in small if r.frank_wolfe is not None]
        if ratios:
            checks.append(at_least("small: Frank-Wolfe's time over ours", min(ratios), 10.0))
    if large:
        checks += [
            at_most("large: CPU s, the longest", max(r.seconds for r in large), 20.0),
            at_most("large: relative gap", max(r.design.relative_gap for r in large), 1e-2),
        ]
    return checks
