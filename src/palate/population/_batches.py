"""Preferences in torch, cut into batches in which no network sees anything twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from palate._typing import IndexArray
    from palate.population.data import PreferenceData

_SPARSE = 8  # times more places than entries: sorting the entries is cheaper than marking places


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some answers, and what they are about: a pair is two items compared for one prompt.

    Attributes:
        items: (m, D) features of the unique items.
        prompts: (p, D_x) features of the unique prompts; None without.
        first, second: (t,) the items of the unique pairs.
        prompt: (t,) their prompts.
        pair: (n,) the pair of each row.
        sign: (n,) 1 where its first item was chosen, -1 where the second was.
        people: (u,) the unique people, as rows of the mixture.
        person: (n,) of each row.
        rows: (a, R) the rows of each answer, filled up with n; None where each row is an answer.
        weight: (a,) of each answer, 1 on average over all answers.
    """

    items: torch.Tensor
    prompts: torch.Tensor | None
    first: torch.Tensor
    second: torch.Tensor
    prompt: torch.Tensor
    pair: torch.Tensor
    sign: torch.Tensor
    people: torch.Tensor
    person: torch.Tensor
    rows: torch.Tensor | None
    weight: torch.Tensor


class Answers:
    """All answers on a device, in groups that share a prompt, or a pair where there is no prompt.

    Args:
        data: the answers.
        places: (U,) row of the mixture of each person.
        device: where they lie.
        user_balanced: everybody's answers weigh the same together.

    Attributes:
        items, prompts: tables of features.
        groups: how many there are.
        answers: how many there are.
    """

    def __init__(
        self,
        data: PreferenceData,
        places: IndexArray,
        device: torch.device,
        *,
        user_balanced: bool = False,
    ) -> None:
        starts = data.starts
        prompt = np.zeros(len(data), dtype=np.intp) if data.prompt is None else data.prompt
        first, second = (of(data.chosen, data.rejected) for of in (np.minimum, np.maximum))
        _, options = np.unique(first * len(data.items) + second, return_inverse=True)
        keys = prompt * (options.max() + 1) + options
        _, where, pair = np.unique(keys, return_index=True, return_inverse=True)
        group = (pair if data.prompt is None else prompt)[starts]
        order = np.argsort(group, kind="stable")  # of answers
        sizes = np.diff(starts, append=len(data))[order]
        rows = np.repeat(starts[order] - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(data))
        weight = np.ones(len(starts))
        if user_balanced:
            counts = np.bincount(data.person[starts])
            weight = len(starts) / ((counts > 0).sum() * counts[data.person[starts]])

        def here(array: object, dtype: torch.dtype = torch.int64) -> torch.Tensor:
            return torch.as_tensor(array, dtype=dtype, device=device)

        self.items = here(data.items, torch.float32)
        self.prompts = None if data.prompts is None else here(data.prompts, torch.float32)
        self.answers = len(starts)
        self._first, self._second = here(first[where]), here(second[where])
        self._prompt = here(prompt[where])
        self._pair = here(pair[rows])
        self._sign = here(np.where(data.chosen < data.rejected, 1.0, -1.0)[rows], torch.float32)
        self._person = here(places[data.person[rows]])
        self._people = int(places.max()) + 1
        self._weight = here(weight[order], torch.float32)
        self._rows = None if len(starts) == len(data) else _Groups(here(sizes))
        self._groups = _Groups(here(np.unique(group, return_counts=True)[1]))
        self.groups = len(self._groups.sizes)

    def batch(self, groups: torch.Tensor) -> Batch:
        """The answers of some groups."""
        answers, _ = self._groups.members(groups)
        rows, padded = answers, None
        if self._rows is not None:
            rows, sizes = self._rows.members(answers)
            place = torch.arange(int(sizes.max()), device=rows.device)
            padded = (sizes.cumsum(0) - sizes)[:, None] + place
            padded = torch.where(place < sizes[:, None], padded, len(rows))
        pairs, pair = _unique(self._pair[rows], len(self._first))
        shown = torch.cat([self._first[pairs], self._second[pairs]])
        items, item = _unique(shown, len(self.items))
        prompts, prompt = _unique(
            self._prompt[pairs], 1 if self.prompts is None else len(self.prompts)
        )
        people, person = _unique(self._person[rows], self._people)
        return Batch(
            items=self.items[items],
            prompts=None if self.prompts is None else self.prompts[prompts],
            first=item[: len(pairs)],
            second=item[len(pairs) :],
            prompt=prompt,
            pair=pair,
            sign=self._sign[rows],
            people=people,
            person=person,
            rows=padded,
            weight=self._weight[answers],
        )

    @property
    def items_used(self) -> torch.Tensor:
        """The items that answers are about, on the CPU."""
        return self.items[torch.unique(torch.cat([self._first, self._second]))].cpu()

    @property
    def prompts_used(self) -> torch.Tensor:
        """The prompts that answers are about, on the CPU."""
        assert self.prompts is not None  # noqa: S101  # for the type checker
        return self.prompts[torch.unique(self._prompt)].cpu()

    def all(self) -> Batch:
        """Every answer."""
        return self.batch(torch.arange(self.groups, device=self.items.device))


class _Groups:
    """Things that stand together, a number of them in each group."""

    def __init__(self, sizes: torch.Tensor) -> None:
        self.sizes = sizes
        self._starts = sizes.cumsum(0) - sizes

    def members(self, groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All places of some groups, one group after the other, and the groups' sizes."""
        sizes = self.sizes[groups]
        before = sizes.cumsum(0) - sizes
        shift = (self._starts[groups] - before).repeat_interleave(sizes)
        return shift + torch.arange(len(shift), device=shift.device), sizes


def _unique(places: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The places below ``size`` that occur, rising, and which of them each one is."""
    if size > _SPARSE * len(places):
        return torch.unique(places, return_inverse=True)
    occurs = torch.zeros(size, dtype=torch.bool, device=places.device)
    occurs[places] = True
    return occurs.nonzero()[:, 0], (occurs.cumsum(0) - 1)[places]
