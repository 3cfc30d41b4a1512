"""Responses to one prompt, and their features."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from palate.errors import PoolError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from palate._typing import Features, FloatArray

Scaling: TypeAlias = Literal["half", "diameter", "none"]
"""How features are scaled so that no two responses lie farther apart than 1.

``half``: rows of unit length, halved (zero rows stay zero). ``diameter``: all rows divided by the
largest distance between two of them. ``none``: as given, which must satisfy the rule already.
"""

Embed: TypeAlias = Callable[[Sequence[str]], "ArrayLike"]

EXACT_DIAMETER = 4096
"""Largest pool whose diameter is exact. Beyond it the bound ``2 max ||phi - mean||`` stands in,
which is at least the diameter and at most twice that."""

_LARGEST = 1e150
_SLACK = 1e-6  # by which float32 may leave a diameter of 1


@dataclass(frozen=True, slots=True)
class Response:
    """One response: text, or the path of an image.

    Attributes:
        id: its name, unique in a pool; logs of answers refer to it.
        text: the response as text, or None.
        image: path of an image file, or None.
        metadata: whatever else is known about it, such as the model that wrote it.
    """

    id: str
    text: str | None = None
    image: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            msg = f"a response's id must be a non-empty string, not {self.id!r}"
            raise PoolError(msg)
        for value in (self.text, self.image):
            if value is not None and not isinstance(value, str):
                msg = f"response {self.id!r}: text and image are strings, not {value!r}"
                raise PoolError(msg)
        if not (self.text and self.text.strip()) and not self.image:
            msg = f"response {self.id!r} is empty: give it text or the path of an image"
            raise PoolError(msg)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a pool's features were made, so that those of new responses can be made alike.

    Attributes:
        embedder: what embedded the texts.
        style: weight of the style features beside the embedding.
        texts: the texts that style is standardised by, also once the pool has grown.
    """

    embedder: Embed
    style: float
    texts: tuple[str, ...]


class Pool:
    """The responses that compete for one prompt, with their features.

    Args:
        prompt: what was asked.
        responses: at least one response; strings become responses named "r1", "r2", ...
        features: (N, d) finite features, one row a response, or None: then only strategies that
            look at no features can use the pool.
        scaling: how to scale the features; see :data:`Scaling`. A single response needs none.
        id: a name for the pool, for files with several.
        baseline: the response to beat, such as the model's at temperature zero; not a candidate.
        embedder: name of what made the features, for the record.

    Attributes:
        features: the scaled (N, d) features, read-only, float32 or float64 as given; or None.
        scaling: the rule by which they were scaled. Epsilon and S mean nothing without it.
        scale: the factor that the rule applied: 0.5 after normalising, or 1 / diameter.
        recipe: how the features were made where the pool was embedded, for those of responses
            that come later; None where it was given its features.

    Raises:
        PoolError: no response; an id or a content that occurs twice; features of the wrong shape,
            not finite, or the same for every response.
    """

    def __init__(
        self,
        prompt: str,
        responses: Iterable[Response | str],
        features: ArrayLike | None = None,
        *,
        scaling: Scaling = "diameter",
        id: str | None = None,  # noqa: A002
        baseline: Response | str | None = None,
        embedder: str | None = None,
    ) -> None:
        if isinstance(responses, str):
            raise PoolError("responses must be a sequence of responses, not a single string")
        if not isinstance(prompt, str):
            msg = f"the prompt must be a string, not {type(prompt).__name__}"
            raise PoolError(msg)
        self.prompt = prompt
        self.responses = tuple(
            r if isinstance(r, Response) else Response(f"r{i}", r)
            for i, r in enumerate(responses, start=1)
        )
        self.id = id
        self.baseline = Response("baseline", baseline) if isinstance(baseline, str) else baseline
        self.embedder = embedder
        _check_responses(self.responses)
        self.features: Features | None = None
        self.scaling: Scaling = scaling
        self.scale = 1.0
        if features is not None:
            checked = check_features(features, len(self.responses))
            self.features, self.scale = scale_features(checked, scaling)
            self.features.setflags(write=False)
        self.recipe: Recipe | None = None

    @classmethod
    def from_texts(
        cls,
        prompt: str,
        texts: Sequence[str],
        embedder: Embed | None = None,
        *,
        style: float = 0.0,
        scaling: Scaling | None = None,
        drop_duplicates: bool = False,
        id: str | None = None,  # noqa: A002
        baseline: str | None = None,
    ) -> Pool:
        """A pool of texts, embedded.

        Args:
            prompt: what was asked.
            texts: the responses; they are named "r1", "r2", ... by their place in this list.
            embedder: maps a list of n strings to an (n, d) array; by default the shipped static
                embedding, 64-d, offline.
            style: weight in [0, 1] of the style features beside the embedding; 0 leaves them out.
            scaling: how to scale the features; by default as the embedder's attribute ``scaling``
                says, or by "half" where it says nothing.
            drop_duplicates: keep the first of equal texts instead of refusing them.
            id: a name for the pool.
            baseline: the response to beat; not a candidate.

        Raises:
            PoolError: as :class:`Pool`, or the embedder returned something else than (n, d).
        """
        if isinstance(texts, str):
            raise PoolError("texts must be a list of strings, not a single string")
        responses = [Response(f"r{i}", text) for i, text in enumerate(texts, start=1)]
        if drop_duplicates:
            responses = unique_responses(responses)
        pool = cls(prompt, responses, id=id, baseline=baseline)
        return pool.embedded(embedder, style=style, scaling=scaling)

    def embedded(
        self,
        embedder: Embed | None = None,
        *,
        style: float = 0.0,
        scaling: Scaling | None = None,
    ) -> Pool:
        """The same pool with features made from its texts; see :meth:`from_texts`."""
        from palate.embed import default_embedder, join_features, style_features  # noqa: PLC0415

        texts = _texts(self.responses)
        if embedder is None:
            embedder = default_embedder()
        features = check_features(embedder(texts), len(texts))
        if style:
            features = join_features(features, style_features(texts), style)
        name = _embedder_name(embedder, style)
        scaling = scaling or getattr(embedder, "scaling", None) or "half"
        pool = self.with_features(features, scaling=scaling, embedder=name)
        pool.recipe = Recipe(embedder, style, tuple(texts))
        return pool

    def with_features(
        self, features: ArrayLike, *, scaling: Scaling = "diameter", embedder: str | None = None
    ) -> Pool:
        """The same responses with other features."""
        return Pool(
            self.prompt,
            self.responses,
            features,
            scaling=scaling,
            id=self.id,
            baseline=self.baseline,
            embedder=embedder,
        )

    def extended(
        self,
        responses: Iterable[Response | str],
        *,
        embedder: Embed | None = None,
        features: ArrayLike | None = None,
    ) -> Pool:
        """The same pool with more responses at its end; the old ones keep their places and ids.

        It is the pool that all responses together would have made under the same scaling. ``half``
        and ``none`` leave the old rows as they are. So does ``diameter`` while the new responses
        lie within 1 of all others at the old scale; beyond that all rows shrink to the new
        diameter, and epsilon and S speak of the larger pool from then on.

        Args:
            responses: what to add; strings are named "r<place>", by the next name that is free.
            embedder: what makes the features of the new ones. A pool that was embedded remembers
                its own, with its weight of style; new texts are standardised by the texts that it
                was embedded with. A pool that was read with its features has to be given one.
            features: (n, d) features of the new ones instead, unscaled.

        Raises:
            PoolError: an id or a content occurs already; there is nothing to make features with, or
                the embedder has another name than the pool's; features of the wrong shape or not
                finite; under ``none``, two responses lie farther apart than 1.
        """
        return extend_pool(self, responses, embedder=embedder, features=features)[0]

    def __len__(self) -> int:
        return len(self.responses)

    def __repr__(self) -> str:
        shape = "no features" if self.features is None else f"d={self.features.shape[1]}"
        return f"Pool({self.prompt!r}, {len(self)} responses, {shape}, scaling={self.scaling!r})"

    def index(self, response_id: str) -> int:
        """Place of the response with this id.

        Raises:
            PoolError: no response has it.
        """
        try:
            return self._places[response_id]
        except KeyError:
            msg = f"no response of this pool has the id {response_id!r}"
            raise PoolError(msg) from None

    @functools.cached_property
    def style(self) -> FloatArray | None:
        """(N, 7) how each response is written, standardised within the pool; None without texts.

        See :func:`palate.embed.style_features`.
        """
        from palate.embed import style_features  # noqa: PLC0415

        texts = [r.text for r in self.responses if r.text is not None]
        return style_features(texts) if len(texts) == len(self.responses) else None

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {response.id: i for i, response in enumerate(self.responses)}

    @property
    def content_fingerprint(self) -> str:
        """SHA-256 of the prompt and the responses, in order, as 16 hexadecimal digits."""
        content = [self.prompt, *([r.id, r.text, r.image] for r in self.responses)]
        # Half an emoji, cut off by a limit on tokens, has no UTF-8 and counts all the same.
        return _digest(json.dumps(content, ensure_ascii=False).encode(errors="surrogatepass"))

    @property
    def features_fingerprint(self) -> str:
        """SHA-256 of the scaled features and their scaling, as 16 hexadecimal digits."""
        if self.features is None:
            return "none"
        shape = f"{self.scaling} {self.features.dtype} {self.features.shape}".encode()
        return _digest(shape + np.ascontiguousarray(self.features).tobytes())


def response_to_object(response: Response) -> dict[str, Any]:
    """A response as JSON values: id, text, image, and its metadata beside them."""
    content = {"id": response.id, "text": response.text, "image": response.image}
    # The response's own keys win: metadata cannot rename it or give it another text.
    rest = {k: v for k, v in response.metadata.items() if k not in content}
    return {k: v for k, v in content.items() if v is not None} | rest


def object_to_response(record: Mapping[str, Any]) -> Response:
    """What :func:`response_to_object` made; a KeyError where it has no id."""
    rest = {k: v for k, v in record.items() if k not in {"id", "text", "image"}}
    return Response(record["id"], record.get("text"), record.get("image"), rest)


def _texts(responses: Sequence[Response]) -> list[str]:
    texts = [r.text for r in responses if r.text is not None]
    if len(texts) < len(responses):
        missing = next(r.id for r in responses if r.text is None)
        msg = f"response {missing!r} has no text to embed; give the pool its features instead"
        raise PoolError(msg)
    return texts


def _embedder_name(embedder: Embed, style: float) -> str:
    name = getattr(embedder, "name", None) or getattr(embedder, "__name__", "embedder")
    return f"{name}+style:{style:g}" if style else str(name)


def extend_pool(
    pool: Pool,
    responses: Iterable[Response | str],
    *,
    embedder: Embed | None = None,
    features: ArrayLike | None = None,
) -> tuple[Pool, Features | None]:
    """What :meth:`Pool.extended` does, and the new responses' unscaled (n, d) features.

    The features have the pool's precision: given once more, they make the same pool bit for bit.
    """
    if isinstance(responses, str):
        raise PoolError("responses must be a sequence of responses, not a single string")
    if embedder is not None and features is not None:
        raise PoolError("give the new responses' features or an embedder, not both")
    if pool.features is None and not (embedder is None and features is None):
        raise PoolError("the pool has no features, so new responses have none; embed it first")
    ids = {r.id for r in pool.responses}
    names = (f"r{i}" for i in itertools.count(len(pool) + 1))
    free = (name for name in names if name not in ids)
    new = [r if isinstance(r, Response) else Response(next(free), r) for r in responses]
    if not new:
        return pool, None
    larger = Pool(
        pool.prompt,
        (*pool.responses, *new),
        scaling=pool.scaling,
        id=pool.id,
        baseline=pool.baseline,
        embedder=pool.embedder,
    )
    larger.recipe = pool.recipe
    if pool.features is None:
        return larger, None
    if features is None:
        features = _features_like(pool, new, embedder)
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused just below
        rows = check_features(features, len(new)).astype(pool.features.dtype)
    rows = check_features(rows, len(new))
    larger.features, larger.scale = _scale_new_rows(pool, rows)
    larger.features.setflags(write=False)
    return larger, rows


def _features_like(pool: Pool, new: Sequence[Response], embedder: Embed | None) -> Features:
    """Features (n, d) of new responses, made as the pool's own were."""
    from palate.embed import join_features, style_features  # noqa: PLC0415

    recipe = pool.recipe
    style = 0.0 if recipe is None else recipe.style
    if embedder is not None:
        name = _embedder_name(embedder, style)
        if pool.embedder not in {None, name}:
            msg = (
                f"the pool's features were made by {pool.embedder!r}, not by {name!r}; "
                "give that embedder, or the new responses' features"
            )
            raise PoolError(msg)
    elif recipe is not None:
        embedder = recipe.embedder
    else:
        maker = "an array" if pool.embedder is None else repr(pool.embedder)
        msg = (
            f"the pool's features come from {maker}, which the pool does not hold; "
            "give the embedder, or the new responses' features"
        )
        raise PoolError(msg)
    texts = _texts(new)
    features = check_features(embedder(texts), len(texts))
    if recipe is None or not style:
        return features
    return join_features(features, style_features(texts, reference=recipe.texts), style)


def _scale_new_rows(pool: Pool, rows: Features) -> tuple[Features, float]:
    """A pool's scaled features with unscaled (n, d) rows below them, and the new scale."""
    old = pool.features
    if old is None:
        raise AssertionError  # the caller has looked
    if old.shape[1] != rows.shape[1]:
        msg = f"the pool has {old.shape[1]} features a response, the new ones {rows.shape[1]}"
        raise PoolError(msg)
    if pool.scaling == "half":
        halves = np.concatenate((old, _halved(rows)))
        _check_directions(halves)
        return halves, pool.scale
    with np.errstate(over="ignore"):
        new = check_features(rows * rows.dtype.type(pool.scale), len(rows))
    both = np.concatenate((old, new))
    exact = len(new) * len(both) <= EXACT_DIAMETER**2
    # The old rows are within 1 of each other, so only what is new needs measuring.
    widest = _widest(new, both, both.mean(axis=0, dtype=np.float64)) if exact else diameter(both)
    if pool.scaling == "none":
        _check_within(widest, exact=exact)
        return both, pool.scale
    if len(old) > 1 and widest <= 1.0 + _SLACK:
        return both, pool.scale
    return _shrunk(both, widest, pool.scale)


def scale_features(features: Features, scaling: Scaling) -> tuple[Features, float]:
    """Scale (N, d) features by a named rule, so that ``||phi(y) - phi(y')|| <= 1``.

    Returns:
        The scaled features and the factor applied (for ``half``, after normalising each row).

    Raises:
        PoolError: the rule is not one of ``half``, ``diameter`` and ``none``; or all features are
            equal, before or after scaling; or, under ``none``, two responses lie farther apart
            than 1.
    """
    if scaling not in get_args(Scaling):
        msg = f"scaling is one of {', '.join(get_args(Scaling))}, not {scaling!r}"
        raise PoolError(msg)
    if len(features) > 1 and bool((features == features[0]).all()):
        raise _all_the_same(len(features))
    if scaling == "half":
        halves = _halved(features)
        _check_directions(halves)
        return halves, 0.5
    widest = diameter(features)
    if scaling == "none":
        if len(features) > 1 and widest <= _shortest(features):
            raise _all_the_same(len(features))
        _check_within(widest, exact=len(features) <= EXACT_DIAMETER)
        return features.copy(), 1.0
    return _shrunk(features, widest, 1.0)


def _halved(features: Features) -> Features:
    """Rows of unit length, halved; zero rows stay zero."""
    lengths = np.sqrt(np.einsum("nd,nd->n", features, features, dtype=np.float64))
    factors = 0.5 / np.where(lengths > _shortest(features), lengths, 1.0)
    return features * factors[:, None].astype(features.dtype)


def _shrunk(features: Features, widest: float, scale: float) -> tuple[Features, float]:
    """Features of this diameter divided by it, and the scale that they then have."""
    if len(features) > 1 and widest <= _shortest(features):
        raise _all_the_same(len(features))
    factor = 1.0 / widest if widest > 0.0 else 1.0
    return features * features.dtype.type(factor), scale * factor


def _shortest(features: Features) -> float:
    """What is shorter counts as zero."""
    return float(np.finfo(features.dtype).tiny)


def _all_the_same(n: int) -> PoolError:
    msg = (
        f"all {n} responses have the same features, so no answer can tell them apart; "
        "use another embedder"
    )
    return PoolError(msg)


def _check_directions(halves: Features) -> None:
    if len(halves) > 1 and np.ptp(halves, axis=0).max() <= 4.0 * np.finfo(halves.dtype).eps:
        msg = (
            f"all {len(halves)} responses have features of the same direction, and 'half' "
            "keeps nothing else; scale by 'diameter', or use another embedder"
        )
        raise PoolError(msg)


def _check_within(widest: float, *, exact: bool) -> None:
    """No two responses lie farther apart than 1; a bound on the diameter may be twice that."""
    if widest > (1.0 if exact else 2.0) + _SLACK:
        msg = (
            f"two responses lie {widest:.4g} apart and the rule allows 1; "
            "scale the features by 'diameter' or 'half'"
        )
        raise PoolError(msg)


def diameter(features: Features) -> float:
    """Largest distance between two of (N, d) rows: exact to N = 4,096, an upper bound beyond.

    The bound is ``2 max ||phi - mean||``, at most twice the diameter.
    """
    x = np.asarray(features, dtype=np.float64)
    centre = x.mean(axis=0)
    if len(x) <= EXACT_DIAMETER:
        return _widest(x, x, centre)
    x = x - centre
    return 2.0 * float(np.sqrt(np.einsum("nd,nd->n", x, x).max()))


def _widest(rows: Features, others: Features, centre: Features) -> float:
    """Largest distance between one of (n, d) rows and one of (N, d) others."""
    largest = 0.0
    for first in range(0, len(rows), 512):
        part = rows[first : first + 512] - centre
        lengths = np.einsum("nd,nd->n", part, part)[:, None]
        for start in range(0, len(others), EXACT_DIAMETER):
            x = others[start : start + EXACT_DIAMETER] - centre
            pairs = lengths + np.einsum("nd,nd->n", x, x) - 2.0 * (part @ x.T)
            i, j = np.unravel_index(int(pairs.argmax()), pairs.shape)
            rest = part[i] - x[j]  # the Gram form found the pair; its distance is taken directly
            largest = max(largest, float(np.sqrt(rest @ rest)))
    return largest


def unique_responses(responses: Iterable[Response]) -> list[Response]:
    """The responses without those whose text or image occurred before, in order."""
    seen: set[tuple[str | None, str | None]] = set()
    kept = []
    for response in responses:
        content = (response.text, response.image)
        if content not in seen:
            seen.add(content)
            kept.append(response)
    return kept


def _check_responses(responses: Sequence[Response]) -> None:
    if not responses:
        raise PoolError("a pool needs at least one response")
    ids: set[str] = set()
    contents: dict[tuple[str | None, str | None], str] = {}
    for response in responses:
        if response.id in ids:
            msg = f"two responses have the id {response.id!r}; ids are unique in a pool"
            raise PoolError(msg)
        ids.add(response.id)
        first = contents.setdefault((response.text, response.image), response.id)
        if first != response.id:
            msg = (
                f"responses {first!r} and {response.id!r} are the same; "
                "drop one, or ask for duplicates to be dropped"
            )
            raise PoolError(msg)


def check_features(features: ArrayLike, n: int) -> Features:
    """Features as a finite (n, d) array of float32 or float64, or a PoolError that says why not."""
    try:
        array = np.asarray(features)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"features must be a numeric ({n}, d) array: {error}"
        raise PoolError(msg) from error
    if array.ndim != 2 or len(array) != n or array.shape[1] == 0:
        msg = f"features must have shape ({n}, d), one row a response, not {array.shape}"
        raise PoolError(msg)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        msg = f"features must be finite; row {int(np.argmin(finite))} has a NaN or an infinity"
        raise PoolError(msg)
    largest = max(float(array.max()), -float(array.min()))
    if largest > _LARGEST:
        msg = f"features must not exceed {_LARGEST:g}, whose square is a number; one is {largest:g}"
        raise PoolError(msg)
    return array


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
