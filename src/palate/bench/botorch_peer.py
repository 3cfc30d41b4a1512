"""A peer from a library: BoTorch's Gaussian process for pairwise comparisons, asked by EUBO.

Chu and Ghahramani's model (2005) by ``PairwiseGP``, its length scale and scale fitted to the
answers, and the expected utility of the best option (Lin et al., 2022, Eq. 4) over all pairs.
"""

from __future__ import annotations

import importlib
import itertools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from palate.errors import MissingExtraError, ParameterError
from palate.strategies import Choice, Strategy, View
from palate.strategies.base import check_max_steps

if TYPE_CHECKING:
    from types import ModuleType

    from palate._typing import FloatArray

_LARGEST = 60  # responses up to which every pair is scored; beyond it those of the best so many


@dataclass(frozen=True)
class BotorchEubo(Strategy):
    """BoTorch's ``PairwiseGP``, and the pair with the largest expected utility of its best option.

    Features are mapped to the unit cube, as the model's prior expects. The returned response has
    the largest posterior mean. A pair that was asked about is not asked about again; ties and skips
    add nothing but that.

    Args:
        max_steps: most questions to ask, or None: until every pair was asked about.
        iterations: most steps of the optimiser that fits scales; it rarely needs so many.

    Raises:
        ParameterError: a limit is not a number of questions, or of steps.
    """

    name: ClassVar[str] = "botorch-eubo"

    max_steps: int | None = 20
    iterations: int = 200

    def __post_init__(self) -> None:
        check_max_steps(self.max_steps)
        if self.iterations < 1:
            msg = f"iterations must be at least 1, not {self.iterations}"
            raise ParameterError(msg)

    def propose(self, view: View) -> tuple[int, ...] | None:
        """The pair of the largest expected utility of the best option; at first a random one.

        Raises:
            MissingExtraError: BoTorch is not installed.
        """
        if len(view.pool) == 1 or self.steps_left(view) == 0:
            return None
        asked = {frozenset(answer.query.options) for answer in view.answers}
        candidates = self._candidates(view)
        pairs = [p for p in itertools.combinations(candidates, 2) if frozenset(p) not in asked]
        if not pairs:
            return None
        model = _model(view, self.iterations)
        if model is None:
            return pairs[int(view.rng(self.name).integers(len(pairs)))]
        botorch, torch = _libraries()
        eubo = botorch.acquisition.preference.AnalyticExpectedUtilityOfBestOption(model)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = eubo(torch.as_tensor(_unit_cube(view)[np.array(pairs)]))
        return pairs[int(values.argmax())]

    def choose(self, view: View) -> Choice:
        """The response of the largest posterior mean; before any pick a random one."""
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        means = _means(view, self.iterations)
        if means is None:
            index = int(view.rng(f"{self.name}/start").integers(len(view.pool)))
        else:
            index = int(np.argmax(means))
        return Choice(index, None, certified=False, questions_left=self.steps_left(view) or 0)

    def _candidates(self, view: View) -> list[int]:
        means = _means(view, self.iterations)
        if means is None or len(means) <= _LARGEST:
            return list(range(len(view.pool)))
        return sorted(np.argsort(-means)[:_LARGEST].tolist())


def _means(view: View, iterations: int) -> FloatArray | None:
    """(N,) posterior means of the utilities; None before any pick."""
    model = _model(view, iterations)
    if model is None:
        return None
    _, torch = _libraries()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        means = model.posterior(torch.as_tensor(_unit_cube(view))).mean
    return np.asarray(means.numpy()[:, 0], dtype=np.float64)


def _model(view: View, iterations: int) -> Any:  # noqa: ANN401 - a PairwiseGP
    """The model fitted to the answers so far, once a number of answers; None before any pick."""
    pairs = [
        (winner, loser)
        for answer in view.answers
        for winner, losers in answer.stages
        for loser in losers
    ]
    if not pairs:
        return None
    seen, model = view.memo.get(BotorchEubo.name, (0, None))
    if seen == len(view.answers):
        return model
    botorch, torch = _libraries()
    rows = sorted({row for pair in pairs for row in pair})
    place = {row: i for i, row in enumerate(rows)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scaling, jitter, and fits that were tried once more
        model = botorch.models.pairwise_gp.PairwiseGP(
            torch.as_tensor(_unit_cube(view)[rows]),
            torch.as_tensor([[place[winner], place[loser]] for winner, loser in pairs]),
        )
        likelihood = botorch.models.pairwise_gp.PairwiseLaplaceMarginalLogLikelihood(
            model.likelihood, model
        )
        options = {"options": {"maxiter": iterations}}
        botorch.fit.fit_gpytorch_mll(likelihood, optimizer_kwargs=options)
    view.memo[BotorchEubo.name] = len(view.answers), model
    return model


def _unit_cube(view: View) -> FloatArray:
    """(N, d) features of the pool, each column from 0 to 1."""
    features = np.asarray(view.features, dtype=np.float64)
    spread = np.ptp(features, axis=0)
    return (features - features.min(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def _libraries() -> tuple[ModuleType, ModuleType]:
    """BoTorch and torch, imported only here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what newer versions of torch have given up
            for part in ("acquisition.preference", "fit", "models.pairwise_gp"):
                importlib.import_module(f"botorch.{part}")
        return importlib.import_module("botorch"), importlib.import_module("torch")
    except ImportError as error:
        msg = 'BoTorch is not installed: pip install "palate[peers]"'
        raise MissingExtraError(msg) from error
