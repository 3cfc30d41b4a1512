"""From a design to the queries that are asked: K policies, sampled and rounded.

queries = sample_queries(plan(problem, n_queries=25, lam=1.0), n_options=4, seed=1)

A prompt grows token by token. In episode t, each of K policies writes a prompt of its own; at depth
h the person sees the K prompts as far as they go, h tokens long, and picks one (truncated
trajectories; ED-PBRL, Theorem 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from palate._random import generator
from palate.design._policies import by_direction, by_turns
from palate.design._rounding import Knowledge, independent, stratified
from palate.design.problem import checked_theta
from palate.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray
    from palate.design.problem import Problem
    from palate.design.solve import Design

Feedback: TypeAlias = Literal["truncated", "end", "slots"]
"""What is asked in an episode. ``truncated``: a pick at every depth. ``end``: one, of the whole
prompts. ``slots``: a pick at every depth by the last tokens alone, in which a slot of weight w
takes part in w times as many episodes as one of weight 1; for slots that are prompts of their own.
"""

Split: TypeAlias = Literal["iid", "stratified", "blockfw"]
"""How K policies share a design. ``iid``: all are the design. ``stratified``: each has one K-th of
every slot along its first principal direction. ``blockfw``: by Frank-Wolfe steps in turn, as in the
paper's code; these average what 20 rounds reach and not the design.
"""

Rounding: TypeAlias = Literal["iid", "stratified", "greedy"]
"""How policies become queries. ``iid``: independent draws without repeats in a query.
``stratified``: each token as often as it should, rounded. ``greedy``: of several independent
queries the one whose exact information, at theta = 0 or at an estimate, adds most to log det M.
"""


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """K prompts, as far as they go, of which a person is to pick one.

    Attributes:
        episode: of the prompts, from 0.
        depth: how many slots are filled, from 1.
        options: for each prompt the numbers of its tokens in the first ``depth`` slots.
    """

    episode: int
    depth: int
    options: tuple[tuple[int, ...], ...]


def sample_queries(
    design: Design,
    *,
    n_options: int = 4,
    episodes: int | None = None,
    feedback: Feedback = "truncated",
    split: Split = "iid",
    rounding: Rounding = "iid",
    candidates: int = 16,
    theta: ArrayLike | None = None,
    seed: int = 0,
) -> tuple[PlannedQuery, ...]:
    """Queries that follow a design; no query shows a slot's token twice.

    Args:
        design: how often to show what.
        n_options: K, at least 2.
        episodes: T, by default as many as the design is for (``n_queries``, rounded).
        feedback: see :data:`Feedback`.
        split: see :data:`Split`.
        rounding: see :data:`Rounding`.
        candidates: how many queries "greedy" chooses each from.
        theta: (d,) estimate at which "greedy" takes their information, after some answers: of
            options that somebody is sure about it expects little. By default 0.
        seed: fixes the draws.

    Returns:
        By episode, then depth.

    Raises:
        ParameterError: a setting that is none of those above, a theta that is not (d,), or one for
            another rounding than "greedy", or a slot with fewer than K tokens.
    """
    if episodes is None:
        episodes = max(1, round(design.n_queries))
    check_queries(design.problem, n_options, episodes, feedback)
    if rounding not in get_args(Rounding):
        msg = f"rounding must be one of {', '.join(get_args(Rounding))}, not {rounding!r}"
        raise ParameterError(msg)
    if candidates < 1:
        msg = f"greedy rounding needs at least 1 candidate, not {candidates}"
        raise ParameterError(msg)
    at = _checked_theta(theta, design.problem.d, rounding)
    policies = split_policies(design, n_options, split)
    counts = slot_counts(design.problem, episodes, feedback)
    rngs = [generator(seed, "design queries", h) for h in range(len(counts))]
    if rounding == "greedy":
        known = Knowledge(design.prior_precision, at)
        shown = _greedy(
            design, policies, counts, rngs, known=known, candidates=candidates, feedback=feedback
        )
    else:
        rounded = independent if rounding == "iid" else stratified
        shown = [rounded(p, n, rng) for p, n, rng in zip(policies, counts, rngs, strict=True)]
    return as_queries(shown, feedback)


def split_policies(design: Design, n_options: int, split: Split = "iid") -> tuple[FloatArray, ...]:
    """The design as K policies: for each slot (K, n_h) distributions over its tokens.

    Raises:
        ParameterError: K is below 2, or the split is unknown.
    """
    if n_options < 2:
        msg = f"a query needs at least 2 options, not {n_options}"
        raise ParameterError(msg)
    if split == "iid":
        return tuple(np.tile(w, (n_options, 1)) for w in design.weights)
    if split == "stratified":
        return by_direction(design, n_options)
    if split == "blockfw":
        return by_turns(design, n_options)
    msg = f"split must be one of {', '.join(get_args(Split))}, not {split!r}"
    raise ParameterError(msg)


def token_options(problem: Problem, query: PlannedQuery) -> FloatArray:
    """(K, d) features of the last token of each option: what a design reckons with."""
    last = [option[-1] for option in query.options]
    return problem.slots[query.depth - 1].features[last]


def slot_counts(problem: Problem, episodes: int, feedback: Feedback) -> list[int]:
    """In how many episodes each slot takes part."""
    if feedback != "slots":
        return [episodes] * len(problem.slots)
    return [max(1, round(episodes * slot.weight)) for slot in problem.slots]


def as_queries(shown: list[IndexArray], feedback: Feedback) -> tuple[PlannedQuery, ...]:
    """Queries of the tokens that each slot shows.

    Args:
        shown: for each slot (T_h, K) tokens; slots of fewer episodes repeat theirs in prefixes.
        feedback: see :data:`Feedback`.
    """
    queries = []
    for episode in range(max(map(len, shown))):
        prompts = np.array([tokens[episode % len(tokens)] for tokens in shown])
        for depth in range(1, len(shown) + 1):
            if feedback == "end" and depth < len(shown):
                continue
            if episode < len(shown[depth - 1]):
                options = tuple(tuple(map(int, prompt)) for prompt in prompts[:depth].T)
                queries.append(PlannedQuery(episode, depth, options))
    return tuple(queries)


def check_queries(problem: Problem, n_options: int, episodes: int, feedback: Feedback) -> None:
    """Refuse queries that cannot be.

    Raises:
        ParameterError: fewer than two options or one episode, a slot with fewer tokens than
            options, or an unknown feedback.
    """
    if n_options < 2 or episodes < 1:
        msg = f"at least 2 options and 1 episode are needed, not {n_options} and {episodes}"
        raise ParameterError(msg)
    if feedback not in get_args(Feedback):
        msg = f"feedback must be one of {', '.join(get_args(Feedback))}, not {feedback!r}"
        raise ParameterError(msg)
    for slot in problem.slots:
        if len(slot) < n_options:
            msg = (
                f"slot {slot.name!r} has {len(slot)} tokens, too few for {n_options} different "
                f"options: add tokens or show fewer options"
            )
            raise ParameterError(msg)


def _checked_theta(theta: ArrayLike | None, d: int, rounding: Rounding) -> FloatArray | None:
    if theta is None:
        return None
    if rounding != "greedy":
        msg = f"theta is for greedy rounding, not {rounding!r}"
        raise ParameterError(msg)
    return checked_theta(theta, d)


def _greedy(
    design: Design,
    policies: tuple[FloatArray, ...],
    counts: list[int],
    rngs: list[np.random.Generator],
    *,
    known: Knowledge,
    candidates: int,
    feedback: Feedback,
) -> list[IndexArray]:
    """The best of several queries for each slot, one episode after the other."""
    slots = design.problem.slots
    shown: list[list[IndexArray]] = [[] for _ in slots]
    for episode in range(max(counts)):
        for h, slot in enumerate(slots):
            if episode >= counts[h]:
                continue
            drawn = independent(policies[h], candidates, rngs[h])
            worth = 1.0 if feedback == "slots" else slot.weight
            options = slot.features[drawn]
            best = int(known.gains(options, worth).argmax())
            known.add(options[best], worth)
            shown[h].append(drawn[best])
    return [np.array(tokens) for tokens in shown]
