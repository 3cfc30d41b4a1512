"""Features that are known already, looked up by name: an embedder of images by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray


def known_features(
    names: Iterable[str], features: ArrayLike
) -> Callable[[Sequence[str]], FloatArray]:
    """What :func:`palate.population.from_comparisons` embeds by, where the features exist already.

    Such as those of images, whose ids :func:`palate.formats.read_pick_a_pic` gives as options. With
    ``prompts="separate"`` the captions are looked up as well, so they need rows of their own.

    Args:
        names: M different names.
        features: (M, d), a row a name.

    Raises:
        ParameterError: the rows are no table with a row a name, or a name is there twice. The
            function returned: a name is not among them.
    """
    listed = list(names)
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(listed):
        msg = f"{len(listed)} names need ({len(listed)}, d) features, not {table.shape}"
        raise ParameterError(msg)
    place = {name: row for row, name in enumerate(listed)}
    if len(place) < len(listed):
        twice = next(name for row, name in enumerate(listed) if place[name] != row)
        msg = f"the name {twice!r} is there twice; each has one row of features"
        raise ParameterError(msg)

    def look_up(wanted: Sequence[str]) -> FloatArray:
        missing = [name for name in wanted if name not in place]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            msg = f"there are no features of {missing[0][:60]!r}{more}"
            raise ParameterError(msg)
        return np.asarray(table[[place[name] for name in wanted]])

    return look_up
