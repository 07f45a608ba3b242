"""LossCurveDisplay: training and validation loss per epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skreg._estimators.base import RegularizedMLP
from skreg._plotting.base import NetworkDisplay

if TYPE_CHECKING:
    from matplotlib.lines import Line2D

Losses: TypeAlias = ArrayLike | Sequence[ArrayLike]

# Names, labels and styles of the lines. The colors are from the palette by Okabe and
# Ito, which color-blind readers can tell apart.
LINES = [
    ("loss", "training loss + penalty", "#0072B2", ":", "^"),
    ("data_loss", "training loss", "#0072B2", "-", "o"),
    ("val_loss", "validation loss", "#D55E00", "--", "s"),
]
# Names and units. The regressor's losses are those of the targets as the network is
# given them: in standard deviations, or for "poisson" divided by their mean.
LOSS_NAMES = {
    "cross-entropy": "loss (nats)",
    "squared_error": "squared error (variances of y)",
    "absolute_error": "absolute error (standard deviations of y)",
    "huber": "Huber loss (errors in standard deviations of y)",
    "poisson": "half Poisson deviance (means of y)",
    "quantile": "pinball loss (standard deviations of y)",
}


class LossCurveDisplay(NetworkDisplay):
    """Training and validation loss of a fitted network, per epoch.

    An ensemble has a curve for each member. It is recommended to use `from_estimator`
    to create one. All parameters are stored as attributes.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,), or list of them
        Training loss with the penalty, which is what training minimizes; a list has one
        array per member of an ensemble.
    data_loss : array-like of shape (n_epochs,), or list of them
        Training loss without the penalty.
    val_loss : array-like of shape (n_epochs,), or list of them, default=None
        Validation loss, which has no penalty; NaN in epochs without validation.
    best_epoch : int, default=None
        The epoch to mark, counted from 1. `from_estimator` gives ``best_epoch_`` where
        early stopping kept the weights of an epoch before the last, else None, as it
        does for several networks.
    loss_name : str, default="loss"
        Name of the loss, with its unit in brackets.

    Attributes
    ----------
    lines_ : dict of str to matplotlib.lines.Line2D or list of them
        The lines, with the keys of ``history_``: ``"loss"``, ``"data_loss"`` and
        ``"val_loss"``; lists of lines if the losses are lists. Without a penalty
        ``"loss"`` equals ``"data_loss"`` and is left out.
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
        loss: Losses,
        data_loss: Losses,
        val_loss: Losses | None = None,
        best_epoch: int | None = None,
        loss_name: str = "loss",
    ) -> None:
        self.loss = loss
        self.data_loss = data_loss
        self.val_loss = val_loss
        self.best_epoch = best_epoch
        self.loss_name = loss_name

    @classmethod
    def _from_networks(cls, networks: list[RegularizedMLP]) -> Self:
        network = networks[0]
        # Only early stopping keeps an epoch before the last. The parameter
        # early_stopping is not asked: it may have been changed since the fit.
        kept_earlier = len(networks) == 1 and network.best_epoch_ < network.n_iter_

        def losses(name: str) -> Any:
            each = [network.history_.get(name) for network in networks]
            if None in each:
                return None
            return each[0] if len(each) == 1 else each

        return cls(
            loss=losses("loss"),
            data_loss=losses("data_loss"),
            val_loss=losses("val_loss"),
            best_epoch=network.best_epoch_ if kept_earlier else None,
            loss_name=LOSS_NAMES[getattr(network, "loss", "cross-entropy")],
        )

    def _draw(self) -> None:
        from matplotlib.ticker import MaxNLocator

        self.lines_: dict[str, Line2D | list[Line2D]] = {}
        several = np.ndim(self.data_loss[0]) > 0  # type: ignore[index]
        data: Any = self.data_loss if several else [self.data_loss]
        for name, label, color, linestyle, marker in LINES:
            losses = getattr(self, name)
            curves = losses if several else [losses]
            no_penalty = name == "loss" and all(map(np.array_equal, curves, data))
            if losses is None or no_penalty:
                continue
            lines: list[Line2D] = []
            for curve in curves:
                # A value between two gaps belongs to no line segment: only a marker
                # shows it.
                finite = np.pad(np.isfinite(curve), 1)
                isolated = finite[1:-1] & ~finite[:-2] & ~finite[2:]
                lines += self.ax_.plot(
                    np.arange(1, len(curve) + 1),
                    curve,
                    color=color,
                    linestyle=linestyle,
                    linewidth=0.8 if several else None,
                    marker=marker if isolated.any() else None,
                    markevery=isolated,
                    label=None if lines else label,
                )
            self.lines_[name] = lines if several else lines[0]
        self.best_ = None
        if self.best_epoch is not None:
            label = f"epoch kept ({self.best_epoch})"
            self.best_ = self.ax_.axvline(
                self.best_epoch, color="black", lw=1, ls="-.", label=label
            )
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        self.ax_.set(xlabel="epoch", ylabel=self.loss_name)
        self.ax_.legend()
