"""RegularizedMLPClassifier: labels in, probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse, vstack
from sklearn.utils.validation import check_is_fitted

from skreg._estimators.base import RegularizedMLP
from skreg._estimators.common import MLPClassifierMixin
from skreg._estimators.labels import Labels
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


class RegularizedMLPClassifier(MLPClassifierMixin, RegularizedMLP):
    """Multi-layer perceptron with L1, L2 and dropout as hyperparameters.

    A Keras network, built through scikeras, that minimizes the mean cross-entropy
    plus the penalty ``l1 * sum(|w|) + l2 * sum(w**2)`` over the kernels, with dropout
    after the hidden layers while it trains.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer. ``()`` is a linear model: logistic regression.
    activation : str, default="relu"
        Activation of the hidden layers, any name that `keras.activations.get` knows.
    l1 : float or sequence of float, default=0.0
        Strength of the L1 penalty, ``l1 * sum(|w|)`` in the loss [1]_. A number
        holds for every hidden layer's kernel; biases and the output layer are not
        penalized. A sequence has one strength per hidden layer, and optionally one
        more for the output layer. Without hidden layers, a number holds for the
        output layer. Each step ends with the proximal operator of the penalty [2]_,
        which makes weights exactly zero. Lion, and optimizers for which the compiled
        engine has no update rule, follow the subgradient instead, which only makes
        weights small.
    l2 : float or sequence of float, default=1e-3
        Strength of the L2 penalty, ``l2 * sum(w**2)`` in the loss [3]_, as `l1`. It
        has neither a factor 1/2 nor a division by the number of rows: scikit-learn's
        ``alpha`` is ``2 * l2 * (rows in a batch)``. It equals weight decay under
        plain SGD only, not under Adam [4]_.
    group_l1 : float, default=0.0
        Strength of the group lasso over the columns of `X` [5]_, ``group_l1 *
        sum_j(||w_j||)`` in the loss, where ``w_j`` are the weights of column j in the
        first kernel. Columns that do not help get weights that are all exactly zero;
        see `used_features_`. Steps are proximal, or follow a subgradient, as for `l1`.
    dropout : float or sequence of float, default=0.0
        Rate, in [0, 1), at which the outputs of each hidden layer are zeroed in
        training, those that are kept being scaled by ``1 / (1 - rate)`` [6]_. A
        sequence has one rate per hidden layer.
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
        Momentum m, in [0, 1), of the running average of the weights, ``average = m *
        average + (1 - m) * w`` after every step, that is validated, kept and used for
        predictions [7]_. At step t it is at most ``(1 + t) / (10 + t)``, so that the
        average does not lag behind in a short training. Weights that are exactly zero
        are zero in the average, too. None means no averaging. Must be None beside an
        optimizer object with ``use_ema=True``, which has an average of its own.
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
        Share of the training rows, in (0, 1), stratified by class, that early
        stopping holds out where `fit` is given no `X_val`.
    n_iter_no_change : int or inf, default=10
        Early stopping ends the training after that many epochs in a row without an
        improvement of at least `tol`; ``np.inf`` only keeps the best epoch.
    tol : float, default=1e-4
        See `n_iter_no_change`. A smaller improvement is kept all the same.
    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights, ``{label: factor}``. Labels not in the dict
        have 1; it is an error if there are some and a key of the dict is no label.
        "balanced" gives every class the same total weight. Rows of factor 0 weigh
        nothing in the loss, and count in ``val_score``.
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
    classes_
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
        mean cross-entropy, and ``penalty``; with validation rows also ``val_loss``,
        without the penalty, and ``val_score``, the accuracy. The training figures
        are running means over the batches of the epoch.
    loss_curve_ : list of float
        ``history_["loss"]``.
    validation_scores_ : list of float or None
        ``history_["val_score"]``, None without validation rows.

    See Also
    --------
    RegularizedMLPRegressor : For numbers.
    sklearn.neural_network.MLPClassifier : The one of scikit-learn, with L2 only.

    Notes
    -----
    Sample weight times class weight is scaled to mean 1 over the training rows; a
    batch's loss is ``sum(weight * cross_entropy) / n_rows_in_batch`` plus the
    penalty. Initial kernels are Glorot uniform [8]_, biases zero. Early stopping
    watches the loss, where scikit-learn's MLP watches the accuracy.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso",
       Journal of the Royal Statistical Society B 58, 1996,
       :doi:`10.1111/j.2517-6161.1996.tb02080.x`.
    .. [2] J. Yun, A. C. Lozano and E. Yang, "Adaptive proximal gradient methods for
       structured neural networks", NeurIPS 2021, :arxiv:`2007.07828`.
    .. [3] A. Krogh and J. A. Hertz, "A simple weight decay can improve
       generalization", NIPS 1991.
    .. [4] I. Loshchilov and F. Hutter, "Decoupled weight decay regularization",
       ICLR 2019, :arxiv:`1711.05101`.
    .. [5] M. Yuan and Y. Lin, "Model selection and estimation in regression with
       grouped variables", Journal of the Royal Statistical Society B 68, 2006,
       :doi:`10.1111/j.1467-9868.2005.00532.x`.
    .. [6] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and
       R. Salakhutdinov, "Dropout: a simple way to prevent neural networks from
       overfitting", Journal of Machine Learning Research 15, 2014.
    .. [7] B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation
       by averaging", SIAM Journal on Control and Optimization 30, 1992.
    .. [8] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import RegularizedMLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> mlp = RegularizedMLPClassifier(l2=1e-3, dropout=0.2, epochs=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), mlp).fit(X[:400], y[:400])
    >>> model.score(X[400:], y[400:]) > 0.95
    True
    """

    __module__ = "skreg"

    def __init__(
        self,
        hidden_layer_sizes: LayerSizes = (100,),
        *,
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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        warm_start: bool = False,
        engine: Engine = "auto",
        callbacks: Callbacks = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
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
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.engine = engine
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted, of shape (n_classes,).

        Where a row may have several labels, they are the numbers of their columns.
        """
        check_is_fitted(self)
        return self._labels.classes

    @available_if(lambda self: self._can_partial_fit())
    def partial_fit(
        self,
        X: MatrixLike,
        y: MatrixLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch over these rows, going on from what there is.

        Rows larger than memory can so be trained on part by part. There is no such
        method with ``early_stopping=True``, nor with ``class_weight="balanced"``, for
        which all rows would have to be known. The random streams go on where the last
        call left them, and so does the optimizer: after `partial_fit`, or after `fit`
        with ``warm_start=True``. A `fit` without it keeps no more than the weights, and
        the optimizer starts anew, where that of scikit-learn's MLP goes on. Sample
        weights are scaled to mean 1 over the rows of each call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Labels, not necessarily of all classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that are to come. Required on the first call, if `fit` was not
            called before.
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
        if classes is None:
            if not resume:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit."
                )
        elif resume and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                "classes must be what they were on the first call to partial_fit, "
                f"{self.classes_!r}, got {classes!r}."
            )
        return self._fit(
            X, y, sample_weight, resume=resume, partial=True, classes=classes
        )

    def decision_function(self, X: MatrixLike) -> NDArray[np.floating]:
        """The network's output before the sigmoid or softmax.

        Raises the errors of `predict`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, computed in the dtype of the weights.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column per class; with two classes one number per row, positive where
            the second class is the more probable one.
        """
        logits = self._outputs(X)
        one_figure = logits.shape[1] == 1 and not self._labels.multilabel
        return logits[:, 0] if one_figure else logits

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.class_weight is None
        return tags

    def _can_partial_fit(self):
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            raise AttributeError(
                "class_weight='balanced' is not supported by partial_fit, which does "
                "not know all rows; give a dict, such as one from "
                "sklearn.utils.class_weight.compute_class_weight."
            )
        return super()._can_partial_fit()

    def _predict(self, X):
        # Not all logits at once: there may be thousands of classes.
        parts = [self._labels.decode(logits) for logits in self._output_chunks(X)]
        return (
            vstack(parts, format="csr") if issparse(parts[0]) else np.concatenate(parts)
        )

    def _predict_proba(self, X):
        return self._values(self._outputs(X))

    def _predict_log_proba(self, X):
        logits = self._outputs(X)
        return self._labels.log_probabilities(logits)

    def _values(self, outputs):
        return self._labels.probabilities(outputs)

    def _learn_targets(self, y, *, resume, partial, classes):
        labels = Labels.learn(y, classes)
        if resume:
            labels.check_as_before(self._labels)
            if not partial and not np.array_equal(labels.classes, self.classes_):
                raise ValueError(
                    "warm_start can only be used where y has the same classes as in "
                    f"the previous call to fit, {self.classes_!r}, got "
                    f"{labels.classes!r}."
                )
            return
        if len(labels.classes) < 2 and not labels.multilabel:
            name = "y" if classes is None else "classes"
            raise ValueError(
                f"{name} must have at least two classes, got one class: "
                f"{labels.classes!r}."
            )
        self._labels = labels

    def _loss_and_outputs(self):
        return self._labels.loss_and_outputs

    def _encode(self, y, name, dtype):
        return self._labels.encode(y, name)

    def _strata(self, targets):
        if self._labels.multilabel:
            return np.zeros(targets.shape[0])
        return targets[:, 0]

    def _class_factors(self, targets, sample_weight):
        factors = self._labels.factors(self.class_weight, targets, sample_weight)
        if factors is None:
            return lambda targets: np.ones(targets.shape[0])
        return lambda targets: factors[targets[:, 0]]
