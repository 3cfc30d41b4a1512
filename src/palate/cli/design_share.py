"""The questions of a plan for many people: handed out as links of a service, and collected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from palate._beside import beside
from palate.design import QueryFile
from palate.errors import LogError, ParameterError
from palate.pool import Pool
from palate.store import every
from palate.strategies import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from palate.cli.design_source import Source
    from palate.feedback import Answer, Picked, Query
    from palate.store import Store, StoredElicitation


@dataclass(frozen=True, slots=True)
class Shared:
    """One person's run of a plan.

    Attributes:
        elicitation: its id, which the link ends with.
        person: their name, or their id where they have none.
        answered: how many questions have an answer.
    """

    elicitation: str
    person: str
    answered: int


def share(
    store: Store, file: QueryFile, source: Source, names: Sequence[str], nameless: int
) -> Iterator[Shared]:
    """Hand the questions to people; who has them already gets the same link again.

    Args:
        store: of the service.
        file: the questions; answers in it stay where they are.
        source: what they are about.
        names: of people.
        nameless: how many more.

    Raises:
        ParameterError: they are about several prompts.
    """
    pool, strategy = _pool(file, source), Planned(_queries(file))
    known = {shared.person: shared for _, shared in _runs(store, file, pool)}
    stored: str | None = None
    for name in [*names, *[None] * nameless]:
        if name in known:
            yield known[name]
            continue
        stored = stored or store.add_pool(pool)
        person = store.add_person(name)
        yield Shared(store.start(person, stored, strategy), name or person, 0)


def collect(store: Store, file: QueryFile, source: Source, folder: Path) -> Iterator[Shared]:
    """Write the answers of everybody who was handed the questions, a file of queries each.

    Args:
        store: of the service.
        file: the questions.
        source: what they are about.
        folder: for files named after people; those there are replaced, whole or not at all.

    Raises:
        ParameterError: nobody was handed them, or two people's names make one file name.
        LogError: a file cannot be written.
    """
    runs = list(_runs(store, file, _pool(file, source)))
    if not runs:
        msg = f"nobody was handed {file.path} in this database; palate design share does it"
        raise ParameterError(msg)
    paths: dict[Path, str] = {}
    for stored, shared in runs:
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', shared.person)}.jsonl"
        if paths.setdefault(path, stored.person) != stored.person or path == file.path:
            msg = f"{shared.person!r} has a name whose file, {path}, is taken; rename one"
            raise ParameterError(msg)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with beside(path) as name:
                _write(name, file, store.answers(stored.id))
        except OSError as error:
            msg = f"cannot write {path}: {error.strerror or error}"
            raise LogError(msg) from error
        yield shared


def _write(path: Path, file: QueryFile, answers: Sequence[Answer]) -> None:
    with QueryFile.create(path, file.planned, file.asked, file.settings) as copy:
        for number, answer in enumerate(answers):
            picked = _as_planned(answer, file.asked.queries[number])
            copy.tell(number, picked, seconds=answer.seconds, at=answer.at)


def _as_planned(answer: Answer, query: Query) -> Picked:
    """An answer by the positions that the plan gave the options."""
    place = {option: i for i, option in enumerate(query.options)}
    if isinstance(answer.picked, str):
        return answer.picked
    if isinstance(answer.picked, tuple):
        return tuple(place[answer.query.options[i]] for i in answer.picked)
    return place[answer.query.options[answer.picked]]


def _pool(file: QueryFile, source: Source) -> Pool:
    """What the questions show, with features for the best so far."""
    if len(source.pools) > 1:
        raise ParameterError(
            "a service asks about one prompt at a time, and this plan is about several; they are "
            "asked by palate design ask"
        )
    question = source.question(0) or file.asked.pool.prompt
    features = file.asked.features(source.problem)
    return Pool(question, file.asked.pool.responses, features, scaling="diameter")


def _queries(file: QueryFile) -> tuple[tuple[int, ...], ...]:
    return tuple(query.options for query in file.asked.queries)


def _runs(store: Store, file: QueryFile, pool: Pool) -> Iterator[tuple[StoredElicitation, Shared]]:
    """The elicitations in which the questions are asked, oldest first."""
    queries = [list(query) for query in _queries(file)]
    same: dict[str, bool] = {}
    for stored in every(lambda after: store.elicitations(after=after)):
        if stored.strategy.get("queries") != queries:
            continue
        if stored.pool not in same:
            there = store.pool(stored.pool)
            same[stored.pool] = there.content_fingerprint == pool.content_fingerprint
        if same[stored.pool]:
            name = store.person(stored.person).name
            yield stored, Shared(stored.id, name or stored.person, stored.answers)
