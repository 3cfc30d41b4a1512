"""What a profile says of a person, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.embed import STYLE_NAMES, style_features
from palate.errors import PoolError
from palate.feedback import Answer, Query
from palate.pool import Pool, Response
from palate.preference.prior import Features
from palate.strategies import View, contrary_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate._typing import FloatArray
    from palate.profile.records import Remembered

CHANCE = 0.01
"""A leaning is told where chance would bring it about less often than this."""

_WORDS = {
    "length": ("longer", "shorter"),
    "sentence_length": ("longer sentences", "shorter sentences"),
    "lists": ("more of a list", "less of a list"),
    "markup": ("more markup", "less markup"),
    "numbers": ("more numbers", "fewer numbers"),
    "questions_exclamations": ("more questions and exclamations", "fewer of them"),
    "formality": ("more formal", "less formal"),
}
_EQUAL = 1e-9
_DEALS = 999
_LATEST = 100  # answers that the belief is about; more take seconds
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Leaning:
    """How what was picked is written, beside what it was picked from.

    Attributes:
        words: such as "shorter".
        picks: how many of the picks had more of it, or less, than the average of those shown.
        of: how many picks could tell.
        chance: probability of a count at least as far from what chance expects, in either
            direction, if style did not matter, by a test of 999 permutations.
    """

    words: str
    picks: int
    of: int
    chance: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a profile says of a person.

    Attributes:
        answers: how many stand, ties and skips among them.
        undecided: how many of them are ties or skips.
        prompts: how many different prompts they are about.
        since: time of the first, ISO 8601; empty where nobody noted it.
        leanings: in style, those that are hardly chance, the surest first.
        best: what was liked best so far, by the expected utility given the latest answers.
        least: what was liked least.
        contrary: expected share of the latest answers that are contrary to the rest; None where no
            features were kept.
    """

    answers: int
    undecided: int
    prompts: int
    since: str
    leanings: tuple[Leaning, ...]
    best: tuple[str, ...]
    least: tuple[str, ...]
    contrary: float | None

    def __str__(self) -> str:
        if not self.answers:
            return "Nothing is remembered."
        since = f", since {self.since[:10]}" if self.since else ""
        undecided = f" ({self.undecided} of them ties or skips)" if self.undecided else ""
        counted = f"{_count(self.answers, 'answer')}{undecided}"
        lines = [f"{counted} to {_count(self.prompts, 'prompt')}{since}."]
        if self.leanings:
            counts = "; ".join(f"{one.words}: {one.picks} of {one.of}" for one in self.leanings)
            lines += [f"What was picked, beside the others shown, was {counts}."]
        lines += [
            f"Told, of {len(_WORDS)} quantities of style, are those that chance would bring about "
            f"in less than {CHANCE:.0%} of cases (permutation test, each alone)."
            if self.leanings
            else f"Of {len(_WORDS)} quantities of style none is told from chance yet."
        ]
        lines += [f"Liked best so far: {text}" for text in self.best]
        lines += [f"Liked least so far: {text}" for text in self.least]
        if self.contrary is not None:
            share = f"About {self.contrary:.0%} of the latest answers"
            lines += [f"{share} are expected to be contrary to what the others say."]
        return "\n".join(lines)


def summary_of(answers: Sequence[Remembered]) -> Summary:
    """What answers say of whoever gave them."""
    view = _view(answers)
    best, least = _extremes(view)
    times = [answer.at for answer in answers if answer.at]
    return Summary(
        len(answers),
        sum(not answer.stages for answer in answers),
        len({answer.prompt for answer in answers}),
        min(times, default=""),
        _leanings(answers),
        best,
        least,
        None if view is None else contrary_share(view),
    )


def _leanings(answers: Sequence[Remembered]) -> tuple[Leaning, ...]:
    """How the picks are written, beside what they were picked from.

    Counted are the stages in which the pick had more of a quantity than the average of those shown.
    What is liked for its content is picked again and again, whatever its style, so that answers are
    no independent trials. The test is therefore one of permutations: how far from their mean such
    counts lie when the styles of the responses to a prompt are dealt out anew.
    """
    by_prompt: dict[str, list[Remembered]] = {}
    for answer in answers:
        if answer.stages and all(response.text for response in answer.options):
            by_prompt.setdefault(answer.prompt, []).append(answer)
    rng = generator(0, "leanings")
    counts = np.zeros((2, _DEALS + 1, len(STYLE_NAMES)))
    for told in by_prompt.values():
        texts = list(dict.fromkeys(r.text or "" for answer in told for r in answer.options))
        beside = _beside(told, {text: i for i, text in enumerate(texts)})
        orders = np.argsort(rng.random((_DEALS + 1, len(texts))), axis=1)
        orders[0] = np.arange(len(texts))  # as it was
        lead = np.einsum("sr,prq->psq", beside, style_features(texts)[orders])
        counts += (lead > _EQUAL).sum(axis=1), (lead < -_EQUAL).sum(axis=1)
    net = counts[0] - counts[1]
    far = np.abs(net - net[1:].mean(axis=0))
    chance = (1.0 + (far[1:] >= far[0] - _EQUAL).sum(axis=0)) / (1.0 + _DEALS)
    less = (net[0] < net[1:].mean(axis=0)).astype(int)
    found = [
        Leaning(
            _WORDS[name][less[i]],
            int(counts[less[i], 0, i]),
            int(counts[:, 0, i].sum()),
            float(chance[i]),
        )
        for i, name in enumerate(STYLE_NAMES)
    ]
    told_apart = [leaning for leaning in found if leaning.chance < CHANCE]
    return tuple(sorted(told_apart, key=lambda leaning: leaning.chance))


def _beside(answers: Sequence[Remembered], places: Mapping[str, int]) -> FloatArray:
    """(S, R) what makes S stages' differences, pick less average shown, of R texts' values."""
    rows = []
    for answer in answers:
        shown = [places[response.text or ""] for response in answer.options]
        for winner, losers in answer.stages:
            row = np.zeros(len(places))
            row[[shown[i] for i in (winner, *losers)]] = -1.0 / (1 + len(losers))
            row[shown[winner]] += 1.0
            rows.append(row)
    return np.array(rows)


def _view(answers: Sequence[Remembered]) -> View | None:
    """The latest answers whose features are alike, as if about one pool of all that was shown."""
    told = [answer for answer in answers if answer.stages and answer.features is not None]
    if not told:
        return None
    last = told[-1]
    alike = [answer for answer in told if answer.made == last.made][-_LATEST:]
    places: dict[tuple[str | None, str | None], int] = {}
    rows: dict[int, FloatArray] = {}
    numbered = []
    for number, answer in enumerate(alike):
        shown = [places.setdefault((r.text, r.image), len(places)) for r in answer.options]
        rows |= zip(shown, np.asarray(answer.features) / answer.scale, strict=True)
        query = Query(number, tuple(shown), tuple(f"r{i}" for i in shown))
        numbered.append(Answer(query, answer.picked))
    responses = [Response(f"r{i}", text, image) for (text, image), i in places.items()]
    try:
        pool = Pool("", responses, [rows[i] for i in range(len(places))])
    except PoolError:  # nothing tells them apart
        return None
    return View(pool, numbered, seed=0)


def _extremes(view: View | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first words of the responses of most and of least expected utility."""
    if view is None:
        return (), ()
    belief = Features().start(view.pool)
    for answer in view.answers:
        for winner, losers in answer.stages:
            belief = belief.update(winner, losers)
    order = np.argsort(-belief.mean(), kind="stable")
    shown = min(_SHOWN, len(order) // 2)
    texts = [_first_words(view.pool.responses[i]) for i in order]
    return tuple(texts[:shown]), tuple(texts[::-1][:shown])


def _first_words(response: Response) -> str:
    text = " ".join((response.text or response.image or "").split())
    return text if len(text) <= 80 else text[:77] + "..."


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
