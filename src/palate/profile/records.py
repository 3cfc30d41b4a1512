"""What a profile consists of: answers with all that they need later, and those taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np

from palate._cache import digest
from palate.elicitation import event_to_object
from palate.errors import LogError, PalateError
from palate.feedback import SKIP, TIE, Answer, Picked, Query, check_picked
from palate.pool import Response, Scaling, check_features, response_to_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from palate._typing import FloatArray
    from palate.elicitation import Elicitation


@dataclass(frozen=True, eq=False, slots=True)
class Remembered:
    """One answer to one prompt, whole without its pool.

    Attributes:
        prompt: what was asked.
        run: which elicitation it is from.
        options: the K responses shown, in the order shown.
        picked: a position in ``options``, an order of them, "tie" or "skip".
        at: when, as an ISO 8601 time in UTC; empty where nobody noted it.
        seconds: how long the person took, or None.
        embedder: what made the features; None where nobody knows, and then there are none.
        scaling: the rule by which they were scaled.
        scale: the factor that it applied.
        features: (K, d) scaled features, or None.
        style: (K, 7) how they are written, beside the others of their pool; None without texts.
    """

    prompt: str
    run: str
    options: tuple[Response, ...]
    picked: Picked
    at: str = ""
    seconds: float | None = None
    embedder: str | None = None
    scaling: Scaling = "half"
    scale: float = 1.0
    features: FloatArray | None = None
    style: FloatArray | None = None

    @property
    def stages(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The picks that the answer amounts to, in positions; see `palate.feedback.stages_of`."""
        return self.answer.stages

    @property
    def made(self) -> tuple[str | None, str, int]:
        """What features must share to be compared: embedder, scaling, how many there are."""
        return self.embedder, self.scaling, 0 if self.features is None else self.features.shape[1]

    @property
    def answer(self) -> Answer:
        """The answer, to a query of a pool that holds no more than what was shown."""
        ids = tuple(response.id for response in self.options)
        query = Query(0, tuple(range(len(ids))), ids)
        return Answer(query, self.picked, self.at, self.seconds)


@dataclass(frozen=True, slots=True)
class Undone:
    """The last answer of a run that stood, taken back.

    Attributes:
        run: which elicitation.
    """

    run: str


Record: TypeAlias = Remembered | Undone


def run_of(elicitation: Elicitation) -> str:
    """A name for an elicitation: what it began with, and when.

    The same pool, seed and settings on another day are another run.
    """
    began = elicitation.log[0].at if elicitation.log else ""
    return digest(json.dumps(elicitation.fingerprint()), began)


def remembered(
    elicitation: Elicitation, answer: Answer, run: str, *, style: bool = True
) -> Remembered:
    """An answer of an elicitation, with what it needs to be understood without it.

    Args:
        elicitation: whose answer it is.
        answer: one that stands.
        run: a name for the elicitation.
        style: whether to keep how the responses are written, if it is known.
    """
    pool, options = elicitation.pool, list(answer.query.options)
    named = pool.features is not None and pool.embedder is not None
    return Remembered(
        pool.prompt,
        run,
        tuple(_bare(pool.responses[i]) for i in options),
        answer.picked,
        answer.at,
        answer.seconds,
        pool.embedder if named else None,
        pool.scaling,
        pool.scale,
        np.asarray(pool.features, dtype=np.float64)[options] if named else None,
        pool.style[options] if style and pool.style is not None else None,
    )


def standing(records: Iterable[Record]) -> list[Remembered]:
    """The answers that were not taken back, in order.

    Raises:
        LogError: something was taken back that was not there.
    """
    answers: list[Remembered] = []
    for record in records:
        if isinstance(record, Remembered):
            answers.append(record)
            continue
        places = [i for i, answer in enumerate(answers) if answer.run == record.run]
        if not places:
            msg = f"an answer of the run {record.run!r} is taken back, and there is none"
            raise LogError(msg)
        del answers[places[-1]]
    return answers


def record_to_object(record: Record) -> dict[str, Any]:
    """A record as JSON values; the answer as it stands in a log, winners by response id."""
    if isinstance(record, Undone):
        return {"undo": record.run}
    event = event_to_object(record.answer)
    kept: dict[str, Any] = {"prompt": record.prompt, "run": record.run}
    kept |= {key: value for key, value in event.items() if key != "query"}
    kept["shown"] = [response_to_object(response) for response in record.options]
    if record.features is not None:
        kept |= {"embedder": record.embedder, "scaling": record.scaling, "scale": record.scale}
        kept["features"] = record.features.tolist()
    if record.style is not None:
        kept["style"] = record.style.tolist()
    return kept


def record_from_object(line: Mapping[str, Any]) -> Record:
    """The record that :func:`record_to_object` wrote.

    Raises:
        LogError: the object is none; the message says what it lacks.
    """
    try:
        return Undone(_text(line["undo"])) if "undo" in line else _answer(line)
    except KeyError as error:
        msg = f"it lacks {error}"
        raise LogError(msg) from error
    except (PalateError, AttributeError, TypeError, ValueError) as error:
        raise LogError(str(error)) from error


def _answer(line: Mapping[str, Any]) -> Remembered:
    options = tuple(Response(r["id"], r.get("text"), r.get("image")) for r in line["shown"])
    ids = tuple(response.id for response in options)
    answer = line["answer"]
    if answer == "pick":
        answer = ids.index(line["picked"])
    elif answer == "order":
        answer = [ids.index(i) for i in line["order"]]
    elif answer not in {TIE, SKIP}:
        msg = f"an answer is 'pick', 'order', 'tie' or 'skip', not {answer!r}"
        raise LogError(msg)
    if len(ids) < 2 or len(set(ids)) < len(ids):
        msg = f"an answer is about two or more different responses, not {ids}"
        raise LogError(msg)
    known: dict[str, Any] = {}
    if line.get("features") is not None:
        if line["scaling"] not in get_args(Scaling) or not float(line["scale"]) > 0.0:
            msg = f"features are scaled by a rule, not {line['scaling']!r}, {line['scale']!r}"
            raise LogError(msg)
        known = {
            "embedder": _text(line["embedder"]),
            "scaling": line["scaling"],
            "scale": float(line["scale"]),
            "features": check_features(line["features"], len(ids)).astype(np.float64),
        }
    if line.get("style") is not None:
        known["style"] = check_features(line["style"], len(ids)).astype(np.float64)
    return Remembered(
        _text(line["prompt"]),
        _text(line["run"]),
        options,
        check_picked(answer, Query(0, tuple(range(len(ids))), ids)),
        _text(line.get("at", "")),
        line.get("seconds"),
        **known,
    )


def same_answers(there: Sequence[Remembered], told: Sequence[Remembered]) -> int:
    """How many answers both begin with, by what was shown and what was picked."""
    pairs = zip(there, told, strict=False)
    differ = (i for i, (a, b) in enumerate(pairs) if (a.options, a.picked) != (b.options, b.picked))
    return next(differ, min(len(there), len(told)))


def _bare(response: Response) -> Response:
    return Response(response.id, response.text, response.image)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"expected a text, not {value!r}"
        raise LogError(msg)
    return value
