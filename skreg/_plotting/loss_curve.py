"""LossCurveDisplay: training and validation loss per epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from skreg._plotting.base import NetworkDisplay
from skreg._plotting.colors import BLUE, VERMILLION

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

# Names and units. The regressor's losses are those of the targets as the network is
# given them: in standard deviations, or for "poisson" divided by their mean.
LOSS_NAMES = {
    "cross-entropy": "loss (nats)",
    "squared_error": "squared error (variances of y)",
    "absolute_error": "absolute error (standard deviations of y)",
    "huber": "Huber loss (errors in standard deviations of y)",
    "poisson": "half Poisson deviance (means of y)",
}


class LossCurveDisplay(NetworkDisplay):
    """Training and validation loss of a fitted network, per epoch.

    It is recommended to use `from_estimator` to create one. All parameters are stored
    as attributes.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Training loss with the penalty, which is what training minimises.
    data_loss : array-like of shape (n_epochs,)
        Training loss without the penalty.
    val_loss : array-like of shape (n_epochs,), default=None
        Validation loss, which has no penalty; NaN in epochs without validation.
    best_epoch : int, default=None
        The epoch to mark, counted from 1. `from_estimator` gives ``best_epoch_`` where
        early stopping kept the weights of an epoch before the last, else None.
    loss_name : str, default="loss"
        Name of the loss, with its unit in brackets.

    Attributes
    ----------
    lines_ : dict of str to matplotlib.lines.Line2D
        The lines, with the keys of ``history_``: ``"loss"``, ``"data_loss"`` and
        ``"val_loss"``. Without a penalty ``"loss"`` equals ``"data_loss"`` and is left
        out.
    best_ : matplotlib.lines.Line2D or None
        Vertical line at `best_epoch`.
    ax_ : matplotlib.axes.Axes
        The axes drawn in.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.

    See Also
    --------
    WeightDisplay : The weights of a fitted network.
    SearchDisplay : The scores of a search.

    Notes
    -----
    Compare the validation loss with the training loss without the penalty: neither
    includes it. The training loss may well be the larger one: it is computed with
    dropout, and as a mean over an epoch in which the weights still improve.

    Blue and vermillion are from the palette by Okabe and Ito [1]_, which colour-blind
    readers can tell apart; the lines also differ in their dashes.

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
    def _from_network(cls, network):
        # Only early stopping keeps an epoch before the last. The parameter
        # early_stopping is not asked: it may have been changed since the fit.
        kept_earlier = network.best_epoch_ < network.n_iter_
        loss = getattr(network, "loss", "cross-entropy")  # the classifier has no choice
        return cls(
            loss=network.history_["loss"],
            data_loss=network.history_["data_loss"],
            val_loss=network.history_.get("val_loss"),
            best_epoch=network.best_epoch_ if kept_earlier else None,
            loss_name=LOSS_NAMES[loss],
        )

    def _draw(self) -> None:
        from matplotlib.ticker import MaxNLocator

        self.lines_: dict[str, Line2D] = {}
        if not np.array_equal(self.loss, self.data_loss):
            self._draw_line("loss", "training loss + penalty", BLUE, ":", "^")
        self._draw_line("data_loss", "training loss", BLUE, "-", "o")
        if self.val_loss is not None:
            self._draw_line("val_loss", "validation loss", VERMILLION, "--", "s")
        self.best_ = None
        if self.best_epoch is not None:
            self.best_ = self.ax_.axvline(
                self.best_epoch,
                color="black",
                linewidth=1,
                linestyle="-.",
                label=f"epoch kept ({self.best_epoch})",
            )
        self.ax_.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )
        self.ax_.set(xlabel="epoch", ylabel=self.loss_name)
        self.ax_.legend()

    def _draw_line(self, name, label, color, linestyle, marker):
        losses = np.asarray(getattr(self, name), dtype=float)
        # A value between two gaps belongs to no line segment: only a marker shows it.
        finite = np.pad(np.isfinite(losses), 1)
        isolated = finite[1:-1] & ~finite[:-2] & ~finite[2:]
        (self.lines_[name],) = self.ax_.plot(
            np.arange(1, len(losses) + 1),
            losses,
            color=color,
            linestyle=linestyle,
            marker=marker if isolated.any() else None,
            markevery=isolated,
            label=label,
        )
