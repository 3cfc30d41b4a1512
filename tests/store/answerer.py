"""A process that answers what a store asks, for tests that kill it or run several at once.

``python answerer.py race URL THREADS ELICITATION...`` waits for a line, answers until nothing is
asked, and prints what was accepted and what was raised.

``python answerer.py mortal URL ELICITATION...`` forks a process at each line that it reads, which
answers, a thread an elicitation, and tells what it does until it is killed; so that only the first
process has to import anything.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING

from palate.errors import ConflictError, PalateError, UnknownQueryError
from palate.store import open_store

if TYPE_CHECKING:
    from palate.feedback import Picked


def pick(number: int, k: int) -> Picked:
    """An answer that depends on the number of the query alone."""
    return "tie" if number % 7 == 5 else (number * 3 + number // 2) % k


def say(*words: object) -> None:
    """A line that is whole or not there, whenever the process dies."""
    os.write(1, (json.dumps(words) + "\n").encode())


def race(url: str, threads: int, elicitations: list[str]) -> None:
    accepted: list[str] = []
    raised: list[str] = []

    def answer(first: int) -> None:
        mine = elicitations[first:] + elicitations[:first]
        while mine:
            for elicitation in list(mine):
                try:
                    asked = store.ask(elicitation)
                    if asked is None:
                        mine.remove(elicitation)
                    elif store.tell(elicitation, asked.id, pick(first, 2)):
                        accepted.append(asked.id)
                except (ConflictError, UnknownQueryError):
                    continue  # another thread answered first
                except PalateError as error:
                    raised.append(f"{type(error).__name__}: {error}")
                    mine.remove(elicitation)

    with open_store(url) as store:
        workers = [
            threading.Thread(target=answer, args=(i % len(elicitations),)) for i in range(threads)
        ]
        say("ready")
        sys.stdin.readline()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    say(accepted, raised)


def mortal(url: str, elicitations: list[str]) -> None:
    say("ready")
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            with open_store(url) as store:

                def answer(elicitation: str) -> None:
                    while (asked := store.ask(elicitation)) is not None:
                        number, ids = asked.query.number, asked.query.ids
                        say("asked", elicitation, asked.id, number, ids)
                        picked = pick(number, len(ids))
                        store.tell(elicitation, asked.id, picked)
                        say("told", elicitation, asked.id, number, ids, picked)

                workers = [threading.Thread(target=answer, args=(e,)) for e in elicitations]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
            os._exit(0)
        say("born", child)
        say("died", os.waitpid(child, 0)[1])


if __name__ == "__main__":
    if sys.argv[1] == "race":
        race(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        mortal(sys.argv[2], sys.argv[3:])
