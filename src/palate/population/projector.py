"""The maps f and g of PAL: linear, or a small multilayer perceptron, evaluated in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy.special import erf

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray

Activation: TypeAlias = Literal["relu", "gelu"]


@dataclass(frozen=True, eq=False)
class Projector:
    """Layers of ``x -> x W' + b`` with an activation between them; one layer is a linear map.

    Attributes:
        weights: (d_out, d_in) matrices, first layer first.
        biases: (d_out,) vectors, or None for a layer without.
        activation: between layers, not after the last: "relu", or the exact "gelu".
        residual: add the input to the output; their dimensions must agree.

    Raises:
        ParameterError: there is no layer, or the layers do not fit together.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray | None, ...]
    activation: Activation = "gelu"
    residual: bool = False

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise ParameterError("a projector has at least one layer, and a bias or None for each")
        if self.activation not in {"relu", "gelu"}:
            msg = f"the activation is 'relu' or 'gelu', not {self.activation!r}"
            raise ParameterError(msg)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
                msg = (
                    f"a layer is a (d_out, d_in) matrix with (d_out,) biases, not "
                    f"{weight.shape} with {None if bias is None else bias.shape}"
                )
                raise ParameterError(msg)
        for before, after in zip(self.weights, self.weights[1:], strict=False):
            if before.shape[0] != after.shape[1]:
                msg = f"layers of shapes {before.shape} and {after.shape} do not follow each other"
                raise ParameterError(msg)
        if self.residual and self.d_in != self.d_out:
            msg = f"a residual needs equal dimensions, not {self.d_in} and {self.d_out}"
            raise ParameterError(msg)

    @classmethod
    def linear(cls, matrix: FloatArray) -> Projector:
        """The linear map of a (d_out, d_in) matrix, without a bias."""
        return cls((np.asarray(matrix, dtype=np.float64),), (None,))

    @property
    def d_in(self) -> int:
        """Dimension of what goes in."""
        return int(self.weights[0].shape[1])

    @property
    def d_out(self) -> int:
        """Dimension of what comes out."""
        return int(self.weights[-1].shape[0])

    @property
    def is_linear(self) -> bool:
        """Whether a mixture of inputs gives the mixture of outputs; a bias does no harm to that."""
        return len(self.weights) == 1

    def __call__(self, x: FloatArray) -> FloatArray:
        """(M, d_in) rows to (M, d_out) rows.

        Raises:
            ParameterError: the rows have another dimension.
        """
        if x.ndim != 2 or x.shape[1] != self.d_in:
            msg = f"features have shape {x.shape}; this model was trained on d = {self.d_in}"
            raise ParameterError(msg)
        h = x
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                h = _activate(h, self.activation)
            h = h @ weight.T
            if bias is not None:
                h = h + bias
        return h + x if self.residual else h


def _activate(h: FloatArray, activation: Activation) -> FloatArray:
    if activation == "relu":
        return np.maximum(h, 0.0)
    return np.asarray(0.5 * h * (1.0 + erf(h / np.sqrt(2.0))))
