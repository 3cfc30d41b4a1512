"""What is recorded of studies, in the store's own database; append-only, as the answers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from palate.errors import ConflictError, UnknownIdError, UnknownQueryError
from palate.serve.study.records import matchup_from, participant_from, study_from
from palate.serve.study.tasks import prompts_to_object
from palate.store.lists import is_id
from palate.store.rows import dump, new_id, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, TextClause

    from palate.serve.study.plan import StudyPlan
    from palate.serve.study.records import Matchup, Participant, Study
    from palate.serve.study.tasks import Prompt
    from palate.store.database import Database

_ADD_STUDY = text(
    "INSERT INTO studies (id, fingerprint, plan, tasks, added_at) VALUES "
    "(:id, :fingerprint, :plan, :tasks, :at) ON CONFLICT DO NOTHING"
)
_STUDY = "SELECT number, id, plan, tasks FROM studies"
_ADD = text(
    "INSERT INTO study_participants (id, study, ticket, simulated, added_at) VALUES "
    "(:id, :study, :ticket, :simulated, :at) ON CONFLICT DO NOTHING"
)
_OF_TICKET = text("SELECT id FROM study_participants WHERE study = :study AND ticket = :ticket")
_PARTICIPANTS = (
    "SELECT p.number, p.id, s.id AS study, p.simulated, c.place, c.at AS consented_at, "
    "e.elicitation, b.at AS began_at FROM study_participants p "
    "JOIN studies s ON s.number = p.study "
    "LEFT JOIN study_consents c ON c.participant = p.number "
    "LEFT JOIN study_elicitations e ON e.participant = p.number "
    "LEFT JOIN study_starts b ON b.participant = p.number"
)
_CONSENT = text(
    "INSERT INTO study_consents (participant, study, place, at) SELECT :participant, :study, "
    "count(*), :at FROM study_consents WHERE study = :study ON CONFLICT DO NOTHING"
)
_CONSENTED = text("SELECT 1 FROM study_consents WHERE participant = :participant")
_FINISHED = text(
    "SELECT count(*) FROM (SELECT m.participant FROM study_matchups m "
    "JOIN study_participants p ON p.number = m.participant "
    "LEFT JOIN study_judgements j ON j.matchup = m.id WHERE p.study = :study "
    "GROUP BY m.participant HAVING count(*) = count(j.matchup)) AS done"
)
_STARTED = text(
    "INSERT INTO study_elicitations (participant, elicitation) VALUES (:participant, :elicitation) "
    "ON CONFLICT DO NOTHING"
)
_ELICITATION = text("SELECT elicitation FROM study_elicitations WHERE participant = :participant")
_BEGIN = text(
    "INSERT INTO study_starts (participant, at) VALUES (:participant, :at) ON CONFLICT DO NOTHING"
)
_MATCHUPS = (
    "SELECT m.participant, m.id, m.place, m.arms, m.response, m.baseline_first, m.at AS drawn_at, "
    "j.picked, j.response_ms, j.at FROM study_matchups m "
    "LEFT JOIN study_judgements j ON j.matchup = m.id"
)
_DRAW = text(
    "INSERT INTO study_matchups (id, participant, place, arms, response, baseline_first, at) "
    "VALUES (:id, :participant, :place, :arms, :response, :baseline_first, :at) "
    "ON CONFLICT DO NOTHING"
)
_JUDGE = text(
    "INSERT INTO study_judgements (matchup, picked, response_ms, at) "
    "VALUES (:matchup, :picked, :response_ms, :at) ON CONFLICT DO NOTHING"
)
_JUDGED = text("SELECT picked FROM study_judgements WHERE matchup = :matchup")


class StudyLog:
    """Studies and their participants in the database of a store.

    Its methods raise a :class:`~palate.errors.StoreError` where the database fails, and an
    :class:`~palate.errors.UnknownIdError` where no study or participant has an id.

    Args:
        database: of the store, at the newest schema.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Studies

    def add_study(
        self, fingerprint: str, plan: StudyPlan, prompts: Sequence[Sequence[Prompt]]
    ) -> Study:
        """A study, or the one of the same fingerprint that is there."""
        row = {
            "id": new_id(),
            "fingerprint": fingerprint,
            "plan": dump(plan.to_object()),
            "tasks": dump(prompts_to_object(prompts)),
            "at": now(),
        }
        self._database.write(lambda c: c.execute(_ADD_STUDY, row).rowcount)
        found = self.study_of(fingerprint)
        if found is None:
            raise UnknownIdError("the study that was just added is not there")
        return found

    def study_of(self, fingerprint: str) -> Study | None:
        """The study with a fingerprint."""
        return self._one_study("fingerprint", fingerprint)

    def study(self, study: str) -> Study:
        """The study with an id."""
        found = self._one_study("id", study) if is_id(study) else None
        if found is None:
            raise UnknownIdError("there is no study with this id")
        return found

    def studies(self) -> list[Study]:
        """All studies, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(text(f"{_STUDY} ORDER BY number")).all()
        return [study_from(row.number, row.id, row.plan, row.tasks) for row in rows]

    def _one_study(self, column: str, value: str) -> Study | None:
        query = text(f"{_STUDY} WHERE {column} = :value")
        with self._database.reading() as connection:
            row = connection.execute(query, {"value": value}).one_or_none()
        return None if row is None else study_from(row.number, row.id, row.plan, row.tasks)

    def finished(self, study: Study) -> int:
        """How many participants have judged everything."""
        with self._database.reading() as connection:
            return int(connection.execute(_FINISHED, {"study": study.number}).scalar_one())

    # Participants

    def add_participants(self, study: Study, n: int, *, simulated: bool = False) -> list[str]:
        """Ids of n new participants, whose links are made ahead."""
        rows = [_participant_row(study, simulated=simulated) for _ in range(n)]

        def work(connection: Connection) -> None:
            for row in rows:
                connection.execute(_ADD, row)

        self._database.write(work)
        return [str(row["id"]) for row in rows]

    def join(self, study: Study, ticket: str) -> str:
        """Id of the participant who joined by a form; the same when it is sent again."""
        row = _participant_row(study) | {"ticket": ticket}
        self._database.write(lambda c: c.execute(_ADD, row).rowcount)
        with self._database.reading() as connection:
            found = connection.execute(_OF_TICKET, row).scalar_one_or_none()
        if found is None:
            raise UnknownIdError("this form belongs to another study")
        return str(found)

    def participant(self, participant: str) -> Participant:
        """The participant with an id."""
        row = None
        if is_id(participant):
            query = text(f"{_PARTICIPANTS} WHERE p.id = :id")
            with self._database.reading() as connection:
                row = connection.execute(query, {"id": participant}).one_or_none()
        if row is None:
            raise UnknownIdError("there is no participant with this id")
        return participant_from(row)

    def everyone(self, study: Study) -> list[tuple[Participant, tuple[Matchup, ...]]]:
        """All participants with their matchups, in the order in which they were added."""
        of_study = {"study": study.number}
        people = text(f"{_PARTICIPANTS} WHERE p.study = :study ORDER BY p.number")
        with self._database.reading() as connection:
            rows = connection.execute(people, of_study).all()
            found = connection.execute(
                text(
                    f"{_MATCHUPS} JOIN study_participants p ON p.number = m.participant "
                    "WHERE p.study = :study ORDER BY m.participant, m.place"
                ),
                of_study,
            ).all()
        matchups: dict[int, list[Matchup]] = {}
        for row in found:
            matchups.setdefault(row.participant, []).append(matchup_from(row))
        return [(participant_from(row), tuple(matchups.get(row.number, ()))) for row in rows]

    # What they do

    def consent(self, participant: Participant, study: Study) -> None:
        """Record the consent, at the next free place of the study."""
        row = {"participant": participant.number, "study": study.number, "at": now()}

        def work(connection: Connection) -> bool:
            added = connection.execute(_CONSENT, row).rowcount
            return bool(added) or connection.execute(_CONSENTED, row).first() is not None

        while not self._database.write(work):
            continue  # somebody else took the place

    def begin(self, participant: Participant) -> None:
        """Record that stage 2 began."""
        row = {"participant": participant.number, "at": now()}
        self._database.write(lambda c: c.execute(_BEGIN, row).rowcount)

    def set_elicitation(self, participant: Participant, elicitation: str) -> str:
        """The elicitation of a participant: this one, unless there is one already."""
        row = {"participant": participant.number, "elicitation": elicitation}
        self._database.write(lambda c: c.execute(_STARTED, row).rowcount)
        return str(self._scalar(_ELICITATION, row))

    def matchups(self, participant: Participant) -> tuple[Matchup, ...]:
        """The matchups of a participant in the order shown; none before they are drawn."""
        query = text(f"{_MATCHUPS} WHERE m.participant = :number ORDER BY m.place")
        with self._database.reading() as connection:
            rows = connection.execute(query, {"number": participant.number}).all()
        return tuple(map(matchup_from, rows))

    def draw(
        self, participant: Participant, drawn: Sequence[tuple[tuple[str, ...], int, bool]]
    ) -> None:
        """Record the matchups (arms, response, baseline first), unless there are some."""
        at = now()

        def work(connection: Connection) -> None:
            for place, (arms, response, first) in enumerate(drawn):
                row = {"id": new_id(), "participant": participant.number, "place": place}
                row |= {"arms": dump(arms), "response": response, "at": at}
                connection.execute(_DRAW, row | {"baseline_first": int(first)})

        self._database.write(work)

    def judge(
        self, participant: Participant, matchup: str, picked: int, response_ms: int | None
    ) -> bool:
        """Record which of a matchup's two is preferred; False where just that is recorded.

        Raises:
            UnknownQueryError: the matchup is not one of this participant.
            ConflictError: it is judged otherwise.
        """
        if matchup not in {known.id for known in self.matchups(participant)}:
            raise UnknownQueryError("this pair is not one of yours")
        row = {"matchup": matchup, "picked": picked, "response_ms": response_ms, "at": now()}
        if self._database.write(lambda c: c.execute(_JUDGE, row).rowcount):
            return True
        if self._scalar(_JUDGED, row) != picked:
            raise ConflictError("you have answered this pair already, and that answer stands")
        return False

    def _scalar(self, query: TextClause, row: dict[str, Any]) -> Any:  # noqa: ANN401 - a column
        with self._database.reading() as connection:
            return connection.execute(query, row).scalar_one()


def _participant_row(study: Study, *, simulated: bool = False) -> dict[str, Any]:
    added = {"id": new_id(), "at": now(), "ticket": None}
    return added | {"study": study.number, "simulated": int(simulated)}
