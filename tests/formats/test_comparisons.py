"""Preferences: what is read, by which rule a row is refused, and what trainers get to read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.elicitation import Elicitation
from palate.errors import LogError, PoolError
from palate.feedback import SKIP, TIE, Answer, Comparison, Query
from palate.formats import (
    comparisons_of,
    pools_of,
    read_comparisons,
    trl_rows,
    write_comparisons,
)
from palate.pool import Pool, Response
from palate.strategies import WinnerStays

ASKED = {"role": "user", "content": "Dinner?"}
SOUP = {"role": "assistant", "content": "Soup."}
STEW = {"role": "assistant", "content": "Stew."}
MORE = {"role": "user", "content": "And then?"}
BATTLE = {
    "question_id": 81,
    "model_a": "m1",
    "model_b": "m2",
    "winner": "model_b",
    "judge": "expert_3",
    "conversation_a": [ASKED, SOUP, MORE, {"role": "assistant", "content": "Rest."}],
    "conversation_b": [ASKED, STEW, MORE, {"role": "assistant", "content": "Pie."}],
    "turn": 1,
}
PAIR = {"prompt": "Dinner?", "chosen": "Soup.", "rejected": "Stew."}


def write_lines(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_one(folder: Path, row: Any) -> Comparison:
    (comparison,) = read_comparisons(write_lines(folder, row))
    return comparison


# --- TRL's preferences --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        PAIR,
        {"prompt": [ASKED], "chosen": [SOUP], "rejected": [STEW]},
        {"chosen": [ASKED, SOUP], "rejected": [ASKED, STEW]},
        {"prompt": None, "chosen": [ASKED, SOUP], "rejected": [ASKED, STEW]},
        {"prompt": "Dinner?", "chosen": [ASKED, SOUP], "rejected": [ASKED, STEW]},
        {"prompt": [ASKED], "chosen": "Soup.", "rejected": "Stew."},
        {
            "prompt": [{"role": "user", "content": [{"type": "text", "text": "Dinner?"}]}],
            "chosen": [SOUP],
            "rejected": [STEW],
        },
    ],
)
def test_a_preference_is_written_in_several_ways(tmp_path: Path, row: dict[str, Any]) -> None:
    assert read_one(tmp_path, row) == Comparison("Dinner?", ("Soup.", "Stew."), 0)


def test_a_prompt_of_several_messages_is_a_text_with_their_roles(tmp_path: Path) -> None:
    begun = [{"role": "system", "content": "Be brief."}, ASKED]
    expected = "system: Be brief.\n\nuser: Dinner?"
    for row in (
        {"prompt": begun, "chosen": [SOUP], "rejected": [STEW]},
        {"chosen": [*begun, SOUP], "rejected": [*begun, STEW]},
        {"prompt": "Dinner?", "chosen": [*begun, SOUP], "rejected": [*begun, STEW]},
    ):
        assert read_one(tmp_path, row) == Comparison(expected, ("Soup.", "Stew."), 0)


def test_messages_that_differ_are_compared_as_a_whole(tmp_path: Path) -> None:
    last = {"role": "assistant", "content": "Pie."}
    row = {"chosen": [ASKED, SOUP, MORE, last], "rejected": [ASKED, STEW, MORE, last]}
    assert read_one(tmp_path, row).options == (
        "assistant: Soup.\n\nuser: And then?\n\nassistant: Pie.",
        "assistant: Stew.\n\nuser: And then?\n\nassistant: Pie.",
    )


def test_equal_answers_are_still_the_answers(tmp_path: Path) -> None:
    row = {"chosen": [ASKED, SOUP], "rejected": [ASKED, SOUP]}
    assert read_one(tmp_path, row) == Comparison("Dinner?", ("Soup.", "Soup."), 0)


def test_the_person_and_other_columns_are_kept(tmp_path: Path) -> None:
    row = PAIR | {"user_id": 17, "chosen_model": "m1", "metadata": {"subset": "chat"}}
    comparison = read_one(tmp_path, row)
    assert comparison.person == "17"
    assert comparison.metadata == {"chosen_model": "m1", "subset": "chat"}


@pytest.mark.parametrize(
    "metadata", ["a note", [1, 2], 7, "{", "[1]", "[" * 100_000, {"person": 3, "positions": [1]}]
)
def test_a_column_of_metadata_that_is_not_ours_stays_as_it_is(
    tmp_path: Path, metadata: Any
) -> None:
    comparison = read_one(tmp_path, PAIR | {"metadata": metadata})
    kept = metadata if isinstance(metadata, dict) else {"metadata": metadata}
    assert comparison.metadata == kept
    assert (comparison.person, comparison.picked) == (None, 0)


# --- battles ------------------------------------------------------------------------------------


def test_a_battle_is_read_in_the_order_shown(tmp_path: Path) -> None:
    comparison = read_one(tmp_path, BATTLE)
    assert comparison == Comparison(
        "Dinner?",
        ("Soup.", "Stew."),
        1,
        "expert_3",
        {"question_id": 81, "model_a": "m1", "model_b": "m2", "winner": "model_b", "turn": 1},
    )
    assert comparison.chosen == "Stew."


@pytest.mark.parametrize("turn", [2, 3, None])
def test_a_later_turn_holds_what_was_said_before_it(tmp_path: Path, turn: int | None) -> None:
    assert read_one(tmp_path, BATTLE | {"turn": turn}).options == (
        "assistant: Soup.\n\nuser: And then?\n\nassistant: Rest.",
        "assistant: Stew.\n\nuser: And then?\n\nassistant: Pie.",
    )


def test_what_follows_the_reply_that_was_judged_is_left_out(tmp_path: Path) -> None:
    sides = {"conversation_a": [ASKED, SOUP, MORE], "conversation_b": [ASKED, STEW, MORE]}
    assert read_one(tmp_path, BATTLE | sides).options == ("Soup.", "Stew.")


def test_a_system_message_is_no_turn(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    conversations = {
        key: [system, *BATTLE[key]]  # type: ignore[misc]
        for key in ("conversation_a", "conversation_b")
    }
    assert read_one(tmp_path, BATTLE | conversations).options == ("Soup.", "Stew.")


@pytest.mark.parametrize(
    ("winner", "picked"),
    [
        ("model_a", 0),
        ("model_b", 1),
        ("tie", TIE),
        ("tie (bothbad)", TIE),
        ("both_bad", TIE),
        ("tie (inconsistent)", TIE),
    ],
)
def test_winners_and_ties_of_a_battle(tmp_path: Path, winner: str, picked: Any) -> None:
    comparison = read_one(tmp_path, BATTLE | {"winner": winner})
    assert comparison.picked == picked
    assert comparison.metadata["winner"] == winner


def test_a_judge_may_be_a_model_and_how_it_was_asked(tmp_path: Path) -> None:
    assert read_one(tmp_path, BATTLE | {"judge": ["gpt-4", "pair-v2"]}).person == "gpt-4/pair-v2"
    without = {key: value for key, value in BATTLE.items() if key != "judge"}
    assert read_one(tmp_path, without).person is None


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "x", "completion": "y", "label": True}, r"unpaired row \(completion, label\)"),
        ({"prompt": "x", "responses": ["a"]}, "read_pools"),
        ({"prompt": "x", "chosen": "y"}, "the keys are prompt, chosen"),
        ({}, "the keys are none"),
        ([PAIR], "a JSON object, not list"),
        ({"chosen": "a", "rejected": "b"}, "no prompt"),
        ({"chosen": [ASKED, SOUP], "rejected": [MORE, STEW]}, "no prompt"),
        (PAIR | {"chosen": 3}, "chosen is a text or a list of messages, not 3"),
        (PAIR | {"rejected": []}, r"rejected is a text or a list of messages, not \[\]"),
        (PAIR | {"prompt": [ASKED, "x"]}, "prompt, message 2: a message has a role"),
        (PAIR | {"prompt": [{"role": "user"}]}, "prompt, message 1: a message has a role"),
        (PAIR | {"chosen": [{"content": "x"}]}, "chosen, message 1: a message has a role"),
        (
            PAIR | {"prompt": [{"role": "user", "content": [{"type": "image"}]}]},
            "prompt, message 1: a message has a role",
        ),
        (PAIR | {"images": ["a.png"]}, "has images"),
        (BATTLE | {"winner": "model_c"}, "winner is one of model_a, .*, not 'model_c'"),
        (BATTLE | {"winner": ["model_a"]}, "winner is one of"),
        (BATTLE | {"turn": 0}, "turn is a whole number from 1, not 0"),
        (BATTLE | {"turn": "1"}, "turn is a whole number from 1, not '1'"),
        (BATTLE | {"turn": True}, "turn is a whole number from 1, not True"),
        (BATTLE | {"conversation_a": [MORE, SOUP]}, "do not begin with the same message"),
    ],
)
def test_a_row_that_is_no_comparison_is_refused_by_its_rule(
    tmp_path: Path, row: Any, said: str
) -> None:
    with pytest.raises(LogError, match=rf"rows\.jsonl, line 2: .*{said}"):
        read_comparisons(write_lines(tmp_path, PAIR, row))


keys = st.sampled_from((*BATTLE, *PAIR, "user_id", "metadata", "images"))
values: st.SearchStrategy[Any] = st.sampled_from(
    (None, 3, "x", [], {}, [ASKED], [ASKED, SOUP], [3], [{}], "tie", [[]], {"positions": [1, 0]},
     {"positions": [True, "a"]}, {"person": []}, [{"role": "user", "content": [{"type": "text"}]}])
)  # fmt: skip


@given(st.sampled_from((PAIR, BATTLE)), st.dictionaries(keys, values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_row_is_a_comparison_or_an_error_that_names_it(
    row: dict[str, Any], changes: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcome: Comparison | LogError
        try:
            outcome = read_one(Path(folder), row | changes)
        except LogError as error:
            outcome = error
    assert isinstance(outcome, Comparison) or "rows.jsonl, line 1: " in str(outcome)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"cannot read .*missing\.jsonl: No such file"):
        read_comparisons(tmp_path / "missing.jsonl")
    with pytest.raises(LogError, match=r"cannot read .*missing\.parquet: No such file"):
        read_comparisons(tmp_path / "missing.parquet")
    with pytest.raises(LogError, match="holds no comparison"):
        read_comparisons(write_lines(tmp_path))
    (tmp_path / "text.parquet").write_text("{}\n")
    with pytest.raises(LogError, match=r"cannot read .*text\.parquet"):
        read_comparisons(tmp_path / "text.parquet")


# --- what is written ----------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)  # fmt: skip
texts = st.text(max_size=12)


def some_comparisons(options: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[Comparison]:
    return options.flatmap(
        lambda shown: st.builds(
            Comparison,
            texts,
            st.just(shown),
            st.integers(0, len(shown) - 1),
            st.none() | texts,
            st.dictionaries(texts, json_values, max_size=2),
        )
    )


picks_of_two = some_comparisons(st.tuples(texts, texts))
NAMES = ("c.jsonl", "c.jsonl.gz", "c.parquet")


@given(
    st.lists(picks_of_two, min_size=1, max_size=4),
    st.sampled_from(NAMES),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_picks_of_two_are_read_back_as_they_were_written(
    written: list[Comparison],
    name: str,
    conversational: bool,  # noqa: FBT001 - drawn
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        left_out = write_comparisons(path, written, conversational=conversational, metadata=True)
        assert left_out == 0
        assert read_comparisons(path) == written
        write_comparisons(path, written, conversational=conversational)
        plain = [
            Comparison(c.prompt, (c.options[c.picked], c.options[1 - c.picked]), 0)
            for c in written
            if isinstance(c.picked, int)
        ]
        assert read_comparisons(path) == plain


def test_half_an_emoji_is_read_back_from_jsonl_and_refused_by_parquet(tmp_path: Path) -> None:
    cut = Comparison("Dinner?", ("Fish \ud83d", "Stew."), 0)
    write_comparisons(tmp_path / "c.jsonl", [cut])
    assert read_comparisons(tmp_path / "c.jsonl") == [cut]
    with pytest.raises(LogError, match=r"cannot write .*c\.parquet: .*surrogates"):
        write_comparisons(tmp_path / "c.parquet", [cut])


@given(some_comparisons(st.lists(texts, min_size=2, max_size=5).map(tuple)))
def test_a_pick_out_of_k_gives_a_row_for_each_option_rejected(comparison: Comparison) -> None:
    rows, left_out = trl_rows([comparison], metadata=True)
    assert left_out == 0
    assert [row["rejected"] for row in rows] == list(comparison.rejected)
    assert {row["chosen"] for row in rows} == {comparison.chosen}
    for row in rows:
        chosen, rejected = row["metadata"]["positions"]
        assert chosen == comparison.picked
        assert comparison.options[rejected] == row["rejected"]


@given(
    st.integers(2, 5).flatmap(lambda k: st.tuples(st.permutations(range(k)), st.integers(2, k))),
)
def test_an_order_gives_a_row_for_each_pair_that_it_implies(drawn: tuple[list[int], int]) -> None:
    ranked, named = drawn
    k = len(ranked)
    options = tuple(f"Dish {i}." for i in range(k))
    order = tuple(ranked[:named])
    rows, left_out = trl_rows([Comparison("Dinner?", options, order)], metadata=True)
    assert left_out == 0
    place = {option: i for i, option in enumerate(order)}
    expected = [[a, b] for a in order for b in range(k) if a != b and place[a] < place.get(b, k)]
    assert [row["metadata"]["positions"] for row in rows] == expected
    assert [[row["chosen"], row["rejected"]] for row in rows] == [
        [options[a], options[b]] for a, b in expected
    ]
    if named == k:
        assert len(rows) == k * (k - 1) // 2


def test_pairs_of_an_order_are_read_back_with_their_places(tmp_path: Path) -> None:
    order = Comparison("Dinner?", ("Soup.", "Stew.", "Pie."), (2, 0, 1), "ann", {"at": "noon"})
    for name in NAMES:
        assert write_comparisons(tmp_path / name, [order], metadata=True) == 0
        pairs = read_comparisons(tmp_path / name)
        assert [(c.options, c.picked) for c in pairs] == [
            (("Soup.", "Pie."), 1),
            (("Stew.", "Pie."), 1),
            (("Soup.", "Stew."), 0),
        ]
        assert {(c.prompt, c.person, c.metadata["at"]) for c in pairs} == {
            ("Dinner?", "ann", "noon")
        }


def test_rows_have_the_standard_columns_and_no_other() -> None:
    comparison = Comparison("Dinner?", ("Soup.", "Stew."), 1, "ann", {"at": "noon"})
    expected = {"prompt": "Dinner?", "chosen": "Stew.", "rejected": "Soup."}
    assert trl_rows([comparison]) == ([expected], 0)
    assert trl_rows([comparison], conversational=True)[0] == [
        {
            "prompt": [ASKED],
            "chosen": [{"role": "assistant", "content": "Stew."}],
            "rejected": [{"role": "assistant", "content": "Soup."}],
        }
    ]
    known = {"at": "noon", "person": "ann", "positions": [1, 0]}
    assert trl_rows([comparison], metadata=True)[0] == [expected | {"metadata": known}]


def test_ties_and_skips_are_left_out_and_counted(tmp_path: Path) -> None:
    options = ("Soup.", "Stew.", "Pie.")
    comparisons = [Comparison("Dinner?", options, picked) for picked in (TIE, 2, SKIP, TIE)]
    rows, left_out = trl_rows(comparisons)
    assert [row["rejected"] for row in rows] == ["Soup.", "Stew."]
    assert left_out == 3
    assert write_comparisons(tmp_path / "c.jsonl", comparisons) == 3
    assert len(read_comparisons(tmp_path / "c.jsonl")) == 2


def test_parquet_has_columns_of_one_type_whatever_the_metadata_hold(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    comparisons = [
        Comparison("Dinner?", ("Soup.", "Stew."), 0, metadata={"a": 1}),
        Comparison("Dinner?", ("Soup.", "Stew."), 0, metadata={"a": ["x", {}], "b": {}}),
    ]
    write_comparisons(tmp_path / "c.parquet", comparisons, metadata=True)
    table = parquet.read_table(tmp_path / "c.parquet")
    assert table.column_names == ["prompt", "chosen", "rejected", "metadata"]
    assert read_comparisons(tmp_path / "c.parquet") == comparisons


def test_real_columns_of_parquet_are_read(tmp_path: Path) -> None:
    """Structs fill absent keys with nulls, and integers are of other widths."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [BATTLE, BATTLE | {"judge": None, "winner": "tie"}]
    named = [
        row | {"conversation_a": [{**m, "name": None} for m in BATTLE["conversation_a"]]}  # type: ignore[attr-defined]
        for row in rows
    ]
    parquet.write_table(pyarrow.Table.from_pylist(named), tmp_path / "c.parquet")
    first, second = read_comparisons(tmp_path / "c.parquet")
    assert first == read_one(tmp_path, BATTLE)
    assert (second.person, second.picked) == (None, TIE)
    parquet.write_table(pyarrow.table({"prompt": ["a", "b"]}), tmp_path / "c.parquet")
    with pytest.raises(LogError, match=r"c\.parquet, row 1: .*the keys are prompt"):
        read_comparisons(tmp_path / "c.parquet")


def test_what_stood_in_a_file_is_kept_until_the_new_one_is_whole(tmp_path: Path) -> None:
    good = Comparison("Dinner?", ("Soup.", "Stew."), 0)
    bad = Comparison("Dinner?", ("Soup.", "Stew."), 0, metadata={"when": object()})
    for name in NAMES:
        path = tmp_path / name
        write_comparisons(path, [good])
        before = path.read_bytes()
        with pytest.raises(LogError, match=r"cannot write .*c\..*JSON"):
            write_comparisons(path, [good, bad], metadata=True)
        assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


def test_a_link_keeps_pointing_and_a_private_file_stays_private(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_text("old\n")
    real.chmod(0o600)
    link.symlink_to(real)
    with real.open() as begun:  # whoever reads the old file goes on reading it
        write_comparisons(link, [Comparison("Dinner?", ("Soup.", "Stew."), 0)])
        assert begun.read() == "old\n"
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert len(read_comparisons(real)) == 1


def test_a_file_is_synced_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.jsonl"
    stood = []
    monkeypatch.setattr("os.fsync", lambda _: stood.append(path.exists()))
    write_comparisons(path, [Comparison("Dinner?", ("Soup.", "Stew."), 0)])
    assert stood == [False]


def test_the_same_comparisons_make_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison("Dinner?", ("Soup.", "Stew."), 0)
    for name, now in (("one.jsonl.gz", 1e9), ("two.jsonl.gz", 1.5e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_comparisons(tmp_path / name, [comparison])
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert json.loads(gzip.decompress((tmp_path / "one.jsonl.gz").read_bytes())) == PAIR


def test_parquet_without_pyarrow_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from palate.formats import read_comparisons\n"
        "from palate.errors import MissingExtraError\n"
        "try: read_comparisons('c.parquet')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'palate[parquet]'" in done.stdout


# --- from answers, and to pools -----------------------------------------------------------------


def test_the_answers_of_an_elicitation_become_comparisons() -> None:
    pool = Pool("Dinner?", ["Soup.", "Stew.", "Pie.", "Rice.", "Dal.", "Fish."], id="p")
    elicitation = Elicitation(pool, WinnerStays(), seed=3)
    for picked in (1, SKIP, TIE, 0):
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, picked, seconds=1.5, at="noon")
    elicitation.undo()
    comparisons = comparisons_of(pool, elicitation.history, person="ann")
    assert [c.picked for c in comparisons] == [1, SKIP, TIE]
    for comparison, answer in zip(comparisons, elicitation.history, strict=True):
        shown = answer.query.options
        assert comparison.options == tuple(pool.responses[i].text for i in shown)
        assert (comparison.prompt, comparison.person) == ("Dinner?", "ann")
        ids = list(answer.query.ids)
        assert comparison.metadata == {"pool": "p", "ids": ids, "at": "noon", "seconds": 1.5}
    assert comparisons[0].chosen == pool.responses[elicitation.history[0].query.options[1]].text


def test_an_order_stays_one_from_the_log_to_the_comparison() -> None:
    pool = Pool("Dinner?", ["Soup.", "Stew.", "Pie.", "Rice."])
    shown = ["r3", "r1", "r4", "r2"]
    event = {"query": 0, "shown": shown, "answer": "order", "order": ["r2", "r3", "r1", "r4"]}
    elicitation = Elicitation(pool, WinnerStays())
    elicitation.replay(event)
    elicitation.replay(event | {"query": 1, "order": ["r4", "r1"]})
    resumed = Elicitation.from_json(elicitation.to_json(), pool)
    whole, top = comparisons_of(pool, resumed.history)
    assert (whole.picked, top.picked) == ((3, 0, 1, 2), (2, 1))
    assert whole.stages[1] == ("Pie.", ("Soup.", "Rice."))
    assert (top.chosen, top.rejected) == ("Rice.", ("Pie.", "Soup.", "Stew."))


def test_answers_are_taken_by_id_wherever_the_response_stands_now() -> None:
    there = Pool("Dinner?", [Response("b", "Stew."), Response("a", "Soup.")])
    (comparison,) = comparisons_of(there, [Answer(Query(0, (0, 1), ("a", "b")), 0)])
    assert comparison.chosen == "Soup."
    with pytest.raises(PoolError, match="no response of this pool has the id 'c'"):
        comparisons_of(there, [Answer(Query(0, (0, 1), ("a", "c")), 0)])


def test_images_are_no_texts_to_compare() -> None:
    pool = Pool("Dinner?", [Response("a", image="a.png"), Response("b", "Soup.")])
    with pytest.raises(PoolError, match="'a' is an image"):
        comparisons_of(pool, [Answer(Query(0, (0, 1), ("a", "b")), 0)])


def test_pools_hold_the_different_options_of_a_prompt() -> None:
    comparisons = [
        Comparison("Dinner?", ("Soup.", "Stew."), 0),
        Comparison("Lunch?", ("Soup.", " "), 0),
        Comparison("Dinner?", ("Pie.", "Soup."), TIE),
        Comparison("Tea?", ("", " "), SKIP),
    ]
    pools = pools_of(comparisons)
    assert [(p.prompt, [r.text for r in p.responses]) for p in pools] == [
        ("Dinner?", ["Soup.", "Stew.", "Pie."]),
        ("Lunch?", ["Soup."]),
    ]
