"""Requests to a model, several at a time, of which no answer is lost."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from palate.chat import Completion
from palate.errors import LogError, ModelError

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
    answered = _Answered()
    under_way: dict[str, threading.Thread] = {}

    def settle() -> None:
        """Take the oldest answer, which leaves the queue when that is done; raise an error."""
        request, outcome = answered.first()
        under_way.pop(request.slot, None)
        try:
            take(request, _completion(outcome))
        except Exception:
            answered.drop_first()
            raise
        answered.drop_first()

    try:
        while True:
            while len(under_way) < concurrency and (request := propose(under_way.keys())):
                # A daemon: threads of a pool would keep a process from leaving at once.
                thread = threading.Thread(target=_ask, args=(model, request, answered), daemon=True)
                under_way[request.slot] = thread
                thread.start()
            if not under_way:
                return
            answered.wait()
            settle()
    except LogError:
        raise
    except BaseException:
        on_ending(len(under_way))
        while answered or any(thread.is_alive() for thread in under_way.values()):
            if answered:
                with contextlib.suppress(ModelError):  # the first error is the one to raise
                    settle()
            else:
                answered.wait(0.05)
        raise


class _Answered:
    """Answers in the order of their arrival, none of which Ctrl-C can make away with.

    An answer that ``queue.get()`` has returned is lost if the interrupt comes before it is
    assigned; here it stays until it is dropped, and may be taken twice instead.
    """

    def __init__(self) -> None:
        self._answers: deque[tuple[Request, Outcome]] = deque()
        self._arrived = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._answers)

    def put(self, request: Request, outcome: Outcome) -> None:
        self._answers.append((request, outcome))
        self._arrived.set()

    def wait(self, timeout: float | None = None) -> None:
        """Until there is one, or the time is up."""
        while not self._answers and self._arrived.wait(timeout):
            self._arrived.clear()

    def first(self) -> tuple[Request, Outcome]:
        return self._answers[0]

    def drop_first(self) -> None:
        self._answers.popleft()


def _ask(model: ChatModel, request: Request, answered: _Answered) -> None:
    outcome: Outcome
    try:
        outcome = model.complete(
            request.messages, temperature=request.temperature, seed=request.seed
        )
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        outcome = error
    answered.put(request, outcome)


def _completion(outcome: Outcome) -> Completion:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
