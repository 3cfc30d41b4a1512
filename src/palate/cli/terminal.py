"""A person at a terminal: responses side by side, one key an answer, or the keys of an order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, Protocol

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.panel import Panel
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from palate.wording import headline, printable, progress, sureness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate.elicitation import Recommendation
    from palate.feedback import Query, Reply
    from palate.pool import Pool, Response

_LEFT: Final = {"\x1b[D", "\xe0K", "\x00K"}
_RIGHT: Final = {"\x1b[C", "\xe0M", "\x00M"}
_WORDS: Final[dict[str, Reply]] = {"t": "tie", "s": "skip", "u": "undo", "q": "stop"}
_ORDER: Final = {"o", "O"}
_ENTER: Final = {"\r", "\n"}
_BACKSPACE: Final = {"\x7f", "\b"}
_ESCAPE: Final = {"\x1b"}
_LINE_AGAIN: Final = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
_WIDE = 38  # columns that a card has beside others
_LEAST = 24  # and on a screen so low that a text would get fewer lines than these
_LINES = 4
_MORE = "... press m to read it all"


class Questioning(Protocol):
    """What asks: an elicitation, or the questions of a plan."""

    @property
    def history(self) -> Sequence[object]:
        """The answers so far, which can be taken back."""
        ...

    def recommend(self) -> Recommendation:
        """The best response so far, and how many questions are left."""
        ...


class TerminalPerson:
    """Shows queries on a terminal and reads one key an answer.

    More than two options can be put in order: "o", their digits best first, Enter.

    Args:
        elicitation: what is being asked, for the line about progress and the best so far.
        console: where to draw.
        read_key: returns one key press; by default from the terminal.
        order: whether to ask for an order each time, without the "o".
    """

    def __init__(
        self,
        elicitation: Questioning,
        console: Console,
        read_key: Callable[[], str] = click.getchar,
        *,
        order: bool = False,
    ) -> None:
        self._elicitation = elicitation
        self._console = console
        self._read_key = read_key
        self._order = order
        self._named: list[int] | None = None  # in the order so far; None: a key picks
        self._told = ""

    def tell(self, line: str) -> None:
        """Have a line shown with the next query."""
        self._told = line

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Draw the query and wait for a key that means something."""
        note, self._told = self._told, ""
        self._named = [] if self._order and len(query.options) > 2 else None
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
        """One key or an order: a reply; or "again" after doing what it asked for; or None."""
        options = len(query.options)
        key = self._read_key() if self._named is None else self._read_order(self._named, options)
        if self._named and key in _ENTER:
            return tuple(self._named)
        if options > 2 and key in (_ORDER if self._named is None else _ESCAPE):
            self._named = [] if self._named is None else None
            return "again"
        if key in {"m", "M"}:
            self._read_whole([pool.responses[i] for i in query.options])
            return "again"
        if key in {"b", "B"}:
            self._read_whole([self._elicitation.recommend().response])
            return "again"
        return self._reply(key, options)

    def _read_order(self, named: list[int], options: int) -> str:
        """Take digits into an order until Enter, or another key with a meaning of its own."""
        note = ""
        while True:
            # The last line alone is drawn again: keys typed meanwhile would be lost.
            line = f"best first: {' '.join(str(position + 1) for position in named)}{note}"
            self._console.control(_LINE_AGAIN)
            self._console.print(Text(line, style="cyan"), end="", no_wrap=True, overflow="ellipsis")
            note = ""
            typed = self._read_key()
            for key in [typed] if typed.startswith("\x1b") else typed:  # fast ones come together
                position = typed_reply(key, options)
                if key in _BACKSPACE:
                    del named[-1:]
                elif key in _ENTER and len(named) < 2:
                    note = "  (name at least two)"
                elif not isinstance(position, int):
                    return key
                elif position in named:
                    note = f"  ({key} is there already)"
                else:
                    named.append(position)

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
        self._console.print(_keys(len(query.options), ordering=self._named is not None))
        best = recommendation.response
        if recommendation.answers:
            line = f"best so far: {headline(best)}"
            self._console.print(Text(line, style="green"), no_wrap=True, overflow="ellipsis")
        if note:
            self._console.print(Text(note, style="yellow"))

    def _cards(self, responses: Sequence[Response]) -> RenderableType:
        across, down = self._layout(len(responses))
        width = self._console.width // across
        room = max(2, (self._console.height - 9) // down - 2)
        texts = [self._fitted(response, width - 4, room) for response in responses]
        tallest = max(len(text.wrap(self._console, width - 4)) for text in texts)
        cards = [
            Panel(
                text,
                title=f" {position} ",
                title_align="left",
                border_style="cyan",
                height=tallest + 2 if across > 1 else None,
            )
            for position, text in enumerate(texts, start=1)
        ]
        grid = Table.grid(expand=True)
        for _ in range(across):
            grid.add_column(ratio=1)
        for first in range(0, len(cards), across):
            grid.add_row(*cards[first : first + across])
        return grid

    def _layout(self, cards: int) -> tuple[int, int]:
        """How many cards stand beside each other, and how many rows of them there are."""
        width, height = self._console.width, self._console.height - 9
        across = max(1, min(cards, width // _WIDE))
        while across < min(cards, width // _LEAST) and height // -(-cards // across) - 2 < _LINES:
            across += 1
        down = -(-cards // across)
        return -(-cards // down), down

    def _fitted(self, response: Response, width: int, room: int) -> Text:
        """As much of a response as fits; the rest is one key away."""
        lines = body(response).wrap(self._console, width)
        if len(lines) <= room:
            return body(response)
        shown = Text("\n").join(lines[: room - 1])
        shown.append(f"\n{_MORE[:width]}", style="dim")
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
    """Asks in plain lines and reads an answer a line: pipes, logs, screen readers.

    Args:
        elicitation: what is being asked, for the line about progress.
        console: where to print.
        order: whether to ask for an order each time; a single number is an answer all the same.
    """

    def __init__(self, elicitation: Questioning, console: Console, *, order: bool = False) -> None:
        self._elicitation = elicitation
        self._console = console
        self._order = order

    def tell(self, line: str) -> None:
        """Print a line."""
        self._console.print(Text(printable(line)))

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Print the query and read lines until one is an answer; the end of input stops."""
        self._console.print(Text(f"\n{progress(self._elicitation.recommend())}"))
        for position, i in enumerate(query.options, start=1):
            self._console.print(Text(f"[{position}] ", style="bold") + body(pool.responses[i]))
        options = len(query.options)
        if self._order and options > 2:
            self._console.print(f"all {options} in order, best first?")
        while True:
            try:
                line = input().strip().lower()
            except EOFError:
                return "stop"
            reply = typed_reply(line, options)
            reply = typed_order(line, options) if reply is None else reply
            if reply is not None:
                return reply
            orders = ", an order such as 31" if options > 2 else ""
            self._console.print(
                Text(f"{line!r} is no answer: 1 to {options}{orders}, t, s, u or q")
            )


def typed_reply(typed: str, options: int) -> Reply | None:
    """What a number or a letter means as a reply, or None."""
    if typed.isdecimal() and 1 <= int(typed) <= options:
        return int(typed) - 1
    return _WORDS.get(typed.lower())


def typed_order(typed: str, options: int) -> tuple[int, ...] | None:
    """The order that several numbers mean, such as "312" or "3 1 2"; None if they mean none."""
    numbers = re.split(r"[\s,>]+", typed.strip())
    if len(numbers) == 1 and options < 10:
        numbers = list(typed.strip())
    places = [typed_reply(number, options) for number in numbers]
    order = tuple(place for place in places if isinstance(place, int))
    valid = options > 2 and 1 < len(set(order)) == len(places)
    return order if valid else None


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


def body(response: Response) -> Text:
    """A response as it is shown; an image is named by its path."""
    if response.text:
        return Text(printable(response.text))
    return Text(f"image: {printable(response.image or '')}")


def _keys(options: int, *, ordering: bool) -> RenderableType:
    if ordering:
        first = [(f"1 to {options}", "next"), ("Enter", "done"), ("Backspace", "mend")]
        first += [("Esc", "pick one instead")]
    elif options == 2:
        first = [("1, 2 or arrows", "pick")]
    else:
        first = [(f"1 to {options}", "pick"), ("o", "order")]
    pairs = [
        *first,
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
