"""What a diagnosis is about, brought into one form: a basis, answers, the people served."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity.bilinear import Bilinear, bilinear, heads_of
from palate.diversity.rows import Rows
from palate.diversity.served import STAND_INS, Served, new_people
from palate.errors import ParameterError
from palate.population.data import PreferenceData
from palate.population.model import PopulationModel

if TYPE_CHECKING:
    from palate._typing import FloatArray

WIDEST = 256
"""Features kept; where there are more, the principal components of the differences."""

_SAMPLE = 1_000  # differences of each kind that the components are found from


@dataclass(frozen=True, eq=False)
class Case:
    """What there is to judge by.

    Attributes:
        basis: (J, F).
        rows: answers.
        heads: (U, J) that go with the rows.
        served: people and their questions, if anybody is to be served.
        new_rows: answers of people whom the basis was not fitted to, if there are any.
        notes: what was approximated on the way, and who is nobody yet, in words.
    """

    basis: FloatArray
    rows: Rows
    heads: FloatArray
    served: Served | None
    new_rows: Rows | None
    notes: tuple[str, ...]


def prepare(
    model: PopulationModel | Bilinear,
    feedback: PreferenceData | Rows | None,
    served: Served | None,
    new_answers: PreferenceData | Rows | None,
    seed: int,
) -> Case:
    """The case of :func:`palate.diversity.diagnose`, whose arguments these are.

    Raises:
        ParameterError: the reward is not linear in people's weights, or shapes do not fit.
    """
    population = model if isinstance(model, Bilinear) else bilinear(model)
    basis, heads = population.basis, population.heads
    if isinstance(feedback, PreferenceData):
        if isinstance(model, PopulationModel):
            heads = heads_of(model, feedback)
        else:
            heads = heads[_places(population, feedback)]
        rows = population.rows(feedback)
        if served is None and len(feedback):
            served = _own_questions(population, feedback, heads, seed)
    else:
        nothing = Rows(np.zeros(0, dtype=np.intp), np.zeros((0, basis.shape[1])))
        rows = nothing if feedback is None else feedback
    new_rows = (
        population.rows(new_answers) if isinstance(new_answers, PreferenceData) else new_answers
    )
    _check(basis, heads, rows, served, new_rows)
    of_served = "" if served is None else served.note
    notes = tuple(note for note in (population.note, of_served) if note)
    return _narrowed(Case(basis, rows, heads, served, new_rows, notes), seed)


def _places(population: Bilinear, data: PreferenceData) -> list[int]:
    """Of the people of some answers among the population's."""
    known = {name: place for place, name in enumerate(population.people)}
    unknown = [name for name in data.people if name not in known]
    if unknown:
        msg = f"{unknown[0]!r} answered, and the population has no head for them"
        raise ParameterError(msg)
    return [known[name] for name in data.people]


def _own_questions(
    population: Bilinear, data: PreferenceData, heads: FloatArray, seed: int
) -> Served:
    """Those who answered with their own options, and as many new people with anybody's."""
    answers, sizes = data.starts, np.diff(data.starts, append=len(data))
    options = np.insert(data.rejected, answers, data.chosen[answers])
    question = np.repeat(np.arange(len(answers)), sizes + 1)
    asked = None if data.prompt is None else data.prompt[answers][question]
    # An item under two prompts is two responses.
    keys = options if asked is None else options + len(data.items) * asked
    unique, option = np.unique(keys, return_inverse=True)
    items = data.items[unique % len(data.items)]
    prompts = None if data.prompts is None else data.prompts[unique // len(data.items)]

    wanted = len(data.people)
    others = new_people(heads, wanted, seed)
    per_person = int(np.clip(round(len(answers) / wanted), 1, 20))
    drawn = generator(seed, "questions of new people").integers(
        len(answers), size=wanted * per_person
    )
    first = answers + np.arange(len(answers))  # of an answer, among its options
    new_option = np.concatenate([option[first[a] : first[a] + sizes[a] + 1] for a in drawn])
    new_question = np.repeat(len(answers) + np.arange(len(drawn)), sizes[drawn] + 1)
    return Served(
        np.concatenate([heads, others]),
        population.features(items, prompts),
        np.concatenate([data.person[answers], wanted + np.repeat(np.arange(wanted), per_person)]),
        np.concatenate([question, new_question]),
        np.concatenate([option, new_option]),
        None if population.offset is None else population.offset(items, prompts),
        (*data.people, *(f"new person {i + 1}" for i in range(wanted))),
        note=STAND_INS,
    )


def _check(
    basis: FloatArray,
    heads: FloatArray,
    rows: Rows,
    served: Served | None,
    new_rows: Rows | None,
) -> None:
    J, F = basis.shape
    for name, part in (("answers", rows), ("new people's answers", new_rows)):
        if part is not None and part.delta.shape[1] != F:
            msg = f"the {name} have {part.delta.shape[1]} features, and the basis has {F}"
            raise ParameterError(msg)
    if len(rows) and rows.person.max() >= len(heads):
        msg = (
            f"an answer is of person {rows.person.max()}, and there are {len(heads)} heads, from 0"
        )
        raise ParameterError(msg)
    if served is not None and (served.heads.shape[1], served.items.shape[1]) != (J, F):
        msg = (
            f"the served have heads of {served.heads.shape[1]} and items of "
            f"{served.items.shape[1]} dimensions; the basis is {J} x {F}"
        )
        raise ParameterError(msg)


def _narrowed(case: Case, seed: int) -> Case:
    """The same with no more than :data:`WIDEST` features."""
    if case.basis.shape[1] <= WIDEST:
        return case
    rng = generator(seed, "components")
    parts = [case.rows.delta]
    if case.served is not None:
        # Items of one question differ; the first of it stands for the one that they differ from.
        first = np.repeat(
            case.served.option[case.served.starts],
            np.diff(case.served.starts, append=len(case.served.option)),
        )
        parts.append(case.served.items[case.served.option] - case.served.items[first])
    drawn = np.concatenate([rng.permutation(part)[:_SAMPLE] for part in parts])
    if not len(drawn):
        return case
    lengths, right = np.linalg.svd(drawn, full_matrices=False)[1:]
    some = lengths[:WIDEST] > 1e-9 * lengths[0]
    some[0] = True
    keep = right[:WIDEST][some].T
    kept = (lengths[:WIDEST] ** 2).sum() / (lengths**2).sum() if lengths[0] > 0.0 else 1.0
    note = (
        f"{len(keep)} features were reduced to their {keep.shape[1]} principal components, which "
        f"hold {kept:.1%} of the squared differences"
    )

    def narrow(rows: Rows) -> Rows:
        return replace(rows, delta=rows.delta @ keep)

    served = case.served
    return Case(
        case.basis @ keep,
        narrow(case.rows),
        case.heads,
        None if served is None else replace(served, items=served.items @ keep),
        None if case.new_rows is None else narrow(case.new_rows),
        (*case.notes, note),
    )
