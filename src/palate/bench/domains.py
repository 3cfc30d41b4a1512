"""Domains to experiment on: prompts with their pools, and the people who rate the responses.

The shipped ones are of the USERALIGN paper's kind (Table 2), written for this package: people rate
every response by a table, so that an experiment needs neither a key nor a network. Pools of real
models are read by path; see :mod:`palate.bench.real_pools`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.embed import default_embedder
from palate.errors import PoolError
from palate.formats._files import cannot
from palate.pool import Pool, Response, scale_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate._typing import Features, FloatArray, IndexArray
    from palate.pool import Scaling

SHIPPED_DOMAINS = ("food2d", "food64d", "travel64d")

AXES = ("spiciness", "veginess")
"""The features of a domain whose responses are placed on these axes, in [-1, 1] each."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody described in words.

    Attributes:
        id: their name.
        text: the description.
        prompt: id of the prompt that they were written for, or None.
    """

    id: str
    text: str
    prompt: str | None = None


@dataclass(frozen=True, eq=False)
class Domain:
    """Prompts with pools of equal size, and the people who judge the responses.

    Attributes:
        name: of the domain.
        pools: of the X prompts, N responses each, with features and a baseline.
        baselines: (X, d) features of the baselines, scaled as the pool's.
        personas: P people in words.
        ratings: (X, P, 1 + N) how much each person likes the baseline and the responses, higher is
            better; NaN where a person does not rate a prompt. None where nobody rated anything.
        note: what has to be said wherever the domain's figures are shown; may be empty.

    Raises:
        PoolError: pools of different sizes, or arrays of another shape.
    """

    name: str
    pools: tuple[Pool, ...]
    baselines: FloatArray
    personas: tuple[Persona, ...] = ()
    ratings: FloatArray | None = None
    note: str = ""

    def __post_init__(self) -> None:
        sizes = sorted({len(pool) for pool in self.pools})
        if len(sizes) != 1:
            msg = f"the pools of a domain have equally many responses, not {sizes or 'none'}"
            raise PoolError(msg)
        if self.baselines.shape != (len(self.pools), self.d):
            msg = f"the baselines' features have shape {self.baselines.shape}"
            raise PoolError(msg)
        shape = (len(self.pools), len(self.personas), 1 + self.size)
        if self.ratings is not None and self.ratings.shape != shape:
            msg = f"ratings have the shape {shape}, not {self.ratings.shape}"
            raise PoolError(msg)

    @property
    def size(self) -> int:
        """N, responses of a pool."""
        return len(self.pools[0])

    @property
    def d(self) -> int:
        """Number of features."""
        return _features(self.pools[0]).shape[1]

    def first(self, prompts: int | None) -> Domain:
        """The domain with its first so many prompts; all of them for None."""
        ratings = None if self.ratings is None else self.ratings[:prompts]
        return replace(
            self, pools=self.pools[:prompts], baselines=self.baselines[:prompts], ratings=ratings
        )

    def raters(self, prompt: int) -> IndexArray:
        """Places of the personas who judge a prompt, those written for it first."""
        everyone = np.arange(len(self.personas))
        if self.ratings is not None:
            everyone = everyone[np.isfinite(self.ratings[prompt, :, 0])]
        own = np.array([self.personas[i].prompt == self.pools[prompt].id for i in everyone])
        return np.concatenate((everyone[own], everyone[~own])) if len(everyone) else everyone


def shipped_domain(name: str) -> Domain:
    """A domain that ships with the package: "food2d", "food64d" or "travel64d".

    The features of food2d are two ratings of each response, which are no unit vectors and so are
    scaled by "diameter"; those of the others are the shipped 64-d embedding, scaled by "half".

    Raises:
        PoolError: there is no such domain.
    """
    if name not in SHIPPED_DOMAINS:
        msg = f"there is no shipped domain {name!r}; there are {', '.join(SHIPPED_DOMAINS)}"
        raise PoolError(msg)
    with as_file(files("palate.data") / "domains" / f"{name}.json") as path:
        return read_domain(path)


def read_domain(path: str | Path) -> Domain:
    """A domain from a JSON file of the shipped ones' form.

    An object with ``name``; ``personas``, each with ``id``, ``text`` and perhaps the id of its
    ``prompt``; ``prompts``, each with ``id``, ``prompt``, ``baseline`` and ``responses``; and
    ``ratings`` from a prompt's id and a persona's id to numbers from 0 to 10, the baseline's first,
    no two of a list equal. Where the responses have ``spiciness`` and ``veginess``, those are the
    features; elsewhere the texts are embedded.

    Raises:
        PoolError: the file cannot be read, or is not such a domain; the message says where.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise cannot("read", path, error, PoolError) from error
    try:
        return _domain(record)
    except PoolError as error:
        msg = f"{path}: {error}"
        raise PoolError(msg) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        msg = f"{path} is not a domain, an object as the data card describes: {said}"
        raise PoolError(msg) from error


def _domain(record: Mapping[str, Any]) -> Domain:
    personas = tuple(Persona(p["id"], p["text"], p.get("prompt")) for p in record["personas"])
    names = [persona.id for persona in personas]
    if len(set(names)) < len(names):
        raise PoolError("two personas have the same id")
    pools, baselines = [], []
    for prompt in record["prompts"]:
        pool, baseline = _pool(prompt)
        pools.append(pool)
        baselines.append(baseline)
    known = {str(pool.id) for pool in pools}
    if unknown := {p.prompt for p in personas if p.prompt is not None} - known:
        msg = f"personas were written for prompts that are not there: {sorted(unknown)}"
        raise PoolError(msg)
    if unknown := set(record["ratings"]) - known:
        msg = f"there are ratings of prompts that are not there: {sorted(unknown)}"
        raise PoolError(msg)
    ratings = np.full((len(pools), len(personas), 1 + len(pools[0])), np.nan)
    for place, pool in enumerate(pools):
        for name, row in record["ratings"].get(pool.id, {}).items():
            if name not in names:
                msg = f"prompt {pool.id!r} has ratings by {name!r}, who is not a persona"
                raise PoolError(msg)
            ratings[place, names.index(name)] = _ratings(row, len(pool), f"{pool.id}, {name}")
    return Domain(record["name"], tuple(pools), np.array(baselines), personas, ratings)


def _pool(prompt: Mapping[str, Any]) -> tuple[Pool, FloatArray]:
    """A prompt's pool with its features, and the scaled features (d,) of its baseline."""
    responses = [_response(r) for r in prompt["responses"]]
    baseline = _response({"id": "baseline"} | prompt["baseline"])
    pool = Pool(prompt["prompt"], responses, id=prompt["id"], baseline=baseline)
    if set(AXES) <= responses[0].metadata.keys():
        placed = np.array([[r.metadata[axis] for axis in AXES] for r in (*responses, baseline)])
        return with_baseline(pool, placed, scaling="diameter", embedder="+".join(AXES))
    embedder = default_embedder()
    texts = [str(r.text) for r in (*responses, baseline)]
    return with_baseline(pool, embedder(texts), scaling="half", embedder=embedder.name)


def _response(record: Mapping[str, Any]) -> Response:
    rest = {k: v for k, v in record.items() if k not in {"id", "text"}}
    return Response(record["id"], record["text"], metadata=rest)


def with_baseline(
    pool: Pool, features: Features, *, scaling: Scaling, embedder: str
) -> tuple[Pool, FloatArray]:
    """A pool with features, and its baseline's in the same scale.

    Args:
        pool: of N responses.
        features: (N + 1, d) of the responses and, in the last row, of the baseline.
        scaling: of the pool; the baseline is no candidate and has no part in it.
        embedder: name of what made the features.

    Returns:
        The pool and the baseline's (d,) scaled features.
    """
    pool = pool.with_features(features[:-1], scaling=scaling, embedder=embedder)
    last = features[-1:]
    row = scale_features(last, "half")[0] if scaling == "half" else last * pool.scale
    return pool, row[0].astype(np.float64)


def _ratings(row: Sequence[float], n: int, place: str) -> FloatArray:
    """One person's ratings of a prompt's baseline and responses, (1 + N,)."""
    ratings = np.array(row, dtype=np.float64)
    if ratings.shape != (1 + n,) or not ((ratings >= 0.0) & (ratings <= 10.0)).all():
        msg = f"the ratings of {place} are {1 + n} numbers from 0 to 10, the baseline's first"
        raise PoolError(msg)
    if len(np.unique(ratings)) < len(ratings):
        msg = f"the ratings of {place} hold a number twice; people have strict preferences here"
        raise PoolError(msg)
    return ratings


def _features(pool: Pool) -> Features:
    if pool.features is None:
        msg = f"the pool {pool.id!r} of a domain has no features"
        raise PoolError(msg)
    return pool.features
