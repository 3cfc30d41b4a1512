"""Published data sets of many people's preferences, on small files in their formats."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from palate.errors import LogError
from palate.formats import read_people, read_pick_a_pic, read_prism, read_reddit_tldr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]


def write(path: Path, *rows: Row) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def changed(row: Row, at: str, value: Any) -> Row:
    """A copy of a row with another value at "key" or "key.key"; None takes the key away."""
    copy: Row = json.loads(json.dumps(row))
    inner: Any = copy
    *path, last = at.split(".")
    for key in path:
        inner = inner[int(key) if key.isdigit() else key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copy


SUMMARIES: Row = {
    "info": {"id": "t3_1", "post": "A long story.", "title": "Car", "subreddit": "legaladvice"},
    "summaries": [
        {"text": " car, help", "policy": "sup4", "note": "odd"},
        {"text": " a car was hit", "policy": "sup2", "note": None},
    ],
    "choice": 1,
    "worker": "w1",
    "batch": "batch9",
    "split": "train",
    "extra": {"confidence": 8},
}


def test_reddit_tldr(tmp_path: Path) -> None:
    news = changed(changed(SUMMARIES, "info.post", None), "info.article", "News.")
    path = write(tmp_path / "batch9.json", SUMMARIES, news, changed(SUMMARIES, "worker", None))
    with path.open("a") as file:
        file.write(json.dumps(changed(SUMMARIES, "summaries.0.text", None)) + "\n")
    with pytest.warns(UserWarning, match="3 of 4 rows in .* lack the post, a summary or"):
        (comparison,) = read_reddit_tldr(path)
    assert comparison.prompt == "A long story."
    assert comparison.options == (" car, help", " a car was hit")
    assert (comparison.picked, comparison.person) == (1, "w1")
    assert comparison.metadata == {
        "id": "t3_1",
        "title": "Car",
        "subreddit": "legaladvice",
        "policies": ["sup4", "sup2"],
        "batch": "batch9",
        "split": "train",
        "confidence": 8,
    }


def test_reddit_tldr_of_a_folder_reads_all_its_batches(tmp_path: Path) -> None:
    write(tmp_path / "batch3.json", SUMMARIES, changed(SUMMARIES, "worker", "w2"))
    write(tmp_path / "batch4.json", changed(SUMMARIES, "worker", 3))
    (tmp_path / "README.md").write_text("none of it")
    assert [c.person for c in read_reddit_tldr(tmp_path)] == ["w1", "w2", "3"]


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ("choice", 2, "choice is 0 or 1, not 2"),
        ("choice", True, "choice is 0 or 1, not True"),
        ("choice", [1], r"choice is 0 or 1, not \[1\]"),
        ("summaries", [{"text": "a"}], "summaries are two, not 1"),
        ("summaries", "ab", "summaries is a list of objects, not 'ab'"),
        ("summaries.1.text", 5, "summaries, 2: text is a text, not 5"),
        ("info", None, "info is an object with a post"),
        ("info.post", ["x"], r"info: post is a text, not \['x'\]"),
        ("worker", "", "worker is a name or a number, not ''"),
    ],
)
def test_reddit_tldr_names_the_row_and_the_rule(
    tmp_path: Path, at: str, value: Any, message: str
) -> None:
    path = write(tmp_path / "b.json", SUMMARIES, changed(SUMMARIES, at, value))
    with pytest.raises(LogError, match=rf"b\.json, line 2: {message}"):
        read_reddit_tldr(path)


PICK: Row = {
    "are_different": True,
    "best_image_uid": "u-0",
    "caption": "a cat",
    "created_at": "2023-01-01",
    "has_label": True,
    "image_0_uid": "u-0",
    "image_1_uid": "u-1",
    "label_0": 1.0,
    "label_1": 0.0,
    "model_0": "sd",
    "model_1": "dl",
    "ranking_id": 7,
    "user_id": 42,
}


def test_pick_a_pic(tmp_path: Path) -> None:
    rows = [
        PICK,
        PICK | {"label_0": 0.0, "label_1": 1.0, "best_image_uid": "u-1"},
        PICK | {"label_0": 0.5, "label_1": 0.5, "best_image_uid": "tie"},
        PICK | {"has_label": False, "label_0": None, "label_1": None},
    ]
    comparisons = read_pick_a_pic(write(tmp_path / "p.jsonl", *rows))
    assert [c.picked for c in comparisons] == [0, 1, "tie", "skip"]
    first = comparisons[0]
    assert (first.prompt, first.options, first.person) == ("a cat", ("u-0", "u-1"), "42")
    assert first.metadata["ranking_id"] == 7
    assert not first.metadata.keys() & {"caption", "label_0", "user_id", "image_0_uid"}


def test_pick_a_pic_in_parquet_leaves_the_images_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet files need pyarrow")
    pyarrow = pytest.importorskip("pyarrow")
    rows = [
        PICK | {"jpg_0": b"\xff\xd8", "jpg_1": b"\xff\xd8", "__index_level_0__": i} for i in (5, 6)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    wanted: list[list[str]] = []

    class Watched(parquet.ParquetFile):  # type: ignore[misc,name-defined]  # known at run time
        def iter_batches(self, *, columns: list[str], **settings: Any) -> Any:
            wanted.append(columns)
            return super().iter_batches(columns=columns, **settings)

    monkeypatch.setattr(parquet, "ParquetFile", Watched)
    comparisons = read_pick_a_pic(tmp_path / "p.parquet")
    assert wanted
    assert not {"jpg_0", "jpg_1"} & set(wanted[0])
    assert [c.picked for c in comparisons] == [0, 0]
    assert comparisons[1].metadata.keys() == {
        "are_different",
        "best_image_uid",
        "created_at",
        "has_label",
        "model_0",
        "model_1",
        "ranking_id",
    }


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ("label_1", 1.0, r"label_0 and label_1 are 1 and 0, .* not \(1\.0, 1\.0\)"),
        ("label_0", [1], r"label_0 and label_1 are .* not \(\[1\], 0\.0\)"),
        ("label_0", None, r"label_0 and label_1 are .* not \(None, 0\.0\)"),
        ("caption", None, "caption is a text, not None"),
        ("user_id", 1.5, r"user_id is a name or a number, not 1\.5"),
        ("image_1_uid", None, "image_1_uid is a name"),
    ],
)
def test_pick_a_pic_names_the_row_and_the_rule(
    tmp_path: Path, at: str, value: Any, message: str
) -> None:
    path = write(tmp_path / "p.jsonl", PICK, changed(PICK, at, value))
    with pytest.raises(LogError, match=rf"p\.jsonl, line 2: {message}"):
        read_pick_a_pic(path)


def reply(turn: int, order: int, text: str, score: int, *, chosen: bool) -> Row:
    return {
        "turn": turn,
        "role": "model",
        "content": text,
        "within_turn_id": order,
        "model_name": f"m{order}",
        "score": score,
        "if_chosen": chosen,
    }


CONVERSATION: Row = {
    "conversation_id": "c0",
    "user_id": "user0",
    "conversation_type": "unguided",
    "conversation_history": [
        {"turn": 0, "role": "user", "content": "Hello"},
        reply(0, 2, "Yo", 30, chosen=False),
        reply(0, 0, "Good day", 90, chosen=True),
        reply(0, 1, "Hi", 30, chosen=False),
        {"turn": 1, "role": "user", "content": "Sing"},
        reply(1, 0, "La", 50, chosen=False),
        reply(1, 1, "Li", 50, chosen=True),
        {"turn": 2, "role": "user", "content": "Stop"},
        reply(2, 0, "No", 10, chosen=False),
        reply(2, 1, "Yes", 20, chosen=True),
    ],
}


def utterances(conversation: Row) -> list[Row]:
    """The same conversation, a row a reply; not in order."""
    asked = {
        m["turn"]: m["content"] for m in conversation["conversation_history"] if m["role"] == "user"
    }
    rows = []
    for i, m in enumerate(conversation["conversation_history"]):
        if m["role"] == "model":
            rows.append(
                {
                    "utterance_id": f"ut{i}",
                    "interaction_id": f"int{m['turn']}",
                    "conversation_id": conversation["conversation_id"],
                    "user_id": conversation["user_id"],
                    "conversation_type": conversation["conversation_type"],
                    "turn": m["turn"],
                    "within_turn_id": m["within_turn_id"],
                    "user_prompt": asked[m["turn"]],
                    "model_response": m["content"],
                    "model_name": m["model_name"],
                    "score": m["score"],
                    "if_chosen": m["if_chosen"],
                }
            )
    return rows[::-1]


def as_conversations(path: Path) -> Path:
    return write(path / "conversations.jsonl", CONVERSATION)


def as_utterances(path: Path) -> Path:
    return write(path / "utterances.jsonl", *utterances(CONVERSATION))


def as_packed_utterances(path: Path) -> Path:
    plain = as_utterances(path)
    packed = plain.with_name("utterances.jsonl.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    return packed


def as_parquet(path: Path) -> Path:
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet files need pyarrow")
    pyarrow = pytest.importorskip("pyarrow")
    parquet.write_table(pyarrow.Table.from_pylist([CONVERSATION]), path / "c.parquet")
    return path / "c.parquet"


@pytest.mark.parametrize(
    "written", [as_conversations, as_utterances, as_packed_utterances, as_parquet]
)
def test_prism(tmp_path: Path, written: Callable[[Path], Path]) -> None:
    first, second, third = read_prism(written(tmp_path))
    assert (first.prompt, first.person) == ("Hello", "user0")
    assert first.options == ("Good day", "Hi", "Yo")
    assert first.picked == 0
    assert first.metadata == {
        "conversation_id": "c0",
        "conversation_type": "unguided",
        "turn": 0,
        "models": ["m0", "m1", "m2"],
        "scores": [90.0, 30.0, 30.0],
    }
    # The highest score is shared: what was chosen there was drawn by chance, but it was gone on
    # with.
    assert second.prompt == "user: Hello\n\nassistant: Good day\n\nuser: Sing"
    assert second.picked == "tie"
    assert third.prompt.endswith("user: Sing\n\nassistant: Li\n\nuser: Stop")
    assert third.picked == 1


def test_a_turn_with_one_reply_is_left_out_and_counted(tmp_path: Path) -> None:
    one = changed(CONVERSATION, "conversation_history", CONVERSATION["conversation_history"][:-1])
    path = write(tmp_path / "c.jsonl", one)
    with pytest.warns(UserWarning, match="^1 turns in .* have one reply"):
        assert len(read_prism(path)) == 2
    none = changed(one, "conversation_history", one["conversation_history"][:2])
    with pytest.raises(LogError, match="holds no turn with several replies"):
        read_prism(write(tmp_path / "d.jsonl", none))


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        ("user_id", None, "line 1: user_id is a name"),
        ("conversation_id", [], "line 1: conversation_id is a name"),
        ("conversation_history", "x", "line 1: conversation_history is a list of objects"),
        ("conversation_history.1.score", "9", "conversation_history, message 2: score is a number"),
        ("conversation_history.1.score", True, "message 2: score is a number, not True"),
        ("conversation_history.1.turn", -1, "message 2: turn is a whole number from 0, not -1"),
        ("conversation_history.1.role", "bot", "message 2: role is 'user' or 'model', not 'bot'"),
        ("conversation_history.1.content", None, "message 2: content is a text, not None"),
        ("conversation_history.0.content", 1, "message 1: content is a text, not 1"),
        ("conversation_history.7.turn", 5, "conversation c0: turn 2 has replies and no message"),
    ],
)
def test_prism_names_the_row_and_the_rule(
    tmp_path: Path, at: str, value: Any, message: str
) -> None:
    path = write(tmp_path / "c.jsonl", changed(CONVERSATION, at, value))
    with pytest.raises(LogError, match=rf"c\.jsonl, .*{message}"):
        read_prism(path)


@pytest.mark.parametrize("read", [read_reddit_tldr, read_pick_a_pic, read_prism])
def test_files_that_hold_nothing_or_are_absent(
    tmp_path: Path, read: Callable[[Path], list[Any]]
) -> None:
    with pytest.raises(LogError, match="holds no"):
        read(write(tmp_path / "empty.json"))
    with pytest.raises(LogError, match=r"cannot read .*absent"):
        read(tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(LogError, match="line 1: not JSON"):
        read(tmp_path / "bad.json")


def test_read_people_tells_them_apart_by_the_first_row(tmp_path: Path) -> None:
    trl = {"prompt": "p", "chosen": "a", "rejected": "b", "user_id": "ann"}
    files = {
        "tldr": write(tmp_path / "tldr.json", SUMMARIES),
        "prism": write(tmp_path / "prism.jsonl", CONVERSATION),
        "prism long": write(tmp_path / "prism2.jsonl", *utterances(CONVERSATION)),
        "trl": write(tmp_path / "trl.jsonl", trl),
    }
    people = {name: read_people(path)[0].person for name, path in files.items()}
    assert people == {
        "tldr": "w1",
        "prism": "user0",
        "prism long": "user0",
        "trl": "ann",
    }
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "batch1.json", SUMMARIES)
    assert len(read_people(folder)) == 1
    with pytest.raises(LogError, match="holds no comparison"):
        read_people(write(tmp_path / "empty.jsonl"))
    with pytest.raises(LogError, match=r"picks\.jsonl compares images by their ids"):
        read_people(write(tmp_path / "picks.jsonl", PICK))
