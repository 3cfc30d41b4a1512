"""What is known of a person before their first answer: by a population, and by their profile."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.cli.log import state_folder
from palate.cli.people import Features, Saved
from palate.elicitation import strategy_from_settings
from palate.errors import FingerprintError, LogError, ParameterError, PoolError
from palate.feedback import Comparison
from palate.pool import Scaling, scale_features
from palate.population.crossfit import learn_prior
from palate.population.gaussian import GaussianPopulation, evidence
from palate.population.prior import ModelPrior, with_outsiders
from palate.preference.prior import Features as FeaturesPrior
from palate.profile import Profile
from palate.wording import headline

if TYPE_CHECKING:
    from palate.cli.log import Source
    from palate.elicitation import Elicitation
    from palate.pool import Pool
    from palate.population import PreferenceData
    from palate.preference.prior import GaussianPrior
    from palate.strategies import Strategy


@dataclass(frozen=True)
class Known:
    """What is known of a person.

    Attributes:
        people: where the population is: a file that ``palate population prior`` wrote, or a folder
            of ``fit``; or None.
        profile: the file of the person's profile, or None.
        population: the former, loaded.
        answered: the latter as it was when it was read; empty where there is no such file yet.
    """

    people: Path | None
    profile: Path | None
    population: GaussianPopulation | ModelPrior | None
    answered: Profile

    @classmethod
    def at(cls, people: Path | None, profile: Path | None, base_url: str | None) -> Known:
        """What stands in these places.

        Args:
            people: see the class.
            profile: see the class.
            base_url: of the server of a model's embedder, where it has one.

        Raises:
            ModelError: there is no population, or it is damaged.
            LogError: the profile cannot be read.
            ParameterError: the population cannot be a prior, or not together with a profile.
        """
        population = None if people is None else _population(people, base_url)
        if profile is not None and isinstance(population, ModelPrior):
            raise ParameterError(
                "a model in a folder remembers nothing of other prompts, so that --profile cannot "
                "build on it; make a prior that can by palate population prior"
            )
        there = profile is not None and profile.exists()
        return cls(people, profile, population, Profile.read(str(profile)) if there else Profile())

    def embedder(self, spec: str | None, base_url: str | None) -> str | None:
        """What is to embed a pool: as asked, or else what made the features of the population.

        Raises:
            ParameterError: what was asked for makes others.
        """
        notes = self.population.notes if isinstance(self.population, GaussianPopulation) else None
        if not notes or "features" not in notes:
            return spec
        return Features.noted(notes, f"the population in {self.people}", spec, base_url).spec

    @property
    def base(self) -> GaussianPrior:
        """What is believed of anybody, their own answers aside."""
        return FeaturesPrior() if self.population is None else with_outsiders(self.population)

    def prior(self, pool: Pool, remembered: int | None = None) -> GaussianPrior:
        """What is believed of the person before they answer about a pool.

        Args:
            pool: what they are asked about.
            remembered: how many records of the profile count; by default all.

        Raises:
            PoolError: a profile compares features, and the pool has none, or none with a name.
            ParameterError: the profile has not so many records.
        """
        if self.profile is None:
            return self.base
        return self.answered.prior(pool, self.base, upto=remembered)

    def noted(self, source: Source) -> Source:
        """The source with what finds all this again."""
        return dataclasses.replace(
            source,
            prior=None if self.people is None else str(self.people.resolve()),
            profile=None if self.profile is None else str(self.profile.resolve()),
            remembered=self.answered.records,
        )

    def greeting(self, elicitation: Elicitation) -> str:
        """A line for the person who has a profile, before the first question."""
        picks = len(set(self.answered.past(elicitation.pool).group.tolist()))
        if not picks:
            made = f"{elicitation.pool.embedder}, scaled by {elicitation.pool.scaling}"
            return f"Of what is remembered nothing tells of these features ({made})."
        best = headline(elicitation.recommend().response)
        return f"Picks remembered: {picks}. Best guess so far: {best}"


def profile_path(name: str) -> Path:
    """The file of a profile: a path, or a name in the folder for programs' state.

    Raises:
        ParameterError: the name is empty.
    """
    if not name.strip():
        raise ParameterError("a profile has a name, such as ann, or is a file such as ann.jsonl")
    if name.endswith(".jsonl") or Path(name).name != name:
        return Path(name)
    return state_folder() / "profiles" / f"{name}.jsonl"


def resumed_strategy(
    header: dict[str, Any], source: Source, pool: Pool, base_url: str | None
) -> Strategy | None:
    """The strategy of a log, with the prior that it began with; None where it names none.

    Raises:
        FingerprintError: the population or the profile is not what it was.
        ModelError, LogError: it is gone, or damaged.
    """
    if source.prior is None and source.profile is None:
        return None
    try:
        settings = dict(header["fingerprint"]["strategy"])
        recorded = dict(settings["prior"])
    except (KeyError, TypeError, ValueError) as error:
        raise LogError("the log names a prior or a profile, and its strategy has none") from error
    people, profile = (None if p is None else Path(p) for p in (source.prior, source.profile))
    known = Known.at(people, profile, base_url)
    gone = FingerprintError(
        f"the profile {source.profile} no longer holds the answers that the log began with; they "
        "cannot be gone on from: start anew"
    )
    if known.answered.records < source.remembered:
        raise gone
    prior = known.prior(pool, source.remembered)
    here = json.loads(json.dumps(prior.settings()))
    if here.get("base", here) != recorded.get("base", recorded):
        msg = (
            f"the log was recorded with another prior: {source.prior or 'the default one'} has "
            "changed since; put back what it began with, or start anew"
        )
        raise FingerprintError(msg)
    if here != recorded:
        raise gone
    return strategy_from_settings(settings | {"prior": prior})


@dataclass(frozen=True)
class Learned:
    """A prior from the answers of many people.

    Attributes:
        population: with notes on what made its features.
        evidence: log of the probability of the answers, in nats an answer.
        by_chance: the same for whoever guesses.
        average: share of the average person's taste in what utilities of the responses vary by.
        directions: shares of the directions in what people differ by, in descending order.
    """

    population: GaussianPopulation
    evidence: float
    by_chance: float
    average: float
    directions: list[float]


def learn(data: PreferenceData, features: Features) -> Learned:
    """Learn a prior.

    Args:
        data: responses embedded alone.
        features: what embedded them.

    Raises:
        PoolError: the features cannot be scaled as those of a pool are.
        ParameterError: fewer than two people answered.
    """
    scaling: Scaling = getattr(features.embedder, "scaling", None) or "half"
    items = np.asarray(scale_features(data.items, scaling)[0], dtype=np.float64)
    data = dataclasses.replace(data, items=items)
    population = learn_prior(data)
    items = items - items.mean(axis=0)
    between = np.linalg.svd(items @ population.factor, compute_uv=False) ** 2
    average = float(((items @ population.mean) ** 2).sum())
    options = np.diff(np.append(data.starts, len(data))) + 1
    return Learned(
        dataclasses.replace(population, notes={"features": features.notes}),
        evidence(population, data),
        -float(np.log(options).mean()),
        average / (average + float(between.sum())),
        (between / between.sum()).tolist(),
    )


def _population(path: Path, base_url: str | None) -> GaussianPopulation | ModelPrior:
    if not path.is_dir():
        return GaussianPopulation.load(path)
    saved = Saved.load(path, None, base_url)

    def prompt(pool: Pool) -> Any:  # noqa: ANN401 - a row of features: there are prompts
        data = _asked(saved, pool)
        return None if data.prompts is None else data.prompts[0]

    maps = saved.model.kind == "pal-b"
    return ModelPrior(saved.model, lambda pool: _asked(saved, pool).items, prompt if maps else None)


def _asked(saved: Saved, pool: Pool) -> PreferenceData:
    """A pool as a question whose options are all its responses, as a saved model takes it."""
    texts = tuple(response.text for response in pool.responses if response.text)
    if len(texts) < len(pool):
        raise PoolError("the model of a population takes texts; this pool has images")
    return saved.data([Comparison(pool.prompt, texts, 0)])[0]
