"""Vocabularies: the shipped ones, those of a file, and the problem that they make."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate._cache import Cache
from palate.design import (
    Vocabulary,
    Words,
    load_vocabulary,
    problem_from,
    prompt_text,
    read_vocabulary,
)
from palate.embed import CachedEmbedder, default_embedder
from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate._typing import FloatArray

SLOTS = [
    {"name": "subject", "tokens": ["a cat", "a dog", "a heron"]},
    {"name": "light", "tokens": ["", "dawn", "noon"]},
]


def letters(texts: Sequence[str]) -> FloatArray:
    """Counts of three letters."""
    return np.array([[float(text.count(c)) for c in "aon"] for text in texts])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a vocabulary of two slots."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(SLOTS), encoding="utf-8")
    return path


def test_the_balanced_vocabulary_says_many_things() -> None:
    vocabulary = load_vocabulary("balanced")
    assert [slot.name for slot in vocabulary.slots] == (
        "subject ambience style composition lighting detail".split()
    )
    sizes = [len(slot.tokens) for slot in vocabulary.slots]
    assert sizes[0] >= 36
    assert min(sizes[1:]) >= 100
    assert len(vocabulary) == sum(sizes) >= 520
    tokens = Counter(token.casefold() for slot in vocabulary.slots for token in slot.tokens)
    assert max(tokens.values()) == 1
    assert all(token and "," not in token and len(token) < 60 for token in tokens)
    rows = problem_from(vocabulary)
    for slot in rows.slots:
        cosine = slot.features @ slot.features.T - 2.0 * np.eye(len(slot.tokens))
        assert cosine.max() < 0.97, "two tokens of a slot say the same"


def test_the_redundant_vocabulary_says_few_things_often() -> None:
    vocabulary, balanced = load_vocabulary("redundant"), load_vocabulary("balanced")
    assert [len(slot.tokens) for slot in vocabulary.slots] == [350] * 6
    for slot, source in zip(vocabulary.slots, balanced.slots, strict=True):
        kept = slot.tokens[:30]
        assert set(kept) <= set(source.tokens)
        repeated = Counter(token.split(" ", 1)[1] for token in slot.tokens[30:])
        assert set(repeated) <= set(kept)
        assert list(repeated.values()) == [80] * 4
        adverbs = {token.split(" ", 1)[0] for token in slot.tokens[30:]}
        assert len(adverbs) == 80
    assert vocabulary.fingerprint != balanced.fingerprint
    assert vocabulary.fingerprint == load_vocabulary("redundant").fingerprint


def test_no_other_vocabulary_is_shipped() -> None:
    with pytest.raises(ParameterError, match="no shipped vocabulary 'large'"):
        load_vocabulary("large")  # type: ignore[arg-type]


def test_a_file_of_slots_is_a_vocabulary(path: Path) -> None:
    vocabulary = read_vocabulary(path)
    expected = (
        Words("subject", ("a cat", "a dog", "a heron")),
        Words("light", ("", "dawn", "noon")),
    )
    assert vocabulary == Vocabulary("mine", expected)


def test_features_are_embeddings_of_unit_length_and_blank_adds_nothing(path: Path) -> None:
    asked: list[Sequence[str]] = []

    def embed(texts: Sequence[str]) -> FloatArray:
        asked.append(texts)
        return letters(texts)

    problem = problem_from(read_vocabulary(path), embed, weights=[1.0, 2.5])
    assert asked == [["a cat", "a dog", "a heron", "dawn", "noon"]]
    raw = letters(["a cat", "a dog", "a heron", "x", "dawn", "noon"])
    length = np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(problem.slots[0].features, (raw / length)[:3])
    np.testing.assert_allclose(problem.slots[1].features, (raw / length)[3:])
    assert [slot.weight for slot in problem.slots] == [1.0, 2.5]
    assert [slot.tokens for slot in problem.slots] == [
        ("a cat", "a dog", "a heron"),
        ("", "dawn", "noon"),
    ]


def test_the_default_embedder_is_the_shipped_one(path: Path, tmp_path: Path) -> None:
    vocabulary = read_vocabulary(path)
    problem = problem_from(vocabulary)
    assert problem.d == 64
    np.testing.assert_array_equal(
        problem.slots[0].features,
        problem_from(vocabulary, default_embedder()).slots[0].features,
    )
    with Cache(tmp_path / "cache.sqlite") as cache:
        for _ in range(2):
            cached = problem_from(vocabulary, CachedEmbedder(default_embedder(), cache))
            np.testing.assert_array_equal(cached.slots[1].features, problem.slots[1].features)


def test_a_prompt_is_its_tokens_without_the_blank_ones() -> None:
    assert prompt_text(["a cat", "", "dawn"]) == "a cat, dawn"
    assert prompt_text(["", ""]) == ""


def test_an_embedder_that_fails_is_named(path: Path) -> None:
    def wrong(texts: Sequence[str]) -> FloatArray:
        return letters(texts)[:-1]

    with pytest.raises(ModelError, match="shape"):
        problem_from(read_vocabulary(path), wrong)
    with pytest.raises(ParameterError, match="2 slots have 3 weights"):
        problem_from(read_vocabulary(path), letters, weights=[1, 1, 1])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[", "is not JSON"),
        ("{}", "a vocabulary is a list of slots, not dict"),
        ("[]", "has no slot"),
        ('["cat"]', "slot 1: a slot is"),
        ('[{"name": "a"}]', "slot 1: a slot is"),
        ('[{"name": 3, "tokens": ["x", "y"]}]', "slot 1: a slot is"),
        ('[{"name": "a", "tokens": ["x"]}]', "the slot 'a' needs at least two tokens, not 1"),
        ('[{"name": "a", "tokens": ["x", 7]}]', "not 7"),
        ('[{"name": "a", "tokens": ["x", " y"]}]', "a text of one line, trimmed, not ' y'"),
        ('[{"name": "a", "tokens": ["x", "y\\nz"]}]', "a text of one line"),
        ('[{"name": "a", "tokens": ["sun", "Sun"]}]', "holds the token 'Sun' twice"),
        ('[{"name": "", "tokens": ["x", "y"]}]', "slot 1 of mine: '' must be a text"),
        (json.dumps(SLOTS[:1] * 2), "slot 2 of mine: 'subject' must be a text, given once"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_damaged_file_is_one_line(path: Path, content: str, says: str) -> None:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        read_vocabulary(path)
    message: Any = str(caught.value)
    assert says in message
    assert str(path) in message
    assert message.isprintable()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot read .*none\.json: No such file"):
        read_vocabulary(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParameterError, match="is not JSON"):
        read_vocabulary(tmp_path / "binary.json")
