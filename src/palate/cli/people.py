"""Answers of many people on the command line: read, embedded, and matched with a saved model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from palate._cache import digest
from palate.cli.log import answered, read_log, source_of
from palate.cli.prepare import STATIC, named_embedder
from palate.cli.session import load_pool
from palate.errors import LogError, ParameterError
from palate.formats import comparisons_of, read_people
from palate.population import from_comparisons, from_pretrained, read_notes, split
from palate.population.comparisons import Prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from palate._typing import IndexArray
    from palate.embed import Embedder
    from palate.feedback import Comparison
    from palate.population import PopulationModel, PreferenceData
    from palate.population.fit import Fit, Step

KINDS = ("pal-a", "pal-b", "lore", "bt")

STOPPING_SHARE = 0.1
"""Of each person's answers, by which the training of networks is stopped."""


@dataclass(frozen=True)
class Features:
    """What makes the features of a population's answers; a saved model takes no others.

    Attributes:
        spec: the embedder, as ``--embedder`` takes it.
        embedder: of that name.
        prompts: where prompts go.
    """

    spec: str
    embedder: Embedder
    prompts: Prompts

    @classmethod
    def named(cls, spec: str | None, prompts: str, base_url: str | None) -> Features:
        """The features of an embedder.

        Raises:
            ParameterError: there is no such embedder, or no such rule for prompts.
        """
        if prompts not in get_args(Prompts):
            msg = f"--prompts is inside, separate or none, not {prompts!r}"
            raise ParameterError(msg)
        spec = spec or STATIC
        if spec.startswith("axes:"):
            raise ParameterError(
                "a population has no chat model to rate axes; take another embedder"
            )
        return cls(spec, named_embedder(spec, None, base_url), cast("Prompts", prompts))

    @classmethod
    def noted(
        cls, notes: Mapping[str, Any], whose: str, spec: str | None, base_url: str | None
    ) -> Features:
        """The features that something was learned from, as its notes say.

        Args:
            notes: of a saved model; see :func:`notes_of`.
            whose: they are, in words.
            spec: another name of the same embedder, such as where its folder moved to.
            base_url: of the embedder's server.

        Raises:
            ParameterError: the notes do not say what made them, or something else would now.
        """
        try:
            made = notes["features"]
            known, identity, prompts = (str(made[k]) for k in ("embedder", "identity", "prompts"))
        except (KeyError, TypeError) as error:
            msg = (
                f"{whose} does not say which embedder made its features; "
                "use it from Python, or fit it by palate population fit"
            )
            raise ParameterError(msg) from error
        features = cls.named(spec or known, prompts, base_url)
        if features.identity != identity:
            msg = (
                f"{whose} was trained on features of {known} ({identity}), and "
                f"{features.spec} ({features.identity}) makes others; name the same embedder by "
                "--embedder, or fit it anew"
            )
            raise ParameterError(msg)
        return features

    @property
    def identity(self) -> str:
        """What tells this embedder's vectors from another's."""
        return str(getattr(self.embedder, "identity", self.spec))

    @property
    def notes(self) -> dict[str, str]:
        """What :meth:`noted` needs to know of them."""
        return {"embedder": self.spec, "identity": self.identity, "prompts": self.prompts}

    def data(
        self, comparisons: list[Comparison], *, map_of_prompts: bool
    ) -> tuple[PreferenceData, int]:
        """Preferences, and how many comparisons were ties or skips.

        Args:
            comparisons: what people answered.
            map_of_prompts: whether the model has one; for one that has none, prompts with features
                of their own are joined to the items.
        """
        data, left_out = from_comparisons(comparisons, self.embedder, prompts=self.prompts)
        if data.prompts is not None and not map_of_prompts:
            data = data.joined()
        return data, left_out


@dataclass(frozen=True)
class Saved:
    """A saved model with the features that it takes.

    Attributes:
        model: as loaded.
        features: of the embedder that it was trained with.
        trained_on: the digest of the answers it comes from, the share held out, and the seed.
    """

    model: PopulationModel
    features: Features
    trained_on: tuple[str, float, int] | None

    @classmethod
    def load(cls, folder: Path, spec: str | None, base_url: str | None) -> Saved:
        """The model in a folder.

        Args:
            folder: as ``palate population fit`` wrote it.
            spec: another name of the same embedder, such as where its folder moved to.
            base_url: of the embedder's server.

        Raises:
            ModelError: there is no model, or it is damaged.
            ParameterError: it does not say what made its features, or something else would now.
        """
        model, notes = from_pretrained(folder), read_notes(folder)
        features = Features.noted(notes, f"the model in {folder}", spec, base_url)
        trained = notes.get("trained_on")
        return cls(
            model,
            features,
            (str(trained["digest"]), float(trained["validation"]), int(trained["seed"]))
            if isinstance(trained, dict) and trained.keys() >= {"digest", "validation", "seed"}
            else None,
        )

    def data(self, comparisons: list[Comparison]) -> tuple[PreferenceData, int]:
        """Preferences as the model takes them, and how many comparisons were ties or skips."""
        return self.features.data(comparisons, map_of_prompts=self.model.kind == "pal-b")


def notes_of(
    features: Features, comparisons: list[Comparison], validation: float, seed: int
) -> dict[str, Any]:
    """What :class:`Saved` needs to know of a model."""
    return {
        "features": features.notes,
        "trained_on": {
            "digest": digest_of(comparisons),
            "validation": validation,
            "seed": seed,
        },
    }


def read_answers(paths: list[Path]) -> list[Comparison]:
    """The comparisons of data sets and of logs, one file after the other.

    A log of ``palate align`` belongs to one person, whom its file is named after.

    Raises:
        LogError: a file cannot be read, or holds no comparison.
    """
    comparisons: list[Comparison] = []
    for path in paths:
        if not _is_log(path):
            comparisons += read_people(path)
            continue
        header, events = read_log(path)
        elicitation = answered(header, events, load_pool(source_of(header, path)))
        person = path.name.removesuffix(".jsonl")
        comparisons += comparisons_of(elicitation.pool, elicitation.history, person=person)
    return comparisons


def digest_of(comparisons: list[Comparison]) -> str:
    """What tells a set of answers from another; metadata do not count."""
    return digest(json.dumps([(c.person, c.prompt, c.options, c.picked) for c in comparisons]))


def options_of(comparisons: list[Comparison], data: PreferenceData) -> IndexArray:
    """(M,) which option each item is, whatever the prompt; for the base rate."""
    plain, _ = from_comparisons(comparisons, lambda texts: np.ones((len(texts), 1)), prompts="none")
    options = np.zeros(len(data.items), dtype=np.intp)
    options[data.chosen], options[data.rejected] = plain.chosen, plain.rejected
    return options


def fit_kind(
    kind: str,
    data: PreferenceData,
    k: int,
    *,
    seed: int,
    on_step: Callable[[Step], None] | None = None,
) -> Fit[Any]:
    """Fit a model of a kind; ``bt`` is Bradley-Terry, one reward for everybody."""
    if kind == "pal-a":
        from palate.population.linear import fit_pal_a

        return fit_pal_a(data, k, seed=seed, on_step=on_step)
    if kind == "pal-b":
        from palate.population.networks import fit_pal_b

        # Networks learn noise by heart: some of the answers say when to stop.
        parts = split(data, unseen=0, test=STOPPING_SHARE, seed=seed + 1)
        stopping = parts.seen_test if len(parts.seen_test) else None
        return fit_pal_b(parts.train, k, validation=stopping, seed=seed, on_step=on_step)
    from palate.population.lore import fit_bradley_terry, fit_lore

    if kind == "bt":
        return fit_bradley_terry(data)
    return fit_lore(data, k, seed=seed, on_step=on_step)


def check_kind(kind: str, prompts: str | None) -> str:
    """Where prompts go for a model: as asked, or "separate" for PAL-B, which maps them.

    Raises:
        ParameterError: there is no such model, or it cannot do without features of prompts.
    """
    if kind not in KINDS:
        msg = f"--model is one of {', '.join(KINDS)}, not {kind!r}"
        raise ParameterError(msg)
    if kind == "pal-b" and prompts not in {None, "separate"}:
        msg = f"pal-b maps prompts: it takes --prompts separate, not {prompts}"
        raise ParameterError(msg)
    return prompts or ("separate" if kind == "pal-b" else "inside")


def _is_log(path: Path) -> bool:
    """Whether a file begins as logs of answers do."""
    try:
        with path.open("rb") as file:
            return file.read(10) == b'{"palate":'
    except OSError as error:
        if path.is_dir():
            return False
        msg = f"cannot read {path}: {error.strerror or error}"
        raise LogError(msg) from error
