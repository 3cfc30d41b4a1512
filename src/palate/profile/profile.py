"""The profile itself: a file of answers, what follows from them, and forgetting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from palate._beside import beside
from palate._journal import Journal, read
from palate.errors import LogError, ParameterError
from palate.formats import comparisons_of
from palate.pool import Pool
from palate.preference.memory import Past, Remembering
from palate.preference.prior import Features
from palate.profile.past import ages, check_comparable, counted, past_of
from palate.profile.records import (
    Record,
    Remembered,
    Undone,
    record_from_object,
    record_to_object,
    remembered,
    run_of,
    same_answers,
    standing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from palate.elicitation import Elicitation, Event
    from palate.feedback import Comparison
    from palate.preference.prior import GaussianPrior
    from palate.profile.summary import Summary

FORMAT = 1
"""Version of the file's format."""

_HEADER: Final = {"palate-profile": FORMAT}


class Profile:
    """What one person answered to earlier prompts: the next elicitation starts from it.

    ``Profile()`` is kept in memory, ``Profile.open(path)`` in a file that is only ever appended to,
    a record an answer, each synced to disk; until something is forgotten, and the file written
    anew. The records are the truth, and everything else is derived from them.

    Example::

        with Profile.open("ann.jsonl") as profile:
            elicitation = Elicitation(pool, Eubo(profile.prior(pool)))
            print(elicitation.recommend().response.text)  # personal before any question
            elicitation.run(person, record=profile.recorder(elicitation))

    Args:
        records: what there is already.
        journal: an open file to keep further ones in; see :meth:`open`.
    """

    def __init__(self, records: Iterable[Record] = (), journal: Journal | None = None) -> None:
        self._records = list(records)
        self._journal = journal
        self._open = True

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The profile in a file, begun where there is none; one process at a time holds it.

        Close it, or use it in a ``with`` block.

        Raises:
            LogError: the file cannot be read or written, is in use, or is not a profile.
        """
        path = Path(path)
        try:
            journal = Journal.create(path, _HEADER)
        except FileExistsError:
            journal = Journal.open(path)
        try:
            if not journal.header and not path.stat().st_size:  # nothing yet, as mktemp makes it
                journal.append(_HEADER)
                journal.header = _HEADER
            return cls(_records(journal.header, journal.records, path), journal)
        except LogError:
            journal.close()
            raise

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """A copy in memory of the profile in a file, whoever holds it; the file is left as it is.

        Raises:
            LogError: the file cannot be read, or is not a profile.
        """
        return cls(_records(*read(Path(path)), Path(path)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was remembered can still be looked at."""
        if self._journal is not None:
            self._journal.close()
        self._open = False

    @property
    def path(self) -> Path | None:
        """The file, or None."""
        return None if self._journal is None else self._journal.path

    @property
    def records(self) -> int:
        """How many records there are, those taken back and their retractions included."""
        return len(self._records)

    def answers(self, *, upto: int | None = None) -> tuple[Remembered, ...]:
        """The answers that stand, in order.

        Args:
            upto: count that many records alone, as when there were no more.

        Raises:
            ParameterError: there are not so many.
        """
        if upto is not None and not 0 <= upto <= len(self._records):
            msg = f"the profile has {len(self._records)} records, and {upto} are to count"
            raise ParameterError(msg)
        return tuple(standing(self._records[:upto]))

    @property
    def prompts(self) -> tuple[str, ...]:
        """The different prompts that there are records of, in order; taken back or not."""
        told = (record.prompt for record in self._records if isinstance(record, Remembered))
        return tuple(dict.fromkeys(told))

    def remember(self, elicitation: Elicitation) -> int:
        """Take over the answers of an elicitation that stand; those that are there already are not.

        Call it as often as you like, such as after each answer: answers that were taken back since
        are taken back here.

        Returns:
            How many records that took.

        Raises:
            LogError: the file cannot be written; what was remembered before stays.
        """
        return self._take_over(elicitation, run_of(elicitation))

    def _take_over(self, elicitation: Elicitation, run: str) -> int:
        self._check_open()
        there = [answer for answer in self.answers() if answer.run == run]
        told = [remembered(elicitation, answer, run) for answer in elicitation.history]
        same = same_answers(there, told)
        new: list[Record] = [*[Undone(run)] * (len(there) - same), *told[same:]]
        for record in new:
            if self._journal is not None:
                self._journal.append(record_to_object(record))
            self._records.append(record)
        return len(new)

    def recorder(self, elicitation: Elicitation) -> Callable[[Event], None]:
        """What to give to :meth:`palate.Elicitation.run` as ``record``: remembers each answer."""
        run: str | None = None

        def record(_: Event) -> None:
            nonlocal run
            run = run or run_of(elicitation)  # once: it digests the whole pool
            self._take_over(elicitation, run)

        return record

    def past(self, pool: Pool, *, upto: int | None = None) -> Past:
        """The picks that tell of a pool: those among responses with features like its own.

        Such have the same embedder, scaling and number of features. The age of an answer is that of
        its run, of which the latest is one prompt ago. Of many answers the latest count.

        Args:
            pool: what the person will be asked about.
            upto: see :meth:`answers`.

        Raises:
            PoolError: the pool has no features, or does not say what made them.
        """
        check_comparable(pool)
        answers = self.answers(upto=upto)
        return past_of(counted(answers, pool), ages(answers), pool)

    def prior(
        self,
        pool: Pool,
        base: GaussianPrior | None = None,
        *,
        keep: float = 0.9,
        upto: int | None = None,
    ) -> GaussianPrior:
        """What is believed of the person's taste before they answer about a pool.

        Args:
            pool: what they will be asked about.
            base: what was believed before all answers, such as a population's prior; by default
                :class:`palate.preference.prior.Features`.
            keep: how much of a taste is left from one prompt to the next, in [0, 1]; see
                :class:`palate.preference.memory.Remembering`.
            upto: see :meth:`answers`.

        Returns:
            The base itself where nothing is remembered that tells of the pool.

        Raises:
            PoolError: the pool has no features, or does not say what made them.
            ParameterError: ``keep`` is no such number.
        """
        base = Features() if base is None else base
        prior = Remembering(base, self.past(pool, upto=upto), keep)
        return prior if len(prior.past.winner) else base

    def summary(self) -> Summary:
        """What was learned, in words and numbers."""
        from palate.profile.summary import summary_of  # noqa: PLC0415 - embedders are slow to import

        return summary_of(self.answers())

    def comparisons(self, *, person: str | None = None) -> list[Comparison]:
        """The answers in texts, for :mod:`palate.formats`.

        Args:
            person: their name.

        Raises:
            PoolError: one was about images.
        """
        comparisons = []
        for told in self.answers():
            pool = Pool(told.prompt, told.options)
            comparisons += comparisons_of(pool, [told.answer], person=person)
        return comparisons

    def forget(self, prompt: str | None = None) -> int:
        """Forget all answers to a prompt, those taken back as well, or everything.

        The file is written anew without them and takes the place of the old one, whole or not at
        all. Logs of single elicitations are files of their own, and keep theirs.

        Returns:
            How many answers that stood are gone.

        Raises:
            ParameterError: there is no record of that prompt.
            LogError: the file cannot be written; then nothing is forgotten.
        """
        self._check_open()
        before = self.answers()
        if prompt is not None and prompt not in self.prompts:
            msg = f"nothing is remembered of the prompt {prompt!r}"
            raise ParameterError(msg)
        runs = {r.run for r in self._records if isinstance(r, Remembered) and r.prompt == prompt}
        kept = [record for record in self._records if prompt is not None and record.run not in runs]
        if self._journal is not None:
            old, self._journal = self._journal, _rewritten(self._journal.path, kept)
            old.close()
        self._records = kept
        return len(before) - len(self.answers())

    def _check_open(self) -> None:
        if not self._open:
            msg = f"the profile {self.path} is closed; open it anew"
            raise LogError(msg)


def _records(header: dict[str, Any], lines: list[dict[str, Any]], path: Path) -> list[Record]:
    """The records of a file, which follow from each other."""
    version = header.get("palate-profile")
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        msg = (
            f"{path} is a profile of format {version}, and this palate reads {FORMAT}"
            if newer
            else f"{path} is not a profile"
        )
        raise LogError(msg)
    records: list[Record] = []
    for number, line in enumerate(lines, start=2):
        try:
            records.append(record_from_object(line))
        except LogError as error:
            msg = f"{path}, line {number}: no record of a profile: {error}"
            raise LogError(msg) from error
    try:
        standing(records)
    except LogError as error:
        msg = f"{path}: {error}"
        raise LogError(msg) from error
    return records


def _rewritten(path: Path, records: Iterable[Record]) -> Journal:
    """A journal with these records in the place of the one at a path; held from the beginning."""
    journal: Journal | None = None
    try:
        with beside(path) as name:
            journal = Journal.create(name, _HEADER)
            for record in records:
                journal.append(record_to_object(record))
    except BaseException as error:
        if journal is not None:
            journal.close()
        if isinstance(error, OSError):
            msg = f"cannot write {path}: {error.strerror or error}"
            raise LogError(msg) from error
        raise
    journal.path = path
    return journal
