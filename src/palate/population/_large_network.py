"""A language model with a head of PAL-A or PAL-B, and its losses token by token."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from palate.population._heads import PalAHead, PalBHead
from palate.population._tokens import padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from palate._typing import FloatArray
    from palate.population._tokens import Batch, Encoded, Tokens
    from palate.population.networks import Loss

_TINY = 1e-12


class LargeNetwork(nn.Module):  # type: ignore[misc]
    """What is trained: a language model, and maps and mixtures of what it makes of texts.

    Args:
        backbone: any model with a ``last_hidden_state``.
        head: of PAL-A or PAL-B.
        train_backbone: False leaves it as it is.
    """

    def __init__(
        self, backbone: PreTrainedModel, head: PalAHead | PalBHead, *, train_backbone: bool
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.train_backbone = backbone, head, train_backbone

    def train(self, mode: bool = True) -> LargeNetwork:  # noqa: FBT001, FBT002 - torch's signature
        """As torch has it, but a backbone that is not trained has no dropout."""
        super().train(mode)
        if not self.train_backbone:
            self.backbone.eval()
        return self

    def forward(self, batch: Batch) -> torch.Tensor:
        """(A, O - 1, L) reward of the option picked less that of each other, token by token.

        An option that is not there has margins of infinity.
        """
        with torch.set_grad_enabled(self.train_backbone and torch.is_grad_enabled()):
            states = hidden_states(self.backbone, batch.items, batch.items_mask)
            states = states[batch.options[:, :, None], batch.where]
            asked = None
            if batch.prompts is not None:
                asked = hidden_states(self.backbone, batch.prompts, batch.prompts_mask)
                asked = last_of(asked, batch.prompts_mask)
        # Differences of rewards need all digits, whatever precision the backbone runs in.
        with torch.autocast(states.device.type, enabled=False):
            images = self.head.f(states.flatten(0, 2))[0].unflatten(0, states.shape[:3])
            weights = self.head.mixture()[batch.person]
            if isinstance(self.head, PalAHead):
                rewards = _nearness(self.head, images, weights)
            else:
                rewards = _agreement(self.head, images, weights, asked, batch.prompt)
        margins = rewards[:, :1] - rewards[:, 1:]
        return margins.masked_fill(~batch.shown[:, 1:, None], math.inf)


def hidden_states(backbone: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n, T, D) last hidden states, in single precision."""
    kept = {"use_cache": False} if "use_cache" in _parameters(type(backbone)) else {}
    return backbone(input_ids=ids, attention_mask=mask, **kept).last_hidden_state.float()


def last_of(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(n, D) states of the last token of each sequence, padded on the right."""
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]


def last_states(
    backbone: PreTrainedModel, sequences: Sequence[Encoded], *, pad: int, batch: int
) -> FloatArray:
    """(M, D) features of texts: the state of their last token, without dropout or gradients.

    Args:
        backbone: is left in the mode it was in.
        sequences: M >= 1.
        pad: token to fill up with.
        batch: sequences at a time.
    """
    # Neighbours in length share a batch, so that little is filled up.
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i].ids))
    result: list[torch.Tensor] = [torch.zeros(0)] * len(sequences)
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.no_grad():
            for first in range(0, len(order), batch):
                some = order[first : first + batch]
                ids, mask = (
                    tensor.to(backbone.device)
                    for tensor in padded([sequences[i] for i in some], pad)
                )
                states = last_of(hidden_states(backbone, ids, mask), mask).cpu()
                for i, state in zip(some, states, strict=True):
                    result[i] = state
    finally:
        backbone.train(was_training)
    return np.asarray(torch.stack(result).numpy(), dtype=np.float64)


def token_weights(judged: torch.Tensor, tokens: Tokens) -> torch.Tensor:
    """(A, L) what a token's loss weighs, summing to 1 for each answer (Appendix D.3).

    Of L tokens the t-th weighs ``t / (L (L + 1) / 2)`` with "cumulative" and ``1 / L`` with "mean";
    with "last" the last one weighs 1.

    Args:
        judged: (A, L) True for the tokens that count, one or more, in a run from the first.
        tokens: which count how much.
    """
    number = judged.cumsum(dim=1)
    if tokens == "last":
        return (judged & (number == judged.sum(dim=1, keepdim=True))).float()
    raw = (judged * number if tokens == "cumulative" else judged).float()
    return raw / raw.sum(dim=1, keepdim=True)


def token_losses(margins: torch.Tensor, loss: Loss) -> torch.Tensor:
    """(A, L) loss at each token of (A, R, L) margins: of the least (hinge), or of all (logit)."""
    if loss == "hinge":
        return functional.relu(1.0 - margins.amin(dim=1))
    if margins.shape[1] == 1:
        return functional.softplus(-margins[:, 0])
    against = -margins
    return torch.cat([torch.zeros_like(against[:, :1]), against], dim=1).logsumexp(dim=1)


def answer_losses(
    margins: torch.Tensor, judged: torch.Tensor, *, loss: Loss, tokens: Tokens
) -> torch.Tensor:
    """(A,) loss of each answer, from (A, R, L) margins and the (A, L) tokens that count."""
    # Not a product with 0: where nothing is judged margins mean nothing, and may be anything.
    each = token_losses(margins, loss).masked_fill(~judged, 0.0)
    return (token_weights(judged, tokens) * each).sum(dim=1)


def last_margins(margins: torch.Tensor, judged: torch.Tensor) -> torch.Tensor:
    """(A, R) margins where every text has ended, by which whole responses are compared."""
    end = judged.sum(dim=1) - 1
    return margins[torch.arange(len(margins), device=margins.device), :, end]


def hits(margins: torch.Tensor) -> torch.Tensor:
    """(A,) 1 where the option picked is ranked first; those ranked alike share the credit."""
    return (margins.amin(dim=1) >= 0.0) / (1.0 + (margins == 0.0).sum(dim=1))


def _nearness(head: PalAHead, images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(A, O, L) rewards by PAL-A of (A, O, L, d) images; what all share is left out for p = 2."""
    points = head.ideal_points(weights)[:, None, None, :]
    if head.power == 2:
        return (images * (2.0 * points - images)).sum(dim=-1)
    return -((images - points).square().sum(dim=-1) + _TINY).sqrt()


def _agreement(
    head: PalBHead,
    images: torch.Tensor,
    weights: torch.Tensor,
    asked: torch.Tensor | None,
    prompt: torch.Tensor,
) -> torch.Tensor:
    """(A, O, L) rewards by PAL-B; one state of the prompt for all tokens of its responses."""
    mapped = head.g(asked)
    if head.norm == "each":
        mapped = functional.normalize(mapped, dim=-1, eps=_TINY)
    direction = torch.einsum("ak,kad->ad", weights, mapped[:, prompt])
    if head.norm == "mix":
        direction = functional.normalize(direction, dim=-1, eps=_TINY)
    images = functional.normalize(images, dim=-1, eps=_TINY)
    return head.scale * (images * direction[:, None, None, :]).sum(dim=-1)


def _parameters(kind: type[nn.Module]) -> set[str]:
    return set(inspect.signature(kind.forward).parameters)
