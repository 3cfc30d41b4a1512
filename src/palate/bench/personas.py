"""The persona experiment of PAL on statements people would or would not say (Appendix D.4).

Everybody has one of K* personas and is asked whether they would say a statement: "Yes" if it is one
that persona's files mark as theirs, else "No". So "No" is right for all but one in 2 K* statements,
and an accuracy means little without that base rate beside it. People are simulated; the statements
are Anthropic's (Perez et al., 2022).

Tested are statements that nobody was asked about in training, harder than the paper's pairs new to
the person alone. Figures are means over seeds, each of which is other people and another choice of
statements, with the standard deviation over them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from palate._random import generator
from palate.bench.population import spread
from palate.errors import ParameterError
from palate.formats._files import read_rows
from palate.population import PreferenceData, base_rate, evaluate, learning_curve
from palate.population.networks import Training, fit_pal_a_network, fit_pal_b

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.embed import Embedder
    from palate.population import PalA, PalB
    from palate.population.fit import Fit

INTERESTS = ("art", "literature", "math", "music", "science", "sports")
"""The personas, of which an experiment takes the first K* (Table 7)."""

COUNTS = (0, 5, 20, 50, 100)
"""Answers of an unseen person to locate them by; 0 is zero-shot."""

Kind: TypeAlias = Literal["pal-b", "pal-a"]

_HELD_OUT = 5  # one statement in so many is only tested on
_VALIDATION = 10  # and one in so many of the others only decides when training ends
_TRAINING = Training(patience=10)


@dataclass(frozen=True, eq=False)
class Statements:
    """What people are asked about.

    Attributes:
        texts: S statements.
        said: (K*, S) which of them each persona would say.
    """

    texts: tuple[str, ...]
    said: BoolArray


def read_statements(folder: Path, personas: int) -> Statements:
    """Those of the first so many personas, from ``interest-in-art.jsonl`` and so on.

    Raises:
        ParameterError: there are not that many personas, or a file is not as published.
    """
    if not 1 <= personas <= len(INTERESTS):
        msg = f"there are 1 to {len(INTERESTS)} personas, not {personas}"
        raise ParameterError(msg)
    texts: list[str] = []
    owner: list[int] = []
    for persona, interest in enumerate(INTERESTS[:personas]):
        for place, row in read_rows(folder / f"interest-in-{interest}.jsonl", ParameterError):
            text, answer = row.get("statement"), row.get("answer_matching_behavior")
            if not isinstance(text, str) or answer not in {" Yes", " No"}:
                msg = f'{place}: a row has a statement, and " Yes" or " No" as the matching answer'
                raise ParameterError(msg)
            texts.append(text)
            owner.append(persona if answer == " Yes" else -1)
    return Statements(tuple(texts), np.arange(personas)[:, None] == np.array(owner))


class Questions:
    """A statement with its two answers, as features.

    For PAL-B the statement is the prompt of the items "Yes" and "No"; for PAL-A, which has no map
    of prompts, "STATEMENT Yes" and "STATEMENT No" are two items.

    Args:
        statements: of the personas.
        kind: of the model.
        embed: texts to features.
    """

    def __init__(self, statements: Statements, kind: Kind, embed: Embedder) -> None:
        texts = statements.texts
        self.said = statements.said
        self._prompts = None
        if kind == "pal-b":
            self._items = _features(embed, ["Yes", "No"])
            self._prompts = _features(embed, texts)
        else:
            answered = [f"{text} {answer}" for answer in ("Yes", "No") for text in texts]
            self._items = _features(embed, answered)

    @property
    def option(self) -> IndexArray:
        """Whether each item is a "Yes", 0, or a "No", 1."""
        return np.repeat([0, 1], len(self._items) // 2)

    def asked(self, persona: IndexArray, asked: Sequence[IndexArray], name: str) -> PreferenceData:
        """Answers of people.

        Args:
            persona: (U,) of each person.
            asked: the statements that each is asked about.
            name: of the people, before their number.
        """
        person = np.repeat(np.arange(len(persona)), [len(own) for own in asked])
        statement = np.concatenate(asked)
        no = (~self.said[persona[person], statement]).astype(np.intp)
        size = self.said.shape[1]
        places = (no, 1 - no)
        if self._prompts is None:
            places = (statement + size * places[0], statement + size * places[1])
        return PreferenceData(
            self._items,
            person,
            *places,
            tuple(f"{name} {i}" for i in range(len(persona))),
            self._prompts,
            None if self._prompts is None else statement,
        )


@dataclass(frozen=True, eq=False)
class PersonaAnswers:
    """Answers of seen people, and of as many unseen ones.

    Attributes:
        train: of seen people.
        validation: of seen people about other statements, to end training by.
        seen_test: of seen people about held-out statements.
        support: of unseen people, to locate them by.
        unseen_test: of unseen people about held-out statements.
    """

    train: PreferenceData
    validation: PreferenceData
    seen_test: PreferenceData
    support: PreferenceData
    unseen_test: PreferenceData


def ask(questions: Questions, people: int, answers: int, seed: int) -> PersonaAnswers:
    """Ask simulated people.

    Args:
        questions: on the statements of all personas.
        people: seen people a persona, and unseen ones.
        answers: of each seen person, those for validation included.
        seed: of statements and people.

    Raises:
        ParameterError: there are not so many statements to ask about.
    """
    rng = generator(seed, "personas")
    personas, size = questions.said.shape
    held_out, known = np.split(rng.permutation(size), [size // _HELD_OUT])
    if not 0 < max(answers, COUNTS[-1]) <= len(known):
        msg = f"answers must be from 1 to the {len(known)} statements not held out, not {answers}"
        raise ParameterError(msg)
    validation = np.zeros(size, dtype=bool)
    validation[known[: len(known) // _VALIDATION]] = True
    persona = np.repeat(np.arange(personas), people)

    def some(count: int) -> list[IndexArray]:
        return [rng.choice(known, count, replace=False) for _ in persona]

    asked = some(answers)
    everything = [held_out for _ in persona]
    return PersonaAnswers(
        train=questions.asked(persona, [own[~validation[own]] for own in asked], "seen"),
        validation=questions.asked(persona, [own[validation[own]] for own in asked], "seen"),
        seen_test=questions.asked(persona, everything, "seen"),
        support=questions.asked(persona, some(COUNTS[-1]), "unseen"),
        unseen_test=questions.asked(persona, everything, "unseen"),
    )


@dataclass(slots=True)
class PersonaRow:
    """A model with K prototypes, a list entry a seed; accuracies in percent.

    Attributes:
        k: prototypes.
        seen: accuracy of people trained on.
        base: of always giving the answer that was given most.
        unseen: by the numbers of answers of ``COUNTS``, of new people.
        seconds: of CPU, of the fit.
        epochs: of the fit.
    """

    k: int
    seen: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    unseen: list[FloatArray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def unseen_with(self, count: int) -> list[float]:
        """Accuracies of unseen people with so many answers."""
        return [float(curve[COUNTS.index(count)]) for curve in self.unseen]


def experiment(
    questions: Questions,
    kind: Kind,
    ks: Sequence[int],
    *,
    people: int,
    answers: int,
    d: int,
    seeds: int,
) -> list[PersonaRow]:
    """Fit each K to the same people's answers, and locate unseen people.

    Args:
        questions: on the statements of all personas, made for this kind of model.
        kind: of the model.
        ks: numbers of prototypes to fit.
        people: seen people a persona, and unseen ones.
        answers: of each seen person.
        d: dimensions of PAL-B's image; PAL-A has a residual, and so those of the features.
        seeds: how many sets of people.
    """
    rows = [PersonaRow(k) for k in ks]
    for seed in range(seeds):
        asked = ask(questions, people, answers, seed)
        base = 100.0 * base_rate(asked.train, asked.seen_test, questions.option)
        for row in rows:
            began = time.process_time()
            fit = _fit(asked, kind, row.k, d, seed)
            row.seconds.append(time.process_time() - began)
            row.epochs.append(len(fit.history))
            row.base.append(base)
            row.seen.append(100.0 * evaluate(fit.model, asked.seen_test).accuracy)
            curve = learning_curve(fit.model, asked.support, asked.unseen_test, COUNTS, seed)
            row.unseen.append(100.0 * curve.accuracy)
    return rows


def persona_header() -> tuple[str, ...]:
    """Of :func:`persona_rows`."""
    counts = (f"{n} answers" for n in COUNTS[1:])
    return ("K", "seen people", "base rate", "unseen, zero-shot", *counts, "epochs", "CPU s a fit")


def persona_rows(rows: Sequence[PersonaRow]) -> list[tuple[str, ...]]:
    """The cells of a table."""
    return [
        (
            str(row.k),
            spread(row.seen),
            spread(row.base),
            *(spread(row.unseen_with(count)) for count in COUNTS),
            f"{np.mean(row.epochs):.0f}",
            f"{np.mean(row.seconds):.2f} (most {max(row.seconds):.2f})",
        )
        for row in rows
    ]


def persona_findings(rows: Sequence[PersonaRow], personas: int) -> Iterator[tuple[str, str]]:
    """Differences within a seed, in points, that the paper makes something of."""
    at = {row.k: row for row in rows}
    if 1 in at:
        yield "K = 1, seen people less the base rate", _less(at[1].seen, at[1].base)
    if personas not in at:
        return
    row = at[personas]
    if 1 in at and personas > 1:
        yield f"K = {personas} less K = 1, seen people", _less(row.seen, at[1].seen)
    for count in COUNTS[1:]:
        less = _less(row.unseen_with(count), row.seen)
        yield f"K = {personas}, unseen people with {count} answers less seen people", less


def _fit(asked: PersonaAnswers, kind: Kind, k: int, d: int, seed: int) -> Fit[PalA] | Fit[PalB]:
    if kind == "pal-b":
        return fit_pal_b(
            asked.train, k, d_out=d, training=_TRAINING, validation=asked.validation, seed=seed
        )
    return fit_pal_a_network(
        asked.train,
        k,
        loss="hinge",
        training=_TRAINING,
        validation=asked.validation,
        seed=seed,
    )


def _features(embed: Embedder, texts: Sequence[str]) -> FloatArray:
    return np.asarray(embed(list(texts)), dtype=np.float64)


def _less(one: Sequence[float], other: Sequence[float]) -> str:
    return spread([a - b for a, b in zip(one, other, strict=True)])
