"""The people of an experiment: who answers about which pool, and what they truly prefer."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from palate._random import generator
from palate.bench.exact import random_theta
from palate.errors import ParameterError
from palate.feedback import Query
from palate.people import ModelPerson, SimulatedPerson
from palate.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.bench.domains import Domain
    from palate.chat import ChatModel
    from palate.feedback import Person
    from palate.people.simulated import Noise

People: TypeAlias = Literal["consistent", "btl", "btl85", "persona", "played"]
"""Kinds of people.

``consistent``: weights uniform on the sphere of radius 3, always the better response. ``btl``: the
same weights, answers by Bradley-Terry-Luce. ``btl85``: likewise, the utilities multiplied until the
better of two responses wins 85 % of the time. ``persona``: the domain's ratings. ``played``: the
domain's personas played by a chat model.
"""

TARGET_ACCURACY = 0.85


@dataclass(frozen=True, eq=False)
class Subject:
    """A person of an experiment, with the pool that they are asked about.

    Attributes:
        group: the domain and the kind of people, such as "food2d, btl".
        name: of the person, unique in the group.
        pool: of N responses.
        utilities: (N,) of the responses; None for a person played by a model.
        baseline: utility of the pool's baseline.
        noise: how they answer; see :class:`palate.SimulatedPerson`.
        flip_rate: share of answers that are turned round.
        played: who answers instead, where the utilities are not known.
        played_by: identity of the model that plays them.
    """

    group: str
    name: str
    pool: Pool
    utilities: FloatArray | None
    baseline: float = 0.0
    noise: Noise = "none"
    flip_rate: float = 0.0
    played: ModelPerson | None = None
    played_by: str = ""

    def person(self, seed: int) -> Person:
        """Somebody who answers as they would; the seed is of what is random in the answers."""
        if self.played is not None:
            return self.played
        return SimulatedPerson(
            utilities=self.utilities, noise=self.noise, flip_rate=self.flip_rate, seed=seed
        )

    def preference(self, one: int, other: int | None = None) -> float:
        """Probability that they prefer one response to another, or to the baseline: the win-rate.

        It is that of their own preference model, without flips; a half where both are equal.
        """
        if one == other:
            return 0.5
        if self.utilities is None:
            return self._said(one, other)
        rest = self.baseline if other is None else self.utilities[other]
        gap = float(self.utilities[one] - rest)
        return float(expit(gap) if self.noise == "logit" else 0.5 + 0.5 * np.sign(gap))

    def _said(self, one: int, other: int | None) -> float:
        """What a played person answers to the two responses."""
        second = self.pool.baseline if other is None else self.pool.responses[other]
        if second is None or self.played is None:
            msg = f"{self.group}: the pool {self.pool.id!r} has no baseline to compare with"
            raise ParameterError(msg)
        first = replace(self.pool.responses[one], id="one")
        pair = Pool(self.pool.prompt, [first, replace(second, id="other")])
        said = self.played.answer(Query(0, (0, 1), ("one", "other")), pair)
        return 0.5 if said == "tie" else float(said == 0)

    @functools.cached_property
    def shares(self) -> FloatArray:
        """(N,) utilities from 0, the pool's worst, to 1, its best; NaN where they are not known."""
        if self.utilities is None:
            return np.full(len(self.pool), np.nan)
        spread = float(np.ptp(self.utilities))
        if spread == 0.0:
            return np.ones(len(self.pool))
        return (self.utilities - self.utilities.min()) / spread

    @functools.cached_property
    def ranks(self) -> FloatArray:
        """(N,) 1 for the best response, and so on, equal ones sharing the better rank; or NaN."""
        if self.utilities is None:
            return np.full(len(self.pool), np.nan)
        better = self.utilities[:, None] < self.utilities[None, :]
        return 1.0 + better.sum(axis=1, dtype=np.float64)

    @property
    def pair_accuracy(self) -> float:
        """Probability, over pairs of responses, that an unflipped answer names the better one."""
        if self.utilities is None or self.noise == "none":
            return 1.0 if self.utilities is not None else np.nan
        return float(expit(_gaps(self.utilities)).mean())

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells this person, pool and way of answering from any other, in 16 digits."""
        digest = hashlib.sha256()
        truth = "played" if self.utilities is None else self.utilities.astype(np.float64).tobytes()
        persona = "" if self.played is None else self.played.persona
        rest = (self.baseline, self.noise, self.flip_rate, self.played_by, persona, truth)
        for part in (
            self.pool.content_fingerprint,
            self.pool.features_fingerprint,
            repr((self.pool.baseline, *rest)),
        ):
            digest.update(part.encode(errors="backslashreplace"))
        return digest.hexdigest()[:16]


def cast(
    domain: Domain,
    people: People,
    *,
    per_prompt: int = 3,
    flip_rate: float = 0.0,
    seed: int = 0,
    model: ChatModel | None = None,
) -> list[Subject]:
    """The people of an experiment on a domain, prompt by prompt.

    Args:
        domain: with X prompts.
        people: of which kind.
        per_prompt: how many a prompt; of personas those written for the prompt come first, then
            others who judge it, drawn by the seed.
        flip_rate: share of answers that are turned round; not for people played by a model.
        seed: of weights and draws.
        model: that plays people.

    Raises:
        ParameterError: there is no such kind, or the domain or the call lacks what it needs.
    """
    if people not in get_args(People):
        msg = f"people are one of {', '.join(get_args(People))}, not {people!r}"
        raise ParameterError(msg)
    if per_prompt < 1:
        msg = f"there is at least one person a prompt, not {per_prompt}"
        raise ParameterError(msg)
    if people == "persona":
        subjects = _rated(domain, per_prompt, seed)
    elif people == "played":
        subjects = _played(domain, per_prompt, seed, model)
    else:
        subjects = _weighted(domain, per_prompt, seed)
    group = f"{domain.name}, {people}"
    if people == "btl85":
        scale = _scale_for(TARGET_ACCURACY, subjects)
        subjects = [
            replace(s, utilities=scale * _known(s), baseline=scale * s.baseline) for s in subjects
        ]
    noise: Noise = "logit" if people in {"btl", "btl85"} else "none"
    if people == "played":
        return [replace(s, group=group) for s in subjects]
    return [replace(s, group=group, noise=noise, flip_rate=flip_rate) for s in subjects]


def _weighted(domain: Domain, per_prompt: int, seed: int) -> list[Subject]:
    """People with weights uniform on the sphere of radius 3."""
    subjects = []
    for prompt, pool in enumerate(domain.pools):
        features = np.asarray(pool.features, dtype=np.float64)
        for person in range(per_prompt):
            weights = random_theta(generator(seed, "weights", prompt, person), domain.d)
            subjects.append(
                Subject(
                    "",
                    f"{pool.id}/weights {person + 1}",
                    pool,
                    features @ weights,
                    float(domain.baselines[prompt] @ weights),
                )
            )
    return subjects


def _rated(domain: Domain, per_prompt: int, seed: int) -> list[Subject]:
    """People who have rated every response."""
    if domain.ratings is None:
        msg = (
            f"nobody has rated the responses of {domain.name}; take people with weights "
            "(consistent, btl, btl85), or have a model play them (played)"
        )
        raise ParameterError(msg)
    subjects = []
    for prompt, person in _judges(domain, per_prompt, seed):
        pool, ratings = domain.pools[prompt], domain.ratings[prompt, person]
        name = f"{pool.id}/{domain.personas[person].id}"
        subjects.append(Subject("", name, pool, ratings[1:], float(ratings[0])))
    return subjects


def _played(domain: Domain, per_prompt: int, seed: int, model: ChatModel | None) -> list[Subject]:
    """People in words, played by a model."""
    if model is None:
        raise ParameterError("people played by a model need one: name it by --model")
    subjects = []
    for prompt, person in _judges(domain, per_prompt, seed):
        pool, persona = domain.pools[prompt], domain.personas[person]
        subjects.append(
            Subject(
                "",
                f"{pool.id}/{persona.id}",
                pool,
                None,
                played=ModelPerson(persona.text, model),
                played_by=model.identity,
            )
        )
    return subjects


def _judges(domain: Domain, per_prompt: int, seed: int) -> list[tuple[int, int]]:
    """Places of prompts and of the personas who judge them."""
    judges = []
    for prompt, pool in enumerate(domain.pools):
        able = domain.raters(prompt)
        if len(able) < per_prompt:
            msg = (
                f"{len(able)} personas of {domain.name} judge the prompt {pool.id!r}, "
                f"not {per_prompt}"
            )
            raise ParameterError(msg)
        own = sum(domain.personas[i].prompt == pool.id for i in able)
        others = generator(seed, "personas", prompt).permutation(able[own:])
        judges += [(prompt, int(person)) for person in [*able[:own], *others][:per_prompt]]
    return judges


def _scale_for(accuracy: float, subjects: Sequence[Subject]) -> float:
    """The factor on utilities at which the better of two responses wins so often on average."""
    gaps = np.concatenate([_gaps(_known(s)) for s in subjects])

    def excess(log_scale: float) -> float:
        return float(expit(np.exp(log_scale) * gaps).mean()) - accuracy

    try:
        return float(np.exp(brentq(excess, -20.0, 20.0)))
    except ValueError as error:
        msg = f"no scale of the utilities gives a pair accuracy of {accuracy:.0%}"
        raise ParameterError(msg) from error


def _gaps(utilities: FloatArray) -> FloatArray:
    """Differences of utility of all pairs, in size."""
    first, second = np.triu_indices(len(utilities), k=1)
    return np.abs(utilities[first] - utilities[second])


def _known(subject: Subject) -> FloatArray:
    if subject.utilities is None:
        raise AssertionError  # only people with weights come here
    return subject.utilities
