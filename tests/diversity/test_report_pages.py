from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from diversity_cases import fitted, town

from palate.diversity import Bilinear, DiversityReport, Served, diagnose
from palate.diversity.plots import coverage_figure, prediction_figure, spectrum_figure
from palate.diversity.wording import CERTAIN, INFERRED, LIMITS
from palate.errors import MissingExtraError, ParameterError

EVIL = '<script>alert("x")</script> & "quotes" $x$ 日本 \udc80'


def made(dims: int, n: int = 6_000) -> DiversityReport:
    place = town(latent=3, dims=dims, features=6, answering=30, silent=10, seed=1)
    rows = place.answers(n)
    served = replace(
        place.served(),
        people=tuple(f"{EVIL} {i}" for i in range(40)),
        labels=tuple(f"{EVIL} {'long ' * 200} {i}" for i in range(120)),
    )
    return diagnose(Bilinear(place.heads, fitted(place, rows)), rows, served, splits=1)


COVERED, UNCOVERED = made(3), made(2)


class Page(HTMLParser):
    """What a page consists of, and whether its elements close in order."""

    VOID = frozenset({"meta", "br", "img", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("report", [COVERED, UNCOVERED], ids=["covered", "uncovered"])
def test_a_page_is_whole_and_what_to_do_comes_first(report: DiversityReport) -> None:
    text = report.to_html(f"report on {EVIL}")
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    said = " ".join(page.text)
    order = [said.index(part) for part in ("What to do next", "Why", "Figures", "Numbers")]
    assert order == sorted(order)
    assert said.index(report.headline) < order[0]
    for line in (*report.next_steps, *report.reasons, *LIMITS, CERTAIN, INFERRED):
        assert line in said
    assert page.tags.count("svg") == 3
    assert "currentColor" in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    # Nothing is loaded from elsewhere, and long texts are cut.
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text)
    assert text.count("long ") < 2_000
    assert report.to_html(f"report on {EVIL}") == text


def test_a_page_names_whom_to_ask_only_where_something_is_open() -> None:
    closed, opened = COVERED.to_html(), UNCOVERED.to_html()
    assert "Ask first</h2>" in opened
    assert "Ask first</h2>" not in closed
    assert "<details open>" in opened
    assert "<details open>" not in closed
    assert "Nobody who answered has such tastes" in opened
    assert 'class="verdict bad"' in opened
    assert 'class="verdict good"' in closed


def test_without_matplotlib_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    page = Page(UNCOVERED.to_html())
    assert "svg" not in page.tags
    assert "Figures are left out: matplotlib is not installed" in " ".join(page.text)
    with pytest.raises(MissingExtraError, match=r"palate\[plots\]"):
        prediction_figure(COVERED)


def test_figures_show_the_figures_of_the_report() -> None:
    assert UNCOVERED.spectrum is not None
    assert UNCOVERED.people is not None
    assert UNCOVERED.evidence is not None
    axes = spectrum_figure(UNCOVERED).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), UNCOVERED.spectrum.in_sample)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), UNCOVERED.spectrum.values)

    axes = coverage_figure(UNCOVERED).axes[0]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "none"]
    assert axes.get_yticklabels()[0].get_text().startswith("<script>alert")
    heads = UNCOVERED.evidence.served.heads[UNCOVERED.people.worst]
    lacking = heads[:, 2] ** 2 / (heads**2).sum(axis=1)
    np.testing.assert_allclose(shares[:, 2], lacking, atol=1e-9)

    axes = prediction_figure(UNCOVERED).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [p.most for p in UNCOVERED.predictions])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [p.gap for p in UNCOVERED.predictions])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[-2:] == ["tolerance", "the mean, never below"]
    labels = [text.get_text() for text in prediction_figure(COVERED).axes[0].get_legend().texts]
    assert labels[-1] == "tolerance"


def test_names_are_no_mathematics() -> None:
    place = town(answering=4, silent=0)
    rows = place.answers(200)
    served = replace(place.served(), people=("$a_1$", "b$", "日本", "\udc80"))
    report = diagnose(Bilinear(place.heads, fitted(place, rows)), rows, served, splits=0)
    names = {label.get_text() for label in coverage_figure(report).axes[0].get_yticklabels()}
    assert names == {r"\$a_1\$", r"b\$", "日本", "?"}
    assert "$a_1$" in report.to_html()


def test_what_is_not_there_is_not_drawn() -> None:
    place = town()
    empty = diagnose(Bilinear(place.heads, place.basis), None)
    for draw in (spectrum_figure, coverage_figure, prediction_figure):
        with pytest.raises(ParameterError, match="the report"):
            draw(empty)
    pools = [place.pools[0][:1]]
    idle = diagnose(
        Bilinear(place.heads, place.basis), place.answers(50), Served.of_pools(place.heads, pools)
    )
    with pytest.raises(ParameterError, match="nobody in the report"):
        coverage_figure(idle)
    assert "There is nothing to draw." in empty.to_html()


def test_json_says_what_the_report_does() -> None:
    said = json.loads(json.dumps(UNCOVERED.to_dict(), allow_nan=False))
    assert said["verdict"] == "uncovered"
    assert said["recommend"] == "active"
    assert UNCOVERED.people is not None
    assert len(said["people"]) == 40
    assert said["people"][33]["person"] == f"{EVIL} 33"
    assert said["people"][33]["gap"] == pytest.approx(UNCOVERED.people.gap[33])
    assert said["directions"][0]["lacks"] == "people"
    assert len(said["directions"][0]["examples"]) == 5
    assert said["ask_first"]["people"][0]["gain"] > said["ask_first"]["people"][1]["gain"]
    assert len(said["ask_first"]["comparisons"]) == 5
    assert said["cross_fitted"]["supported"] == 2
    assert said["predictions"][2]["answers"] == 6_000
    assert said["limits"] == list(LIMITS)
    assert COVERED.to_dict()["ask_first"] is None
