"""WeightDisplay: how large the weights of each layer are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._plotting.drawing import axes_to_draw_in, ordered_colors, shown_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

DECADES = 6  # below the largest weight, that WeightDisplay shows


class WeightDisplay:
    """Distribution of the weights in each layer of a fitted network.

    Shows, for every layer's kernel, the share of its weights whose magnitude is at
    most what the x axis says. It is recommended to use `from_estimator` to create one.
    All parameters are stored as attributes.

    Parameters
    ----------
    magnitudes : array-like of shape (n_points,)
        Magnitudes, positive and rising.
    shares : array-like of shape (n_layers, n_points)
        Share of each kernel's weights, in [0, 1], of at most that magnitude.
    n_weights : list of int
        Number of weights in each kernel, the output layer's last.

    Attributes
    ----------
    lines_ : list of matplotlib.lines.Line2D
        One a layer, the output layer's last.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        Their figure.

    See Also
    --------
    LossCurveDisplay : The losses of a fitted network.

    Notes
    -----
    The penalties differ in what they do to small weights. L1 pulls on each weight with
    the same force, and splits a layer in two: the line rises far to the left, is flat
    over the magnitudes that few weights have, and rises again with the weights that
    were worth their cost. L2 pulls in proportion to the weight: it moves the whole line
    to the left, and weights that only the penalty moves decay to nothing. The display
    goes six decades below the largest weight; the share of what is smaller, or zero,
    is the height at which a line begins.

    A cumulative share has no bins to be chosen. In a histogram of the weights both
    penalties look like a spike at zero; in one of the logarithm of their magnitudes,
    the weights that decay take all the room.

    Kernels are those in ``coefs_``: for the regressor, the output layer's is in the
    units of `y`.

    Examples
    --------
    Side by side:

    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifier, WeightDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
    >>> for ax, penalty in zip(axes, [{"l1": 1e-3, "l2": 0.0}, {"l2": 1e-2}]):
    ...     mlp = RegularizedMLPClassifier(random_state=0, **penalty).fit(X, y)
    ...     display = WeightDisplay.from_estimator(mlp, ax=ax)
    >>> [line.get_label() for line in display.lines_]
    ['hidden layer 1 (400)', 'output layer (300)']
    """

    __module__ = "skreg"

    def __init__(
        self, *, magnitudes: ArrayLike, shares: ArrayLike, n_weights: Sequence[int]
    ) -> None:
        self.magnitudes = magnitudes
        self.shares = shares
        self.n_weights = n_weights

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | None = None
    ) -> Self:
        """Draw the distribution of the weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, a fitted
            `sklearn.pipeline.Pipeline` that ends in one, or a fitted search, whose
            ``best_estimator_`` is shown.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        WeightDisplay

        Raises
        ------
        TypeError
            If `estimator` is none of these.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            Without matplotlib.
        """
        kernels = [np.sort(abs(w), axis=None) for w in shown_network(estimator).coefs_]
        largest = float(max(w[-1] for w in kernels)) or 1.0
        magnitudes = np.geomspace(10**-DECADES * largest, largest, 100 * DECADES + 1)
        counts = [np.searchsorted(w, magnitudes, side="right") for w in kernels]
        n_weights = [w.size for w in kernels]
        return cls(
            magnitudes=magnitudes,
            shares=np.array(counts) / np.array(n_weights)[:, np.newaxis],
            n_weights=n_weights,
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : WeightDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        ax = axes_to_draw_in(ax, self)
        n_layers = len(self.n_weights)
        names = [f"hidden layer {i}" for i in range(1, n_layers)] + ["output layer"]
        colors = ordered_colors(n_layers)
        self.lines_: list[Line2D] = []
        shares = np.asarray(self.shares)
        for i, (name, n) in enumerate(zip(names, self.n_weights, strict=True)):
            self.lines_ += ax.plot(
                self.magnitudes,
                shares[i],
                color=colors[i],
                linestyle=["-", "--", "-.", ":"][i % 4],
                label=f"{name} ({n:,})",
            )
        ax.set_xscale("log")
        ax.set(xlabel="magnitude |w|", ylabel="share of weights up to that magnitude")
        ax.legend(title="kernel (number of weights)")
        self.ax_, self.figure_ = ax, ax.figure
        return self
