"""The lines of a file of queries, written and read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from palate.design.people import Questions
from palate.design.queries import PlannedQuery
from palate.errors import AnswerError, LogError, PoolError
from palate.feedback import Answer, Query, check_picked
from palate.pool import Pool, Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_Line: TypeAlias = "tuple[int, Mapping[str, Any]]"

FORMAT, VERSION = "palate queries", 1


def header_of(
    planned: Sequence[PlannedQuery], asked: Questions, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The first line."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "queries": len(planned),
        "question": asked.pool.prompt,
        "shows": asked.shows,
        "settings": dict(settings),
    }


def query_lines(
    planned: Sequence[PlannedQuery], asked: Questions, folder: Path
) -> Iterator[dict[str, Any]]:
    """A line a query: its options as token indices, as texts and, if rendered, as pictures."""
    for plan, query in zip(planned, asked.queries, strict=True):
        shown = [asked.pool.responses[i] for i in query.options]
        line = {
            "query": query.number,
            "episode": plan.episode,
            "depth": plan.depth,
            "options": [list(map(int, option)) for option in plan.options],
            "prompts": [r.metadata.get("prompt", r.text) for r in shown],
        }
        if any(r.image for r in shown):
            line["images"] = [r.image and _from(folder, r.image) for r in shown]
        if [r.text for r in shown if r.text] not in (line["prompts"], []):
            line["texts"] = [r.text for r in shown]
        yield line


def parsed(
    path: Path, header: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], tuple[PlannedQuery, ...], Questions, dict[int, Answer]]:
    """Settings, queries, their pool and the answers of a file.

    Raises:
        LogError: what is wrong, with the number of the line.
    """
    n = _checked_header(path, header)
    lines, said = _sorted_out(path, n, records)
    planned: list[PlannedQuery] = []
    queries: list[Query] = []
    responses: dict[str, Response] = {}
    for number, (line, record) in enumerate(lines):
        try:
            planned.append(_plan(record, number))
            shown = _responses(record, len(planned[-1].options), path.parent)
        except (KeyError, TypeError, ValueError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            msg = f"{path}, line {line}: this is not query {number} ({why})"
            raise LogError(msg) from error
        for response in shown:
            responses.setdefault(response.id, response)
        ids = tuple(response.id for response in shown)
        places = {name: place for place, name in enumerate(responses)}
        queries.append(Query(number, tuple(places[name] for name in ids), ids))
    prompts = _prompts(planned, queries)
    try:
        pool = Pool(header["question"], responses.values())
    except PoolError as error:
        msg = f"{path}: the options of its queries are no pool ({error})"
        raise LogError(msg) from error
    answers = {}
    for line, record in said:
        try:
            answer = answer_of(record, queries)
        except AnswerError as error:
            msg = f"{path}, line {line}: {error}"
            raise LogError(msg) from error
        answers[answer.query.number] = answer
    asked = Questions(pool, tuple(queries), prompts, header["shows"])
    return dict(header["settings"]), tuple(planned), asked, answers


def _sorted_out(
    path: Path, n: int, records: Sequence[Mapping[str, Any]]
) -> tuple[list[_Line], list[_Line]]:
    """The n queries as they were planned last, and the answers, with the numbers of their lines.

    Raises:
        LogError: a query is missing, or what was planned anew does not fit.
    """
    if len(records) < n:
        msg = f"{path} should hold {n} queries and holds {len(records)}; it was cut off"
        raise LogError(msg)
    queries = list(enumerate(records[:n], start=2))
    answers = []
    for line, record in enumerate(records[n:], start=n + 2):
        if "replanned" not in record:
            answers.append((line, record))
            continue
        anew = record["replanned"]
        if not isinstance(anew, list) or not 1 <= len(anew) <= n:
            msg = f"{path}, line {line}: it should hold queries, 1 to {n} of them"
            raise LogError(msg)
        queries[n - len(anew) :] = [(line, query) for query in anew]
    return queries, answers


def answer_of(record: Mapping[str, Any], queries: Sequence[Query]) -> Answer:
    """The answer of a line.

    Raises:
        AnswerError: it is none, or to no query.
    """
    number, at, seconds = record.get("answer"), record.get("at", ""), record.get("seconds")
    if type(number) is not int or not 0 <= number < len(queries):
        msg = f"an answer is to a query from 0 to {len(queries) - 1}, not to {number!r}"
        raise AnswerError(msg)
    timed = isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0.0
    if not isinstance(at, str) or not (seconds is None or timed):
        msg = f"an answer's time is a text and its seconds a number, not {at!r} and {seconds!r}"
        raise AnswerError(msg)
    query = queries[number]
    return Answer(query, check_picked(record.get("picked"), query), at, seconds)


def _checked_header(path: Path, header: Mapping[str, Any]) -> int:
    """How many queries the file holds."""
    if header.get("format") != FORMAT:
        msg = f"{path} is no file of queries; its first line does not say so"
        raise LogError(msg)
    if header.get("version") != VERSION:
        msg = f"{path} has version {header.get('version')!r}, this palate reads {VERSION}"
        raise LogError(msg)
    n = header.get("queries")
    fits = type(n) is int and n >= 1 and isinstance(header.get("question"), str)
    fits = fits and header.get("shows") in {"prefix", "token"}
    if not fits or not isinstance(header.get("settings"), dict):
        msg = f"{path}, line 1: queries, question, shows or settings is missing or damaged"
        raise LogError(msg)
    return int(n or 0)


def _plan(record: Mapping[str, Any], number: int) -> PlannedQuery:
    if record["query"] != number:
        msg = f"it says {record['query']!r}"
        raise ValueError(msg)
    options = tuple(tuple(_whole(i) for i in option) for option in record["options"])
    if len(options) < 2 or not all(options):
        msg = f"options are two or more lists of tokens, not {record['options']!r}"
        raise ValueError(msg)
    return PlannedQuery(_whole(record["episode"]), _whole(record["depth"]), options)


def _responses(record: Mapping[str, Any], k: int, folder: Path) -> list[Response]:
    """What a query shows."""
    from palate.design.render import response_id  # noqa: PLC0415

    prompts = record["prompts"]
    images = record.get("images", [None] * k)
    texts = record.get("texts", [None] * k if "images" in record else prompts)
    if not len(prompts) == len(images) == len(texts) == k or len(set(prompts)) < k:
        msg = f"{k} options need {k} different prompts, and as many texts or images"
        raise ValueError(msg)
    return [
        Response(
            response_id(prompt),
            text,
            image=None if image is None else str(folder / image),
            metadata={"prompt": prompt},
        )
        for prompt, text, image in zip(prompts, texts, images, strict=True)
    ]


def _prompts(
    planned: Sequence[PlannedQuery], queries: Sequence[Query]
) -> tuple[tuple[int, ...], ...]:
    """The tokens of each response of the pool."""
    tokens: dict[int, tuple[int, ...]] = {}
    for plan, query in zip(planned, queries, strict=True):
        for place, option in zip(query.options, plan.options, strict=True):
            tokens.setdefault(place, option)
    return tuple(tokens[place] for place in range(len(tokens)))


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        msg = f"a whole number of at least 0 is needed, not {value!r}"
        raise ValueError(msg)
    return value


def _from(folder: Path, image: str) -> str:
    """The path of a picture from the file's folder, if it lies in there."""
    path, folder = Path(image).resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
