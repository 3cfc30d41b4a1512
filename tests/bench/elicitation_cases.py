"""A small domain on two axes, and people on it, for the tests of the experiments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.bench.cast import Subject
from palate.bench.domains import AXES
from palate.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path

    from palate.people.simulated import Noise


def small_record(prompts: int = 2, size: int = 5) -> dict[str, Any]:
    """A domain as JSON values: two personas a prompt, both of whom rate their own prompt alone."""
    rng = np.random.default_rng(0)

    def placed(name: str) -> dict[str, Any]:
        x, y = rng.uniform(-1, 1, 2).round(2).tolist()
        return {"id": name, "text": f"about {name}", AXES[0]: x, AXES[1]: y}

    listed: list[dict[str, Any]] = []
    personas, ratings = [], {}
    for p in range(prompts):
        baseline = {k: v for k, v in placed(f"p{p} plain").items() if k != "id"}
        responses = [placed(f"p{p}-{i}") for i in range(size)]
        listed.append(
            {"id": f"p{p}", "prompt": f"p{p}?", "baseline": baseline, "responses": responses}
        )
        names = [f"p{p}-{who}" for who in ("ann", "bob")]
        personas += [{"id": n, "prompt": f"p{p}", "text": f"{n} likes it hot"} for n in names]
        ratings[f"p{p}"] = {n: rng.permutation(size + 1).tolist() for n in names}
    return {"name": "small", "personas": personas, "prompts": listed, "ratings": ratings}


def write_small(path: Path, **changed: int) -> Path:
    """The file of a small domain."""
    path.write_text(json.dumps(small_record(**changed)), encoding="utf-8")
    return path


def a_subject(
    utilities: list[float], baseline: float = 0.0, *, noise: Noise = "none", d: int = 8
) -> Subject:
    """Somebody with these utilities, which are no linear function of the features unless d is."""
    features = np.random.default_rng(len(utilities)).normal(size=(len(utilities), d))
    texts = [f"response {i}" for i in range(len(utilities))]
    pool = Pool("simulated", texts, features, scaling="half", baseline="the baseline")
    return Subject("some, people", "somebody", pool, np.array(utilities), baseline, noise)
