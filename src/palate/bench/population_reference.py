"""PAL-A trained by minibatches, as the reference that our fit is timed against.

The loop is written as the authors' code is (RamyaLab/pluralistic-alignment, ``src/pal_rm_a``): a
torch ``DataLoader`` that hands out one comparison at a time, a dictionary of parameters with one
entry a person, plain distances, hinge loss, Adam with the settings of Appendix D.2. Nothing that is
only theirs is kept: no Lightning, no logging, and f is stepped once a batch (theirs twice, since it
stands in the optimiser's list twice). Batches are of 1024; the paper does not say.

The same arithmetic on whole tensors goes beside it: what the loop costs without the overhead, and
where its 1000 epochs end.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from palate._random import generator
from palate.bench._torch import one_thread_torch
from palate.population.model import PalA
from palate.population.projector import Projector

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population.data import PreferenceData

EPOCHS = 1000
"""Of Appendix D.2."""

Style: TypeAlias = Literal["loader", "tensors"]

_BATCH = 1024
_MAP_RATE, _MAP_DECAY, _RATE = 5e-4, 1e-3, 5e-3
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Trained:
    """What the reference came to.

    Attributes:
        model: after the last epoch.
        epochs: how many were run.
        seconds: of CPU that they took, without setting up.
    """

    model: PalA
    epochs: int
    seconds: float


def train_by_minibatches(
    data: PreferenceData, k: int, *, epochs: int, style: Style, seed: int
) -> Trained:
    """Train PAL-A with a linear (D, D) map as the paper's numerical experiment does.

    Args:
        data: pairwise answers.
        k: prototypes.
        epochs: the paper's are 1000.
        style: "loader" as the authors' code is; "tensors" for slices of whole tensors, and one
            table of everybody's logits.
        seed: of the start and the order.

    Raises:
        MissingExtraError: torch is not installed.
    """
    torch = one_thread_torch()
    rng = generator(seed, "bench population reference")
    d = data.items.shape[1]

    def parameter(values: FloatArray) -> Any:  # noqa: ANN401
        return torch.nn.Parameter(torch.tensor(values, dtype=torch.float32))

    f = parameter(rng.uniform(-(d**-0.5), d**-0.5, size=(d, d)))  # torch's own start of a layer
    prototypes = rng.normal(size=(k, d))
    P = parameter(prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True))
    logits = rng.normal(size=(len(data.people), k))
    of_people: list[Any]
    if style == "loader":
        table = torch.nn.ParameterDict({str(i): parameter(row) for i, row in enumerate(logits)})
        of_people = [table[str(i)] for i in range(len(logits))]  # the dictionary sorts names
        batches = _loader(torch, data, seed)

        def logits_of(who: Any) -> Any:  # noqa: ANN401
            return torch.stack([table[name] for name in who], dim=0)
    else:
        whole = parameter(logits)
        of_people = [whole]
        batches = _slices(torch, data, rng)

        def logits_of(who: Any) -> Any:  # noqa: ANN401
            return whole[who]

    optimiser = torch.optim.Adam(
        [
            {"params": [f], "lr": _MAP_RATE, "weight_decay": _MAP_DECAY},
            {"params": [P, *of_people], "lr": _RATE},
        ]
    )
    began = time.process_time()
    for _ in range(epochs):
        for who, (left, right), y in batches():
            optimiser.zero_grad()
            ideal = (torch.softmax(logits_of(who), dim=1) @ P) @ f.T
            nearer = _distance(torch, left @ f.T, ideal) - _distance(torch, right @ f.T, ideal)
            torch.relu(1.0 - y * nearer).mean().backward()
            optimiser.step()
    seconds = time.process_time() - began
    weights = torch.softmax(torch.stack(of_people) if style == "loader" else whole, dim=1)
    model = PalA(
        people=data.people,
        weights=_array(weights),
        f=Projector.linear(_array(f)),
        prototypes=_array(P),
        power=1,
    )
    return Trained(model, epochs, seconds)


def _distance(torch: Any, images: Any, ideal: Any) -> Any:  # noqa: ANN401
    return torch.sqrt(((images - ideal) ** 2).sum(dim=1) + _TINY)


def _loader(torch: Any, data: PreferenceData, seed: int) -> Any:  # noqa: ANN401
    """Batches of names, pairs and signs, put together from single comparisons."""
    left, right, y = _sides(torch, data)
    rows = [
        (str(i), (a, b), sign)
        for i, a, b, sign in zip(data.person.tolist(), left, right, y, strict=True)
    ]
    order = torch.Generator().manual_seed(seed)
    return torch.utils.data.DataLoader(
        rows, batch_size=_BATCH, shuffle=True, generator=order
    ).__iter__


def _slices(torch: Any, data: PreferenceData, rng: np.random.Generator) -> Any:  # noqa: ANN401
    left, right, y = _sides(torch, data)
    person = torch.tensor(data.person)

    def batches() -> Any:  # noqa: ANN401
        for rows in torch.tensor(rng.permutation(len(person))).split(_BATCH):
            yield person[rows], (left[rows], right[rows]), y[rows]

    return batches


def _sides(torch: Any, data: PreferenceData) -> tuple[Any, Any, Any]:  # noqa: ANN401
    """Left and right items, the chosen one on either side in turn; y = 1 where it is the right."""
    y = np.where(np.arange(len(data)) % 2, 1.0, -1.0)
    left = np.where(y > 0, data.rejected, data.chosen)
    right = np.where(y > 0, data.chosen, data.rejected)
    items = torch.tensor(data.items, dtype=torch.float32)
    return items[left], items[right], torch.tensor(y, dtype=torch.float32)


def _array(tensor: Any) -> FloatArray:  # noqa: ANN401
    return np.asarray(tensor.detach().double().numpy())
