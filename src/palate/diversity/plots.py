"""Figures of a report, drawn by matplotlib (the extra ``plots``)."""

from __future__ import annotations

import importlib
import warnings
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from palate._figure import figure_class
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate.diversity.report import DiversityReport

_INK = "#010203"  # replaced by the page's own colour
_SHOWN = 40  # people of the heat map


def spectrum_figure(report: DiversityReport) -> Any:  # noqa: ANN401
    """Singular values as fitted, and cross-fitted with their deviation over splits.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ParameterError: the report has no cross-fitted spectrum.
    """
    spectrum = report.spectrum
    if spectrum is None:
        raise ParameterError("the report has no cross-fitted spectrum to draw")
    figure, axes = _panel(6.0, 3.2)
    place = np.arange(1, len(spectrum.values) + 1)
    axes.plot(place, spectrum.in_sample, "o--", mfc="none", color="#888888", label="as fitted")
    axes.errorbar(
        place, spectrum.values, spectrum.deviation, fmt="o", color="#2a78d6", label="cross-fitted"
    )
    axes.axhline(0.0, color=_INK, linewidth=0.6)
    axes.set_xticks(place)
    axes.set_xlabel("latent direction")
    axes.set_ylabel("singular value")
    axes.legend(frameon=False, labelcolor=_INK)
    return figure


def coverage_figure(report: DiversityReport) -> Any:  # noqa: ANN401
    """What share of each person's head lies along which direction, most asked about first.

    Shown are the people who lose most. Directions that nobody who answered has are named below.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ParameterError: the report is about nobody.
    """
    evidence, people = report.evidence, report.people
    if evidence is None or people is None:
        raise ParameterError("the report is about nobody whose coverage could be drawn")
    who = people.worst[:_SHOWN]
    if not len(who):
        raise ParameterError("nobody in the report has anything to decide")
    along = (evidence.served.heads[who] @ evidence.axes.T) ** 2
    along /= np.maximum(along.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    asked = evidence.asked > 1e-9 * evidence.asked.max(initial=0.0)
    figure, axes = _panel(6.0, 1.2 + 0.17 * max(len(who), 4))
    image = axes.imshow(along, aspect="auto", cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_yticks(np.arange(len(who)), [_short(people.names[i]) for i in who], fontsize=7)
    axes.set_xticks(
        np.arange(len(asked)), [f"{j + 1}" if seen else "none" for j, seen in enumerate(asked)]
    )
    for label, seen in zip(axes.get_xticklabels(), asked, strict=True):
        if not seen:
            label.set_color("#d03b3b")
    axes.set_xlabel("direction of taste, by how much it was asked about (none: never)")
    bar = figure.colorbar(image, ax=axes, fraction=0.05)
    bar.set_label("share of the person's taste", color=_INK)
    bar.ax.tick_params(colors=_INK)
    bar.outline.set_visible(False)
    return figure


def prediction_figure(report: DiversityReport) -> Any:  # noqa: ANN401
    """Expected loss by the number of answers like those given, with the tolerance.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ParameterError: the report is about nobody.
    """
    people = report.people
    if people is None or not report.predictions:
        raise ParameterError("the report is about nobody for whom something could be predicted")
    figure, axes = _panel(6.0, 3.2)
    counts = [prediction.answers for prediction in report.predictions]
    most = [prediction.most for prediction in report.predictions]
    mean = [prediction.gap for prediction in report.predictions]
    axes.plot(counts, most, "o-", color="#2a78d6", label="95 % lose less than")
    axes.plot(counts, mean, ".--", color="#888888", label="mean of the people")
    axes.axhline(report.tolerance, color="#0ca30c", linestyle="--", label="tolerance")
    if people.floor.any():
        floor = people.mean(people.floor)
        axes.axhline(floor, color="#d03b3b", linestyle=":", label="the mean, never below")
    axes.axvline(report.answers, color=_INK, linewidth=0.6)
    there = axes.get_xaxis_transform()
    axes.text(report.answers, 0.98, " now", transform=there, color=_INK, va="top")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("answers like those given")
    axes.set_ylabel("expected loss, in reward")
    axes.legend(frameon=False, labelcolor=_INK)
    return figure


def inline_svg(figure: Any) -> str:  # noqa: ANN401
    """A figure as an SVG element that takes the colour and the font of the text around it."""
    settings = {"svg.fonttype": "none", "svg.hashsalt": "palate"}
    target = StringIO()
    with (
        importlib.import_module("matplotlib").rc_context(settings),
        # The browser has glyphs that matplotlib lacks.
        warnings.catch_warnings(action="ignore", category=UserWarning),
    ):
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def _panel(width: float, height: float) -> tuple[Any, Any]:
    """A figure with one pair of axes in the ink of the page; matplotlib is imported only here."""
    figure = figure_class()(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(colors=_INK, which="both")
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_INK)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _short(name: str) -> str:
    """A name that fits, with nothing in it that matplotlib takes for mathematics."""
    plain = name.encode("utf-8", "replace").decode().replace("$", r"\$")
    return plain if len(plain) <= 24 else f"{plain[:23]}…"
