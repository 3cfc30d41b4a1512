"""What a person's answers to planned questions came to: strength, best tokens, how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.design.best import best_prompt, near, tokens_of
from palate.design.estimate import fit_choice_model
from palate.design.strength import check_lambda, fit_matched, strength
from palate.design.validate import predicted_picks
from palate.design.vocabulary import prompt_text
from palate.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.design.best import Prompt
    from palate.design.estimate import ChoiceEstimate
    from palate.design.files import QueryFile
    from palate.design.problem import Problem
    from palate.design.validate import Prediction
    from palate.embed import Embedder


@dataclass(frozen=True, slots=True)
class Leader:
    """The token of a slot that suits the person best.

    Attributes:
        slot: its name.
        token: the best one.
        second: the next.
        lead: by how much its utility is higher.
        error: standard error of that, by the estimate's covariance.
    """

    slot: str
    token: str
    second: str
    lead: float
    error: float


@dataclass(frozen=True, eq=False, slots=True)
class Summary:
    """An estimate, and what follows from it.

    Attributes:
        estimate: of the person's weights.
        lam: prior precision that it was made with.
        strength: the person's, as estimated; 0 where the picks show no more than chance.
        warning: where the plan's lambda does not suit somebody so decisive.
        open: share of what was unknown beforehand that the answers leave unknown, the trace of the
            covariance over that of the prior.
        errors: least, median and largest standard error of theta's numbers.
        prediction: of picks that the estimate had not seen; None where there are too few.
        leaders: best token of each slot.
        best: the best prompt.
        near: others that are likely to suit, best first.
    """

    estimate: ChoiceEstimate
    lam: float
    strength: float
    warning: str | None
    open: float
    errors: tuple[float, float, float]
    prediction: Prediction | None
    leaders: tuple[Leader, ...]
    best: Prompt
    near: tuple[Prompt, ...]


def summarise(
    file: QueryFile,
    problem: Problem,
    *,
    lam: float | None = None,
    planned_lam: float | None = None,
    embedder: Embedder | None = None,
    n_near: int = 5,
    seed: int = 0,
) -> Summary:
    """Fit a file's answers and say what they came to.

    Args:
        file: queries and answers.
        problem: that they were planned for.
        lam: prior precision; by default the one that suits the person, found from their picks.
        planned_lam: that of the plan, to be warned about.
        embedder: embeds each prompt as one text, as the paper's estimate does; by default a prompt
            has the sum of its tokens' features.
        n_near: prompts near the best one.
        seed: fixes their draws.

    Raises:
        AnswerError: there is no pick yet.
        ParameterError: as :func:`palate.design.fit_choice_model`.
        ModelError: as the embedder.
    """
    told = [number for number, answer in sorted(file.answers.items()) if answer.stages]
    if not told:
        msg = f"{file.path} holds no pick yet; let somebody answer by palate design ask"
        raise AnswerError(msg)
    shown = file.asked.options(problem, embedder)
    options = [shown[number] for number in told]
    picked = [file.answers[number].picked for number in told]
    if lam is None:
        estimate = fit_matched(options, picked)
    else:
        estimate = fit_choice_model(options, picked, lam=lam)
    used = float(np.mean(estimate.prior_precision))
    beta = strength(estimate)
    errors = np.sqrt(np.diag(estimate.covariance))
    episodes = [file.planned[number].episode for number in told]
    close = dict.fromkeys(near(problem, estimate.theta, 4 * n_near, seed=seed))
    best = best_prompt(problem, estimate.theta)
    close.pop(best, None)
    ranked = sorted(close, key=lambda prompt: -utility(problem, prompt, estimate.theta))
    return Summary(
        estimate=estimate,
        lam=used,
        strength=beta,
        warning=None if planned_lam is None else check_lambda(planned_lam, problem.d, beta),
        open=float(np.trace(estimate.covariance)) * used / problem.d if used > 0.0 else np.nan,
        errors=(float(errors.min()), float(np.median(errors)), float(errors.max())),
        prediction=predicted_picks(options, picked, episodes, lam=used) if used > 0.0 else None,
        leaders=tuple(leaders(problem, estimate)),
        best=best,
        near=tuple(ranked[:n_near]),
    )


def leaders(problem: Problem, estimate: ChoiceEstimate) -> list[Leader]:
    """The best token of each slot, by how much it leads, and how sure that is."""
    found = []
    for slot in problem.slots:
        utilities = slot.features @ estimate.theta
        order = np.argsort(-utilities, kind="stable")
        first, second = (int(i) for i in order[:2])
        apart = slot.features[first] - slot.features[second]
        found.append(
            Leader(
                slot.name,
                slot.tokens[first],
                slot.tokens[second],
                float(utilities[first] - utilities[second]),
                float(np.sqrt(apart @ estimate.covariance @ apart)),
            )
        )
    return found


def utility(problem: Problem, prompt: Sequence[int], theta: FloatArray) -> float:
    """Utility of a prompt, the sum of its tokens'."""
    rows = (slot.features[i] for slot, i in zip(problem.slots, prompt, strict=False))
    return float(sum(float(row @ theta) for row in rows))


def text_of(problem: Problem, prompt: Prompt) -> str:
    """A prompt's text."""
    return prompt_text(tokens_of(problem, prompt))
