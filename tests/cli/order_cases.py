"""A strategy that shows several responses, known to the command line while it runs from here.

``python order_cases.py ARGUMENTS`` is ``palate ARGUMENTS`` with ``--strategy several``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from palate.cli import main
from palate.strategies import STRATEGIES, WinnerStays

if TYPE_CHECKING:
    from palate.strategies import View


@dataclass(frozen=True)
class Several(WinnerStays):
    """The winner so far and as many more as it may show."""

    name: ClassVar[str] = "several"

    options: int = 2

    def propose(self, view: View) -> tuple[int, ...] | None:
        incumbent, challengers, _ = self._standing(view)
        if not challengers or self.steps_left(view) == 0:
            return None
        return incumbent, *challengers[: self.options - 1]


if __name__ == "__main__":
    STRATEGIES[Several.name] = Several
    main()
