"""Reports and rows of a study on answers that are known."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from study_cases import PLAN, StudySite, a_study, teas

from palate.cli import app
from palate.serve.study import plan_from_object, set_up, study_log, study_report, study_rows
from palate.serve.study.export import COLUMNS
from palate.serve.study.records import task_of
from palate.serve.study.report import WinRate
from palate.serve.study.walk import choice_after
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WINS = {"persona": {"early", "late"}, "own": {"random"}}
"""Which arms are preferred to the baseline here, by condition."""


@pytest.fixture
def site() -> Iterator[StudySite]:
    yield from a_study()


def answered(site: StudySite, *, attentive: bool = True, simulated: bool = False) -> None:
    """Somebody whose choices win as WINS has it; an arm that shares one with a winner wins, too."""
    path = site.link(simulated=simulated)
    site.at_matchups(path)
    participant = site.log.participant(path[3:])
    condition = task_of(site.study, participant).condition
    for matchup in site.log.matchups(participant):
        won = bool(WINS[condition] & set(matchup.arms))
        if "attention" in matchup.arms:
            won = not attentive
        site.log.judge(participant, matchup.id, int(matchup.baseline_first == won), 2500)


def test_win_rates_and_errors() -> None:
    rate = WinRate("food", "M", 5, "own", (1, 1, 1, 0))
    assert str(rate) == "75.0 (25.0)"  # sqrt(3/4 * 1/4 * 4/3 / 4)
    assert str(WinRate("food", "M", 5, "own", (1,))) == "100.0 (unknown)"
    assert str(WinRate("food", "M", 5, "own", ())) == "none yet"


def test_the_report_of_known_answers(site: StudySite) -> None:
    for _ in range(8):  # two a cell
        answered(site)
    site.begun(site.link())  # one who does not finish
    site.link()  # and one who does not come
    report = study_report(site.log, site.study)
    assert not report.simulated
    assert (report.invited, report.started, report.finished) == (10, 9, 8)
    assert (report.attentive, report.left_out) == (8, 0)
    by_cell = {(r.method, r.step, r.condition): r.wins for r in report.win_rates}
    assert list(by_cell) == [
        (method, step, condition)
        for method, step in (
            ("useralign", 2),
            ("useralign", 3),
            ("IIDBEST", 2),
            ("IIDBEST", 3),
            ("RANDOM", None),
        )
        for condition in ("persona", "own")
    ]
    for (method, _, condition), wins in by_cell.items():
        assert len(wins) == (4 if method == "RANDOM" else 2)
        if "RANDOM" in method and condition == "own":
            assert wins == (1,) * 4
        if method != "RANDOM" and condition == "persona":
            assert wins == (1, 1)
    # What shares no response with a winner has lost.
    expected = sum(
        bool(WINS[task_of(site.study, p).condition] & set(m.arms))
        for p, ms in site.log.everyone(site.study)
        for m in ms
        for arm in m.arms
        if arm != "attention" and m.picked is not None
    )
    assert sum(sum(wins) for wins in by_cell.values()) == expected < 24
    header, rows = report.table()
    assert header[:3] == ["domain", "method", "step"]
    assert header[3:] == ["with persona, win-rate %", "n", "own taste, win-rate %", "n"]
    assert rows[0][:5] == ["teas", "useralign", "2", "100.0 (0.0)", "2"]
    assert rows[-1][:3] == ["teas", "RANDOM", "-"]
    assert rows[-1][5:] == ["100.0 (0.0)", "4"]
    assert not any("simulated" in line for line in report.summary())
    (durations,) = report.durations
    assert durations.n == 8
    parts = durations.reading + durations.comparing + durations.judging
    assert 0.0 < durations.judging <= durations.total < 1.0
    assert parts == pytest.approx(durations.total, abs=0.05)


def test_attention(site: StudySite) -> None:
    for attentive in (True, False, True, False):
        answered(site, attentive=attentive)
    report = study_report(site.log, site.study)
    assert (report.finished, report.attentive) == (4, 2)
    assert "Attention check: 2 of 4 passed (50.0 %)." in report.summary()
    only = study_report(site.log, site.study, only_attentive=True)
    assert sum(len(r.wins) for r in only.win_rates) == 6
    assert only.summary()[-1].endswith("; the others are left out.")
    for plain in a_study(attention_check=False):
        answered(plain)
        assert study_report(plain.log, plain.study).attentive is None
        assert {r["arm"] for r in study_rows(plain.store, plain.log, plain.study)} == {
            None,
            "early",
            "late",
            "random",
        }


def test_people_and_simulated_participants_are_kept_apart(site: StudySite) -> None:
    answered(site, simulated=True)
    report = study_report(site.log, site.study)
    assert (report.simulated, report.finished, report.left_out) == (True, 1, 0)
    assert "These data are simulated: programs answered, and no person did." in report.summary()
    answered(site)
    for simulated, other in ((None, "simulated participants"), (True, "people")):
        report = study_report(site.log, site.study, simulated=simulated)
        assert report.simulated == (simulated is True)
        assert (report.finished, report.left_out) == (1, 1)
        assert f"1 {other} who finished are left out." in report.summary()


def test_nothing_yet(site: StudySite) -> None:
    report = study_report(site.log, site.study)
    assert (report.invited, report.started, report.finished) == (0, 0, 0)
    assert {cell for row in report.table()[1] for cell in row[3:]} == {"none yet", "0"}
    assert report.durations == ()


def test_rows_say_what_was_shown_and_picked(site: StudySite) -> None:
    answered(site)
    rows = list(study_rows(site.store, site.log, site.study))
    assert all(tuple(row) == COLUMNS for row in rows)
    ((participant, _),) = site.log.everyone(site.study)
    assert participant.id not in json.dumps(rows)  # the link stays secret
    compared = [row for row in rows if row["kind"] == "comparison"]
    assert [row["number"] for row in compared] == [1, 2, 3]
    assert all(row["picked"] == row["first"] for row in compared)
    judged = {row["arm"]: row for row in rows if row["kind"] == "matchup"}
    assert judged.keys() == {"early", "late", "random", "attention"}
    assert participant.elicitation is not None
    pool = site.store.pool(task_of(site.study, participant).prompt.pool)
    for arm, answers in (("early", 2), ("late", 3)):
        chosen = pool.responses[choice_after(site.store, participant.elicitation, answers)].id
        row = judged[arm]
        assert {row["first"], row["second"]} == {chosen, "baseline"}
        assert row["won"] == (row["picked"] == chosen)
        assert (row["step"], row["seconds"], row["finished"]) == (answers, 2.5, True)
    assert judged["attention"]["picked"] == "check"
    assert judged["attention"]["won"]


# By the command line


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """A database with one finished, simulated participant."""
    url = str(tmp_path / "study.db")
    for site in a_study(url):
        answered(site, simulated=True)
    return url


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    app(["study", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def test_report_and_export_as_commands(
    kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ran(capsys, "report", "--db", kept)
    assert "These data are simulated" in text
    assert "| teas   | useralign | 2    |" in text
    assert "standard error over simulated participants" in text
    for name in ("rows.csv", "rows.jsonl"):
        ran(capsys, "export", "--db", kept, "-o", str(tmp_path / name))
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    with (tmp_path / "rows.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(lines) == len(table) == 7
    assert list(table[0]) == list(COLUMNS) == list(json.loads(lines[0]))
    assert {row["simulated"] for row in table} == {"True"}


def test_new_and_links_as_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, db = str(tmp_path / "study.json"), str(tmp_path / "study.db")
    ran(capsys, "new", file)
    with pytest.raises(Exception, match="is there already"):
        ran(capsys, "new", file)
    links = ran(capsys, "links", file, "--db", db, "-n", "3").split()
    assert len(set(links)) == 3
    assert all(link.startswith("http://127.0.0.1:8000/p/") for link in links)
    with open_store(db) as store:
        log = study_log(store)
        (study,) = log.studies()
        assert log.participant(links[0].rpartition("/")[2]).study == study.id
        assert [len(prompts) for prompts in study.prompts] == [10, 10]
        assert {len(p.personas) for prompts in study.prompts for p in prompts} == {3}


def test_commands_refuse_in_one_line(
    kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(kept) as store:
        set_up(store, plan_from_object(PLAN | {"title": "Other"}), {"teas": teas()})
    wrong = {
        "name one study by --study": ("report", "--db", kept),
        "there is no database": ("report", "--db", str(tmp_path / "no.db")),
        "ends in .csv or .jsonl": ("export", "--db", kept, "-o", "rows.txt"),
        "answers are kept in a file": ("report", "--db", "memory:"),
    }
    for message, arguments in wrong.items():
        with pytest.raises(Exception, match=message):
            ran(capsys, *arguments)
    assert "Other: 0 participants" in ran(capsys, "report", "--db", kept, "--study", "Other")
