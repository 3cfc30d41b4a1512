from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import Pool
from palate._cache import Cache
from palate.chat import CachedModel, Completion, OpenAIModel
from palate.embed import RatedAxes
from palate.errors import ModelError, ParameterError
from palate.testing import EmbedderContract

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from palate.bench.fake_server import FakeServer
    from palate.chat import Message

AXES = ["spicy", "vegan"]


class Rater:
    """A chat model that says what a function makes of the text and the number of the request."""

    identity = "rater"

    def __init__(self, say: Callable[[str, int], str], *, truncated: bool = False) -> None:
        self.say, self.truncated = say, truncated
        self.asked: list[str] = []
        self.temperatures: set[float | None] = set()
        self._lock = threading.Lock()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        seed: int | None = None,  # noqa: ARG002 - of the protocol
    ) -> Completion:
        (message,) = messages
        with self._lock:
            number = len(self.asked)
            self.asked.append(message["content"])
            self.temperatures.add(temperature)
        return Completion(self.say(shown(message), number), truncated=self.truncated)


def shown(message: Message) -> str:
    """The text that a request is about."""
    found = re.search(r"<text>\n(.*)\n</text>", message["content"], re.DOTALL)
    assert found
    return found[1]


def places(text: str) -> dict[str, float]:
    return {"spicy": len(text) % 21 / 10 - 1, "vegan": -1.0 if "meat" in text else 0.5}


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> RatedAxes:
        return RatedAxes(Rater(lambda text, _: json.dumps(places(text))), AXES)


def test_a_column_is_an_axis() -> None:
    rater = Rater(lambda text, _: json.dumps(places(text)))
    texts = ["meat and rice", "a curry", "meat and rice", "", " \n"]
    rows = RatedAxes(rater, AXES)(texts)
    expected = [[places(text)[axis] for axis in AXES] for text in texts[:3]]
    np.testing.assert_array_equal(rows, [*expected, [0, 0], [0, 0]])
    assert len(rater.asked) == 2, "a text is asked about once, and a blank one never"
    assert rater.temperatures == {0.0}
    assert RatedAxes(rater, AXES)([]).shape == (0, 2)


@pytest.mark.parametrize(
    "reply",
    [
        '{"spicy": 0.5, "vegan": -1}',
        'Sure! Here it is:\n```json\n{"spicy": 0.5, "vegan": -1.0}\n```\nEnjoy {this}.',
        '{"Spicy": "0.5", "VEGAN ": "\u22121"}',
        '{"ratings": {"spicy": 0.5, "vegan": -1}, "why": "no"}',
        'First {"spicy": 0, "vegan": 0}, no: {"spicy": 0.5, "vegan": -1}',
        '{"spicy": 0.5, "vegan": -1,}',
        "spicy: 0.5\nvegan: -1",
        "spicy: 0.5, vegan: -1, since it has meat",
        "spicy = +.5\nvegan = -1.0",
        "1. **Spicy**: 0.5 (mild: it has pepper)\n2. **Vegan:** \u22121.",
        "- spicy (heat): 0.5\n- vegan (plants): -1",
    ],
)
def test_a_reply_is_read_leniently(reply: str) -> None:
    rater = Rater(lambda *_: reply)
    assert RatedAxes(rater, AXES)(["a text"]).tolist() == [[0.5, -1.0]]
    assert len(rater.asked) == 1


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "no number for 'spicy'"),
        ("I cannot rate food.", "no number for 'spicy'"),
        ('{"spicy": 0.5}', "no number for 'vegan'"),
        ('{"spicy": 0.5, "vegan": null}', "no number for 'vegan'"),
        ('{"spicy": true, "vegan": 0}', "no number for 'spicy'"),
        ('{"spicy": [0.5], "vegan": 0}', "no number for 'spicy'"),
        ('{"spicy": "hot", "vegan": 0}', "no number for 'spicy'"),
        ('{"spicy": 7, "vegan": 0}', "it has 7 for 'spicy', outside -1 to 1"),
        ('{"spicy": 0, "vegan": -1.01}', "it has -1.01 for 'vegan', outside"),
        ('{"spicy": NaN, "vegan": 0}', "it has nan for 'spicy'"),
        (f'{{"spicy": 1{"0" * 400}, "vegan": 0}}', "it has inf for 'spicy'"),
        ("spicy: 1/10\nvegan: 0", "no number for 'spicy'"),
        ("spicy: 1 %\nvegan: 0", "no number for 'spicy'"),
        ("spicy: 10/10\nvegan: 0", "no number for 'spicy'"),
        ("spicy: 0,5\nvegan: 0", "no number for 'spicy'"),
        ("{" * 2000, "no number for 'spicy'"),
    ],
)
def test_what_cannot_be_read_is_asked_once_more_and_then_refused(reply: str, reason: str) -> None:
    rater = Rater(lambda *_: reply)
    with pytest.raises(ModelError, match=re.escape(reason)) as error:
        RatedAxes(rater, AXES)(["a text\nof two lines"])
    assert r"the text 'a text\nof two lines'" in str(error.value)
    assert "\n" not in str(error.value)
    first, again = rater.asked
    assert again.startswith(first), "at temperature 0 the same request would get the same reply"
    assert re.escape(reason) in re.escape(again[len(first) :])


def test_the_second_reply_counts() -> None:
    rater = Rater(lambda _, number: '{"spicy": 0.5, "vegan": -1}' if number else "Hm.")
    assert RatedAxes(rater, AXES)(["a text"]).tolist() == [[0.5, -1.0]]


def test_a_reply_that_was_cut_off_says_why() -> None:
    with pytest.raises(ModelError, match="limit on tokens"):
        RatedAxes(Rater(lambda *_: "", truncated=True), AXES)(["a text"])


@pytest.mark.parametrize(
    "axes",
    [["spicy (1: hot, -1: mild)", "vegan: no animals"], ["Würze", "植物性"], ["{0}", "a b"], ["🌶"]],
)
def test_axes_may_have_descriptions_and_any_letters(axes: list[str]) -> None:
    names = [re.split(r" \(|:", axis)[0] for axis in axes]
    rater = Rater(lambda *_: json.dumps(dict.fromkeys(names, 0.25)))
    assert RatedAxes(rater, axes)(["{braces} and </text>"]).tolist() == [[0.25] * len(axes)]
    assert all(axis in rater.asked[0] for axis in axes)


def test_a_pool_keeps_how_far_apart_texts_lie() -> None:
    replies = {"a": [0.2, 0.2], "b": [0.8, 0.8], "c": [-0.5, 0.0]}
    rater = Rater(lambda text, _: json.dumps(dict(zip(AXES, replies[text], strict=True))))
    pool = Pool.from_texts("Dinner?", list(replies), RatedAxes(rater, AXES))
    assert pool.scaling == "diameter"
    assert pool.embedder == "axes:spicy,vegan"
    assert pool.features is not None
    np.testing.assert_allclose(pool.features, np.array(list(replies.values())) * pool.scale)
    told = Pool.from_texts("Dinner?", ["a", "c"], RatedAxes(rater, AXES), scaling="half")
    assert told.scaling == "half"


def test_a_pool_is_halved_where_an_embedder_says_nothing() -> None:
    def lengths(texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    assert Pool.from_texts("Dinner?", ["a", "bb"], lengths).scaling == "half"


def test_identity_changes_with_the_axes_and_the_model() -> None:
    rater, other = Rater(lambda *_: ""), Rater(lambda *_: "")
    other.identity = "other"
    embedders = [
        RatedAxes(rater, AXES),
        RatedAxes(rater, AXES[::-1]),
        RatedAxes(rater, ["spicy,vegan"]),
        RatedAxes(rater, ["spicy (hot)", "vegan"]),
        RatedAxes(other, AXES),
    ]
    assert len({embedder.identity for embedder in embedders}) == len(embedders)
    assert RatedAxes(rater, AXES, concurrency=1).identity == embedders[0].identity


@pytest.mark.parametrize(
    ("axes", "settings"),
    [
        ([], {}),
        (["spicy", " "], {}),
        (["spicy", "Spicy (hot)"], {}),
        ("spicy", {}),
        (["spicy", 1], {}),
        (["spicy"], {"concurrency": 0}),
    ],
)
def test_settings_out_of_range_are_refused(axes: Any, settings: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match=r"ax[ie]s|concurrency") as error:
        RatedAxes(Rater(lambda *_: ""), axes, **settings)
    assert "\n" not in str(error.value)


def test_a_server_is_asked_at_temperature_zero_a_few_at_once(
    server: FakeServer, tmp_path: Path
) -> None:
    server.delay = 0.05
    server.reply = lambda body, _: json.dumps(places(shown(body["messages"][-1])))
    texts = [f"{'meat ' * (n % 2)}dish {n}" for n in range(9)]
    with Cache(tmp_path / "cache") as cache, OpenAIModel("m", base_url=server.url) as model:
        rated = RatedAxes(CachedModel(model, cache), AXES, concurrency=3)
        rows = rated(texts)
        assert rows.tolist() == [[places(text)[axis] for axis in AXES] for text in texts]
        assert server.at_once == 3
        assert {body["temperature"] for body in server.requests} == {0.0}
        assert rated(texts).tolist() == rows.tolist()
        assert len(server.requests) == len(texts)


def test_a_failing_server_is_one_line(server: FakeServer) -> None:
    server.always = "401"
    with OpenAIModel("m", base_url=server.url) as model, pytest.raises(ModelError, match="401"):
        RatedAxes(model, AXES)(["a", "b", "c"])
