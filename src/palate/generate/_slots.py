"""The places of a pool to be, and what the answers so far have put into them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from palate.chat import Usage
from palate.errors import LogError, ModelError
from palate.generate._interests import normalised, parse_interests

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

INTERESTS = "interests"
"""The slot of requests that ask for interests."""

MOST_INTERESTS = 50
"""Interests asked for in one request; more are asked for in several."""

PATIENCE = 3
"""Replies in a row without a new interest, after which no more are asked for."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one response.

    Attributes:
        id: the id of the response.
        kind: "plain", "interest", "baseline" or "grown".
        place: which interest the response is written for, from 0; None where it is for none.
    """

    id: str
    kind: str
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answered request, as a journal keeps it.

    Attributes:
        slot: what it was for.
        text: the answer.
        interest: what it was written for, or None.
        model: the model's name.
        truncated: whether a limit on tokens cut it off.
        usage: tokens that it cost.
    """

    slot: str
    text: str
    interest: str | None
    model: str
    truncated: bool
    usage: Usage

    def to_object(self) -> dict[str, Any]:
        """JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_object(cls, record: Mapping[str, Any]) -> Self:
        """The reply that :meth:`to_object` wrote.

        Raises:
            LogError: the record is none.
        """
        try:
            reply = cls(**{**record, "usage": Usage(**record["usage"])})
            usage = reply.usage
            sound = (
                all(isinstance(text, str) for text in (reply.slot, reply.text, reply.model))
                and isinstance(reply.interest, str | None)
                and isinstance(usage.prompt_tokens + usage.completion_tokens, int)
            )
        except (TypeError, KeyError) as error:
            raise LogError("not an answer of a model") from error
        if not sound:
            raise LogError("not an answer of a model")
        return reply


class Slots:
    """Slots, and the replies in them: all derived from the replies taken, in their order.

    A reply that is empty, or repeats a text that there is, fills no slot, which is asked again.

    Args:
        slots: the slots, in the order of the pool.
        texts: texts that there are already.
        named: interests that there are already, which do not count as new.

    Attributes:
        filled: the reply in each slot that has one, by the slot's id.
        interests: those newly named, in order.
        replies: how many replies were taken for each slot, in vain or not.
        usage: tokens of all replies.
        empty, repeats: replies that filled no slot.
        fruitless: replies in a row, since the last new interest, that named none.
    """

    def __init__(
        self, slots: Sequence[Slot], texts: Iterable[str] = (), named: Sequence[str] = ()
    ) -> None:
        self.slots = slots
        self.filled: dict[str, Reply] = {}
        self.interests: list[str] = []
        self.replies: Counter[str] = Counter()
        self.usage = Usage()
        self.empty = self.repeats = self.fruitless = 0
        self._readable = False
        self._texts = {normalised(text) for text in texts}
        self._named = {normalised(name) for name in named}

    def take(self, reply: Reply) -> None:
        """Count a reply."""
        self.replies[reply.slot] += 1
        self.usage += reply.usage
        text = normalised(reply.text)
        if reply.slot == INTERESTS:
            read = parse_interests(reply.text)
            new = [name for name in read if normalised(name) not in self._named]
            self.interests += new
            self._named |= {normalised(name) for name in new}
            self._readable |= bool(read)
            self.fruitless = 0 if new else self.fruitless + 1
        elif not text:
            self.empty += 1
        elif reply.slot == "baseline":  # may be what a candidate is
            self.filled[reply.slot] = reply
        elif text in self._texts:
            self.repeats += 1
        else:
            self._texts.add(text)
            self.filled[reply.slot] = reply

    def had(self) -> int:
        """How many slots are filled, the baseline's left aside."""
        return sum(slot.id in self.filled for slot in self.slots if slot.kind != "baseline")

    def open(self) -> list[Slot]:
        """Slots without a reply."""
        return [slot for slot in self.slots if slot.id not in self.filled]

    def interests_missing(self) -> int:
        """How many more interests the open slots need; 0 where no more can be had.

        Raises:
            ModelError: no reply named any that could be read.
        """
        places = [slot.place for slot in self.open() if slot.place is not None]
        missing = max(places, default=-1) + 1 - len(self.interests)
        if self.fruitless < PATIENCE:
            return min(max(missing, 0), MOST_INTERESTS)
        if missing > 0 and not self._readable:
            msg = (
                f"the model was asked for interests {self.replies[INTERESTS]} times and named none "
                "that could be read; use another model, or an interest share of 0"
            )
            raise ModelError(msg)
        return 0

    def next(self, under_way: Collection[str]) -> tuple[Slot, str | None] | None:
        """The first open slot that can be asked for now, and its interest.

        Where the model names fewer interests than there are slots, they go round.
        """
        some, ended = len(self.interests), self.fruitless >= PATIENCE
        for slot in self.open():
            if slot.id in under_way:
                continue
            if slot.place is None:
                return slot, None
            if slot.place < some or (some and ended):
                return slot, self.interests[slot.place % some]
        return None
