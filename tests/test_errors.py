"""Every error is caught as palate's own and as the builtin that it resembles."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from palate import errors
from palate.elicitation import Elicitation
from palate.errors import (
    AnswerError,
    ConflictError,
    FingerprintError,
    LogError,
    MissingExtraError,
    ModelError,
    PalateError,
    ParameterError,
    PoolError,
    StoreError,
    UnknownIdError,
    UnknownQueryError,
)
from palate.feedback import Query
from palate.pool import Pool
from palate.strategies import UserAlign, WinnerStays

BUILTINS: dict[type[PalateError], type[Exception]] = {
    ParameterError: ValueError,
    PoolError: ValueError,
    AnswerError: ValueError,
    ConflictError: ValueError,
    UnknownQueryError: KeyError,
    UnknownIdError: KeyError,
    StoreError: RuntimeError,
    LogError: ValueError,
    FingerprintError: ValueError,
    MissingExtraError: ImportError,
    ModelError: RuntimeError,
}


def test_every_error_is_listed_here() -> None:
    ours = {c for _, c in inspect.getmembers(errors, inspect.isclass)}
    assert ours - {PalateError} == set(BUILTINS)


@pytest.mark.parametrize(("error", "builtin"), BUILTINS.items())
def test_every_error_is_a_palate_error_and_its_builtin(
    error: type[PalateError], builtin: type[Exception]
) -> None:
    assert issubclass(error, PalateError)
    assert issubclass(error, builtin)
    with pytest.raises(builtin, match="what was wrong"):
        raise error("what was wrong")


@pytest.mark.parametrize("error", BUILTINS)
def test_every_error_reads_as_the_sentence_it_was_given(error: type[PalateError]) -> None:
    """KeyError by itself would show its argument in quotes."""
    sentence = 'it\'s "wrong"\nand how'
    assert str(error(sentence)) == sentence
    assert str(error()) == ""


def test_a_fingerprint_error_is_a_log_error() -> None:
    assert issubclass(FingerprintError, LogError)


def unknown_query() -> None:
    elicitation = Elicitation(Pool("Which?", ["a", "b", "c"]), WinnerStays())
    elicitation.tell(Query(3, (0, 2), ("r1", "r3")), 0)


def bad_answer() -> None:
    elicitation = Elicitation(Pool("Which?", ["a", "b", "c"]), WinnerStays())
    query = elicitation.ask()
    assert query is not None
    elicitation.tell(query, 2)


@pytest.mark.parametrize(
    ("cause", "error", "said"),
    [
        (lambda: UserAlign(epsilon=4.0), ParameterError, ["epsilon", "4.0", "norm_bound=3.0"]),
        (lambda: UserAlign(max_steps=-2), ParameterError, ["max_steps", "-2", "at least 0"]),
        (lambda: Pool("Which?", []), PoolError, ["at least one response"]),
        (
            lambda: Pool("Which?", ["a", "b"], np.ones((3, 2))),
            PoolError,
            ["(3, 2)", "(2, d)", "one row a response"],
        ),
        (
            lambda: Pool("Which?", ["a", "b"], [[0.0], [1.0]], scaling="thirds"),  # type: ignore[arg-type]
            PoolError,
            ["'thirds'", "half, diameter, none"],
        ),
        (unknown_query, UnknownQueryError, ["query 3", "r1, r3", "answer what ask() returns"]),
        (bad_answer, AnswerError, ["0 to 1", "'tie' or 'skip'", "not 2"]),
        (
            lambda: Elicitation.from_json("{", Pool("Which?", ["a"])),
            LogError,
            ["not JSON", "line 1"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None) if isinstance(value, type) else None,
)
def test_messages_name_the_value_and_the_rule(
    cause: object, error: type[PalateError], said: list[str]
) -> None:
    assert callable(cause)
    with pytest.raises(error) as caught:
        cause()
    message = str(caught.value)
    assert all(part in message for part in said), message
    assert not message.startswith(("'", '"'))
    assert "\n" not in message
