"""Requests to a model, several at a time, of which no answer is lost."""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from palate.chat import Completion
from palate.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from palate.chat import ChatModel, Message

Outcome: TypeAlias = Completion | BaseException


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        slot: what it is for; no two requests for one slot are under way together.
        messages: what is sent.
        temperature: of the sampling; None sends none.
        seed: of the sampling; None sends none.
        interest: what the response is written for, or None.
    """

    slot: str
    messages: tuple[Message, ...]
    temperature: float | None
    seed: int | None
    interest: str | None = None


def ask_all(
    model: ChatModel,
    concurrency: int,
    propose: Callable[[Collection[str]], Request | None],
    take: Callable[[Request, Completion], None],
    on_ending: Callable[[int], None],
) -> None:
    """Send requests until there are no more.

    Args:
        model: who answers.
        concurrency: the most requests under way at a time.
        propose: the next request, given the slots of those under way, or None: nothing to ask
            before the next answer. When none is under way, None ends it.
        take: called with each answer as it arrives, always from the calling thread.
        on_ending: called once with the number of those under way where an error, or Ctrl-C, ends
            it early. They are waited for and taken, since they are paid for; then the error is
            raised. A second Ctrl-C leaves at once.

    Raises:
        LogError: an answer could not be kept; nothing is waited for then.
    """
    answered = queue.SimpleQueue[tuple[Request, Outcome]]()
    under_way: dict[str, threading.Thread] = {}
    try:
        while True:
            while len(under_way) < concurrency and (request := propose(under_way.keys())):
                # A daemon: threads of a pool would keep a process from leaving at once.
                thread = threading.Thread(target=_ask, args=(model, request, answered), daemon=True)
                under_way[request.slot] = thread
                thread.start()
            if not under_way:
                return
            request, outcome = answered.get()
            del under_way[request.slot]
            take(request, _completion(outcome))
    except LogError:
        raise
    except BaseException:
        on_ending(len(under_way))
        while any(thread.is_alive() for thread in under_way.values()) or not answered.empty():
            with contextlib.suppress(queue.Empty):
                request, outcome = answered.get(timeout=0.05)
                under_way.pop(request.slot, None)
                if isinstance(outcome, Completion):
                    take(request, outcome)
        raise


def _ask(
    model: ChatModel, request: Request, answered: queue.SimpleQueue[tuple[Request, Outcome]]
) -> None:
    outcome: Outcome
    try:
        outcome = model.complete(
            request.messages, temperature=request.temperature, seed=request.seed
        )
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        outcome = error
    answered.put((request, outcome))


def _completion(outcome: Outcome) -> Completion:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
