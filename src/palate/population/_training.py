"""Training by Adam on minibatches, with a history, early stopping and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from palate.errors import ParameterError
from palate.population import _checkpoint
from palate.population.fit import Step, best_epoch, is_late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from palate.population._batches import Answers, Batch
    from palate.population._heads import PalAHead, PalBHead
    from palate.population.networks import Loss, Training


@dataclass(eq=False)
class Run:
    """Where training stands: all that must be kept to go on as if it had not been interrupted.

    Attributes:
        head: what is trained.
        optimiser: of it.
        rng: of the order of batches.
        history: the epochs so far.
        best: parameters of the epoch with the least validation loss; None without.
    """

    head: PalAHead | PalBHead
    optimiser: torch.optim.Optimizer
    rng: torch.Generator
    history: list[Step] = field(default_factory=list)
    best: dict[str, torch.Tensor] | None = None

    def add(self, step: Step) -> None:
        """After an epoch."""
        self.history.append(step)
        if best_epoch(self.history) == step.number:
            self.best = {key: value.clone() for key, value in self.head.state_dict().items()}


def train(
    head: PalAHead | PalBHead,
    answers: Answers,
    validation: Answers | None,
    training: Training,
    *,
    loss: Loss,
    rng: torch.Generator,
    checkpoint: Path | None,
    fingerprint: str,
    on_step: Callable[[Step], None] | None,
) -> tuple[tuple[Step, ...], bool]:
    """Train a head in place; with a validation set it ends as the best of all epochs.

    Args:
        head: to be trained.
        answers: to learn from.
        validation: to stop early by.
        training: how.
        loss: of an answer.
        rng: of the order of batches, on the CPU.
        checkpoint: file to take up an interrupted training from, and to save it to.
        fingerprint: of all that the training depends on but for its length.
        on_step: is told of every epoch.

    Returns:
        The epochs, and whether the validation loss no longer fell.

    Raises:
        ParameterError: the loss is no longer finite, or the checkpoint is of another training.
        ModelError: the checkpoint is damaged, or cannot be written.
    """
    run = Run(head, _optimiser(head, training), rng)
    if checkpoint is not None:
        _checkpoint.load(run, checkpoint, fingerprint)
    whole = answers.all() if training.batch is None or training.batch >= answers.groups else None
    judged = None if validation is None else validation.all()
    while len(run.history) < training.epochs and not is_late(run.history, training.patience):
        batches = [whole] if whole else shuffled(answers, training.batch, rng)
        epoch = _epoch(run, batches, answers.answers, loss)
        run.add(epoch if judged is None else _judged(epoch, head, judged))
        done = len(run.history) == training.epochs or is_late(run.history, training.patience)
        if checkpoint is not None and (done or not epoch.number % training.save_every):
            _checkpoint.save(run, checkpoint, fingerprint)
        if on_step is not None:
            on_step(run.history[-1])
    if run.best is not None:
        head.load_state_dict(run.best)
    head.eval()
    return tuple(run.history), is_late(run.history, training.patience)


def losses(margins: torch.Tensor, batch: Batch, loss: Loss) -> torch.Tensor:
    """(a,) loss of each answer: of its least margin (hinge), or of all (multinomial logit)."""
    if loss == "hinge":
        least = margins if batch.rows is None else _padded(margins, batch.rows).amin(dim=1)
        return functional.relu(1.0 - least)
    if batch.rows is None:
        return functional.softplus(-margins)
    against = -_padded(margins, batch.rows)
    return torch.cat([torch.zeros_like(against[:, :1]), against], dim=1).logsumexp(dim=1)


def hits(margins: torch.Tensor, batch: Batch) -> torch.Tensor:
    """(a,) 1 where the option picked is ranked first; those ranked alike share the credit."""
    margins = margins[:, None] if batch.rows is None else _padded(margins, batch.rows)
    alike = 1.0 + (margins == 0.0).sum(dim=1)
    return (margins.amin(dim=1) >= 0.0) / alike


def shuffled(answers: Answers, size: int | None, rng: torch.Generator) -> Iterator[Batch]:
    """Batches of so many groups each, all of them once, in an order drawn on the CPU."""
    order = torch.randperm(answers.groups, generator=rng)
    for groups in order.split(size or answers.groups):
        yield answers.batch(groups.to(answers.items.device))


def _padded(margins: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([margins, margins.new_full((1,), math.inf)])[rows]


def _optimiser(head: PalAHead | PalBHead, training: Training) -> torch.optim.Optimizer:
    rates = {
        "f": training.rate,
        "g": training.rate,
        "prototypes": training.prototypes_rate,
        "mixture": training.weights_rate,
        "log_scale": training.scale_rate,
    }
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            # On the networks' matrices alone, and decoupled: as a part of the gradient the same
            # decay leaves PAL-B with a constant answer.
            decay = training.weight_decay if ".weights." in name else 0.0
            groups.setdefault((rates[name.split(".")[0]], decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )


def _epoch(run: Run, batches: Iterable[Batch], answers: int, loss: Loss) -> Step:
    """One pass over all answers; loss and accuracy are those met on the way."""
    run.head.train()
    total, right, number = 0.0, 0.0, len(run.history) + 1
    for batch in batches:
        run.optimiser.zero_grad()
        margins = run.head.margins(batch)
        weighted = batch.weight * losses(margins, batch, loss)
        weighted.mean().backward()
        run.optimiser.step()
        total += weighted.detach().sum()
        right += hits(margins.detach(), batch).sum()
    total, right = float(total) / answers, float(right) / answers
    if not math.isfinite(total):
        msg = f"the loss is {total} in epoch {number}: lower the rates of Training"
        raise ParameterError(msg)
    return Step(number, total, right)


def _judged(epoch: Step, head: PalAHead | PalBHead, batch: Batch) -> Step:
    head.eval()
    with torch.no_grad():
        margins = head.margins(batch)
        loss = losses(margins, batch, "logistic").mean()
        accuracy = hits(margins, batch).mean()
    return Step(epoch.number, epoch.loss, epoch.accuracy, float(loss), float(accuracy))
