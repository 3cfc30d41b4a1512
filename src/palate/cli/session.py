"""One elicitation on the command line: load the pool, ask, keep the answers, show the result."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.text import Text

from palate.cli.terminal import LinePerson, Questioning, TerminalPerson, body, result
from palate.data import SHIPPED_POOLS, shipped_texts
from palate.elicitation import Elicitation, Recommendation
from palate.errors import ParameterError, PoolError
from palate.feedback import Person
from palate.formats import read_pools
from palate.pool import Pool
from palate.strategies.named import STRATEGIES, strategy_kind, strategy_settings
from palate.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.cli.log import LogFile, Source
    from palate.elicitation import Event
    from palate.feedback import Query, Reply
    from palate.preference.prior import Prior
    from palate.profile import Profile
    from palate.strategies import Strategy


class Answering(Person, Protocol):
    """A person who can also be told something between two questions."""

    def tell(self, line: str) -> None:
        """Show a line."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say about the strategy; None where an option was not given."""

    strategy: str
    epsilon: float | None = None
    delta: float | None = None
    norm_bound: float | None = None
    budget: int | None = None
    estimate: str | None = None
    options: int = 2
    tolerance: float | None = None
    prior: Prior | None = None

    def build(self) -> Strategy:
        """The strategy, or a ParameterError that names the option it does not take."""
        kind = strategy_kind(self.strategy)
        known = set(strategy_settings(kind))
        given = {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "norm_bound": self.norm_bound,
            "max_steps": self.budget,
            "estimate": self.estimate,
            "tolerance": self.tolerance,
            "prior": self.prior,
        }
        chosen: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        if "prior" in chosen.keys() - known:
            msg = (
                f"--prior and --profile are for strategies with a prior ({_able('prior')}), "
                f"not {self.strategy}"
            )
            raise ParameterError(msg)
        for name in chosen.keys() - known:
            option = "budget" if name == "max_steps" else name.replace("_", "-")
            msg = f"the strategy {self.strategy} has no --{option}"
            raise ParameterError(msg)
        if "options" in known:
            chosen["options"] = self.options
        elif self.options != 2:
            msg = (
                f"the strategy {self.strategy} shows two responses at a time, not "
                f"{self.options}; leave out --options, or take {_able('options')}"
            )
            raise ParameterError(msg)
        return kind(**chosen)


def _able(setting: str) -> str:
    """The strategies that have a setting."""
    having = (n for n, kind in STRATEGIES.items() if setting in strategy_settings(kind))
    return ", ".join(having)


def load_pool(source: Source) -> Pool:
    """The pool that a source names, embedded unless it brings its features.

    Raises:
        PoolError: no such file or pool, or the file holds several and none was named.
    """
    return with_style(load_texts(source), source.style)


def with_style(pool: Pool, style: float) -> Pool:
    """The pool embedded with a weight of style, unless it brings its features.

    Raises:
        PoolError: it brings them, and there is a weight of style.
    """
    if pool.features is None:
        return pool.embedded(style=style)
    if style:
        raise PoolError("--style applies to texts; this pool brings features of its own")
    return pool


def load_texts(source: Source) -> Pool:
    """The pool that a source names, as it is there; see :func:`load_pool`."""
    pools = read_source(source.pool, drop_duplicates=source.drop_duplicates)
    return choose_pool(pools, source.prompt, source.pool)


def read_source(name: str, *, drop_duplicates: bool = False) -> list[Pool]:
    """The pools of a file, or the shipped pool of this name if there is no such file."""
    if name in SHIPPED_POOLS and not Path(name).exists():
        return [shipped_texts(name)]
    return read_pools(name, drop_duplicates=drop_duplicates)


def choose_pool(pools: list[Pool], wanted: str | None, name: str) -> Pool:
    """The pool with this id, number (from 1), prompt, or part of a prompt."""
    if wanted is None:
        if len(pools) == 1:
            return pools[0]
        msg = (
            f"{name} holds {len(pools)} pools; choose one by --prompt with an id, a number from 1 "
            f"to {len(pools)} or words of the prompt, such as {_label(pools[0])}"
        )
        raise PoolError(msg)
    for exact in (
        [p for p in pools if p.id == wanted],
        [p for p in pools if p.prompt.strip() == wanted.strip()],
        [p for i, p in enumerate(pools, start=1) if str(i) == wanted],
    ):
        if len(exact) == 1:
            return exact[0]
    found = [p for p in pools if wanted.casefold() in p.prompt.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        msg = f"no prompt of {name} has the id, number or words {wanted!r}"
        raise PoolError(msg)
    some = "; ".join(_label(p) for p in found[:4]) + ("; ..." if len(found) > 4 else "")
    msg = f"{len(found)} prompts of {name} contain {wanted!r}: {some}"
    raise PoolError(msg)


def _label(pool: Pool) -> str:
    prompt = " ".join(pool.prompt.split())
    short = prompt if len(prompt) <= 60 else prompt[:57] + "..."
    return f"{pool.id} ({short})" if pool.id else repr(short)


def person_for(elicitation: Elicitation, console: Console, *, order: bool = False) -> Answering:
    """Keys on a terminal, lines anywhere else.

    Args:
        elicitation: what is asked.
        console: where to draw.
        order: whether to ask for an order of what is shown, instead of one.
    """
    if sys.stdin.isatty() and console.is_terminal:
        return TerminalPerson(elicitation, console, order=order)
    console.print(Text(printable(elicitation.pool.prompt), style="bold"))
    options = getattr(elicitation.strategy, "options", 2)
    picks = "1, 2" if options == 2 else f"1 to {options}, an order such as 31 (best first)"
    console.print(
        f"answer each question by a line: {picks}, t (tie), s (skip), u (undo) or q (quit)"
    )
    return LinePerson(elicitation, console, order=order)


def interview(
    elicitation: Elicitation,
    person: Person,
    console: Console,
    log: LogFile | None,
    *,
    as_json: bool = False,
    grow: Callable[[Elicitation], object] | None = None,
    profile: Profile | None = None,
) -> None:
    """Ask until done or stopped, keeping each event in the log, and show the result.

    Args:
        elicitation: what is asked.
        person: who answers.
        console: where to show the result.
        log: where to keep what happens.
        as_json: print the result as JSON instead.
        grow: see :meth:`palate.Elicitation.run`.
        profile: where to remember the answers as well.
    """
    keepers: list[Callable[[Event], None]] = [] if log is None else [log.append]
    if profile is not None:
        profile.remember(elicitation)  # answers that the log kept just before a process died
        keepers.append(profile.recorder(elicitation))

    def record(event: Event) -> None:
        for keep in keepers:
            keep(event)

    recommendation = elicitation.run(person, record, grow)
    if isinstance(person, TerminalPerson):
        console.clear()
        console.print(Text(printable(elicitation.pool.prompt), style="bold"))
    unfinished = elicitation.ask() is not None
    if as_json:
        print(json.dumps(_to_object(elicitation, recommendation, log)))  # noqa: T201
    else:
        console.print(result(recommendation))
    if isinstance(person, Narrated) and (spent := person.spent()):
        console.print(Text(spent))
    if log is not None and unfinished:
        again = f"palate align --resume {shlex.quote(str(log.path))}"
        console.print(Text(f"Your answers are kept. Go on with: {again}"), soft_wrap=True)


def _to_object(
    elicitation: Elicitation, recommendation: Recommendation, log: LogFile | None
) -> dict[str, Any]:
    response = recommendation.response
    return {
        "prompt": elicitation.pool.prompt,
        "id": response.id,
        "index": recommendation.index,
        "text": response.text,
        "image": response.image,
        "bound": recommendation.bound,
        "expected_regret": recommendation.expected_regret,
        "certified": recommendation.certified,
        "consistent": recommendation.consistent,
        "answers": recommendation.answers,
        "questions_left": recommendation.questions_left,
        "strategy": elicitation.strategy.settings(),
        "seed": elicitation.seed,
        "log": None if log is None else str(log.path),
    }


@dataclass(slots=True)
class Narrated:
    """A person whose questions and answers are printed, for a run without anybody watching."""

    person: Person
    console: Console
    elicitation: Questioning

    def tell(self, line: str) -> None:
        """Print a line."""
        self.console.print(Text(printable(line), style="cyan"))

    def spent(self) -> str:
        """What the answers cost, in a line; nothing where they cost nothing."""
        return ""

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Let the person answer, and print it."""
        reply = self.person.answer(query, pool)
        number = self.elicitation.recommend().answers + 1
        self.console.print(Text(f"\nquestion {number}", style="bold"))
        first = reply[0] if isinstance(reply, tuple) else reply
        for position, i in enumerate(query.options):
            mark = "->" if position == first else "  "
            line = Text(f"{mark} {position + 1}. ", style="green" if position == first else "")
            line.append(" ".join(body(pool.responses[i]).plain.split()))
            self.console.print(line, no_wrap=True, overflow="ellipsis")
        if isinstance(reply, tuple):
            self.console.print(f"-> best first: {' '.join(str(i + 1) for i in reply)}")
        elif isinstance(reply, str):
            self.console.print(f"-> {reply}")
        return reply


def simulated_person(
    elicitation: Elicitation, console: Console, norm_bound: float, *, order: bool = False
) -> Narrated:
    """A consistent simulated person whose weights are drawn from the elicitation's seed.

    Args:
        elicitation: what is asked.
        console: where to print.
        norm_bound: the norm of the weights.
        order: whether to order what is shown, instead of picking one.
    """
    from palate._random import generator
    from palate.people import SimulatedPerson

    features = elicitation.pool.features
    if features is None:
        raise PoolError("a simulated person needs features to have a taste in")
    direction = generator(elicitation.seed, "simulated taste").normal(size=(features.shape[1],))
    theta = norm_bound * direction / float((direction @ direction) ** 0.5)
    console.print("a simulated person with a random taste answers")
    return Narrated(SimulatedPerson(theta, order=order), console, elicitation)
