"""A person at a terminal: two responses side by side, one key an answer."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final, Literal

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate.elicitation import Elicitation, Recommendation
    from palate.feedback import Query, Reply
    from palate.pool import Pool, Response

_LEFT: Final = {"\x1b[D", "\xe0K", "\x00K"}
_RIGHT: Final = {"\x1b[C", "\xe0M", "\x00M"}
_WORDS: Final[dict[str, Reply]] = {"t": "tie", "s": "skip", "u": "undo", "q": "stop"}
_NARROW = 76  # columns under which the cards stand below each other


class TerminalPerson:
    """Shows queries on a terminal and reads one key an answer.

    Args:
        elicitation: what is being asked, for the line about progress and the best so far.
        console: where to draw.
        read_key: returns one key press; by default from the terminal.
    """

    def __init__(
        self,
        elicitation: Elicitation,
        console: Console,
        read_key: Callable[[], str] = click.getchar,
    ) -> None:
        self._elicitation = elicitation
        self._console = console
        self._read_key = read_key
        self._told = ""

    def tell(self, line: str) -> None:
        """Have a line shown with the next query."""
        self._told = line

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Draw the query and wait for a key that means something."""
        note, self._told = self._told, ""
        while True:
            self._draw(query, pool, note)
            try:
                reply = self._read_reply(query, pool)
            except (EOFError, KeyboardInterrupt):
                return "stop"
            if reply == "undo" and not self._elicitation.history:
                note = "There is no answer to take back yet."
            elif reply == "again":
                note = ""
            elif reply is not None:
                return reply
            else:
                note = "That key means nothing here."

    def _read_reply(self, query: Query, pool: Pool) -> Reply | Literal["again"] | None:
        """One key: a reply; or "again" after showing what it asked for; or None."""
        key = self._read_key()
        if key in {"m", "M"}:
            self._read_whole([pool.responses[i] for i in query.options])
            return "again"
        if key in {"b", "B"}:
            self._read_whole([self._elicitation.recommend().response])
            return "again"
        return self._reply(key, len(query.options))

    def _reply(self, key: str, options: int) -> Reply | None:
        if key in _LEFT and options == 2:
            return 0
        if key in _RIGHT and options == 2:
            return 1
        return typed_reply(key, options)

    def _draw(self, query: Query, pool: Pool, note: str) -> None:
        recommendation = self._elicitation.recommend()
        self._console.clear()
        self._console.print(Text(printable(pool.prompt), style="bold"))
        self._console.print(Text(progress(recommendation), style="dim"))
        self._console.print()
        self._console.print(self._cards([pool.responses[i] for i in query.options]))
        self._console.print(_keys(len(query.options)))
        best = recommendation.response
        if recommendation.answers:
            line = f"best so far: {headline(best)}"
            self._console.print(Text(line, style="green"), no_wrap=True, overflow="ellipsis")
        if note:
            self._console.print(Text(note, style="yellow"))

    def _cards(self, responses: Sequence[Response]) -> RenderableType:
        side_by_side = self._console.width >= _NARROW and len(responses) == 2
        across = len(responses) if side_by_side else 1
        down = 1 if side_by_side else len(responses)
        width = self._console.width // across
        room = max(4, (self._console.height - 9) // down - 2)
        texts = [self._fitted(response, width - 4, room) for response in responses]
        tallest = max(len(text.wrap(self._console, width - 4)) for text in texts)
        cards = [
            Panel(
                text,
                title=f" {position} ",
                title_align="left",
                border_style="cyan",
                height=tallest + 2 if side_by_side else None,
            )
            for position, text in enumerate(texts, start=1)
        ]
        if not side_by_side:
            return Group(*cards)
        grid = Table.grid(expand=True)
        for _ in cards:
            grid.add_column(ratio=1)
        grid.add_row(*cards)
        return grid

    def _fitted(self, response: Response, width: int, room: int) -> Text:
        """As much of a response as fits; the rest is one key away."""
        lines = body(response).wrap(self._console, width)
        if len(lines) <= room:
            return body(response)
        shown = Text("\n").join(lines[: room - 1])
        shown.append("\n... press m to read it all", style="dim")
        return shown

    def _read_whole(self, responses: Sequence[Response]) -> None:
        """Show responses whole, a screen at a time; any key goes on."""
        with self._console.capture() as capture:
            for position, response in enumerate(responses, start=1):
                if len(responses) > 1:
                    self._console.rule(str(position))
                self._console.print(body(response))
                self._console.print()
        lines = capture.get().rstrip().splitlines()
        page = max(1, self._console.height - 2)
        for first in range(0, len(lines), page):
            self._console.clear()
            self._console.out("\n".join(lines[first : first + page]), highlight=False)
            last = first + page >= len(lines)
            note = "any key: back to the question" if last else "any key: read on"
            self._console.print(Text(note, style="dim"), end="")
            self._read_key()


class LinePerson:
    """Asks in plain lines and reads an answer a line: pipes, logs, screen readers."""

    def __init__(self, elicitation: Elicitation, console: Console) -> None:
        self._elicitation = elicitation
        self._console = console

    def tell(self, line: str) -> None:
        """Print a line."""
        self._console.print(Text(printable(line)))

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Print the query and read lines until one is an answer; the end of input stops."""
        self._console.print(Text(f"\n{progress(self._elicitation.recommend())}"))
        for position, i in enumerate(query.options, start=1):
            self._console.print(Text(f"[{position}] ", style="bold") + body(pool.responses[i]))
        while True:
            try:
                line = input().strip().lower()
            except EOFError:
                return "stop"
            reply = typed_reply(line, len(query.options))
            if reply is not None:
                return reply
            self._console.print(
                Text(f"{line!r} is no answer: 1 to {len(query.options)}, t, s, u or q")
            )


def typed_reply(typed: str, options: int) -> Reply | None:
    """What a number or a letter means as a reply, or None."""
    if typed.isdecimal() and 1 <= int(typed) <= options:
        return int(typed) - 1
    return _WORDS.get(typed.lower())


def progress(recommendation: Recommendation) -> str:
    """One line about where the questions stand."""
    left = recommendation.questions_left
    if left == 0:
        return f"question {recommendation.answers + 1}, the last one"
    plural = "question" if left == 1 else "questions"
    return f"question {recommendation.answers + 1}, about {left} {plural} left"


def result(recommendation: Recommendation, width: int | None = None) -> RenderableType:
    """The response and how sure palate is, as a panel."""
    return Group(
        Panel(
            body(recommendation.response),
            title=" your response ",
            title_align="left",
            border_style="green",
            width=width,
        ),
        Text(sureness(recommendation)),
    )


def sureness(recommendation: Recommendation) -> str:
    """How sure palate is, in words and numbers."""
    n = recommendation.answers
    after = "Before any question" if n == 0 else f"After {n} question{'s' if n > 1 else ''}"
    bound = recommendation.bound
    if not recommendation.consistent:
        return (
            f"{after}: the best guess. Some answers contradict each other, so no single taste "
            "explains them all and nothing can be certain; undoing one may help."
        )
    if bound is None:
        return f"{after}: the best so far. This strategy does not say how far it may be off."
    if recommendation.certified and bound < 1e-3:
        return f"{after}: certain. If your answers hold, nothing else in the pool suits you better."
    odds = 100.0 / (1.0 + math.exp(-bound))
    reach = (
        f"something else in the pool may still suit you better by up to {bound:.2f}; shown beside "
        f"this one you would pick it at most {odds:.0f} times in 100"
    )
    if recommendation.certified:
        return f"{after}: as sure as was asked for. If your answers hold, {reach}."
    return f"{after}: the best so far. {reach[0].upper()}{reach[1:]}."


def headline(response: Response) -> str:
    """The first words of a response, on one line."""
    text = " ".join(printable(response.text or response.image or "").split())
    return text if len(text) <= 160 else text[:157] + "..."


def body(response: Response) -> Text:
    """A response as it is shown; an image is named by its path."""
    if response.text:
        return Text(printable(response.text))
    return Text(f"image: {printable(response.image or '')}")


def printable(text: str) -> str:
    """Text without control characters: a response must not be able to drive the terminal."""
    return "".join(
        c
        if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"}
        else "\N{REPLACEMENT CHARACTER}"
        for c in text.replace("\r\n", "\n").expandtabs(4)
    )


def _keys(options: int) -> RenderableType:
    pick = "1, 2 or arrows" if options == 2 else f"1 to {options}"
    pairs = [
        (pick, "pick"),
        ("t", "tie"),
        ("s", "skip"),
        ("u", "undo"),
        ("m", "read all"),
        ("b", "best so far"),
        ("q", "quit, keeps answers"),
    ]
    return Columns(
        [Text.assemble((key, "bold"), f" {meaning}") for key, meaning in pairs], padding=(0, 2)
    )
