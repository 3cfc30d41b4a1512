"""Asking the questions of a plan: kept as they are answered, the rest planned anew on the way."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from palate._random import generator
from palate.cli.session import Narrated
from palate.cli.terminal import LinePerson, TerminalPerson
from palate.design import (
    best_prompt,
    fit_choice_model,
    past_information,
    plan,
    pose,
    prompt_text,
    sample_queries,
    style_person,
    style_sentences,
    style_theta,
    tokens_of,
)
from palate.elicitation import Recommendation
from palate.errors import ParameterError
from palate.pool import Pool, Response
from palate.wording import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.cli.design_source import Source
    from palate.cli.session import Answering
    from palate.design import ChoiceEstimate, QueryFile, Renderer
    from palate.feedback import Person, Query


@dataclass(eq=False)
class Asking:
    """The questions of a file, as somebody at a terminal sees them.

    Attributes:
        file: queries and answers.
        source: what they are about.
        history: the queries answered, by number, then those of this session.
        again: queries whose answers were taken back, the next one last.
    """

    file: QueryFile
    source: Source
    history: list[Query] = field(default_factory=list)
    again: list[Query] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history += [self.file.answers[number].query for number in sorted(self.file.answers)]

    def next(self) -> Query | None:
        """The next query to ask; None where all are answered."""
        left = self.file.unanswered()
        return self.again[-1] if self.again else left[0] if left else None

    def recommend(self) -> Recommendation:
        """The best prompt so far, or the best response to the prompt that is asked about."""
        left = len(self.file.unanswered()) + len(self.again)
        estimate = self.estimate()
        if estimate is None:
            response = Response("none", "nothing yet: answer a question first")
        elif self.source.pools:
            query = self.next() or self.file.asked.queries[-1]
            slot = self.file.planned[query.number].depth - 1
            utilities = self.source.problem.slots[slot].features @ estimate.theta
            response = self.source.pools[slot].responses[int(utilities.argmax())]
        else:
            best = best_prompt(self.source.problem, estimate.theta)
            response = Response("best", prompt_text(tokens_of(self.source.problem, best)))
        return Recommendation(
            index=0,
            response=response,
            bound=None,
            certified=False,
            answers=len(self.file.answers) - len(self.again),
            questions_left=max(left - 1, 0),
            consistent=True,
        )

    def estimate(self) -> ChoiceEstimate | None:
        """By the picks so far, under the plan's lambda; None before the first."""
        told = [number for number, answer in self.file.answers.items() if answer.stages]
        if not told:
            return None
        options = self.file.asked.options(self.source.problem)
        return fit_choice_model(
            [options[number] for number in told],
            [self.file.answers[number].picked for number in told],
            lam=float(self.file.settings["lambda"]),
        )

    def pool(self, query: Query) -> Pool:
        """What the query's options are from, under its own question."""
        question = self.source.question(self.file.planned[query.number].depth - 1)
        pool = self.file.asked.pool
        return pool if question is None else Pool(question, pool.responses)


def ask_on(
    asking: Asking,
    person_for: Callable[[Asking], Person],
    replan: Callable[[Asking, int], bool] | None = None,
) -> None:
    """Put the unanswered questions to a person until all are answered or they stop.

    Args:
        asking: the questions.
        person_for: makes the person; again after what is left was planned anew, which changes the
            pool that they are asked about.
        replan: called with the number of the next query; whether it planned the rest anew.
    """
    person = person_for(asking)
    while (query := asking.next()) is not None:
        if not asking.again and replan is not None and replan(asking, query.number):
            person = person_for(asking)
            continue
        began = time.monotonic()
        reply = person.answer(query, asking.pool(query))
        if reply == "stop":
            return
        if reply == "undo":
            if asking.history:
                asking.again.append(asking.history.pop())
            continue
        asking.file.tell(query.number, reply, seconds=round(time.monotonic() - began, 2))
        asking.history.append(query)
        if asking.again:
            asking.again.pop()


@dataclass(eq=False)
class Replanning:
    """Plans what is left anew after every so many episodes.

    Attributes:
        every: episodes.
        at_estimate: whether the past counts by the estimate, or without looking at the answers.
        renderer: makes what is shown.
        tell: called with a line about it.
        done: the numbers of queries before which it was done already.
    """

    every: int
    at_estimate: bool
    renderer: Renderer
    tell: Callable[[str], None]
    done: set[int] = field(default_factory=set)

    def __call__(self, asking: Asking, first: int) -> bool:
        """Plan anew from a query on, if it is time; whether something changed."""
        file, problem = asking.file, asking.source.problem
        episode = file.planned[first].episode
        starts = first > 0 and file.planned[first - 1].episode < episode
        if first in self.done or not starts or episode % self.every:
            return False
        self.done.add(first)
        if any(number >= first for number in file.answers):
            return False
        began = time.perf_counter()
        settings = file.settings
        lam, rounding = float(settings["lambda"]), settings["rounding"]
        estimate = asking.estimate() if self.at_estimate else None
        theta = None if estimate is None else estimate.theta
        options = file.asked.options(problem)
        told = [options[number] for number, answer in file.answers.items() if answer.stages]
        left = int(settings["episodes"]) - episode
        known = past_information(told, theta, d=problem.d)
        known.flat[:: problem.d + 1] += lam
        design = plan(
            problem, n_queries=left, prior_precision=known, criterion=settings["criterion"]
        )
        planned = [
            replace(query, episode=query.episode + episode)
            for query in sample_queries(
                design,
                n_options=int(settings["options"]),
                episodes=left,
                feedback=settings["feedback"],
                rounding=rounding,
                theta=theta if rounding == "greedy" else None,
                seed=int(generator(int(settings["seed"]), "replan", first).integers(2**31)),
            )
        ]
        if tuple(planned) == file.planned[first:]:  # planned anew just before a process ended
            return False
        file.replan(
            first, planned, pose(problem, planned, self.renderer, shows=asking.source.shows)
        )
        how = "at the estimate" if theta is not None else "by what was asked"
        seconds = time.perf_counter() - began
        after = f"{episode} episode{'s' if episode > 1 else ''}"
        self.tell(f"After {after} the rest was planned anew {how} ({seconds:.1f} s).")
        return True


def typing_person(asking: Asking, console: Console) -> Answering:
    """Keys on a terminal, lines anywhere else."""
    if sys.stdin.isatty() and console.is_terminal:
        return TerminalPerson(asking, console)
    console.print(Text(printable(asking.file.asked.pool.prompt), style="bold"))
    k = max(len(query.options) for query in asking.file.asked.queries)
    keys = f"1 to {k}, t (tie), s (skip), u (undo) or q (quit)"
    console.print(f"answer each question by a line: {keys}")
    return LinePerson(asking, console)


def simulated_person(asking: Asking, style: str, strength: float, seed: int) -> Person:
    """Somebody with a shipped style as their taste, who adds up what tokens are worth to them.

    Raises:
        ParameterError: there is no such style, or the pool brings features of its own.
    """
    source = asking.source
    if source.embedder is None:
        raise ParameterError(
            "a style is a taste in an embedder's features, and this pool brings its own; "
            "plan with --embedder static"
        )
    sentences = style_sentences(style)  # type: ignore[arg-type]
    theta = style_theta(sentences, source.embedder, strength=strength)
    return style_person(asking.file.asked, source.problem, theta, seed=seed)


def teller(person: Person | None, console: Console) -> Callable[[str], None]:
    """Says a line with the next question where somebody is asked, and at once where not."""

    def tell(line: str) -> None:
        console.print(Text(line, style="dim"), soft_wrap=True)

    return getattr(person, "tell", tell)


def close(asking: Asking, person: Person | None, console: Console) -> None:
    """Say how far the answers have come, and what to do next."""
    file = asking.file
    if isinstance(person, TerminalPerson):
        console.clear()
    if isinstance(person, Narrated) and (spent := person.spent()):
        console.print(Text(spent))
    path = shlex.quote(str(file.path))
    left = len(file.unanswered())
    console.print(
        Text(f"{len(file.answers)} of {len(file.asked.queries)} questions answered in {path}."),
        soft_wrap=True,
    )
    if left:
        console.print(Text(f"Go on with: palate design ask {path}"), soft_wrap=True)
    if any(answer.stages for answer in file.answers.values()):
        console.print(Text(f"What they say: palate design fit {path}"), soft_wrap=True)
