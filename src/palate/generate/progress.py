"""How far a generation has come, and what it cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate.chat import Usage


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a generation stands.

    Attributes:
        had: distinct responses so far; the baseline is not counted.
        wanted: how many there will be.
        requests: requests answered, also those that a journal kept from an earlier run.
        usage: tokens of these requests.
        under_way: requests that are not answered yet.
        ending: whether no more is asked, because of an error or Ctrl-C, and only those under way
            are waited for.
    """

    had: int
    wanted: int
    requests: int
    usage: Usage
    under_way: int = 0
    ending: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs.

    Attributes:
        input: US dollars for a million tokens that the model reads.
        output: US dollars for a million tokens that it writes.

    Raises:
        ParameterError: a price is negative, or not a number.
    """

    input: float
    output: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.input < math.inf and 0.0 <= self.output < math.inf):
            msg = f"prices are at least 0, not {self.input} and {self.output}"
            raise ParameterError(msg)

    def cost(self, usage: Usage) -> float:
        """US dollars for some usage."""
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6
