"""How well a model of many people does: as a table to read, and as an object for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from palate.bench.report import markdown_table

if TYPE_CHECKING:
    from palate.population import Evaluation, LearningCurve

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Shares of people whose accuracy is told."""


def measured(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON."""
    return {
        "answers": evaluation.answers,
        "people": int(np.isfinite(evaluation.by_person).sum()),
        "accuracy": evaluation.accuracy,
        "log_loss": evaluation.log_loss,
        "base_rate": evaluation.base_rate,
        "reference": evaluation.reference,
        "calibration_error": evaluation.calibration.error,
        "mean_over_people": evaluation.mean_over_people,
        "spread": evaluation.spread,
        "quantiles": dict(
            zip(map(str, LEVELS), evaluation.quantiles(LEVELS).tolist(), strict=True)
        ),
    }


def curve_points(curve: LearningCurve) -> list[dict[str, Any]]:
    """A learning curve as JSON: an evaluation a number of answers."""
    return [
        {"located_by": int(count), "short": int(short), **measured(evaluation)}
        for count, short, evaluation in zip(
            curve.counts, curve.short, curve.evaluations, strict=True
        )
    ]


def evaluation_table(name: str, evaluation: Evaluation, reference: Evaluation | None = None) -> str:
    """An evaluation with what it is to be compared with, and its spread over people."""
    rows = [(name, *_cells(evaluation))]
    if reference is not None:
        rows.append(("K = 1, one reward for everybody", *_cells(reference)))
    if evaluation.base_rate is not None:
        rows.append(("the option picked most", _percent(evaluation.base_rate), "", ""))
    header = (f"{evaluation.answers} answers held out", "accuracy", "log loss", "calibration error")
    tenth, median = evaluation.quantiles((0.1, 0.5))
    return (
        f"{markdown_table(header, rows)}\n"
        f"by person: mean {_percent(evaluation.mean_over_people)}, standard deviation "
        f"{_percent(evaluation.spread)}, median {_percent(median)}, a tenth at most "
        f"{_percent(tenth)}"
    )


def curve_table(curve: LearningCurve) -> str:
    """A learning curve, a row a number of answers."""
    rows = [
        (str(count), *_cells(evaluation), _percent(evaluation.spread), str(short))
        for count, short, evaluation in zip(
            curve.counts, curve.short, curve.evaluations, strict=True
        )
    ]
    people = len(curve.evaluations[0].by_person)
    header = (
        f"{people} new people located by answers",
        "accuracy",
        "log loss",
        "calibration error",
        "sd over people",
        "had fewer",
    )
    return markdown_table(header, rows)


def _cells(evaluation: Evaluation) -> tuple[str, str, str]:
    return (
        _percent(evaluation.accuracy),
        f"{evaluation.log_loss:.3f}",
        f"{evaluation.calibration.error:.3f}",
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %"
