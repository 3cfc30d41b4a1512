"""A report as JSON values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.diversity.wording import LIMITS

if TYPE_CHECKING:
    from palate.diversity.findings import Direction, Example, People
    from palate.diversity.report import DiversityReport

FORMAT = 1
"""Version of what :func:`record` gives."""


def record(report: DiversityReport) -> dict[str, Any]:
    """Everything that a report says; numbers that are not finite become None.

    ``people`` are those who are served, in their order.
    """
    people, first = report.people, report.ask_first
    spectrum, adequacy = report.spectrum, report.adequacy
    found = {
        "format": FORMAT,
        "verdict": report.verdict,
        "headline": report.headline,
        "recommend": report.recommend(),
        "next_steps": report.next_steps,
        "reasons": report.reasons,
        "tolerance": report.tolerance,
        "spread": report.spread,
        "latent": report.latent,
        "features": report.features,
        "answering": report.answering,
        "answers": report.answers,
        "rank": report.rank,
        "head_rank": report.head_rank,
        "conditioning": report.conditioning,
        "exponent": report.exponent,
        "radius": report.radius,
        "singular_values": report.in_sample,
        "cross_fitted": None
        if spectrum is None
        else {
            "values": spectrum.values,
            "deviation": spectrum.deviation,
            "in_sample": spectrum.in_sample,
            "supported": spectrum.rank,
            "people": spectrum.people,
        },
        "adequacy": None
        if adequacy is None
        else {
            "ratio": adequacy.ratio,
            "answers": adequacy.answers,
            "people": adequacy.people,
            "freedom": adequacy.freedom,
        },
        "predictions": [
            {"answers": p.answers, "gap": p.gap, "most": p.most, "error": p.error}
            for p in report.predictions
        ],
        "directions": [_direction(direction) for direction in report.directions],
        "ask_first": None
        if first is None
        else {
            "people": [
                {"person": name, "gain": gain}
                for name, gain in zip(first.people, first.people_gains, strict=True)
            ],
            "people_left": first.people_left,
            "comparisons": [
                {**_example(pair), "gain": gain}
                for pair, gain in zip(first.comparisons, first.gains, strict=True)
            ],
            "left": first.left,
        },
        "people": None if people is None else _people(people),
        "notes": report.notes,
        "limits": LIMITS,
    }
    return {name: _plain(value) for name, value in found.items()}


def _people(people: People) -> list[dict[str, Any]]:
    return [
        {
            "person": name,
            "verdict": people.verdicts[i] if people.asks[i] else "nothing to decide",
            "coverage": people.coverage[i],
            "at_risk": people.at_risk[i],
            "gap": people.gap[i],
            "floor": people.floor[i],
            "flip": people.flip[i],
        }
        for i, name in enumerate(people.names)
    ]


def _direction(direction: Direction) -> dict[str, Any]:
    return {
        "of": direction.of,
        "vector": direction.vector,
        "share": direction.share,
        "unseen": direction.unseen,
        "lacks": direction.lacks,
        "people": direction.people,
        "examples": [_example(example) for example in direction.examples],
    }


def _example(example: Example) -> dict[str, str]:
    return {"person": example.person, "better": example.better, "worse": example.worse}


def _plain(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
