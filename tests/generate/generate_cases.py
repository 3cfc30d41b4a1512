"""What the tests of generating share: a model's wit, and what it was asked."""

from __future__ import annotations

import itertools
import json
import re
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROMPT = "What should I cook for dinner tonight?"


class Cook:
    """Answers every request of a generator as it should be, each time differently."""

    def __init__(self, first: int = 0) -> None:
        self.numbers = itertools.count(first)
        self.lock = threading.Lock()

    def __call__(self, messages: Sequence[Mapping[str, str]]) -> str:
        with self.lock:
            number = next(self.numbers)
        count = interests_asked(messages)
        if count:
            return json.dumps([f"interest {number}.{i}" for i in range(count)])
        return f"Dish number {number}."

    def reply(self, body: dict[str, Any], _: int) -> str:
        """The same for the server that tests misbehave with."""
        return self(body["messages"])


def interests_asked(messages: Sequence[Mapping[str, str]]) -> int:
    """How many interests a request asks for; 0 where it asks for a response."""
    found = re.search(r"exactly (\d+) strings", messages[-1]["content"])
    return int(found[1]) if found else 0
