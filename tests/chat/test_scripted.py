"""The model of scripts keeps to the contract, and to its script."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from palate.errors import ModelError, ParameterError
from palate.testing import Asked, ChatModelContract, ScriptedModel

if TYPE_CHECKING:
    from palate.chat import ChatModel


class TestScriptedModel(ChatModelContract):
    @pytest.fixture(params=["function", "list"])
    def model(self, request: pytest.FixtureRequest) -> ChatModel:
        if request.param == "list":
            return ScriptedModel(["yes"] * 10)
        return ScriptedModel(lambda messages: messages[-1]["content"].upper())


def test_it_says_its_replies_in_order_and_then_no_more() -> None:
    model = ScriptedModel(["a", ""])
    question = {"role": "user", "content": "?"}
    assert model.complete([question], temperature=0.5, seed=3).text == "a"
    question["content"] = "!"
    assert not model.complete([question]).text
    with pytest.raises(ModelError, match="no reply left for request 3"):
        model.complete([question])
    assert model.asked[:2] == [
        Asked(({"role": "user", "content": "?"},), 0.5, 3),
        Asked(({"role": "user", "content": "!"},), None, None),
    ]


def test_threads_share_its_replies() -> None:
    model = ScriptedModel(str(i) for i in range(200))
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(model.complete, []) for _ in range(200)]
        assert sorted(int(one.result().text) for one in asked) == list(range(200))
    assert len(model.asked) == 200


def test_one_text_is_no_list_of_replies() -> None:
    with pytest.raises(ParameterError, match="not a single string"):
        ScriptedModel("yes")
