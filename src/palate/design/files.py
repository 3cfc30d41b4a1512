"""The file of queries: what was planned, and what a person answered, one JSON object a line.

The first line holds the plan's settings, then comes a line for each query, and a line for each
answer is added as it is given. A process that dies between two answers loses none. Where what is
left was planned anew, one more line holds the queries that take its place.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from palate import _journal
from palate.design._query_lines import answer_of, header_of, parsed, query_lines
from palate.errors import LogError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate.design.people import Questions
    from palate.design.queries import PlannedQuery
    from palate.feedback import Answer, Picked, Query


class QueryFile:
    """A file of queries and the answers so far; close it, or use it in a ``with`` block.

    Attributes:
        path: the file.
        settings: of the plan: vocabulary, criterion, lambda, seed and whatever else it was given.
        planned: the queries as they were planned.
        asked: the same with the pool of what they show, as a person can be asked them.
        answers: by the query's number; the last one counts where one was answered twice.
    """

    def __init__(self, path: Path, header: dict[str, Any], records: list[dict[str, Any]]) -> None:
        self.path = path
        self.settings, self.planned, self.asked, self.answers = parsed(path, header, records)
        self._journal: _journal.Journal | None = None

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        planned: Sequence[PlannedQuery],
        asked: Questions,
        settings: Mapping[str, Any],
    ) -> QueryFile:
        """Write queries into a new file; it is there whole or not at all.

        Args:
            path: no file is there yet.
            planned: the queries.
            asked: the same as :func:`palate.design.pose` made them. Pictures inside the file's
                folder are kept by their path from there, so that the folder can be moved.
            settings: JSON values to note beside them: vocabulary and its fingerprint, embedder,
                K, criterion, lambda, seed and the like.

        Raises:
            FileExistsError: the file exists.
            LogError: it cannot be written, or the settings are no JSON.
            ParameterError: planned and asked are not of one plan.
        """
        path = Path(path)
        if len(planned) != len(asked.queries):
            msg = (
                f"{len(planned)} planned queries were posed as {len(asked.queries)}; "
                "give both as they are of one plan"
            )
            raise ParameterError(msg)
        lines = [header_of(planned, asked, settings), *query_lines(planned, asked, path.parent)]
        try:
            content = "".join(json.dumps(x, allow_nan=False) + "\n" for x in lines)
        except (TypeError, ValueError) as error:
            msg = f"the settings of {path} cannot be written as JSON: {error}"
            raise LogError(msg) from error
        _write_whole(path, content.encode())
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> QueryFile:
        """Open a file to add answers to it; a last line that was cut off does not count.

        Raises:
            LogError: it cannot be read, is in use, or holds something else; the message names the
                line.
        """
        journal = _journal.Journal.open(Path(path))
        try:
            file = cls(journal.path, journal.header, journal.records)
        except LogError:
            journal.close()
            raise
        file._journal = journal
        return file

    def unanswered(self) -> list[Query]:
        """Queries without an answer, in order; one that was skipped has one."""
        return [query for query in self.asked.queries if query.number not in self.answers]

    def tell(
        self, number: int, picked: Picked, *, seconds: float | None = None, at: str | None = None
    ) -> Answer:
        """Add an answer; it is on the disk when this returns.

        Args:
            number: of the query, from 0.
            picked: a position among its options, an order of them, "tie" or "skip".
            seconds: how long the person took, if known.
            at: when it was given, ISO 8601 in UTC; by default now.

        Raises:
            AnswerError: there is no such query, or the answer does not fit it.
            LogError: it cannot be written, or the file was opened to read alone.
        """
        journal = self._writable()
        record = {
            "answer": number,
            "picked": picked,
            "at": at or datetime.now(UTC).isoformat(timespec="seconds"),
        } | ({} if seconds is None else {"seconds": seconds})
        answer = answer_of(record, self.asked.queries)
        record["picked"] = answer.picked
        journal.append(record)
        self.answers[number] = answer
        return answer

    def replan(self, first: int, planned: Sequence[PlannedQuery], asked: Questions) -> None:
        """Put other queries in the place of the last ones, none of which was answered.

        Args:
            first: number of the first that is replaced; the last is that of the file.
            planned: the new queries, as many.
            asked: the same as :func:`palate.design.pose` made them.

        Raises:
            ParameterError: another number of queries, or one that was answered already.
            LogError: it cannot be written, or the file was opened to read alone.
        """
        left = len(self.planned) - first
        if not 0 <= first < len(self.planned) or not len(planned) == len(asked.queries) == left:
            msg = f"queries {first} to {len(self.planned) - 1} need as many, not {len(planned)}"
            raise ParameterError(msg)
        if any(number >= first for number in self.answers):
            msg = f"query {max(self.answers)} was answered; plan anew what comes after it"
            raise ParameterError(msg)
        journal = self._writable()
        lines = [
            line | {"query": number}
            for number, line in enumerate(query_lines(planned, asked, self.path.parent), first)
        ]
        journal.append({"replanned": lines})
        self.settings, self.planned, self.asked, self.answers = parsed(
            self.path, *_journal.read(self.path)
        )

    def picked(self) -> list[Picked]:
        """One answer a query, "skip" where there is none yet, for :func:`fit_choice_model`."""
        answers = (self.answers.get(query.number) for query in self.asked.queries)
        return ["skip" if answer is None else answer.picked for answer in answers]

    def _writable(self) -> _journal.Journal:
        if self._journal is None:
            msg = f"{self.path} was opened to read alone; QueryFile.open() opens it to go on"
            raise LogError(msg)
        return self._journal

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_queries(path: str | os.PathLike[str]) -> QueryFile:
    """A file of queries as it stands, to read alone, whoever adds to it.

    Raises:
        LogError: it cannot be read or holds something else; the message names the line.
    """
    return QueryFile(Path(path), *_journal.read(Path(path)))


def _write_whole(path: Path, content: bytes) -> None:
    """A new file with this content, or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _moved(part, path)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            raise
        msg = f"cannot write {path}: {error.strerror or error}"
        raise LogError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _moved(part: Path, path: Path) -> None:
    """Give a file its name, unless another has it."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        path.open("xb").close()
        part.replace(path)
