"""Pick-a-Filter on simulated images: what two prototypes gain as two groups of people drift apart.

The paper's Figure 4 is about Pick-a-Pic's images in CLIP's features; here are images of random
patches, in features that anyone can compute, with a quality that all people judge alike. The
construction of the groups is the paper's, :func:`palate.population.filters.pick_a_filter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.population.comparisons import from_comparisons
from palate.population.evaluate import evaluate
from palate.population.filters import colour_filter, common_pairs, pick_a_filter
from palate.population.known import known_features
from palate.population.linear import fit_pal_a
from palate.population.splits import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from palate._typing import FloatArray

BETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
IMAGES, PEOPLE, PAIRS = 500, 20, 150
_PATCHES, _SIDE = 4, 16
_QUALITY = 2.0  # standard deviation of an image's quality, in logits


def filter_rows(seeds: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """A row a mixture ratio: held-out accuracies of one and of two prototypes, over seeds."""
    for beta in BETAS:
        found = np.array([accuracies(beta, seed) for seed in seeds])
        means, deviations = found.mean(axis=0), found.std(axis=0, ddof=min(1, len(seeds) - 1))
        yield (
            f"{beta:g}",
            *(f"{100 * m:.1f} ± {100 * s:.1f}" for m, s in zip(means, deviations, strict=True)),
        )


def accuracies(beta: float, seed: int) -> tuple[float, float]:
    """Of PAL-A with K = 1 and K = 2, on a fifth of everybody's pairs."""
    rng = generator(seed, "bench filters")
    patches = rng.random((IMAGES, _PATCHES, _PATCHES, 3))
    images = patches.repeat(_SIDE // _PATCHES, axis=1).repeat(_SIDE // _PATCHES, axis=2)
    quality = patches.mean(axis=3).reshape(IMAGES, -1) @ rng.normal(size=_PATCHES * _PATCHES)
    quality *= _QUALITY / quality.std()
    names = [str(i) for i in range(IMAGES)]
    made = pick_a_filter(common_pairs(names, quality, PEOPLE, PAIRS, seed=seed), beta, seed=seed)
    tables = [features(images), *(features(colour_filter(images, t)) for t in ("cold", "warm"))]
    known = [*names, *(f"{name}#{tone}" for tone in ("cold", "warm") for name in names)]
    look_up = known_features(known, np.concatenate(tables))
    data, _ = from_comparisons(made.comparisons, look_up, prompts="none")
    parts = split(data, unseen=0, test=0.2, seed=seed)
    one, two = (
        evaluate(fit_pal_a(parts.train, k, seed=seed).model, parts.seen_test).accuracy
        for k in (1, 2)
    )
    return one, two


def features(images: FloatArray) -> FloatArray:
    """(M, 19) of (M, H, W, 3) images: their mean colour, and the brightness of sixteen patches."""
    m, h, w, _ = images.shape
    bright = images.mean(axis=3).reshape(m, _PATCHES, h // _PATCHES, _PATCHES, w // _PATCHES)
    return np.hstack([images.mean(axis=(1, 2)), bright.mean(axis=(2, 4)).reshape(m, -1)])
