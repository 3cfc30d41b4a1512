"""What each participant of a study is given: balanced at random, and derived from their place."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from palate._random import generator
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate.pool import Pool
    from palate.serve.study.plan import Condition, Method, StudyDomain, StudyPlan


class PersonaText(Protocol):
    """Somebody described in words, perhaps for one prompt."""

    @property
    def id(self) -> str:
        """Their name."""
        ...

    @property
    def text(self) -> str:
        """The description."""
        ...

    @property
    def prompt(self) -> str | None:
        """Id of the prompt that they were written for, or None for any."""
        ...


class Domain(Protocol):
    """Pools with baselines, and personas; :class:`palate.bench.domains.Domain` is one."""

    @property
    def pools(self) -> Sequence[Pool]:
        """One a prompt, each with an id of its own."""
        ...

    @property
    def personas(self) -> Sequence[PersonaText]:
        """Who can be played."""
        ...


@dataclass(frozen=True, slots=True)
class Persona:
    """Who is played: an id, and a description in words."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of a study.

    Attributes:
        id: of the prompt in its domain.
        pool: id of its pool in the store.
        personas: who can be played with it.
    """

    id: str
    pool: str
    personas: tuple[Persona, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What one participant is given.

    Attributes:
        domain: with the number of comparisons.
        method: what chooses them.
        condition: whether a persona is played.
        prompt: what is asked about.
        persona: who is played; None for one's own taste.
    """

    domain: StudyDomain
    method: Method
    condition: Condition
    prompt: Prompt
    persona: Persona | None


def chosen_pools(domain: StudyDomain, found: Domain) -> list[Pool]:
    """The pools of a domain that a study uses.

    Raises:
        ParameterError: a prompt is not there, or a pool has no baseline.
    """
    known = {str(pool.id): pool for pool in found.pools}
    wanted = list(known) if domain.prompts is None else domain.prompts
    for name in wanted:
        if name not in known:
            msg = f"domain {domain.name!r} has no prompt {name!r}; there are {', '.join(known)}"
            raise ParameterError(msg)
        if known[name].baseline is None:
            msg = f"prompt {name!r} of {domain.name!r} has no baseline to compare with"
            raise ParameterError(msg)
    return [known[name] for name in wanted]


def prompts_of(
    domain: StudyDomain, found: Domain, pools: Mapping[str, str], *, played: bool
) -> tuple[Prompt, ...]:
    """The prompts of a domain that a study uses.

    Args:
        domain: which of them.
        found: all there is.
        pools: ids in the store by the prompts' ids.
        played: whether personas are.

    Raises:
        ParameterError: a persona is not there, or there is nobody to be played.
    """
    known = {persona.id: persona for persona in found.personas}
    wanted = tuple(known) if domain.personas is None else domain.personas
    for name in wanted:
        if name not in known:
            msg = f"domain {domain.name!r} has no persona {name!r}"
            raise ParameterError(msg)
    prompts = []
    for name, pool in pools.items():
        fitting = (known[w] for w in wanted if known[w].prompt in {None, name})
        prompts.append(Prompt(name, pool, tuple(Persona(p.id, p.text) for p in fitting)))
    if played and not any(prompt.personas for prompt in prompts):
        msg = f"domain {domain.name!r} has no personas for these prompts; drop the condition"
        raise ParameterError(f"{msg} 'persona', or name others")
    return tuple(prompts)


def task_at(plan: StudyPlan, prompts: Sequence[Sequence[Prompt]], place: int) -> Task:
    """What the participant at a place of a study is given.

    Cells (domain, method and condition) come in blocks, each block a random order of all of them,
    so that no two cells ever differ by more than one participant. Within a cell, prompts (with
    their personas where one is played) come in such blocks, too.

    Args:
        plan: of the study.
        prompts: of each domain.
        place: from 0, in the order of consent.
    """
    sizes = (len(plan.domains), len(plan.methods), len(plan.conditions))
    cells = list(itertools.product(*map(range, sizes)))
    block, within = divmod(place, len(cells))
    order = generator(plan.seed, "study cells", block).permutation(len(cells))
    domain, method, condition = cells[order[within]]
    pairs: list[tuple[Prompt, Persona | None]] = [
        (prompt, persona)
        for prompt in prompts[domain]
        for persona in (prompt.personas if plan.conditions[condition] == "persona" else (None,))
    ]
    turn, at = divmod(block, len(pairs))
    chosen = generator(plan.seed, "study prompts", domain, method, condition, turn)
    prompt, persona = pairs[chosen.permutation(len(pairs))[at]]
    return Task(
        plan.domains[domain], plan.methods[method], plan.conditions[condition], prompt, persona
    )


def prompts_to_object(prompts: Sequence[Sequence[Prompt]]) -> list[list[dict[str, Any]]]:
    """The prompts of each domain as JSON values."""
    return [[asdict(prompt) for prompt in of_domain] for of_domain in prompts]


def prompts_from_object(found: list[list[dict[str, Any]]]) -> tuple[tuple[Prompt, ...], ...]:
    """What :func:`prompts_to_object` made."""
    return tuple(
        tuple(Prompt(p["id"], p["pool"], tuple(Persona(**q) for q in p["personas"])) for p in one)
        for one in found
    )
