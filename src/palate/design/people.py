"""Who picks among K: a plan's queries as a pool that any person can be asked about.

A person is simulated, played by a chat model, or somebody at a terminal::

    asked = pose(problem, planned)
    person = style_person(asked, problem, style_theta(style_sentences("sunny"), strength=20.0))
    estimate = fit_choice_model(asked.options(problem), ask_all(person, asked), lam=0.16)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from palate.design.best import tokens_of
from palate.design.render import TextRenderer
from palate.design.vocabulary import prompt_text, unit_rows
from palate.errors import AnswerError, ParameterError
from palate.feedback import SKIP, Query, check_picked
from palate.people import SimulatedPerson
from palate.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.design.best import Prompt
    from palate.design.problem import Problem
    from palate.design.queries import PlannedQuery
    from palate.design.render import Renderer
    from palate.embed import Embedder
    from palate.feedback import Person, Picked
    from palate.people.simulated import Noise

Shows: TypeAlias = Literal["prefix", "token"]
"""What an option of a query at depth h is: the prompt so far, or the token of slot h alone."""

QUESTION = "Which of these do you like best?"


@dataclass(frozen=True, eq=False, slots=True)
class Questions:
    """A plan's queries, and one pool of all that they show.

    Attributes:
        pool: each distinct thing that is shown once, without features.
        queries: the plan's, in order, as options of the pool.
        prompts: the tokens of each response of the pool, by their places in the slots.
        shows: whether an option is a whole prefix or its last token.
    """

    pool: Pool
    queries: tuple[Query, ...]
    prompts: tuple[Prompt, ...]
    shows: Shows = "prefix"

    def features(self, problem: Problem, embedder: Embedder | None = None) -> FloatArray:
        """(N, d) features of the pool's responses.

        Args:
            problem: whose tokens are shown. A prefix has the sum of its tokens' features.
            embedder: embeds each prompt as one text instead, as the paper's estimate does; rows
                are of unit length then.
        """
        if embedder is not None:
            texts = [prompt_text(shown_tokens(problem, p, self.shows)) for p in self.prompts]
            return unit_rows(embedder, texts)
        return np.array([option_features(problem, p, self.shows) for p in self.prompts])

    def options(self, problem: Problem, embedder: Embedder | None = None) -> list[FloatArray]:
        """(K, d) features of what each query shows, as :func:`fit_choice_model` takes them."""
        features = self.features(problem, embedder)
        return [features[list(query.options)] for query in self.queries]


def pose(
    problem: Problem,
    planned: Sequence[PlannedQuery],
    renderer: Renderer | None = None,
    *,
    shows: Shows = "prefix",
    question: str = QUESTION,
) -> Questions:
    """Make a plan's queries into something that a person can be asked.

    Args:
        problem: that the plan was made for; its tokens are words.
        planned: the queries, in the order in which they are asked.
        renderer: makes what is shown of each prompt; by default the prompt's text.
        shows: the prompt so far, or its last token alone.
        question: what the person is asked, the pool's prompt.

    Raises:
        ParameterError: there is no query, an option is no prefix of a prompt or is blank, or two
            options of a query are the same text.
        ModelError: the renderer could not make something.
    """
    if not planned:
        raise ParameterError("there is no query to ask; plan at least one")
    place: dict[str, int] = {}
    prompts: list[Prompt] = []
    queries = []
    for number, query in enumerate(planned):
        texts = [prompt_text(shown_tokens(problem, option, shows)) for option in query.options]
        if len(set(texts)) < max(len(texts), 2) or not all(texts):
            msg = f"query {number} must show two or more different texts, not {texts}"
            raise ParameterError(msg)
        for text, option in zip(texts, query.options, strict=True):
            if place.setdefault(text, len(prompts)) == len(prompts):
                prompts.append(tuple(option))
        queries.append(tuple(place[text] for text in texts))
    shown = (renderer or TextRenderer()).render(list(place))
    pool = Pool(question, shown)
    return Questions(
        pool,
        tuple(
            Query(number, options, tuple(shown[i].id for i in options))
            for number, options in enumerate(queries)
        ),
        tuple(prompts),
        shows,
    )


def pool_queries(pool: Pool, planned: Sequence[PlannedQuery]) -> tuple[Query, ...]:
    """A plan for a pool (:meth:`palate.design.Problem.of_pool`) as queries about that pool.

    Raises:
        ParameterError: an option is no response of the pool.
    """
    places = [tuple(option[-1] for option in query.options) for query in planned]
    if any(not 0 <= i < len(pool) for options in places for i in options):
        msg = f"the plan is for another pool: this one has {len(pool)} responses"
        raise ParameterError(msg)
    return tuple(
        Query(number, options, tuple(pool.responses[i].id for i in options))
        for number, options in enumerate(places)
    )


def style_person(
    asked: Questions,
    problem: Problem,
    theta: ArrayLike,
    *,
    embedder: Embedder | None = None,
    noise: Noise = "logit",
    seed: int = 0,
) -> SimulatedPerson:
    """A simulated person with known weights, who can be asked these questions.

    Args:
        asked: the questions.
        problem: that they were made for.
        theta: (d,) weights; see :func:`palate.design.style_theta`.
        embedder: if given, the person judges each prompt as one text; otherwise by the sum of its
            tokens' features.
        noise: "logit": picks option i with probability softmax(X theta)_i; "none": the best one.
        seed: fixes the picks.

    Raises:
        ParameterError: theta does not fit the features.
    """
    features = asked.features(problem, embedder)
    weights = np.asarray(theta, dtype=np.float64)
    if weights.shape != features.shape[1:]:
        msg = f"theta must have {features.shape[1]} numbers, one a feature, not {weights.shape}"
        raise ParameterError(msg)
    return SimulatedPerson(utilities=features @ weights, noise=noise, seed=seed)


def ask_all(person: Person, asked: Questions) -> list[Picked]:
    """Put all questions to a simulated or played person, in order.

    Somebody who stops early has skipped the rest.

    Raises:
        AnswerError: the person wants an answer undone, which takes a terminal or a web page.
    """
    said: list[Picked] = []
    for query in asked.queries:
        reply = person.answer(query, asked.pool)
        if reply == "stop":
            return said + [SKIP] * (len(asked.queries) - len(said))
        if reply == "undo":
            raise AnswerError("an answer cannot be undone here; ask this person interactively")
        said.append(check_picked(reply, query))
    return said


def shown_tokens(problem: Problem, option: Sequence[int], shows: Shows = "prefix") -> list[str]:
    """The words of an option.

    Raises:
        ParameterError: as :func:`palate.design.best.tokens_of`; or ``shows`` is neither of the two.
    """
    if shows not in {"prefix", "token"}:
        msg = f"shows is 'prefix' or 'token', not {shows!r}"
        raise ParameterError(msg)
    tokens = list(tokens_of(problem, option))
    return tokens if shows == "prefix" else tokens[-1:]


def option_features(problem: Problem, option: Sequence[int], shows: Shows = "prefix") -> FloatArray:
    """(d,) features of an option: the sum of its tokens', or its last token's."""
    shown_tokens(problem, option, shows)
    slots = list(zip(problem.slots, option, strict=False))
    rows = [slot.features[i] for slot, i in (slots if shows == "prefix" else slots[-1:])]
    return np.sum(rows, axis=0, initial=0.0) if rows else np.zeros(problem.d)
