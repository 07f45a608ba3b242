"""RegularizedMLPRegressor: numbers in, numbers out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skreg._estimators.base import RegularizedMLP
from skreg._estimators.common import MLPRegressorMixin, flat_column
from skreg._estimators.parameters import check_choice, check_open_interval
from skreg._estimators.target_units import TargetUnits
from skreg._estimators.types import (
    Callbacks,
    Engine,
    LayerSizes,
    LearningRate,
    MatrixLike,
    Optimizer,
    PerLayer,
    RandomState,
    available_if,
)
from skreg._estimators.validation import as_numbers
from skreg._prediction.forward import check_finite
from skreg._training.objectives import REGRESSION, regression_loss


class RegularizedMLPRegressor(MLPRegressorMixin, RegularizedMLP):
    """Multi-layer perceptron regression with L1, L2 and dropout as hyperparameters.

    A Keras network, built through scikeras, that minimizes the mean of a loss plus the
    penalty ``l1 * sum(|w|) + l2 * sum(w**2)`` over the kernels, with dropout after the
    hidden layers while it trains. Targets of any scale will do: the network sees them
    standardized.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer. ``()`` is a linear model.
    loss : {"squared_error", "absolute_error", "huber", "poisson", "quantile"}, \
default="squared_error"
        What is minimized, on average over rows and outputs: the squared error; the
        absolute error; half the squared error up to an error of 1, and the absolute
        error less 1/2 beyond [1]_; half the Poisson deviance, with an exponential
        output; the pinball loss, whose minimum is a conditional quantile [2]_. Errors
        are in units of the standard deviation of `y`, for "poisson" deviances are in
        units of its mean.
    quantile : float, default=0.5
        The quantile, in (0, 1), that ``loss="quantile"`` predicts.
    activation : str, default="relu"
        Activation of the hidden layers, any name that `keras.activations.get` knows.
    l1 : float or sequence of float, default=0.0
        Strength of the L1 penalty, as of `RegularizedMLPClassifier`. Without hidden
        layers, with one output and ``l2=0``, ``l1 / 2`` is the ``alpha`` of
        `sklearn.linear_model.Lasso` on standardized targets.
    l2 : float or sequence of float, default=1e-3
        Strength of the L2 penalty, as of `RegularizedMLPClassifier`, but for
        scikit-learn's ``alpha``: with "squared_error" and one output, that of
        `sklearn.neural_network.MLPRegressor` is ``l2 * (rows in a batch)``, where its
        targets are standardized. Without hidden layers ``n_samples * n_outputs * l2``
        is the ``alpha`` of `sklearn.linear_model.Ridge`.
    group_l1 : float, default=0.0
        Strength of the group lasso over the columns of `X`, as of
        `RegularizedMLPClassifier`. Without hidden layers ``group_l1 * n_outputs / 2``
        is the ``alpha`` of `sklearn.linear_model.MultiTaskLasso` on standardized
        targets.
    dropout : float or sequence of float, default=0.0
        Rate, in [0, 1), at which the outputs of each hidden layer are zeroed in
        training. A sequence has one rate per hidden layer.
    input_dropout : float, default=0.0
        Rate, in [0, 1), at which the columns of `X` are zeroed in training, row by row,
        as `dropout` does with the outputs of hidden layers.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        A name that `keras.optimizers.get` knows, or an object, which is cloned at
        every fit and never changed. The compiled engine has SGD, Adam, AdamW, Nadam,
        Adamax, Adagrad, RMSprop and Lion, with weight decay, clipping and schedules.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, \
default=None
        Learning rate of an optimizer given by name, or a schedule, a function of the
        number of steps (batches) until then, which a resumed training goes on to
        count; None means Keras' default, and ten times that without hidden layers. Must
        be None beside an optimizer object, which has its own.
    ema_momentum : float, default=None
        Momentum, in [0, 1), of the running average of the weights that is validated,
        kept and used for predictions, as of `RegularizedMLPClassifier`; None means no
        averaging.
    batch_size : int or "auto", default="auto"
        Rows in a batch, at most all of them; "auto" means ``min(32, n_samples)``.
    epochs : int, default=100
        Passes over the training rows.
    shuffle : bool, default=True
        Whether every epoch visits the rows in another order.
    early_stopping : bool, default=False
        Whether to stop once the validation loss, without the penalty, no longer
        falls, and to keep the weights of the epoch where it was lowest. Validates
        on `X_val` if `fit` is given it, else on `validation_fraction` of the rows.
        If False, all epochs are run.
    validation_fraction : float, default=0.1
        Share of the training rows, in (0, 1), that early stopping holds out where
        `fit` is given no `X_val`.
    n_iter_no_change : int or inf, default=10
        Early stopping ends the training after that many epochs in a row without an
        improvement of at least `tol`; ``np.inf`` only keeps the best epoch.
    tol : float, default=1e-4
        See `n_iter_no_change`. A smaller improvement is kept all the same.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights, with the optimizer's state and
        the random streams where they were: fits of 5 and 5 epochs make one of 10. With
        early stopping it goes on from the epoch that was kept, and keeps the best epoch
        of all fits.
    engine : {"auto", "compiled", "keras"}, default="auto"
        What trains the network: "keras" is Keras' own training, "compiled" takes the
        same steps in machine code, and "auto" takes the second where it can. It can't
        where there are Keras callbacks, nor with a few activations and optimizers.
    callbacks : keras.callbacks.Callback or list of them, default=None
        Copied at every fit. Their ``model`` is the network that `model_` would be,
        with its optimizer. Among their logs are ``val_loss``, without the penalty, and
        ``val_score``. scikit-learn's callbacks are set by ``set_callbacks``.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the batches, the dropout noise and the split
        of early stopping. An integer gives the same fit every time.
    verbose : int, default=0
        1 or more prints a line per epoch. scikit-learn's ``ProgressBar`` is a callback
        for ``set_callbacks``.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has names that are all strings.
    n_iter_ : int
        Number of epochs run, with those of earlier fits that were resumed.
    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept: with early stopping the
        one of the lowest validation loss, else the last.
    model_
    coefs_
    intercepts_
    used_features_
    feature_importances_
    history_ : dict of str to list of float
        One entry per epoch: ``loss``, what is minimized; its parts ``data_loss``, the
        mean loss, and ``penalty``; with validation rows also ``val_loss``, without the
        penalty, and ``val_score``, R2. Losses are in the network's units, see `loss`;
        the training figures are running means over the batches of the epoch.
    loss_curve_ : list of float
        ``history_["loss"]``.
    validation_scores_ : list of float or None
        ``history_["val_score"]``, None without validation rows.

    See Also
    --------
    RegularizedMLPClassifier : For labels.
    sklearn.neural_network.MLPRegressor : The one of scikit-learn, with L2 only.

    Notes
    -----
    The network sees each output's targets less their weighted mean, divided by their
    weighted standard deviation; for "poisson" divided by their mean only. `fit` takes
    both from its rows, with ``warm_start=True`` too. `partial_fit` takes them from all
    rows since the last `fit`; where they change, so does the output layer, and
    predictions stay what they were [3]_, but for an output whose targets were all equal
    until then. Such a constant is predicted exactly.

    `predict` computes with the weights that were trained, and scales in float64. In
    `coefs_`, `intercepts_` and `model_` the scale is part of the output layer, rounded
    to the dtype of `X`: for float32, with targets of a mean of 1e6 standard deviations,
    to a tenth of one. A penalty on the output layer is on the kernel before that.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of
       Mathematical Statistics 35, 1964, :doi:`10.1214/aoms/1177703732`.
    .. [2] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978.
    .. [3] H. van Hasselt, A. Guez, M. Hessel, V. Mnih and D. Silver, "Learning values
       across many orders of magnitude", NIPS 2016, :arxiv:`1602.07714`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import RegularizedMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mlp = RegularizedMLPRegressor(l2=1e-2, dropout=0.2, epochs=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), mlp).fit(X[:300], y[:300])
    >>> model.score(X[300:], y[300:]) > 0.4
    True
    """

    __module__ = "skreg"

    def __init__(
        self,
        hidden_layer_sizes: LayerSizes = (100,),
        *,
        loss: Literal[
            "squared_error", "absolute_error", "huber", "poisson", "quantile"
        ] = "squared_error",
        quantile: float = 0.5,
        activation: str = "relu",
        l1: PerLayer = 0.0,
        l2: PerLayer = 1e-3,
        group_l1: float = 0.0,
        dropout: PerLayer = 0.0,
        input_dropout: float = 0.0,
        optimizer: Optimizer = "adam",
        learning_rate: LearningRate = None,
        ema_momentum: float | None = None,
        batch_size: int | Literal["auto"] = "auto",
        epochs: int = 100,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        engine: Engine = "auto",
        callbacks: Callbacks = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.loss = loss
        self.quantile = quantile
        self.activation = activation
        self.l1 = l1
        self.l2 = l2
        self.group_l1 = group_l1
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.ema_momentum = ema_momentum
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.engine = engine
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @available_if(lambda self: self._can_partial_fit())
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch over these rows, going on from what there is.

        Rows larger than memory can so be trained on part by part. There is no such
        method with ``early_stopping=True``. The random streams go on where the last
        call left them, and so does the optimizer: after `partial_fit`, or after `fit`
        with ``warm_start=True``. A `fit` without it keeps no more than the weights, and
        the optimizer starts anew, where that of scikit-learn's MLP goes on. The scale
        of the targets is that of all rows so far; sample weights are scaled to mean 1
        over the rows of each call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows; None means 1 each.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable. The estimator is then left as
            it was.
        KeyboardInterrupt
            The estimator is then left as it was, or as the epoch left it.
        """
        resume = self.__sklearn_is_fitted__()
        return self._fit(X, y, sample_weight, resume=resume, partial=True)

    def _predict(self, X):
        return self._values(self._outputs(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags

    def _values(self, outputs):
        with np.errstate(over="ignore"):
            predicted = check_finite(self._units.to_user(outputs))
        return predicted[:, 0] if predicted.shape[1] == 1 else predicted

    def _learn_targets(self, y, *, resume, partial, classes):
        n_outputs = 1 if np.ndim(y) == 1 else y.shape[1]
        if not resume:
            self._n_outputs = n_outputs
        elif (
            self._loss_and_outputs()[0].activation
            != self._architecture.output_activation
        ):
            raise ValueError(
                "loss must not change to or from 'poisson' where training goes on, got "
                f"{self.loss!r}."
            )
        if n_outputs != self._n_outputs:
            raise ValueError(
                f"y must have {self._n_outputs} output(s), as before, got {n_outputs}."
            )

    def _loss_and_outputs(self):
        name = check_choice(self.loss, "loss", tuple(REGRESSION))
        quantile = check_open_interval(self.quantile, "quantile")
        return regression_loss(name, quantile), self._n_outputs

    def _encode(self, y, name, dtype):
        if issparse(y):
            raise TypeError(f"{name} must be dense, got a sparse {type(y).__name__}.")
        y = flat_column(y, warn=name == "y")  # as the warning says
        y = as_numbers(y, name).reshape(len(y), -1)  # in `dtype` once scaled
        if y.shape[1] != self._n_outputs:
            raise ValueError(
                f"{name} must have {self._n_outputs} output(s), got {y.shape[1]}."
            )
        # Beyond that, weights in the units of y would overflow, or differences of y.
        limit = np.finfo(dtype).max / 1e4
        if np.abs(y).max() > limit:
            raise ValueError(
                f"{name} must be within {limit:.1e} of 0 for a network in {dtype}, "
                f"got {np.abs(y).max():.1e}; scale it."
            )
        if self.loss == "poisson" and y.min() < 0:
            raise ValueError(
                f"{name} must not be negative with loss='poisson', got {y.min()}."
            )
        return y

    def _class_factors(self, targets, sample_weight):
        return lambda targets: np.ones(len(targets))

    def _strata(self, targets):
        return np.zeros(len(targets))

    def _learn_units(self, training, *, resume, partial):
        units = TargetUnits.of(
            training.targets, training.weight, exponential=self.loss == "poisson"
        )
        if self.loss == "poisson" and not partial and not units.mean.all():
            raise ValueError(
                "y must not be 0 in all rows of an output with loss='poisson'."
            )
        if resume:
            old = self._units
            units = old.extended_by(units) if partial else old.replaced_by(units)
            kernel, bias = units.layer_from(old, self._kernels[-1], self._biases[-1])
            self._kernels = [*self._kernels[:-1], kernel]
            self._biases = [*self._biases[:-1], bias]
            state = getattr(self, "_optimizer_state", None)
            if state is not None and "iterate" in state.arrays:
                iterate = _output_layer_from(
                    units, old, state.arrays["iterate"], kernel.shape
                )
                arrays = {**state.arrays, "iterate": iterate}
                self._optimizer_state = replace(state, arrays=arrays)
        self._units = units

    def _to_network_units(self, targets, dtype):
        return self._units.to_network(targets, dtype)

    def _constant_outputs(self):
        return tuple(np.flatnonzero(self._units.deviation == 0).tolist())

    def _output_scale(self):
        return self._units.output_scale

    def _output_layer(self):
        layer = self._units.output_scale.to_user_units(
            self._kernels[-1], self._biases[-1]
        )
        for array in layer:  # copies: to change them would change no prediction
            array.setflags(write=False)
        return layer


def _output_layer_from(units, old, iterate, shape):
    """`TargetUnits.layer_from` on flat weights (n_params,); `shape`: last kernel."""
    n_weights = shape[0] * shape[1]
    start = len(iterate) - n_weights - shape[1]
    layers, kernel, bias = np.split(iterate, [start, start + n_weights])
    kernel, bias = units.layer_from(old, kernel.reshape(shape), bias)
    return np.concatenate([layers, kernel.ravel(), bias])
