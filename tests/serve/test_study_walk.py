"""A participant's walk through a study by forms: the stages, coming back, twice, and forged."""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from postgres_cases import postgres_url
from study_cases import PLAN, StudySite, a_study, teas

from palate.errors import ConflictError, ParameterError
from palate.serve.study import plan_from_object, set_up, study_log
from palate.serve.study.records import task_of
from palate.serve.study.walk import Comparing, Judging, choice_after, stage_of
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site() -> Iterator[StudySite]:
    yield from a_study()


def of_condition(site: StudySite, condition: str) -> str:
    """The path of a participant who will be in a condition."""
    while True:
        path = site.link()
        site.send(site.get(path), agree="yes")
        if task_of(site.study, site.log.participant(path[3:])).condition == condition:
            return path


@pytest.mark.parametrize("condition", ["persona", "own"])
def test_a_walk_in_each_condition(site: StudySite, condition: str) -> None:
    path = of_condition(site, condition)
    task = task_of(site.study, site.log.participant(path[3:]))
    page = site.get(path)
    assert site.store.pool(task.prompt.pool).prompt in page.text
    if task.persona is None:
        assert "Answer by your own taste" in page.text
        assert "Person" not in page.text
    else:
        assert task.persona.text in page.text
        assert "Imagine that you are somebody else" in page.text
    page = site.send(page)
    for step in (1, 2, 3):
        assert f"Step {step} out of 3" in page.text
        assert page.buttons == ["0", "1"]  # no tie, no skip
        assert ("Person" in page.text) == (condition == "persona")
        page = site.send(page, picked="1", ms="1200")
    seen = 0
    while page.forms:
        seen += 1
        assert f"Final pair {seen} out of " in page.text
        assert page.buttons == ["0", "1"]
        page = site.send(page, picked="0", ms="900")
    assert "LEAF-42" in page.text
    participant = site.log.participant(path[3:])
    matchups = site.log.matchups(participant)
    assert seen == len(matchups)
    assert sorted(arm for m in matchups for arm in m.arms) == [
        "attention",
        "early",
        "late",
        "random",
    ]
    assert {m.response_ms for m in matchups} == {900}
    assert participant.elicitation is not None
    assert [a.seconds for a in site.store.answers(participant.elicitation)] == [1.2] * 3
    for arm, answers in (("early", 2), ("late", 3)):
        chosen = choice_after(site.store, participant.elicitation, answers)
        assert [m.response for m in matchups if arm in m.arms] == [chosen]


def test_the_late_choice_is_the_recommendation(site: StudySite) -> None:
    path = site.link()
    site.at_matchups(path)
    elicitation = site.log.participant(path[3:]).elicitation
    assert elicitation is not None
    late = site.store.recommend(elicitation).index
    assert choice_after(site.store, elicitation, None) == late


def test_pages_do_not_tell_the_method_or_the_arm(site: StudySite) -> None:
    path = site.link()
    page = site.begun(path)
    pages = [page.html]
    while page.forms:
        page = site.send(page, picked="0")
        pages.append(page.html)
    elicitation = site.log.participant(path[3:]).elicitation
    assert elicitation is not None
    secrets = ["useralign", "iidbest", "early", "late", "random", "baseline", elicitation]
    for html in pages:
        found = [word for word in secrets if re.search(rf"\b{word}\b", html, re.IGNORECASE)]
        assert found == []


def test_a_closed_tab_is_opened_again_at_the_same_place(site: StudySite) -> None:
    path = site.link()
    page = site.begun(path)
    assert site.get(path).forms == page.forms
    page = site.send(page, picked="0")
    assert "Step 2 out of 3" in page.text
    assert site.get(path).html == page.html
    page = site.send(site.send(page, picked="0"), picked="1")
    assert "Final pair 1 out of" in page.text
    assert site.get(path).html == page.html
    page = site.send(page, picked="1")
    assert site.get(path).html == page.html


def test_whoever_joins_gets_a_link_of_their_own_and_comes_back_to_it(site: StudySite) -> None:
    public = f"/s/{site.study.id}"
    page = site.get(public)
    assert "<strong>teas</strong>" in page.html
    answer = site.client.post(
        f"{public}/join", data=page.forms[f"{public}/join"] | {"agree": "yes"}
    )
    own = answer.url.path
    assert own.startswith("/p/")
    assert len(own) == len("/p/") + 16
    assert site.client.get(public).url.path == own
    site.client.cookies.clear()
    assert site.client.get(public).url.path == public
    again = site.client.post(f"{public}/join", data=page.forms[f"{public}/join"] | {"agree": "y"})
    assert again.url.path == own  # the very same form
    assert len(site.log.everyone(site.study)) == 1


def test_nobody_takes_part_without_agreeing(site: StudySite) -> None:
    public, path = f"/s/{site.study.id}", site.link()
    for start in (public, path):
        page = site.send(site.get(start), agree="")
        assert "tick the box" in page.text
    assert site.log.participant(path[3:]).place is None
    for action in ("begin", "answer", "judge"):
        fields = {"query": "x", "matchup": "x", "picked": "0"}
        assert "I agree" in site.post(f"{path}/{action}", fields).text
    assert [p.place for p, _ in site.log.everyone(site.study)] == [None]


def test_one_submission_a_participant(site: StudySite) -> None:
    path = site.link()
    first = site.begun(path)
    second = site.send(first, picked="0")
    assert "Step 2 out of 3" in site.send(first, picked="0").text  # a double click
    page = site.send(first, picked="1")  # and a change of mind
    assert "You answered that one already" in page.text
    judged = site.send(site.send(second, picked="0"), picked="0")
    page = site.send(judged, picked="0")
    for picked in ("0", "1"):
        site.send(judged, picked=picked)
    participant = site.log.participant(path[3:])
    matchups = site.log.matchups(participant)
    assert [m.picked for m in matchups][:2] == [0, None]
    site.send(first, picked="1")
    while page.forms:
        page = site.send(page, picked="0")
    assert participant.elicitation is not None
    assert [a.picked for a in site.store.answers(participant.elicitation)] == [0, 0, 0]
    for action, fields in (
        ("consent", {"agree": "yes"}),
        ("begin", {}),
        ("judge", {"matchup": matchups[1].id, "picked": "1"}),
    ):
        assert "LEAF-42" in site.post(f"{path}/{action}", fields).text
    assert [m.picked for m in site.log.matchups(participant)] == [0] * len(matchups)
    with pytest.raises(ConflictError, match="that answer stands"):
        site.log.judge(participant, matchups[0].id, 1, None)


def test_what_is_forged_changes_nothing(site: StudySite) -> None:
    mine, other = site.link(), site.link()
    page, foreign = site.at_matchups(mine), site.begun(other)
    query = foreign.forms[f"{other}/answer"]["query"][0]
    assert "already" in site.post(f"{mine}/answer", {"query": query, "picked": "0"}).text
    matchup = page.forms[f"{mine}/judge"]["matchup"][0]
    site.post(f"{other}/judge", {"matchup": matchup, "picked": "0"})
    site.post(f"{other}/judge", {"matchup": "nonsense", "picked": "0"})
    site.post(f"{mine}/judge", {"matchup": matchup, "picked": "2"}, 422)
    site.post(f"{mine}/judge", {"matchup": matchup, "picked": "tie"}, 422)
    site.post(f"{other}/answer", {"query": query, "picked": "skip"}, 422)
    site.post(f"{other}/answer", {"query": query, "picked": "-1"}, 422)
    site.post(f"{other}/answer", {"query": query}, 422)
    assert site.get(mine).forms == page.forms
    assert site.get(other).forms == foreign.forms
    for path in ("/p/0123456789abcdef", "/p/x%00", "/s/0123456789abcdef", "/s/'", "/p/" + "a" * 99):
        site.get(path, 404)
    site.get(f"/p/{site.study.id}", 404)
    site.get(f"/s/{mine[3:]}", 404)
    assert all(m.picked is None for _, ms in site.log.everyone(site.study) for m in ms)


def test_a_ticket_of_another_study_is_refused(site: StudySite) -> None:
    other = set_up(site.store, plan_from_object(PLAN | {"seed": 7}), {"teas": teas()})
    fields = {"ticket": "t" * 16, "agree": "yes"}
    site.post(f"/s/{site.study.id}/join", fields)
    site.client.cookies.clear()
    site.post(f"/s/{other.id}/join", fields, 404)
    assert site.log.everyone(other) == []


def test_the_study_closes_when_enough_have_finished() -> None:
    for site in a_study(participants=1):
        early, late = site.link(), site.link()
        page = site.begun(early)
        site.walked(site.link())
        for closed in (late, f"/s/{site.study.id}"):
            assert "takes in nobody new" in site.get(closed).text
        assert "takes in nobody new" in site.post(f"{late}/consent", {"agree": "yes"}).text
        fields = {"ticket": "t" * 16, "agree": "yes"}
        assert "takes in nobody new" in site.post(f"/s/{site.study.id}/join", fields).text
        assert "Step 2 out of 3" in site.send(page, picked="0").text  # who began may finish
        assert site.log.participant(late[3:]).place is None


def test_ties_and_skips_where_the_study_allows_them() -> None:
    for site in a_study(allow=["skip", "tie"]):
        path = site.link()
        page = site.begun(path)
        assert page.buttons == ["0", "1", "tie", "skip"]
        for step, picked in enumerate(("tie", "skip", "1"), start=1):
            assert f"Step {step} out of 3" in page.text
            page = site.send(page, picked=picked)
        assert "Final pair 1" in page.text
        assert page.buttons == ["0", "1"]
        elicitation = site.log.participant(path[3:]).elicitation
        assert elicitation is not None
        assert [a.picked for a in site.store.answers(elicitation)] == ["tie", "skip", 1]


def test_a_study_is_set_up_once_and_a_changed_one_is_another(site: StudySite) -> None:
    pools = len(site.store.pools().items)
    assert set_up(site.store, plan_from_object(PLAN), {"teas": teas()}) == site.study
    assert len(site.store.pools().items) == pools
    changed = set_up(site.store, plan_from_object(PLAN | {"title": "Other"}), {"teas": teas()})
    assert changed.id != site.study.id
    assert set_up(site.store, plan_from_object(PLAN), {"teas": teas(n=5)}).id != site.study.id
    assert len(site.log.studies()) == 3


def test_a_domain_that_lacks_something_is_refused() -> None:
    wrong = {
        "no prompt 'p9'": {"domains": [{"name": "teas", "prompts": ["p9"]}]},
        "no persona 'x'": {"domains": [{"name": "teas", "personas": ["x"]}]},
        "no personas for these": {
            "domains": [{"name": "teas", "prompts": ["p0"], "personas": ["s10"]}]
        },
    }
    with open_store("memory:") as store:
        for message, plan in wrong.items():
            with pytest.raises(ParameterError, match=message):
                set_up(store, plan_from_object(PLAN | plan), {"teas": teas()})
        assert study_log(store).studies() == []


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_many_at_once_by_two_stores(kind: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = str(tmp_path / "study.db")
        if kind == "postgres":
            url = stack.enter_context(postgres_url())
        stores = [stack.enter_context(open_store(url)) for _ in range(2)]
        study = set_up(stores[0], plan_from_object(PLAN), {"teas": teas()})
        logs = [study_log(store) for store in stores]
        ids = logs[0].add_participants(study, 24)

        def walk(i: int) -> None:
            # Each goes through the study twice at a time, by either store.
            store, log = stores[i % 2], logs[i % 2]
            log.consent(log.participant(ids[i // 2]), study)
            log.begin(log.participant(ids[i // 2]))
            while True:
                participant = log.participant(ids[i // 2])
                match stage_of(store, log, study, participant):
                    case Comparing(asked=asked):
                        elicitation = log.participant(participant.id).elicitation
                        assert elicitation is not None
                        store.tell(elicitation, asked.id, 0)
                    case Judging(matchup=matchup):
                        log.judge(participant, matchup.id, 0, None)
                    case _:
                        return

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(walk, range(48)))
        everyone = logs[1].everyone(study)
        assert sorted(p.place for p, _ in everyone if p.place is not None) == list(range(24))
        assert logs[1].finished(study) == 24
        for participant, matchups in everyone:
            assert [m.place for m in matchups] == list(range(len(matchups)))
            assert sorted(arm for m in matchups for arm in m.arms) == [
                "attention",
                "early",
                "late",
                "random",
            ]
            assert participant.elicitation is not None
            assert len(stores[0].answers(participant.elicitation)) == 3
