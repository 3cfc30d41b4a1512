"""What a generator is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.pool import Pool, Response


class Generator(Protocol):
    """Makes the responses that compete for a prompt."""

    def generate(self, prompt: str, n: int) -> Pool:
        """A pool of n distinct responses to a prompt, without features.

        Raises:
            ParameterError: n is no whole number of at least 1, or the prompt is empty.
            ModelError: n distinct responses could not be had.
        """
        ...

    def grow(
        self,
        pool: Pool,
        n: int,
        *,
        liked: Sequence[Response] = (),
        disliked: Sequence[Response] = (),
    ) -> list[Response]:
        """At most n new responses to a pool's prompt, which leaves the pool as it is.

        Args:
            pool: what there is; neither its ids nor its texts come again.
            n: how many responses to try for.
            liked: responses that the person liked, the best first.
            disliked: responses that they did not.

        Raises:
            ParameterError: n is no whole number of at least 1.
            ModelError: the model could not be asked.
        """
        ...
