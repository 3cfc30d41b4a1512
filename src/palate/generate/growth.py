"""Growing a pool while a person answers: new responses near what they liked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from palate.elicitation import Extension, Undo
from palate.errors import ParameterError
from palate.feedback import SKIP, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from palate.elicitation import Elicitation
    from palate.generate.base import Generator
    from palate.pool import Embed, Pool, Response

MOST = 3
"""Responses that a generator is shown as liked, and as disliked."""


@dataclass(frozen=True)
class Growth:
    """Adds responses to an elicitation's pool at every so many answers.

    Call it after each answer; it does something when the number of answers that stand, skips not
    counted, is a multiple of ``every``, and once at each number: the elicitation's log says where
    it has, so that neither undo nor resuming grows the pool twice.

    Args:
        generator: what makes the responses.
        every: answers between two growths, at least 1.
        by: responses to try for each time, at least 1.
        embedder: makes the features of the new responses; None: that of the pool.

    Raises:
        ParameterError: ``every`` or ``by`` is below 1.
    """

    generator: Generator
    every: int
    by: int
    embedder: Embed | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or self.by < 1:
            msg = f"every and by must be at least 1, not {self.every} and {self.by}"
            raise ParameterError(msg)

    def __call__(self, elicitation: Elicitation) -> int:
        """Grow the pool if it is time to.

        Returns:
            How many responses were added.

        Raises:
            ModelError: the generator failed; the elicitation is as it was.
            PoolError: the pool cannot be extended, for want of an embedder for example.
        """
        counts = [0]  # of answers without skips: of all that stand, of all but the last, ...
        grown_at: set[int] = set()
        for event in elicitation.log:
            if isinstance(event, Answer):
                counts.append(counts[-1] + (event.picked != SKIP))
            elif isinstance(event, Undo):
                counts.pop()
            elif isinstance(event, Extension):
                grown_at.add(counts[-1])
        if counts[-1] == 0 or counts[-1] % self.every or counts[-1] in grown_at:
            return 0
        pool = elicitation.pool
        liked, disliked = liked_and_disliked(pool, elicitation.history)
        responses = self.generator.grow(pool, self.by, liked=liked, disliked=disliked)
        return len(elicitation.extend(responses, embedder=self.embedder))


def liked_and_disliked(
    pool: Pool, answers: Iterable[Answer]
) -> tuple[list[Response], list[Response]]:
    """What a person liked and what they did not, the latest first, at most three each.

    Returns:
        The responses that were picked and have not lost since; those that lost and were never
        picked. Ties and skips say neither.
    """
    liked: dict[int, None] = {}
    lost: dict[int, None] = {}
    picked: set[int] = set()
    for answer in answers:
        for loser in answer.losers:
            liked.pop(loser, None)
            lost.pop(loser, None)  # to go to the end
            lost[loser] = None
        if answer.winner is not None:
            liked.pop(answer.winner, None)
            liked[answer.winner] = None
            picked.add(answer.winner)
    best = list(reversed(liked))[:MOST]
    worst = [i for i in reversed(lost) if i not in picked][:MOST]
    return [pool.responses[i] for i in best], [pool.responses[i] for i in worst]
