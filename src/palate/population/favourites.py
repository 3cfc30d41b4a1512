"""What anybody could guess who knows no person: the option that is picked most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData


def base_rate(
    train: PreferenceData, data: PreferenceData, option: IndexArray | None = None
) -> float:
    """How often the option that was picked most in training is the one picked: a constant answer.

    An accuracy means little without it: where nine of ten statements are answered "No", "No" is
    right nine times in ten. An option is worth ``(picked + 1) / (shown + 2)``; where several are
    worth the same they share the credit, so that options never seen before give 1/2 of pairs.

    Args:
        train: answers to count.
        data: answers to predict, over the same items.
        option: (M,) which option each item is, where the same option is several items, such as a
            "No" to several prompts that are inside the items; by default each is its own.

    Returns:
        A share of the answers; nan where there are none.
    """
    places = np.arange(len(train.items)) if option is None else option
    worth = _worth(train, places)[places]
    if not len(data):
        return float("nan")
    margins = worth[data.chosen] - worth[data.rejected]
    least = np.minimum.reduceat(margins, data.starts)
    alike = 1.0 + np.add.reduceat(margins == 0.0, data.starts, dtype=np.float64)
    return float(np.where(least >= 0.0, 1.0 / alike, 0.0).mean())


def _worth(train: PreferenceData, places: IndexArray) -> FloatArray:
    size = int(places.max(initial=-1)) + 1
    picked = np.bincount(places[train.chosen[train.starts]], minlength=size)
    lost = np.bincount(places[train.rejected], minlength=size)
    return np.asarray((picked + 1.0) / (picked + lost + 2.0))
