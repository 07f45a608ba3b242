"""In which units a regressor's network sees its targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._training.task import OutputScale


@dataclass(frozen=True)
class TargetUnits:
    """Mean and standard deviation of each output, and the units that follow from them.

    All in float64, whatever the network computes in: single precision has no room for
    a large mean and small differences.

    Attributes
    ----------
    mean, deviation : ndarray of shape (n_outputs,), float64
        Weighted, over all rows seen. The deviation of a constant is exactly 0.
    n_rows : float
        How many rows that is.
    exponential : bool
        Whether the output is an exponential: then targets are seen in units of their
        mean, else standardized.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    n_rows: float
    exponential: bool

    @classmethod
    def of(
        cls,
        targets: NDArray[np.float64],
        weight: NDArray[np.float64],
        exponential: bool,
    ) -> TargetUnits:
        """The units of targets (n_rows, n_outputs) with weights (n_rows,)."""
        # Numbers of at most 1 are averaged, as squares of large ones overflow, and
        # differences from one of the targets, so that a constant is its own mean.
        origin = targets[0]
        offsets, size = _normalized(targets - origin)
        mean = origin + size * np.average(offsets, axis=0, weights=weight)
        errors, size = _normalized(targets - mean)
        variance = np.average(errors**2, axis=0, weights=weight)
        return cls(mean, size * np.sqrt(variance), float(len(targets)), exponential)

    @property
    def center(self) -> NDArray[np.float64]:
        """What is 0 in the network's units, of shape (n_outputs,)."""
        return np.zeros_like(self.mean) if self.exponential else self.mean

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which outputs have a unit: constants have none, or zeros, if exponential."""
        return (self.mean if self.exponential else self.deviation) > 0

    @property
    def scale(self) -> NDArray[np.float64]:
        """The network's unit, of shape (n_outputs,)."""
        return np.where(
            self.known, self.mean if self.exponential else self.deviation, 1
        )

    def extended_by(self, other: TargetUnits) -> TargetUnits:
        """The units of the rows of both [1]_.

        References
        ----------
        .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the
           sample variance: analysis and recommendations", The American Statistician
           37, 1983, :doi:`10.1080/00031305.1983.10483115`.
        """
        n_rows = self.n_rows + other.n_rows
        share = other.n_rows / n_rows
        shift = other.mean - self.mean
        within = np.hypot(
            np.sqrt(1 - share) * self.deviation, np.sqrt(share) * other.deviation
        )
        between = np.sqrt(share * (1 - share)) * shift
        return TargetUnits(
            self.mean + share * shift,
            np.hypot(within, between),
            n_rows,
            self.exponential,
        )

    def replaced_by(self, other: TargetUnits) -> TargetUnits:
        """The other units for outputs that vary there, the present ones for others."""
        varies = other.deviation > 0
        return TargetUnits(
            np.where(varies, other.mean, self.mean),
            np.where(varies, other.deviation, self.deviation),
            other.n_rows,
            self.exponential,
        )

    def to_network(
        self, targets: NDArray[np.float64], dtype: np.dtype
    ) -> NDArray[np.floating]:
        """Targets in the network's units and dtype."""
        return ((targets - self.center) / self.scale).astype(dtype)

    def to_user(self, outputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """Predictions from the network's outputs before their activation."""
        outputs = outputs.astype(np.float64)
        if self.exponential:
            np.exp(outputs, out=outputs)
        return outputs * self.scale + self.center

    @property
    def output_scale(self) -> OutputScale:
        """From the network's output, before its activation, to the user's units."""
        if self.exponential:  # a factor of an exponential
            return OutputScale(np.ones_like(self.scale), np.log(self.scale))
        return OutputScale(self.scale, self.center)

    def layer_from(
        self, old: TargetUnits, kernel: NDArray[Any], bias: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The output layer that predicts what one for the old units does [1]_.

        Where all targets were equal until now, no more was learned than their unit,
        and the layer stays as it is: it predicts the mean of what is known now.

        References
        ----------
        .. [1] H. van Hasselt, A. Guez, M. Hessel, V. Mnih and D. Silver, "Learning
           values across many orders of magnitude", NIPS 2016, :arxiv:`1602.07714`.
        """
        learned = old.deviation > 0
        ratio = np.where(learned, old.scale / self.scale, 1)
        if self.exponential:
            new = kernel, bias + np.log(ratio)
        else:
            shift = np.where(learned, (old.center - self.center) / self.scale, 0)
            new = kernel * ratio, bias * ratio + shift
        return new[0].astype(kernel.dtype), new[1].astype(bias.dtype)


def _normalized(
    differences: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of at most 1, and what they are multiples of, column by column."""
    size = np.abs(differences).max(axis=0)
    return differences / np.where(size > 0, size, 1), size
