"""LossCurveDisplay: training and validation loss, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from skreg._plotting.drawing import axes_to_draw_in, shown_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Of Okabe and Ito's palette, see the reference in LossCurveDisplay.
BLUE, VERMILLION = "#0072B2", "#D55E00"

# What each loss is called, and the units it is in.
LOSS_NAMES = {
    "cross-entropy": "loss (nats)",
    "squared_error": "squared error (variances of y)",
    "absolute_error": "absolute error (standard deviations of y)",
    "huber": "Huber loss (errors in standard deviations of y)",
    "poisson": "half Poisson deviance (means of y)",
}


class LossCurveDisplay:
    """Training and validation loss of a fitted network, epoch by epoch.

    It is recommended to use `from_estimator` to create one. All parameters are stored
    as attributes.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training loss with the penalty, which is what was minimised.
    data_loss : array-like of shape (n_epochs,)
        Training loss without the penalty.
    val_loss : array-like of shape (n_epochs,), default=None
        Validation loss without the penalty, NaN in epochs without one.
    best_epoch : int, default=None
        The epoch, counted from 1, that early stopping kept; None where it did not.
    loss_name : str, default="loss"
        Name of the loss, and its unit in brackets.

    Attributes
    ----------
    lines_ : dict of str to matplotlib.lines.Line2D
        The lines drawn, under the names that `history_` has for them: ``"loss"``,
        ``"data_loss"``, ``"val_loss"``. Without a penalty ``"loss"`` would lie on
        ``"data_loss"`` and is left out.
    best_ : matplotlib.lines.Line2D or None
        The mark at `best_epoch`.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        Their figure.

    See Also
    --------
    WeightDisplay : The weights of a fitted network.
    SearchDisplay : The scores of a search.

    Notes
    -----
    The validation loss is to be compared with the training loss without the penalty:
    the penalty is no part of it. While training, dropout is on and the weights still
    change within the epoch, so that the training loss may well be the larger one.

    Blue and vermillion are of the palette by Okabe and Ito [1]_, that colour-blind eyes
    can tell apart; the lines also differ in their dashes.

    References
    ----------
    .. [1] B. Wong, "Points of view: color blindness", Nature Methods 8, 2011,
       :doi:`10.1038/nmeth.1618`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import LossCurveDisplay, RegularizedMLPClassifier
    >>> mlp = RegularizedMLPClassifier(l2=1e-2, early_stopping=True, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(mlp.fit(*load_iris(return_X_y=True)))
    >>> list(display.lines_)
    ['loss', 'data_loss', 'val_loss']
    """

    __module__ = "skreg"

    def __init__(
        self,
        *,
        loss: ArrayLike,
        data_loss: ArrayLike,
        val_loss: ArrayLike | None = None,
        best_epoch: int | None = None,
        loss_name: str = "loss",
    ) -> None:
        self.loss = loss
        self.data_loss = data_loss
        self.val_loss = val_loss
        self.best_epoch = best_epoch
        self.loss_name = loss_name

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, ax: Axes | None = None
    ) -> Self:
        """Draw the losses of a fitted estimator.

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
        LossCurveDisplay

        Raises
        ------
        TypeError
            If `estimator` is none of these.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            Without matplotlib.
        """
        network = shown_network(estimator)
        loss = getattr(network, "loss", "cross-entropy")
        return cls(
            loss=network.history_["loss"],
            data_loss=network.history_["data_loss"],
            val_loss=network.history_.get("val_loss"),
            best_epoch=network.best_epoch_ if network.early_stopping else None,
            loss_name=LOSS_NAMES[loss],
        ).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        ax = axes_to_draw_in(ax, self)
        from matplotlib.ticker import MaxNLocator

        self.lines_: dict[str, Line2D] = {}
        if not np.array_equal(self.loss, self.data_loss):
            self._draw(ax, "loss", "training loss + penalty", BLUE, ":", "^")
        self._draw(ax, "data_loss", "training loss", BLUE, "-", "o")
        if self.val_loss is not None:
            self._draw(ax, "val_loss", "validation loss", VERMILLION, "--", "s")
        self.best_ = None
        if self.best_epoch is not None:
            label = f"epoch kept ({self.best_epoch})"
            self.best_ = ax.axvline(
                self.best_epoch, color="black", linewidth=1, linestyle="-.", label=label
            )
        whole = MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        ax.xaxis.set_major_locator(whole)
        ax.set(xlabel="epoch", ylabel=self.loss_name)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax, name, label, color, linestyle, marker):
        values = np.asarray(getattr(self, name), dtype=float)
        epochs = np.arange(1, len(values) + 1)
        # A point that no line reaches would not be seen.
        known = np.pad(np.isfinite(values), 1)
        alone = known[1:-1] & ~known[:-2] & ~known[2:]
        (self.lines_[name],) = ax.plot(
            epochs,
            values,
            color=color,
            linestyle=linestyle,
            marker=marker if alone.any() else None,
            markevery=alone,
            label=label,
        )
