"""``palate demo``: the main job on a shipped pool, with nothing to set up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Budget, Epsilon, Seed, Simulate, Style

if TYPE_CHECKING:
    from palate.strategies import Strategy

DEFAULT_BUDGET = 10
NORM_BOUND = 3.0


def demo(
    pool: Annotated[str, typer.Option(help="The shipped pool: cook or travel.")] = "cook",
    epsilon: Epsilon = None,
    budget: Budget = DEFAULT_BUDGET,
    seed: Seed = 0,
    style: Style = 0.0,
    *,
    simulate: Simulate = False,
) -> None:
    """Try it: a few questions about dinner, or about a long weekend.

    Without a terminal a simulated person answers, and the questions and answers are printed.
    """
    from rich.console import Console
    from rich.text import Text

    from palate.cli.log import LogFile, Source, new_path
    from palate.cli.session import interview, person_for, simulated_person
    from palate.data import shipped_pool
    from palate.elicitation import Elicitation
    from palate.strategies import Eubo, UserAlign

    console = Console(highlight=False)
    strategy: Strategy = Eubo(max_steps=budget)
    if epsilon is not None:
        strategy = UserAlign(epsilon=epsilon, max_steps=budget, estimate="inside")
    elicitation = Elicitation(shipped_pool(pool, style=style), strategy, seed)
    if simulate or not (sys.stdin.isatty() and console.is_terminal):
        console.print(Text(elicitation.pool.prompt, style="bold"))
        taste = simulated_person(elicitation, console, NORM_BOUND)
        interview(elicitation, taste, console, None)
        return
    source = Source(pool, None, style, drop_duplicates=False)
    with LogFile.create(new_path(), elicitation, source) as log:
        interview(elicitation, person_for(elicitation, console), console, log)
