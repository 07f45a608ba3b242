"""WeightDisplay: distribution of the weights of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from skreg._estimators.base import RegularizedMLP
from skreg._plotting.base import NetworkDisplay, sequential_colors

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

DECADES = 6  # of magnitudes shown, up to the largest weight


class WeightDisplay(NetworkDisplay):
    """Distribution of the weights in each layer of a fitted network.

    The cumulative distribution, per kernel, of the weights' magnitudes. An ensemble is
    shown by its first member; for another, give one of its ``estimators_``. It is
    recommended to use `from_estimator` to create a display. All parameters are stored
    as attributes.

    Parameters
    ----------
    magnitudes : array-like of shape (n_points,)
        Positive magnitudes in increasing order.
    shares : array-like of shape (n_layers, n_points)
        Share of each kernel's weights, in [0, 1], that are of at most that magnitude.
    n_weights : list of int
        Number of weights per kernel, the output layer's last.
    n_zeros : list of int
        How many of them are exactly zero; the legend states their share.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D
        One per layer, the output layer's last.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.

    See Also
    --------
    LossCurveDisplay : The losses of a fitted network.

    Notes
    -----
    L1 splits a layer in two: weights that are exactly zero, at whose share the line
    begins, and weights that reduce the data loss by more than they cost, where it
    rises. The gradient of L2 is proportional to the weight: the whole line moves to the
    left, and weights that matter to the penalty alone decay towards zero. The x axis
    covers six decades up to the largest weight; a line begins at the share of weights
    that are smaller. Unlike a histogram, a cumulative distribution needs no bins.

    Kernels are those in ``coefs_``: for the regressor, the output layer's is in units
    of `y`.

    Examples
    --------
    L1 and L2 side by side:

    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier, WeightDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
    >>> for ax, penalty in zip(axes, [{"l1": 1e-3, "l2": 0.0}, {"l2": 1e-2}]):
    ...     mlp = RegularizedMLPClassifier(random_state=0, **penalty).fit(X, y)
    ...     display = WeightDisplay.from_estimator(mlp, ax=ax)
    >>> [line.get_label() for line in display.lines_]
    ['hidden layer 1 (400, 0% zero)', 'output layer (300, 0% zero)']
    """

    __module__ = "skreg"

    def __init__(
        self,
        *,
        magnitudes: ArrayLike,
        shares: ArrayLike,
        n_weights: Sequence[int],
        n_zeros: Sequence[int],
    ) -> None:
        self.magnitudes = magnitudes
        self.shares = shares
        self.n_weights = n_weights
        self.n_zeros = n_zeros

    @classmethod
    def _from_networks(cls, networks: list[RegularizedMLP]) -> Self:
        kernels = [np.sort(abs(kernel), axis=None) for kernel in networks[0].coefs_]
        largest = float(max(kernel[-1] for kernel in kernels)) or 1.0
        magnitudes = np.geomspace(10**-DECADES * largest, largest, 100 * DECADES + 1)
        counts = [np.searchsorted(w, magnitudes, side="right") for w in kernels]
        n_weights = [kernel.size for kernel in kernels]
        return cls(
            magnitudes=magnitudes,
            shares=np.array(counts) / np.array(n_weights)[:, np.newaxis],
            n_weights=n_weights,
            n_zeros=[int((kernel == 0).sum()) for kernel in kernels],
        )

    def _draw(self) -> None:
        n_layers, shares = len(self.n_weights), np.asarray(self.shares)
        self.lines_: list[Line2D] = []
        for i, color in enumerate(sequential_colors(n_layers)):
            name = f"hidden layer {i + 1}" if i < n_layers - 1 else "output layer"
            n, zeros = self.n_weights[i], self.n_zeros[i]
            self.lines_ += self.ax_.plot(
                self.magnitudes,
                shares[i],
                color=color,
                linestyle=["-", "--", "-.", ":"][i % 4],
                label=f"{name} ({n:,}, {zeros / n:.0%} zero)",
            )
        self.ax_.set_xscale("log")
        self.ax_.set(
            xlabel="magnitude |w|", ylabel="share of weights up to that magnitude"
        )
        self.ax_.legend(title="kernel (number of weights)")
