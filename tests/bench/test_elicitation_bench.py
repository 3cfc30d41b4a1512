"""``palate bench elicitation`` and ``palate bench report`` on a small domain."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elicitation_cases import small_record, write_small
from typer.testing import CliRunner

from palate.bench import elicitation
from palate.bench.elicitation import Plan, run_plan, subjects_of
from palate.bench.page import page
from palate.chat import OpenAIModel
from palate.cli import main
from palate.cli.bench import bench
from palate.errors import PalateError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from palate.bench.fake_server import FakeServer
    from palate.bench.tables import Section

METHODS = ("oracle", "random", "iidbest", "useralign", "useralign-loss", "winner-stays")


def small_plan(folder: Path, **settings: Any) -> Plan:
    """A plan for a domain of two prompts with five responses each."""
    domain = write_small(folder / "small.json")
    given = {"people": ("persona", "btl"), "methods": METHODS, "seeds": 2, "max_steps": 8}
    return Plan((str(domain),), per_prompt=2, **{**given, **settings})


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Section]]:
    """A folder of results with everything, figures too."""
    pytest.importorskip("matplotlib", reason="plots are an extra")
    out = tmp_path_factory.mktemp("results")
    return out, run_plan(small_plan(out), out)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_tidy_and_agree_with_each_other(done: tuple[Path, list[Section]]) -> None:
    out, _ = done
    runs, steps = rows_of(out / "runs.csv"), rows_of(out / "steps.csv")
    per_method = {m: sum(r["method"] == m for r in runs) for m in METHODS}
    assert per_method == {m: 16 * (9 if m.startswith("useralign") else 1) for m in METHODS}
    record = small_record()
    for run in runs:
        if run["epsilon"] not in {"", "0.0"}:
            continue
        own = [
            s for s in steps if all(s[k] == run[k] for k in ("group", "person", "method", "seed"))
        ]
        assert [int(s["t"]) for s in own] == list(range(int(run["cost"]) + 1))
        for key in ("choice", "win", "share", "rank", "bound", "certified"):
            assert own[-1][key] == run[key]
        if run["group"] == "small, persona":
            prompt, _, person = run["person"].partition("/")
            base, *ratings = record["ratings"][prompt][person]
            chosen = ratings[int(run["choice"].rpartition("-")[2])]
            assert float(run["win"]) == float(chosen > base)
            assert float(run["rank"]) == 1 + sum(r > chosen for r in ratings)
            share = (chosen - min(ratings)) / (max(ratings) - min(ratings))
            assert float(run["share"]) == pytest.approx(share)
            assert float(run["flip_rate"]) == 0.0


def test_the_tables_are_laid_out_as_the_papers(done: tuple[Path, list[Section]]) -> None:
    out, sections = done
    titles = [section.title for section in sections]
    for part in ("Checks", "Tables 4 and 5", "Table 7", "Regret by step", "Table 8"):
        assert any(part in title for title in titles)
    assert "Regret less that of IIDBEST: small, persona, N = 5" in titles
    assert all(len(row) == len(s.header) for s in sections for row in s.rows)
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert text.startswith("# Elicitation: ")
    assert all(f"## {title}" in text for title in titles)
    assert '"max_steps": 8' in text
    assert "numpy " in text
    trade_off = next(s for s in sections if "Tables 4 and 5" in s.title)
    by_name = {row[0]: row[1:] for row in trade_off.rows}
    runs = [r for r in rows_of(out / "runs.csv") if r["group"] == "small, persona"]
    ours = [r for r in runs if r["method"] == "useralign" and r["epsilon"] == "1.0"]
    people = sorted({r["person"] for r in ours})
    means = [np.mean([float(r["cost"]) for r in ours if r["person"] == p]) for p in people]
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert by_name["USERALIGN (epsilon = 1.0)"][1] == f"{np.mean(means):.2f} ({error:.2f})"
    oracle = [float(r["win"]) for r in runs if r["method"] == "oracle"]
    assert by_name["ORACLE"][0].startswith(f"{100.0 * np.mean(oracle):.2f} (")
    checked = next(s for s in sections if s.title == "Checks")
    checks_made = " ".join(row[1] for row in checked.rows)
    for what in ("cost at epsilon = 0", "pool's best", "less ORACLE", "RANDOM, win-rate"):
        assert what in checks_made
    for what in ("USERALIGN less IIDBEST, share", "USERALIGN_LOSS, bound", "time of the whole"):
        assert what in checks_made


def test_regret_and_its_paired_differences_are_those_of_the_rows(
    done: tuple[Path, list[Section]],
) -> None:
    out, sections = done
    shares: dict[str, dict[str, list[float]]] = {}
    for run in rows_of(out / "runs.csv"):
        if run["group"] == "small, btl" and run["epsilon"] in {"", "0.0"}:
            people = shares.setdefault(run["method"], {})
            people.setdefault(run["person"], []).append(float(run["share"]))
    lacks = {
        method: 100.0 * (1.0 - np.array([np.mean(own) for own in people.values()]))
        for method, people in shares.items()
    }
    tables = {s.title: {row[0]: row[-1] for row in s.rows} for s in sections}
    regret = tables["Regret by step: small, btl, N = 5"]  # the last column is t = 8, the end
    assert regret["winner-stays"].startswith(f"{lacks['winner-stays'].mean():.2f} (")
    less = lacks["winner-stays"] - lacks["useralign"]
    compared = tables["Regret less that of USERALIGN: small, btl, N = 5"]
    assert compared["winner-stays less USERALIGN"].startswith(f"{less.mean():+.1f} [")
    assert "RANDOM less USERALIGN" not in compared


def test_sets_shrink_from_the_whole_disc_and_the_practical_one_faster() -> None:
    pytest.importorskip("matplotlib", reason="plots are an extra")
    from palate.bench.elicitation_plots import plot_shrinkage  # noqa: PLC0415

    loss, practical = (line.get_ydata() for line in plot_shrinkage(seed=1).axes[-1].lines)
    for shares in (loss, practical):
        assert shares[0] == 1.0
        assert (np.diff(shares) <= 0.0).all()
    assert practical[1] == pytest.approx(0.5, abs=0.02)  # an answer halves the disc
    assert (practical <= loss).all()
    assert practical[-1] < 0.3 < loss[-1]


def test_head_to_head_needs_twenty_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elicitation, "_figures", lambda *_: {})
    plan = small_plan(tmp_path, methods=("useralign", "iidbest"), max_steps=20, seeds=1)
    sections = run_plan(plan, tmp_path / "out")
    (table,) = [s for s in sections if "Table 6" in s.title]
    assert [row[0] for row in table.rows] == ["USERALIGN vs. IIDBEST (t = 20)"]
    assert len(table.header) == 3


def test_the_same_plan_goes_on_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elicitation, "_figures", lambda *_: {})
    plan, out = small_plan(tmp_path, people=("btl",), max_steps=5), tmp_path / "out"
    counted: list[tuple[int, int]] = []
    run_plan(plan, out, progress=lambda done, total: counted.append((done, total)))
    assert (counted[0], counted[-1]) == ((0, 48), (48, 48))
    runs, steps = (out / "runs.csv").read_bytes(), (out / "steps.csv").read_bytes()
    journal = out / "runs.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    journal.write_text("".join(lines[:25]), encoding="utf-8")
    counted.clear()
    run_plan(plan, out, progress=lambda done, total: counted.append((done, total)))
    assert counted[0] == (24, 48)

    def untimed(csv_text: bytes) -> str:
        return re.sub(r",[^,\n]*\n", "\n", csv_text.decode())

    assert untimed((out / "runs.csv").read_bytes()) == untimed(runs)
    assert untimed((out / "steps.csv").read_bytes()) == untimed(steps)


def test_rows_as_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet is an extra")
    monkeypatch.setattr(elicitation, "_figures", lambda *_: {})
    plan = small_plan(tmp_path, people=("consistent",), methods=("winner-stays", "useralign"))
    run_plan(plan, tmp_path, parquet=True)
    table = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert len(table) == 8 + 72
    assert {row["cost"] for row in table if row["method"] == "winner-stays"} == {4}
    assert not (tmp_path / "runs.csv").exists()


class _Page(HTMLParser):
    """What a page asks of the network, and the text of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [v or "" for k, v in attrs if k in {"src", "href", "data", "srcset"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_beside_it(done: tuple[Path, list[Section]]) -> None:
    out, sections = done
    parsed = _Page()
    text = page(out)
    parsed.feed(text)
    assert parsed.asked
    assert all(asked.startswith("data:image/png;base64,") for asked in parsed.asked)
    assert not {"script", "link", "iframe"} & set(parsed.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert parsed.tags.count("table") == 1 + len(sections)
    assert parsed.tags.count("figure") == len(list((out / "figures").glob("*.png"))) == 6
    for section in sections:
        assert section.title in parsed.text
    assert "max_steps" in parsed.text
    assert "palate 0." in parsed.text


def test_the_page_escapes_what_data_bring(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script> & \"q\""
    section = {"title": evil, "header": [evil], "rows": [[evil]], "note": evil}
    summary = {
        "title": evil,
        "configuration": {evil: [evil]},
        "versions": {evil: evil},
        "sections": [section],
        "figures": {"f.png": evil},
    }
    (tmp_path / "f.png").write_bytes(b"png")
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    parsed = _Page()
    text = page(tmp_path)
    parsed.feed(text)
    assert "script" not in parsed.tags
    assert "<script" not in text
    assert parsed.text.count(evil) >= 7


def test_folders_without_results(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"summary\.json is missing; write the results by"):
        page(tmp_path)
    for damaged in ("{", "[]", '{"title": "t"}'):
        (tmp_path / "summary.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(ParameterError, match=r"the results in .* are damaged"):
            page(tmp_path)


def test_results_without_matplotlib_have_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run_plan(small_plan(tmp_path, people=("btl",), methods=("random",)), tmp_path)
    assert not (tmp_path / "figures").exists()
    assert "<figure" not in page(tmp_path)


def test_people_played_by_a_model(
    tmp_path: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elicitation, "_figures", lambda *_: {})

    def spicier(body: dict[str, Any], _: int) -> str:
        text = str(body["messages"])
        first, second = (int(n) for n in re.findall(r"about p\d-(\d)", text)[:2])
        return "1" if first > second else "2"

    record = small_record(1)
    record["prompts"][0]["baseline"]["text"] = "about p0-9 plain"
    (tmp_path / "one.json").write_text(json.dumps(record), encoding="utf-8")
    server.reply = spicier
    plan = Plan(
        (str(tmp_path / "one.json"),),
        ("played",),
        ("oracle", "winner-stays", "random"),
        1,
        per_prompt=2,
    )
    with OpenAIModel("m", base_url=server.url) as model:
        run_plan(plan, tmp_path, model=model, jobs=2)
    runs = rows_of(tmp_path / "runs.csv")
    assert [r["method"] for r in runs] == ["winner-stays", "random"] * 2
    assert [r["choice"] for r in runs if r["method"] == "winner-stays"] == ["p0-4"] * 2
    assert {r["win"] for r in runs} == {"0.0"}  # the baseline has the largest number
    assert {r["share"] for r in runs} == {r["flip_rate"] for r in runs} == {"nan"}
    with OpenAIModel("m", base_url=server.url) as model:
        alone = replace(plan, methods=("oracle",))
        with pytest.raises(ParameterError, match="nothing to run: an oracle cannot know"):
            run_plan(alone, tmp_path, model=model)
    assert "unknown" in (tmp_path / "tables.md").read_text(encoding="utf-8")


def test_the_papers_people_by_default(tmp_path: Path) -> None:
    subjects, notes = subjects_of(small_plan(tmp_path, people=()))
    assert {subject.group for subject in subjects} == {"small, persona"}
    assert notes == []
    subjects, notes = subjects_of(small_plan(tmp_path, people=("btl85",), prompts=1))
    assert len(subjects) == 2
    assert "wins 85.0% of the time" in notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": ("newest",)}, "there is no method 'newest'; there are oracle, random"),
        ({"methods": ()}, "an experiment needs methods"),
        ({"seeds": 0}, "seeds must be at least 1, not 0"),
        ({"people": ("human",)}, "not 'human'"),
        ({"flip": 1.5}, "flip_rate"),
        ({"pool_size": 9}, "--pool-size is for alpaca: and dsp:"),
    ],
)
def test_plans_that_cannot_be_run(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(PalateError, match=said):
        run_plan(small_plan(tmp_path, **change), tmp_path / "out")


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elicitation, "_figures", lambda *_: {})
    domain, out = write_small(tmp_path / "small.json"), tmp_path / "out"
    arguments = ["elicitation", "--domain", str(domain), "--methods", "random,winner-stays"]
    sizes = ["--per-prompt", "1", "--seeds", "1", "--people", "persona,btl", "--jobs", "1"]
    done = CliRunner().invoke(bench, [*arguments, *sizes, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "## Checks" in done.output
    assert "Tables 4 and 5" in done.output
    assert f"palate bench report {out}" in done.output
    done = CliRunner().invoke(bench, ["report", str(out)], catch_exceptions=False)
    assert done.output.strip() == str(out / "report.html")
    assert (out / "report.html").read_text(encoding="utf-8") == page(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["elicitation", "--domain", "food3d"],
            "there is no domain 'food3d'; it is food2d",
        ),
        (["elicitation", "--domain", "alpaca:none"], "none/alpaca_pools_dev.jsonl.gz"),
        (["elicitation", "--domain", "dsp:none.jsonl"], "cannot read none.jsonl"),
        (["elicitation", "--domain", "food2d", "--methods", "best"], "there is no method 'best'"),
        (["elicitation", "--domain", ","], "an experiment needs domains"),
        (["report", "none"], "summary.json is missing"),
        (
            ["elicitation", "--domain", "food2d", "--out", "/dev/null/out"],
            "cannot write to /dev/null/out",
        ),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = arguments[0] == "report" or "--out" in arguments
    out = [] if named else ["--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["palate", "bench", *arguments, *out])
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in error
    assert error.startswith("palate: ")
    assert error.count("\n") == 1
