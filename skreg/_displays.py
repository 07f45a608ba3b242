"""Displays of one fitted network: its losses and its weights."""

import numpy as np

from skreg._drawing import axes_to_draw_in, ordered_colors, shown_network

# Of Okabe and Ito's palette, see the reference in LossCurveDisplay.
BLUE, VERMILLION = "#0072B2", "#D55E00"

# What each loss of the regressor is called, and the units it is in.
LOSS_NAMES = {
    "squared_error": "squared error (variances of y)",
    "absolute_error": "absolute error (standard deviations of y)",
    "huber": "Huber loss (errors in standard deviations of y)",
    "poisson": "half Poisson deviance (means of y)",
}

DECADES = 6  # below the largest weight, that WeightDisplay shows


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

    def __init__(
        self, *, loss, data_loss, val_loss=None, best_epoch=None, loss_name="loss"
    ):
        self.loss = loss
        self.data_loss = data_loss
        self.val_loss = val_loss
        self.best_epoch = best_epoch
        self.loss_name = loss_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
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
        return cls(
            loss=network.history_["loss"],
            data_loss=network.history_["data_loss"],
            val_loss=network.history_.get("val_loss"),
            best_epoch=network.best_epoch_ if network.early_stopping else None,
            loss_name=LOSS_NAMES.get(getattr(network, "loss", None), "loss (nats)"),
        ).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : LossCurveDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        ax = axes_to_draw_in(ax, self)
        from matplotlib.ticker import MaxNLocator

        self.lines_ = {}
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

    def __init__(self, *, magnitudes, shares, n_weights):
        self.magnitudes = magnitudes
        self.shares = shares
        self.n_weights = n_weights

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
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

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : WeightDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        ax = axes_to_draw_in(ax, self)
        n_layers = len(self.n_weights)
        names = [f"hidden layer {i}" for i in range(1, n_layers)] + ["output layer"]
        colors = ordered_colors(n_layers)
        self.lines_ = []
        for i, (name, n) in enumerate(zip(names, self.n_weights, strict=True)):
            self.lines_ += ax.plot(
                self.magnitudes,
                self.shares[i],
                color=colors[i],
                linestyle=["-", "--", "-.", ":"][i % 4],
                label=f"{name} ({n:,})",
            )
        ax.set_xscale("log")
        ax.set(xlabel="magnitude |w|", ylabel="share of weights up to that magnitude")
        ax.legend(title="kernel (number of weights)")
        self.ax_, self.figure_ = ax, ax.figure
        return self
