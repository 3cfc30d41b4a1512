"""Training a language model with a head of PAL, on as many devices as accelerate is told of."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from palate._random import generator
from palate.errors import ParameterError
from palate.population import _large_checkpoint
from palate.population._large_network import answer_losses, hits, last_margins, token_losses
from palate.population._tokens import batch_of
from palate.population.fit import Step, best_epoch, is_late

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from accelerate import Accelerator

    from palate._typing import FloatArray, IndexArray
    from palate.population._large_network import LargeNetwork
    from palate.population._tokens import Batch, Corpus, Tokens
    from palate.population.large import LargeTraining
    from palate.population.networks import Loss


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """What is learnt from, or judged by.

    Attributes:
        corpus: the comparisons.
        person: (A,) row of the mixture of each answer.
        weight: (A,) of each answer, 1 on average.
        tokens: that are judged in training.
        pad: token to fill up with.
    """

    corpus: Corpus
    person: IndexArray
    weight: FloatArray
    tokens: Tokens
    pad: int

    def batch(self, which: IndexArray, weight: FloatArray | None = None) -> Batch:
        """Some of them, with their own weights or others."""
        return batch_of(
            self.corpus,
            which,
            self.person[which],
            self.weight[which] if weight is None else weight,
            tokens=self.tokens,
            pad=self.pad,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """What is to be done.

    Attributes:
        answers: to learn from.
        validation: to stop early by.
        training: how.
        loss: of a token.
        seed: of the order of answers, and of dropout.
        accelerator: where.
        checkpoint: file to take up an interrupted training from, and to save it to.
        fingerprint: of all that the training depends on but for its length.
    """

    answers: Answers
    validation: Answers | None
    training: LargeTraining
    loss: Loss
    seed: int
    accelerator: Accelerator
    checkpoint: Path | None
    fingerprint: str


@dataclass(eq=False)
class Run:
    """Where training stands: all that must be kept to go on as if it had not been interrupted.

    Attributes:
        network: what is trained.
        wrapped: the same, as accelerate wraps it.
        optimiser: of it.
        history: the epochs so far.
        steps: of the epoch that has begun.
        total, right: sums over its answers, of losses and of hits.
        best: what moves, at the epoch with the least validation loss; None without.
    """

    network: LargeNetwork
    wrapped: torch.nn.Module
    optimiser: torch.optim.Optimizer
    history: list[Step] = field(default_factory=list)
    steps: int = 0
    total: float = 0.0
    right: float = 0.0
    best: dict[str, torch.Tensor] | None = None

    def moving(self) -> dict[str, torch.Tensor]:
        """What training moves, and what belongs to it: shared parameters once."""
        moved = {k: v for k, v in self.network.named_parameters() if v.requires_grad}
        return moved | {f"head.{key}": value for key, value in self.network.head.named_buffers()}

    def put(self, values: dict[str, torch.Tensor]) -> None:
        """Set what moves."""
        with torch.no_grad():
            for key, tensor in self.moving().items():
                tensor.copy_(values[key])

    def add(self, step: Step) -> None:
        """After an epoch."""
        self.history.append(step)
        self.steps, self.total, self.right = 0, 0.0, 0.0
        if best_epoch(self.history) == step.number:
            self.best = {k: v.detach().to("cpu", copy=True) for k, v in self.moving().items()}


def train(
    network: LargeNetwork,
    task: Task,
    *,
    on_step: Callable[[Step], None] | None,
    on_batch: Callable[[int, int, float], None] | None,
) -> tuple[tuple[Step, ...], bool]:
    """Train a network in place; with a validation set it ends as the best of all epochs.

    A step's answers are dealt out to the processes, and the loss of each process is weighed so that
    the mean of all gradients is the gradient of the mean over the answers: the number of processes
    and of micro-batches changes nothing but rounding, and the draws of dropout.

    Args:
        network: to be trained.
        task: how, and on what.
        on_step: is told of every epoch.
        on_batch: of every step: how many are done, out of how many, and the loss.

    Returns:
        The epochs, and whether the validation loss no longer fell.

    Raises:
        ParameterError: the loss is no longer finite, or the checkpoint is of another training.
        ModelError: the checkpoint is damaged, or cannot be written.
    """
    training, accelerator = task.training, task.accelerator
    network.to(accelerator.device)
    wrapped, optimiser = accelerator.prepare(network, _optimiser(network, training))
    run = Run(network, wrapped, optimiser)
    if task.checkpoint is not None:
        _large_checkpoint.load(run, task.checkpoint, task.fingerprint)
    n = len(task.answers.corpus)
    per_epoch = math.ceil(n / training.batch)
    devices = [accelerator.device] if accelerator.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        while len(run.history) < training.epochs and not is_late(run.history, training.patience):
            epoch = len(run.history)
            order = generator(task.seed, "order of answers", epoch).permutation(n)
            wrapped.train()
            while run.steps < per_epoch:
                if run.steps and not run.steps % training.save_every:
                    _save(run, task)
                which = order[run.steps * training.batch :][: training.batch]
                loss = _step(run, task, which)
                if on_batch is not None and accelerator.is_main_process:
                    on_batch(epoch * per_epoch + run.steps, training.epochs * per_epoch, loss)
            judged = _judged(run, task)
            run.add(Step(epoch + 1, run.total / n, run.right / n, *judged))
            _save(run, task)
            if on_step is not None and accelerator.is_main_process:
                on_step(run.history[-1])
    if run.best is not None:
        run.put(run.best)
    network.eval()
    return tuple(run.history), is_late(run.history, training.patience)


def _optimiser(network: LargeNetwork, training: LargeTraining) -> torch.optim.Optimizer:
    rates = {
        "f": training.rate,
        "g": training.rate,
        "prototypes": training.prototypes_rate,
        "mixture": training.weights_rate,
        "log_scale": training.scale_rate,
    }
    of_backbone = [p for p in network.backbone.parameters() if p.requires_grad]
    groups = [{"params": of_backbone, "lr": training.backbone_rate, "weight_decay": 0.0}]
    # Decoupled, and on the networks' matrices alone: coupled decay drives PAL-B to say nothing.
    groups += [
        {
            "params": [parameter],
            "lr": rates[name.split(".")[0]],
            "weight_decay": training.weight_decay if ".weights." in name else 0.0,
        }
        for name, parameter in network.head.named_parameters()
        if parameter.requires_grad
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _save(run: Run, task: Task) -> None:
    if task.checkpoint is not None and task.accelerator.is_main_process:
        _large_checkpoint.save(run, task.checkpoint, task.fingerprint)
    task.accelerator.wait_for_everyone()


def _step(run: Run, task: Task, which: IndexArray) -> float:
    """One step on some answers, and their mean loss."""
    accelerator = task.accelerator
    process, processes = accelerator.process_index, accelerator.num_processes
    draws = generator(task.seed, "dropout", len(run.history), run.steps, process)
    torch.manual_seed(int(draws.integers(2**62)))
    mine = np.array_split(which, processes)[process]
    weight = task.answers.weight[mine]
    if not len(mine):  # gradients are shared by all processes, even by those without an answer
        mine, weight = which[:1], np.zeros(1)
    parts = _parts(len(mine), task.training.micro_batch)
    said = torch.zeros(2, device=accelerator.device)
    run.optimiser.zero_grad()
    for part in parts:
        batch = task.answers.batch(mine[part], weight[part]).to(accelerator.device)
        # Gradients are shared once a step, with the last micro-batch.
        with nullcontext() if part is parts[-1] else accelerator.no_sync(run.wrapped):
            margins = run.wrapped(batch)
            losses = batch.weight * answer_losses(
                margins, batch.judged, loss=task.loss, tokens=task.answers.tokens
            )
            accelerator.backward(losses.sum() * (processes / len(which)))
        right = hits(last_margins(margins.detach(), batch.judged)) * (batch.weight > 0.0)
        said += torch.stack([losses.detach().sum(), right.sum()])
    run.optimiser.step()
    total, right = accelerator.reduce(said, "sum").tolist()
    if not math.isfinite(total):
        msg = (
            f"the loss is {total} in step {run.steps + 1} of epoch {len(run.history) + 1}: lower "
            "the rates of LargeTraining"
        )
        raise ParameterError(msg)
    run.steps, run.total, run.right = run.steps + 1, run.total + total, run.right + right
    return total / len(which)


def _judged(run: Run, task: Task) -> tuple[float, float] | tuple[None, None]:
    """Mean log loss and accuracy of the validation answers, by whole responses."""
    if task.validation is None:
        return None, None
    accelerator = task.accelerator
    n = len(task.validation.corpus)
    mine = np.arange(accelerator.process_index, n, accelerator.num_processes)
    said = torch.zeros(2, device=accelerator.device)
    run.wrapped.eval()
    with torch.no_grad(), accelerator.autocast():
        for part in _parts(len(mine), task.training.micro_batch or task.training.batch):
            batch = task.validation.batch(mine[part]).to(accelerator.device)
            # Not by what wraps it, which may wait for processes that have no answer left.
            margins = last_margins(run.network(batch), batch.judged)
            losses = token_losses(margins[:, :, None], "logistic")
            said += torch.stack([losses.sum(), hits(margins).sum()])
    loss, right = accelerator.reduce(said, "sum").tolist()
    return loss / n, right / n


def _parts(size: int, most: int | None) -> list[slice]:
    most = size if most is None else most
    return [slice(first, first + most) for first in range(0, size, max(most, 1))]
