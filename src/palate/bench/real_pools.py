"""Domains of what real models wrote, read from where the user keeps them: AlpacaEval and DSP.

With more candidates than a prompt has responses, the rest is drawn from the other prompts', as a
stand-in for a large pool; the domain's name and note say so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from palate._random import generator
from palate.bench.domains import Domain, Persona, with_baseline
from palate.embed import default_embedder, style_features
from palate.embed.style import STYLE_NAMES
from palate.errors import PoolError
from palate.formats._files import read_rows
from palate.pool import Pool, Response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate._typing import FloatArray

STYLE_WEIGHT = 1.0
"""Of a person's style wishes beside the fit of the content; see :func:`alpaca_domain`."""

_WISHES = {"length": "length", "bullets": "lists", "formality": "formality"}
"""Names of the wishes, and the columns of :func:`palate.embed.style_features` that they are of."""

DSP_PEOPLE = {
    "academy": "A researcher, who wants precise, sober and well-argued answers with sources.",
    "business": "A manager, who wants brief, practical answers about what it brings.",
    "entertainment": "A fan of films and games, who wants lively answers with jokes.",
    "literature": "A reader of novels and poetry, who wants well-told answers full of images.",
}
"""The domains of the DSP data set as people, in our words."""

_DSP_BASELINE = "normal"


@dataclass(frozen=True, slots=True)
class _Question:
    """A prompt with what was written for it."""

    id: str
    text: str
    baseline: Response
    responses: tuple[Response, ...]
    topic: str = ""


def alpaca_domain(
    folder: Path,
    size: int = 20,
    *,
    part: str = "dev",
    baseline: str = "text_davinci_003",
    style_weight: float = STYLE_WEIGHT,
    prompts: int | None = None,
    seed: int = 0,
) -> Domain:
    """AlpacaEval's outputs as pools, with simulated people.

    The people are the personas of a prompt's topic. They judge a response in an embedding that is
    richer than the features, and by how it is written: ``u = z(cos) + w sum_q wish_q z(quantity)``,
    where cos is that of persona and response in MiniLM, the quantities are the logarithm of the
    length in words, the share of lines that are bullets, and formality, wishes are -1, 0 or 1, and
    z standardises within the pool. The features are the shipped 64-d embedding.

    Args:
        folder: with ``alpaca_pools_<part>.jsonl.gz``, ``alpaca_pools_<part>_emb.npz`` and
            ``persona_texts_<part>.json``.
        size: N, responses of each pool, drawn by the seed.
        part: of the file names.
        baseline: which of the file's baselines is the response to beat.
        style_weight: w.
        prompts: how many to ask about, the file's first; by default all.
        seed: of the draw.

    Raises:
        PoolError: a file is missing or not as expected, or there are not so many responses.
    """
    try:
        questions = [
            _Question(
                row["qid"],
                row["question"],
                Response(f"{row['qid']}-{baseline}", row["baseline"][baseline]),
                tuple(Response(r["id"], r["text"]) for r in row["responses"]),
                row["topic"],
            )
            for _, row in read_rows(folder / f"alpaca_pools_{part}.jsonl.gz", PoolError)
        ]
        people = json.loads((folder / f"persona_texts_{part}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"alpaca_pools_{part}_emb.npz") as vectors:
            responses = dict(zip(vectors["ids"].tolist(), _unit(vectors["minilm"]), strict=True))
            tastes = dict(zip(vectors["pids"].tolist(), _unit(vectors["p_minilm"]), strict=True))
        kept = questions[:prompts]
        drawn = [_candidates(questions, i, size, seed) for i in range(len(kept))]
        ratings = np.full((len(kept), len(people), 1 + size), np.nan)
        styles = _style_table(questions)
        for i, question in enumerate(kept):
            ids = [question.baseline.id, *(r.id for r in drawn[i])]
            meant = np.array([responses[name] for name in ids])
            style = _standardised(np.array([styles[name] for name in ids]))
            for j, person in enumerate(people):
                if person["topic"] == question.topic:
                    fit = _standardised((meant @ tastes[person["pid"]])[:, None])[:, 0]
                    wishes = np.array([person["style"][wish] for wish in _WISHES])
                    ratings[i, j] = fit + style_weight * (style @ wishes)
        personas = [Persona(person["pid"], person["text"]) for person in people]
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, PoolError):
            raise
        msg = f"{folder} does not hold AlpacaEval pools with their people: {error}"
        raise PoolError(msg) from error
    return _embedded("alpaca", kept, drawn, personas, ratings)


def dsp_domain(path: Path, size: int = 20, *, prompts: int | None = 100, seed: int = 0) -> Domain:
    """The Domain Specific Preference data set as pools.

    A prompt's own candidates are the responses of the four domains; the others come from other
    prompts. The response for no domain in particular is the baseline. Nobody has rated them: people
    here are simulated weights, or the four domains played by a model.

    Args:
        path: of the JSONL file.
        size: N, responses of each pool.
        prompts: how many to draw by the seed; None takes all.
        seed: of the draws.

    Raises:
        PoolError: the file is not as expected, or there are not so many responses.
    """
    try:
        questions = [
            _Question(
                str(row["qid"]),
                row["query"],
                Response("baseline", row["responses"][_DSP_BASELINE]),
                tuple(
                    Response(f"{row['qid']}-{name}", row["responses"][name]) for name in DSP_PEOPLE
                ),
            )
            for _, row in read_rows(path, PoolError)
        ]
    except (KeyError, TypeError) as error:
        msg = f"{path} is not the DSP data set: a row has no {error}"
        raise PoolError(msg) from error
    order = generator(seed, "dsp").permutation(len(questions))[:prompts].tolist()
    drawn = [_candidates(questions, i, size, seed) for i in order]
    personas = [Persona(name, text) for name, text in DSP_PEOPLE.items()]
    return _embedded("dsp64d", [questions[i] for i in order], drawn, personas, None)


def _candidates(questions: Sequence[_Question], place: int, size: int, seed: int) -> list[Response]:
    """So many responses to a prompt, its own first, in the file's order."""
    rng = generator(seed, "candidates", place)
    own = _without(questions[place].responses, {str(questions[place].baseline.text)})
    if size <= len(own):
        return [own[i] for i in np.sort(rng.choice(len(own), size, replace=False))]
    theirs = [r for i, question in enumerate(questions) if i != place for r in question.responses]
    others = _without(theirs, {str(r.text) for r in (*own, questions[place].baseline)})
    missing = size - len(own)
    if missing > len(others):
        msg = f"there are {len(own) + len(others):,} different responses, not {size:,}"
        raise PoolError(msg)
    return own + [others[i] for i in np.sort(rng.choice(len(others), missing, replace=False))]


def _without(responses: Sequence[Response], texts: set[str]) -> list[Response]:
    """The responses whose text is new."""
    kept = []
    for response in responses:
        if response.text not in texts:
            texts.add(str(response.text))
            kept.append(response)
    return kept


def _embedded(
    name: str,
    questions: Sequence[_Question],
    drawn: Sequence[Sequence[Response]],
    personas: Sequence[Persona],
    ratings: FloatArray | None,
) -> Domain:
    """A domain whose texts, some of them in many pools, are embedded once each."""
    embedder = default_embedder()
    texts = {str(r.text) for q, chosen in zip(questions, drawn, strict=True) for r in chosen}
    listed = sorted(texts | {str(q.baseline.text) for q in questions})
    rows = dict(zip(listed, embedder(listed), strict=True))
    pools, baselines = [], []
    for question, chosen in zip(questions, drawn, strict=True):
        pool = Pool(question.text, chosen, id=question.id, baseline=question.baseline)
        features = np.array([rows[str(r.text)] for r in (*chosen, question.baseline)])
        pool, baseline = with_baseline(pool, features, scaling="half", embedder=embedder.name)
        pools.append(pool)
        baselines.append(baseline)
    size, note = len(drawn[0]), ""
    if size > min(len(question.responses) for question in questions):
        name = f"{name} ({size:,} across prompts)"
        note = f"of the {size:,} candidates those beyond a prompt's own come from other prompts"
    return Domain(name, tuple(pools), np.array(baselines), tuple(personas), ratings, note)


def _style_table(questions: Sequence[_Question]) -> dict[str, FloatArray]:
    """The quantities that wishes are about, of every response and baseline by id.

    Standardised over all of them here, which standardising within a pool undoes.
    """
    everything = [r for q in questions for r in (q.baseline, *q.responses)]
    columns = [STYLE_NAMES.index(name) for name in _WISHES.values()]
    table = style_features([str(r.text) for r in everything])[:, columns]
    return {r.id: row for r, row in zip(everything, table, strict=True)}


def _standardised(columns: FloatArray) -> FloatArray:
    """Columns (1 + N, m) by the mean and deviation of all rows but the first, the baseline's."""
    pool = columns[1:]
    differs = np.ptp(pool, axis=0) > 0.0
    centred = columns - pool.mean(axis=0)
    return np.divide(centred, pool.std(axis=0), out=np.zeros_like(centred), where=differs)


def _unit(rows: Any) -> FloatArray:  # noqa: ANN401 - float16, whose squares are coarse
    wide = np.asarray(rows, dtype=np.float64)
    return np.asarray(wide / np.sqrt((wide**2).sum(axis=1, keepdims=True)))
