"""WeightDisplay: distribution of the weights of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._estimators.base import RegularizedMLP
from skreg._plotting.base import NetworkDisplay, final_networks
from skreg._plotting.colors import sequential_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

DECADES = 6  # of magnitudes shown, up to the largest weight
LINESTYLES = ["-", "--", "-.", ":"]


class WeightDisplay(NetworkDisplay):
    """Distribution of the weights in each layer of a fitted network.

    The cumulative distribution, per kernel, of the weights' magnitudes. It is
    recommended to use `from_estimator` to create one. All parameters are stored as
    attributes.

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
    The penalties differ in what they do to small weights. L1 pulls with the same force
    at every magnitude, and splits a layer in two: weights that are exactly zero, at
    whose share the line begins, and weights that reduce the data loss by more than
    they cost, where it rises. The gradient of L2 is proportional to
    the weight: the whole line moves to the left, and weights that matter to the penalty
    alone decay towards zero. The x axis covers six decades up to the largest weight;
    a line begins at the share of weights that are smaller.

    A cumulative distribution needs no choice of bins. In a histogram of the weights,
    both penalties look like a spike at zero; in one of the logarithms of their
    magnitudes, the weights that decay take up most of the plot.

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
    def from_estimator(
        cls, estimator: BaseEstimator, *, member: int = 0, ax: Axes | None = None
    ) -> Self:
        """Create the display of a fitted estimator and draw it.

        Parameters
        ----------
        estimator : estimator
            A fitted `RegularizedMLPClassifier` or `RegularizedMLPRegressor`, an
            ensemble of them, an estimator that chooses its own regularization, a fitted
            `sklearn.pipeline.Pipeline` that ends in one of these, or a fitted search,
            whose ``best_estimator_`` is shown.
        member : int, default=0
            Which network to show if it is an ensemble.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in; None makes a new figure.

        Returns
        -------
        display : object
            The display.

        Raises
        ------
        TypeError
            If `estimator` is none of these.
        ValueError
            If there is no such member.
        sklearn.exceptions.NotFittedError
            If `estimator` is not fitted, or is a search without ``best_estimator_``.
        ImportError
            If matplotlib is not installed.
        """
        networks = final_networks(estimator)
        if not 0 <= member < len(networks):
            raise ValueError(
                f"member must be in [0, {len(networks) - 1}], as there are "
                f"{len(networks)} networks, got {member!r}."
            )
        return cls._from_networks([networks[member]]).plot(ax)

    @classmethod
    def _from_networks(cls, networks: list[RegularizedMLP]) -> Self:
        (network,) = networks
        kernels = [np.sort(abs(kernel), axis=None) for kernel in network.coefs_]
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
        n_layers = len(self.n_weights)
        names = [f"hidden layer {i}" for i in range(1, n_layers)] + ["output layer"]
        shares, colors = np.asarray(self.shares), sequential_colors(n_layers)
        self.lines_: list[Line2D] = []
        labels = [
            f"{name} ({n:,}, {zeros / n:.0%} zero)"
            for name, n, zeros in zip(names, self.n_weights, self.n_zeros, strict=True)
        ]
        for i, label in enumerate(labels):
            self.lines_ += self.ax_.plot(
                self.magnitudes,
                shares[i],
                color=colors[i],
                linestyle=LINESTYLES[i % len(LINESTYLES)],
                label=label,
            )
        self.ax_.set_xscale("log")
        self.ax_.set(
            xlabel="magnitude |w|", ylabel="share of weights up to that magnitude"
        )
        self.ax_.legend(title="kernel (number of weights)")
