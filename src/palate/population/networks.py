"""Training PAL-A and PAL-B with networks, on torch.

The features are frozen: the networks f and g see each item and each prompt of a batch once, however
often it is compared. So an answer costs next to nothing, and models of many people train on a
laptop. Needs the extra ``population``.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from palate._random import generator
from palate.errors import MissingExtraError, ParameterError
from palate.population.fit import Fit
from palate.population.model import IdealPoint
from palate.population.projector import Activation

try:
    import torch
except ImportError as error:
    msg = 'torch is not installed: pip install "palate[population]"'
    raise MissingExtraError(msg) from error

from palate.population._batches import Answers
from palate.population._heads import Mixture, Network, PalAHead, PalBHead, first_prototypes
from palate.population._training import train

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from palate._typing import IndexArray
    from palate.population.data import PreferenceData
    from palate.population.fit import Step
    from palate.population.model import PalA, PalB

Loss: TypeAlias = Literal["logistic", "hinge"]
"""``log(1 + sum exp(-m))`` over the margins m of an answer, or ``max(0, 1 - min m)``."""

WIDEST = 16
"""Dimensions of f's image by default, where nothing else says."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How networks are trained: by Adam, on batches of prompts.

    Attributes:
        epochs: at most, passes over all answers.
        batch: prompts a step, each with all its answers; pairs of items where there are no
            prompts. None: all of them.
        rate: Adam's, of f and g.
        prototypes_rate: of PAL-A's prototypes.
        weights_rate: of people's logits.
        scale_rate: of the logarithm of PAL-B's tau.
        weight_decay: of the matrices of f and g, decoupled from the gradient.
        patience: epochs without a lower validation loss before training ends.
        save_every: epochs between checkpoints.

    Raises:
        ParameterError: a setting is outside its range.
    """

    epochs: int = 100
    batch: int | None = 256
    rate: float = 3e-3
    prototypes_rate: float = 5e-3
    weights_rate: float = 5e-2
    scale_rate: float = 1e-2
    weight_decay: float = 0.0
    patience: int = 20
    save_every: int = 10

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} must be at least 1, not {value}"
                raise ParameterError(msg)
        for name in ("rate", "prototypes_rate", "weights_rate", "scale_rate", "weight_decay"):
            if not 0.0 <= getattr(self, name) < np.inf:
                msg = f"{name} must be at least 0 and finite, not {getattr(self, name)}"
                raise ParameterError(msg)


def fit_pal_a_network(
    data: PreferenceData,
    k: int,
    *,
    hidden: Sequence[int] = (64, 64),
    d_out: int | None = None,
    activation: Activation = "relu",
    residual: bool = True,
    ideal: IdealPoint = "f(Pw)",
    power: Literal[1, 2] = 2,
    loss: Loss = "logistic",
    partition: bool = False,
    user_balanced: bool = False,
    training: Training | None = None,
    validation: PreferenceData | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | os.PathLike[str] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Fit[PalA]:
    """Fit PAL-A whose f is a network (Eq. 4 and 5, Algorithm 1; "Tiny" of Appendix D.3).

    For a linear f :func:`palate.population.fit_pal_a` is faster and surer. Everybody without an
    answer gets the mean weights of the others. K = 1 is the homogeneous reward model. On the CPU
    the same seed gives the same model, and so does a training that was interrupted and resumed.

    Args:
        data: answers of many people; a prompt belongs into the items' features.
        k: prototypes, any number of at least 1.
        hidden: widths of f's hidden layers, of which there are two in the paper; () for none.
        d_out: dimensions of f's image; by default those of the features with a residual, and
            else 16 or those of the features if they are fewer.
        activation: between layers.
        residual: ``f(x) = x + network(x)``.
        ideal: where a person's ideal point lies. With "f(Pw)" people are located from several
            starts; the other two leave the reward linear in the weights, and locating convex.
        power: of distances, 2 (Eq. 4) or 1 (Appendix D.2).
        loss: of an answer; the paper's is "hinge" here.
        partition: everybody belongs to one prototype: trained as a mixture, and each person's
            greatest weight is then made 1.
        user_balanced: everybody counts the same, however much they answered.
        training: epochs, rates and the like.
        validation: other answers of the same people. Training ends when their log loss has not
            fallen for ``training.patience`` epochs; the model of the best epoch is returned.
        seed: of the first parameters and the order of batches.
        device: of torch, such as "cuda".
        checkpoint: a file; where it is there, the training it is of goes on from it, also to more
            epochs than it was meant for, and as it goes on the file is brought up to date.
        on_step: called at each epoch.

    Raises:
        ParameterError: there is no answer, there are separate prompts, the validation set is not
            of the same people and features, a setting is outside its range, the loss is no longer
            finite, or the checkpoint is of another training.
        ModelError: the checkpoint is damaged, or cannot be written.
        MissingExtraError: torch is not installed.
    """
    if data.prompts is not None:
        raise ParameterError(
            "PAL-A has no map of prompts: join them to the items, PreferenceData.joined()"
        )
    dimension = data.items.shape[1]
    width = d_out
    if width is None:
        width = dimension if residual else min(dimension, WIDEST)
    _check_shape(k, (*hidden, width))
    _check_choices(
        activation=(activation, get_args(Activation)),
        ideal=(ideal, get_args(IdealPoint)),
        power=(power, (1, 2)),
        loss=(loss, get_args(Loss)),
    )
    if residual and width != dimension:
        msg = f"a residual needs d_out equal to the features' {dimension}, not {width}"
        raise ParameterError(msg)

    def head(answers: Answers, mixture: Mixture, rng: torch.Generator) -> PalAHead:
        widths, items = (dimension, *hidden, width), answers.items_used
        f = Network(1, widths, activation=activation, residual=residual, table=items, rng=rng)
        prototypes = first_prototypes(items if ideal != "Pw" else f(items)[0].detach(), k, rng)
        return PalAHead(f, prototypes, mixture, ideal=ideal, power=power)

    return _fit(
        data,
        k,
        head,
        f"pal-a {hidden} {width} {activation} {residual} {ideal} {power}",
        loss=loss,
        partition=partition,
        user_balanced=user_balanced,
        training=training or Training(),
        validation=validation,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        on_step=on_step,
    )


def fit_pal_b(
    data: PreferenceData,
    k: int,
    *,
    hidden: Sequence[int] | None = None,
    d_out: int = WIDEST,
    activation: Activation = "gelu",
    residual: bool = False,
    norm: Literal["each", "mix"] = "each",
    loss: Loss = "logistic",
    partition: bool = False,
    user_balanced: bool = False,
    training: Training | None = None,
    validation: PreferenceData | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | os.PathLike[str] | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Fit[PalB]:
    """Fit PAL-B (Eq. 6 and 7, Algorithm 2; "Tiny" of Appendix D.3).

    Its f of items and K maps g of prompts are networks of one shape but for what goes in. Tau, the
    scale of the rewards, is learnt from 1 / 0.07 and at most 100. Everybody without an answer gets
    the mean weights of the others. K = 1 is the homogeneous reward model. On the CPU the same seed
    gives the same model, and so does a training that was interrupted and resumed.

    Args:
        data: answers of many people to prompts.
        k: prototypes, any number of at least 1.
        hidden: widths of the hidden layers, () for none; by default two of ``d_out``, the paper's.
        d_out: dimensions of the image that items and prompts are mapped into.
        activation: between layers.
        residual: add what goes in to what comes out of each network.
        norm: whether each map of the prompt is normalised, so that locating people is convex, or
            their mixture, as in the authors' code.
        loss: of an answer.
        partition: everybody belongs to one prototype: trained as a mixture, and each person's
            greatest weight is then made 1.
        user_balanced: everybody counts the same, however much they answered.
        training: epochs, rates and the like.
        validation: other answers of the same people. Training ends when their log loss has not
            fallen for ``training.patience`` epochs; the model of the best epoch is returned.
        seed: of the first parameters and the order of batches.
        device: of torch, such as "cuda".
        checkpoint: a file; where it is there, the training it is of goes on from it, also to more
            epochs than it was meant for, and as it goes on the file is brought up to date.
        on_step: called at each epoch.

    Raises:
        ParameterError: there is no answer, there are no prompts, the validation set is not of the
            same people and features, a setting is outside its range, the loss is no longer finite,
            or the checkpoint is of another training.
        ModelError: the checkpoint is damaged, or cannot be written.
        MissingExtraError: on importing this module, torch is not installed.
    """
    if data.prompts is None:
        raise ParameterError(
            "PAL-B maps prompts, and these answers have none; fit PAL-A where items hold all"
        )
    widths = ((d_out, d_out) if hidden is None else tuple(hidden)) + (d_out,)
    _check_shape(k, widths)
    _check_choices(
        activation=(activation, get_args(Activation)),
        norm=(norm, ("each", "mix")),
        loss=(loss, get_args(Loss)),
    )
    features = (data.items.shape[1], data.prompts.shape[1])
    if residual and features != (d_out, d_out):
        msg = f"a residual needs items and prompts of {d_out} dimensions as d_out, not {features}"
        raise ParameterError(msg)

    def head(answers: Answers, mixture: Mixture, rng: torch.Generator) -> PalBHead:
        f, g = (
            Network(
                copies,
                (table.shape[1], *widths),
                activation=activation,
                residual=residual,
                table=table,
                rng=rng,
            )
            for copies, table in ((1, answers.items_used), (k, answers.prompts_used))
        )
        return PalBHead(f, g, mixture, norm=norm)

    return _fit(
        data,
        k,
        head,
        f"pal-b {widths} {activation} {residual} {norm}",
        loss=loss,
        partition=partition,
        user_balanced=user_balanced,
        training=training or Training(),
        validation=validation,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        on_step=on_step,
    )


def _fit(
    data: PreferenceData,
    k: int,
    head_for: Callable[[Answers, Mixture, torch.Generator], PalAHead | PalBHead],
    shape: str,
    *,
    loss: Loss,
    partition: bool,
    user_balanced: bool,
    training: Training,
    validation: PreferenceData | None,
    seed: int,
    device: str,
    checkpoint: str | os.PathLike[str] | None,
    on_step: Callable[[Step], None] | None,
) -> Fit[Any]:
    began = time.perf_counter()
    if not len(data):
        raise ParameterError("there is no answer to learn from")
    where = _device(device)
    who = np.unique(data.person)
    places = np.full(len(data.people), len(who))
    places[who] = np.arange(len(who))
    rng = torch.Generator().manual_seed(int(generator(seed, "networks").integers(2**62)))
    answers = Answers(data, places, where, user_balanced=user_balanced)
    head = head_for(answers, Mixture(len(who), k, partition=partition, rng=rng), rng).to(where)
    judged = None
    if validation is not None:
        judged = Answers(validation, _places_of(validation, data, places), where)
    settings = asdict(training) | {"epochs": 0, "patience": 0, "save_every": 0}
    history, converged = train(
        head,
        answers,
        judged,
        training,
        loss=loss,
        rng=rng,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        fingerprint=_fingerprint(
            (shape, k, loss, partition, user_balanced, seed, settings), data, validation
        ),
        on_step=on_step,
    )
    model = head.model(data.people, places)
    return Fit(model, history, converged, time.perf_counter() - began)


def _places_of(validation: PreferenceData, data: PreferenceData, places: IndexArray) -> IndexArray:
    """(V,) rows of the mixture of the validation set's people."""
    known = dict(zip(data.people, places, strict=True))
    unknown = [name for name in validation.people if name not in known]
    if unknown:
        msg = f"the validation set has answers of {unknown[0]!r}, who is not trained on"
        raise ParameterError(msg)
    shapes = [
        (part.items.shape[1], None if part.prompts is None else part.prompts.shape[1])
        for part in (data, validation)
    ]
    if shapes[0] != shapes[1] or not len(validation):
        raise ParameterError("the validation set needs answers, and features as the data has")
    return np.array([known[name] for name in validation.people])


def _fingerprint(settings: object, *parts: PreferenceData | None) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    for part in parts:
        if part is None:
            continue
        digest.update(repr(part.people).encode())
        for name in ("items", "prompts", "person", "chosen", "rejected", "prompt", "pick"):
            array = getattr(part, name)
            digest.update(f"{name} {None if array is None else array.shape}".encode())
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _device(name: str) -> torch.device:
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # what torch raises where it lacks CUDA
        said = str(error).partition("\n")[0]
        msg = f"torch has no device {name!r} here: {said}"
        raise ParameterError(msg) from error


def _check_shape(k: int, widths: tuple[int, ...]) -> None:
    if k < 1 or min(widths) < 1:
        msg = f"k and the widths of layers must be at least 1, not {k} and {widths}"
        raise ParameterError(msg)


def _check_choices(**choices: tuple[object, tuple[object, ...]]) -> None:
    for name, (value, known) in choices.items():
        if value not in known:
            msg = f"{name} must be one of {', '.join(map(str, known))}, not {value!r}"
            raise ParameterError(msg)
