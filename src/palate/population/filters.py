"""Pick-a-Filter: real choices between images, and two groups of people who like a colour besides.

From the paper (Section 3.3, Appendix D.6, Table 8, Figure D.7): ties are left out. People are
sorted by how much they chose and split into two groups of the same size; one prefers cold (blue)
filters, the other warm (red) ones. Of each person's pairs a share beta, the mixture ratio, gets a
filter, one of its two images: half of these pairs on the image that won, which gets the colour that
the person likes, half on the image that lost, which gets the other colour. All other pairs stay as
they are. No choice is changed. So colour decides among people of one group, tells nothing between
the groups, and a filter as such speaks neither for an image nor against it.

Ours, since the paper does not say: a filter is a blend with a colour, :func:`colour_filter`; sorted
people go into the groups by turns, which gives groups of the size that Table 8 reports; shares of
pairs are rounded to whole pairs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.special import expit

from palate._random import generator
from palate.errors import MissingExtraError, ParameterError, PoolError
from palate.feedback import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from palate._typing import FloatArray

Tone: TypeAlias = Literal["cold", "warm"]

COLOURS: Mapping[Tone, tuple[float, float, float]] = {
    "cold": (0.0, 0.0, 1.0),
    "warm": (1.0, 0.0, 0.0),
}
"""Red, green and blue of the colour that a filter blends in, from 0 to 1."""

STRENGTH = 0.3
"""How much of it."""


@dataclass(frozen=True, eq=False)
class FilteredPairs:
    """Choices between images, some of them filtered.

    Attributes:
        comparisons: options are images by name, a filtered one "NAME#cold" or "NAME#warm".
        groups: which tone each person likes.
    """

    comparisons: tuple[Comparison, ...]
    groups: Mapping[str, Tone]

    @property
    def names(self) -> tuple[str, ...]:
        """Every image that there is to show, once: those to make features of."""
        return tuple(dict.fromkeys(itertools.chain(*(c.options for c in self.comparisons))))


def pick_a_filter(
    comparisons: Iterable[Comparison], beta: float, *, seed: int = 0
) -> FilteredPairs:
    """Make people like colours: the construction of Pick-a-Filter.

    Args:
        comparisons: choices between two images, options being their names, such as
            :func:`palate.formats.read_pick_a_pic` reads or :func:`common_pairs` draws. Ties and
            skips are left out.
        beta: the share of each person's pairs that gets a filter, from 0 to 1.
        seed: of the pairs that are filtered, and of the image that is.

    Raises:
        ParameterError: beta is outside its range, or a comparison has no person, more than two
            options, or an image whose name has a "#".
    """
    if not 0.0 <= beta <= 1.0:
        msg = f"beta, the share of pairs with a filter, must be from 0 to 1, not {beta}"
        raise ParameterError(msg)
    decided = [c for c in comparisons if c.chosen is not None]
    by_person: dict[str, list[int]] = {}
    for place, comparison in enumerate(decided):
        by_person.setdefault(_checked(comparison), []).append(place)
    ranked = sorted(by_person, key=lambda name: -len(by_person[name]))
    tones: tuple[Tone, Tone] = ("cold", "warm")
    groups = {name: tones[i % 2] for i, name in enumerate(ranked)}
    for number, name in enumerate(ranked):
        drawn = generator(seed, "pick a filter", number).permutation(by_person[name])
        filtered = drawn[: round(beta * len(drawn))]
        liked = groups[name]
        other: Tone = "warm" if liked == "cold" else "cold"
        half = (len(filtered) + 1) // 2
        for place in filtered[:half]:
            decided[place] = _filtered(decided[place], liked, winner=True)
        for place in filtered[half:]:
            decided[place] = _filtered(decided[place], other, winner=False)
    return FilteredPairs(tuple(decided), groups)


def colour_filter(images: ArrayLike, tone: Tone, strength: float = STRENGTH) -> NDArray[Any]:
    """Put a colour filter on images: ``(1 - strength) image + strength colour``, pixel by pixel.

    Args:
        images: (..., H, W, 3) red, green and blue, whole numbers from 0 to 255 (uint8) or floats
            from 0 to 1.
        tone: "cold" blends in blue, "warm" red.
        strength: from 0 (nothing) to 1 (the colour alone).

    Returns:
        Images of the same shape and type; whole numbers are rounded.

    Raises:
        ParameterError: a setting is outside its range, or the images are of another kind.
    """
    if tone not in COLOURS or not 0.0 <= strength <= 1.0:
        msg = f"tone is 'cold' or 'warm' and strength from 0 to 1, not {tone!r} and {strength}"
        raise ParameterError(msg)
    array = np.asarray(images)
    whole = array.dtype == np.uint8
    if array.ndim < 3 or array.shape[-1] != 3 or not (whole or array.dtype.kind == "f"):
        msg = f"images are (H, W, 3) of uint8 or floats, not {array.shape} of {array.dtype}"
        raise ParameterError(msg)
    colour = np.array(COLOURS[tone]) * (255.0 if whole else 1.0)
    blended = (1.0 - strength) * array + strength * colour
    return (np.rint(blended) if whole else blended).astype(array.dtype)


def filtered_image(
    name: str, load: Callable[[str], ArrayLike], strength: float = STRENGTH
) -> NDArray[Any]:
    """The image of a name, with the filter that the name asks for.

    Args:
        name: one of :attr:`FilteredPairs.names`.
        load: an (H, W, 3) image by its name without filter, such as ``images.__getitem__`` or
            ``lambda uid: load_image(folder / f"{uid}.jpg")``.
        strength: of the filter.

    Raises:
        ParameterError: there is no such filter; or as :func:`colour_filter`.
    """
    plain, _, tone = name.partition("#")
    if not tone:
        return np.asarray(load(plain))
    return colour_filter(load(plain), tone, strength)  # type: ignore[arg-type]  # checked there


def load_image(path: str | Path, size: int | None = None) -> NDArray[np.uint8]:
    """An image file as an (H, W, 3) array of uint8; with ``size`` both H and W are that.

    Raises:
        MissingExtraError: pillow is not installed.
        PoolError: the file cannot be read.
    """
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        msg = "image files need pillow: pip install 'palate[images]'"
        raise MissingExtraError(msg) from error
    try:
        with Image.open(path) as image:
            plain = image.convert("RGB")
            return np.asarray(plain if size is None else plain.resize((size, size)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        msg = f"cannot read the image {path}: {said}"
        raise PoolError(msg) from error


def common_pairs(
    names: Sequence[str],
    utilities: ArrayLike,
    people: int,
    pairs: int,
    *,
    prompt: str = "Which image do you prefer?",
    seed: int = 0,
) -> list[Comparison]:
    """Simulated choices that all people make alike: what the filters are then put on.

    For images that nobody has chosen between. Pairs are drawn by chance; the first of two is picked
    with probability ``sigmoid(u_first - u_second)``.

    Args:
        names: of M >= 2 images.
        utilities: (M,) how good each is, in logits; multiplied by a large number they decide alone.
        people: how many; they are "person 1" and so on.
        pairs: how many each person chooses from.
        prompt: of all comparisons.
        seed: of pairs and choices.

    Raises:
        ParameterError: there are fewer than two images, or not a utility for each.
    """
    worth: FloatArray = np.asarray(utilities, dtype=np.float64)
    if len(names) < 2 or worth.shape != (len(names),) or not np.isfinite(worth).all():
        msg = f"{len(names)} images, at least 2, need a finite utility each, not {worth.shape}"
        raise ParameterError(msg)
    rng = generator(seed, "common pairs")
    first = rng.integers(len(names), size=people * pairs)
    second = (first + rng.integers(1, len(names), size=people * pairs)) % len(names)
    picked = rng.random(people * pairs) >= expit(worth[first] - worth[second])
    return [
        Comparison(prompt, (names[a], names[b]), int(p), f"person {1 + i // pairs}")
        for i, (a, b, p) in enumerate(zip(first, second, picked, strict=True))
    ]


def _checked(comparison: Comparison) -> str:
    if comparison.person is None or len(comparison.options) != 2:
        msg = (
            "a filter is put on one of two images for the person who chose; a comparison has "
            f"{len(comparison.options)} and the person {comparison.person}"
        )
        raise ParameterError(msg)
    for name in comparison.options:
        if "#" in name:
            msg = f"the image {name!r} has a '#' in its name, which marks a filter; rename it"
            raise ParameterError(msg)
    return comparison.person


def _filtered(comparison: Comparison, tone: Tone, *, winner: bool) -> Comparison:
    options = tuple(
        f"{name}#{tone}" if (i == comparison.picked) == winner else name
        for i, name in enumerate(comparison.options)
    )
    return replace(comparison, options=options)
