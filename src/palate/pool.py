"""Responses to one prompt, and their features."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

import numpy as np

from palate.errors import PoolError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from palate._typing import Features

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

_PROMPT_KEYS = ("prompt", "question", "query")
_ID_KEYS = ("id", "qid")


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
            checked = _check_features(features, len(self.responses))
            self.features, self.scale = scale_features(checked, scaling)
            self.features.setflags(write=False)

    @classmethod
    def from_texts(
        cls,
        prompt: str,
        texts: Sequence[str],
        embedder: Embed | None = None,
        *,
        style: float = 0.0,
        scaling: Scaling = "half",
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
            scaling: how to scale the features.
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
        self, embedder: Embed | None = None, *, style: float = 0.0, scaling: Scaling = "half"
    ) -> Pool:
        """The same pool with features made from its texts; see :meth:`from_texts`."""
        from palate.embed import default_embedder, join_features, style_features  # noqa: PLC0415

        texts = [r.text for r in self.responses if r.text is not None]
        if len(texts) < len(self.responses):
            missing = next(r.id for r in self.responses if r.text is None)
            msg = f"response {missing!r} has no text to embed; give the pool its features instead"
            raise PoolError(msg)
        if embedder is None:
            embedder = default_embedder()
        features = _check_features(embedder(texts), len(texts))
        name = getattr(embedder, "name", None) or getattr(embedder, "__name__", "embedder")
        if style:
            features = join_features(features, style_features(texts), style)
            name = f"{name}+style:{style:g}"
        return self.with_features(features, scaling=scaling, embedder=str(name))

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
    same = (
        f"all {len(features)} responses have the same features, so no answer can tell them "
        "apart; use another embedder"
    )
    if len(features) > 1 and bool((features == features[0]).all()):
        raise PoolError(same)
    shortest = float(np.finfo(features.dtype).tiny)  # what is shorter counts as zero
    if scaling == "half":
        lengths = np.sqrt(np.einsum("nd,nd->n", features, features, dtype=np.float64))
        factors = 0.5 / np.where(lengths > shortest, lengths, 1.0)
        halves = features * factors[:, None].astype(features.dtype)
        if len(halves) > 1 and np.ptp(halves, axis=0).max() <= 4.0 * np.finfo(halves.dtype).eps:
            msg = (
                f"all {len(halves)} responses have features of the same direction, and 'half' "
                "keeps nothing else; scale by 'diameter', or use another embedder"
            )
            raise PoolError(msg)
        return halves, 0.5
    widest = diameter(features)
    if len(features) > 1 and widest <= shortest:
        raise PoolError(same)
    if scaling == "none":
        if widest > 1.0 + 1e-6:  # noqa: SIM102
            if len(features) <= EXACT_DIAMETER or widest > 2.0 + 1e-6:
                msg = (
                    f"two responses lie {widest:.4g} apart and the rule allows 1; "
                    "scale the features by 'diameter' or 'half'"
                )
                raise PoolError(msg)
        return features.copy(), 1.0
    scale = 1.0 / widest if widest > 0.0 else 1.0
    return features * features.dtype.type(scale), scale


def diameter(features: Features) -> float:
    """Largest distance between two of (N, d) rows: exact to N = 4,096, an upper bound beyond.

    The bound is ``2 max ||phi - mean||``, at most twice the diameter.
    """
    x = np.asarray(features, dtype=np.float64)
    x = x - x.mean(axis=0)
    squares = np.einsum("nd,nd->n", x, x)
    if len(x) > EXACT_DIAMETER:
        return 2.0 * float(np.sqrt(squares.max()))
    largest = 0.0
    for first in range(0, len(x), 512):
        part = x[first : first + 512]
        pairs = squares[first : first + 512, None] + squares - 2.0 * (part @ x.T)
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


def read_pools(path: str | Path, *, drop_duplicates: bool = False) -> list[Pool]:
    """Read pools from a JSONL file, one pool a line; ``.gz`` is decompressed.

    A line is an object with ``prompt`` (or ``question``, ``query``) and ``responses``: a list of
    texts, a list of objects with ``text`` or ``image`` and usually ``id``, or an object from id to
    text. ``id`` (or ``qid``), ``baseline`` and ``features`` with their ``scaling`` are optional;
    other keys of a response become its metadata.

    Raises:
        PoolError: the file cannot be read, holds no pool, or a line is not a pool; the message
            names the line.
    """
    path = Path(path)
    pools = []
    try:
        with _open(path, "rt") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    pools.append(_parse_line(line, path, number, drop_duplicates=drop_duplicates))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        msg = f"cannot read {path}: {reason}"
        raise PoolError(msg) from error
    if not pools:
        msg = f"{path} holds no pool"
        raise PoolError(msg)
    return pools


def write_pools(path: str | Path, pools: Iterable[Pool]) -> None:
    """Write pools as JSONL, one a line, with their scaled features; ``.gz`` is compressed.

    Raises:
        PoolError: the file cannot be written, or a response's metadata is not JSON.
    """
    path = Path(path)
    try:
        with _open(path, "wt") as file:
            for pool in pools:
                record = _to_object(pool)
                file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    except (OSError, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        msg = f"cannot write {path}: {reason}"
        raise PoolError(msg) from error


def _open(path: Path, mode: str) -> IO[str]:
    # What has no UTF-8 is a lone surrogate, and its backslash form is JSON's own escape for it.
    errors = "backslashreplace" if mode == "wt" else "strict"
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, mode, encoding="utf-8", errors=errors))
    return cast("IO[str]", path.open(mode, encoding="utf-8", errors=errors))


def _parse_line(line: str, path: Path, number: int, *, drop_duplicates: bool) -> Pool:
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError as error:
        msg = f"{path}, line {number}: not JSON ({error.msg} at column {error.colno})"
        raise PoolError(msg) from error
    try:
        return _from_object(parsed, drop_duplicates=drop_duplicates)
    except PoolError as error:
        msg = f"{path}, line {number}: {error}"
        raise PoolError(msg) from error


def _from_object(parsed: object, *, drop_duplicates: bool) -> Pool:
    if not isinstance(parsed, dict):
        msg = f"a pool is a JSON object, not {type(parsed).__name__}"
        raise PoolError(msg)
    prompt = _first(parsed, _PROMPT_KEYS)
    if prompt is None:
        msg = f"no prompt: expected one of the keys {', '.join(_PROMPT_KEYS)}"
        raise PoolError(msg)
    if not isinstance(parsed.get("responses"), list | dict):
        raise PoolError("no responses: expected a list, or an object from id to text")
    responses = list(_parse_responses(parsed["responses"]))
    features = parsed.get("features")
    kept = unique_responses(responses) if drop_duplicates else responses
    if features is not None and len(kept) < len(responses):
        rows = _check_features(features, len(responses))
        places = {r.id: i for i, r in enumerate(responses)}
        features = rows[[places[r.id] for r in kept]]
    baselines = parsed.get("baseline")
    baseline = None
    if baselines is not None:
        listed = baselines if _is_mapping_of_texts(baselines) else [baselines]
        baseline = next(_parse_responses(listed, default="baseline"), None)
    pool_id = _first(parsed, _ID_KEYS)
    pool = Pool(prompt, kept, id=None if pool_id is None else str(pool_id), baseline=baseline)
    if features is None:
        return pool
    return _restore_features(pool, parsed, features)


def _restore_features(pool: Pool, parsed: Mapping[str, Any], features: object) -> Pool:
    """Features that were written with their scaling are not scaled again, only checked."""
    scaling, embedder = parsed.get("scaling"), parsed.get("embedder")
    if scaling is None:
        return pool.with_features(cast("ArrayLike", features), embedder=embedder)
    dtype, scale = parsed.get("dtype", "float64"), parsed.get("scale", 1.0)
    if scaling not in get_args(Scaling) or dtype not in ("float32", "float64"):
        msg = f"unknown scaling or dtype of the features: {scaling!r}, {dtype!r}"
        raise PoolError(msg)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0.0:
        msg = f"the features' scale is a positive number, not {scale!r}"
        raise PoolError(msg)
    array = _check_features(cast("ArrayLike", features), len(pool)).astype(dtype)
    pool = pool.with_features(array, scaling="none", embedder=embedder)
    pool.scaling, pool.scale = scaling, float(scale)
    return pool


def _is_mapping_of_texts(value: object) -> bool:
    return isinstance(value, dict) and not {"text", "image"} & value.keys()


def _parse_responses(
    listed: Sequence[object] | Mapping[str, object], default: str | None = None
) -> Iterator[Response]:
    if isinstance(listed, Mapping):
        listed = [{"id": key, "text": text} for key, text in listed.items()]
    for i, item in enumerate(listed, start=1):
        name = default or f"r{i}"
        if isinstance(item, str):
            yield Response(name, item)
        elif isinstance(item, dict):
            rest = {k: v for k, v in item.items() if k not in {"id", "text", "image"}}
            given = item.get("id")
            yield Response(
                name if given is None else str(given),
                item.get("text"),
                item.get("image"),
                metadata=rest,
            )
        else:
            msg = f"response {i} is neither a text nor an object"
            raise PoolError(msg)


def _first(parsed: Mapping[str, Any], keys: Sequence[str]) -> Any:  # noqa: ANN401
    return next((parsed[key] for key in keys if parsed.get(key) is not None), None)


def _to_object(pool: Pool) -> dict[str, Any]:
    record: dict[str, Any] = {} if pool.id is None else {"id": pool.id}
    record |= {"prompt": pool.prompt, "responses": [_response_object(r) for r in pool.responses]}
    if pool.baseline is not None:
        record["baseline"] = _response_object(pool.baseline)
    if pool.features is not None:
        record |= {
            "features": [[float(v) for v in row] for row in pool.features],
            "dtype": str(pool.features.dtype),
            "scaling": pool.scaling,
            "scale": pool.scale,
        }
        if pool.embedder is not None:
            record["embedder"] = pool.embedder
    return record


def _response_object(response: Response) -> dict[str, Any]:
    content = {"id": response.id, "text": response.text, "image": response.image}
    # The response's own keys win: metadata cannot rename it or give it another text.
    rest = {k: v for k, v in response.metadata.items() if k not in content}
    return {k: v for k, v in content.items() if v is not None} | rest


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


def _check_features(features: ArrayLike, n: int) -> Features:
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
