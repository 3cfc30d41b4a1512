"""Several requests under way at once, and an end to them that nobody has to wait for."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], at_once: int
) -> list[Result]:
    """The function of each item, in the items' order, at most ``at_once`` at a time.

    The first failure is raised as soon as it happens, and nothing further is begun after it, nor
    after a KeyboardInterrupt. The threads are daemons, unlike those of concurrent.futures: a
    process that is interrupted need not wait for a server that has stopped answering.
    """
    waiting = queue.SimpleQueue[tuple[int, Item]]()
    done = queue.SimpleQueue[tuple[int, Result | None, BaseException | None]]()
    stopped = threading.Event()
    for numbered in enumerate(items):
        waiting.put(numbered)

    def work() -> None:
        while not stopped.is_set():
            try:
                place, item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((place, function(item), None))
            except BaseException as error:  # noqa: BLE001 - raised again where it can be caught
                done.put((place, None, error))
                return

    results: list[Result | None] = [None] * len(items)
    for _ in range(min(at_once, len(items))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in items:
            place, result, error = done.get()
            if error is not None:
                raise error
            results[place] = result
    finally:
        stopped.set()
    return cast("list[Result]", results)
