"""Generating a pool into a file: the progress shown, the journal beside it, the line at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from palate.chat import Usage
from palate.errors import LogError, ParameterError
from palate.formats import write_pools
from palate.generate import ChatGenerator, Price
from palate.generate import Progress as Standing
from palate.wording import printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from palate.chat import ChatModel
    from palate.pool import Pool


def generate_file(
    path: Path,
    prompt: str,
    n: int,
    model: ChatModel,
    console: Console,
    *,
    resume: bool = False,
    price: Price | None = None,
    again: str = "run it again with --resume",
    **settings: Any,  # noqa: ANN401 - those of ChatGenerator
) -> Pool:
    """Generate a pool and write it; until it is whole, ``path.part`` keeps what was answered.

    Args:
        path: where the pool is written.
        prompt: what is asked.
        n: how many responses.
        model: the chat model.
        console: where progress is shown.
        resume: go on with what an interrupted run has kept.
        price: for the estimated cost.
        again: how to go on after an interruption, for the line that says so.
        **settings: of :class:`palate.generate.ChatGenerator`.

    Raises:
        ParameterError: the file exists.
        ModelError, LogError: as the generator; what was answered is kept.
    """
    if path.exists():
        msg = f"{path} exists; name another file, or move it away"
        raise ParameterError(msg)
    if path.suffix == ".parquet":  # said before anything is paid for
        msg = f"pools are written as JSONL; name the file {path.with_suffix('.jsonl')}"
        raise ParameterError(msg)
    journal = path.with_name(path.name + ".part")
    if journal.exists() and not resume:
        msg = f"{journal} holds an interrupted run; go on with it by --resume, or delete it"
        raise LogError(msg)
    began = time.monotonic()
    with _Bar(console, n, price) as bar:
        generator = ChatGenerator(model, on_progress=bar.update, **settings)
        try:
            pool = generator.generate(prompt, n, journal=journal, resume=resume)
        except BaseException:
            if bar.standing.requests:
                bar.note(f"{_responses(bar.standing.had)} kept in {journal}; {again}")
            elif not resume:
                journal.unlink(missing_ok=True)  # it holds nothing
            raise
    write_pools(path, [pool])
    journal.unlink()
    line = f"{_responses(len(pool))} in {path}: {_spent(bar.standing, price)}"
    console.print(Text(f"{line}, {time.monotonic() - began:.1f} s"), soft_wrap=True)
    return pool


class _Bar:
    """A progress bar with tokens and cost; nothing but lines where nobody watches."""

    def __init__(self, console: Console, n: int, price: Price | None) -> None:
        self.standing = Standing(0, n, 0, Usage())
        self._price = price
        self._progress = Progress(
            TextColumn("generating"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[spent]}", style="dim"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=n, spent="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, standing: Standing) -> None:
        """Show where it stands."""
        if standing.ending and not self.standing.ending and standing.under_way:
            self.note(
                f"stopping: waiting for {standing.under_way} under way; Ctrl-C again leaves at once"
            )
        self.standing = standing
        spent = _spent(standing, self._price)
        self._progress.update(self._task, completed=standing.had, spent=spent)

    def note(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(Text(printable(line)), soft_wrap=True)


def _responses(n: int) -> str:
    return f"{n} response{'' if n == 1 else 's'}"


def _spent(standing: Standing, price: Price | None) -> str:
    usage = standing.usage
    about = "about " if usage.estimated else ""
    requests = f"{standing.requests} request{'' if standing.requests == 1 else 's'}"
    tokens = f"{about}{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    cost = "" if price is None else f", about ${price.cost(usage):.4f}"
    return f"{requests}, {tokens}{cost}"


def parsed_price(text: str | None) -> Price | None:
    """IN,OUT as dollars a million tokens.

    Raises:
        ParameterError: it is not two numbers.
    """
    if text is None:
        return None
    try:
        read, written = (float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--price takes two numbers, such as 0.15,0.60, not {text!r}"
        raise ParameterError(msg) from error
    return Price(read, written)
