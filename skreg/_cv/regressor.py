"""RegularizedMLPRegressorCV: numbers in, numbers out, nothing to tune."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.metrics import make_scorer, mean_pinball_loss

from skreg._cv.base import RegularizedMLPCV, Scorer, Splits
from skreg._estimators.common import MLPRegressorMixin
from skreg._estimators.regressor import RegularizedMLPRegressor
from skreg._estimators.types import LayerSizes, Optimizer, RandomState


class RegularizedMLPRegressorCV(MLPRegressorMixin, RegularizedMLPCV):
    """Regression by networks that choose their own regularization.

    Tries many settings of ``l1``, ``l2``, ``group_l1``, ``dropout`` and
    ``learning_rate`` by cross-validation, chooses how long to train as well, and
    predicts with the mean of several networks of the best.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128)
        Units of each hidden layer.
    param_distributions : dict or list of dict, default=None
        What is tried: names of parameters of `RegularizedMLPRegressor`, with lists of
        values or distributions that have an ``rvs`` method, such as those of
        `scipy.stats`. Each candidate is drawn from one of the dicts, where there are
        several. None means the built-in ones of `RegularizedMLPClassifierCV`.
    n_candidates : int, default=27
        How many settings are tried; fewer if `param_distributions` has lists alone,
        of fewer combinations.
    ensemble_size : int, default=8
        Number of networks whose mean predicts; None means the best candidate alone.
    cv : int, splitter or iterable, default=3
        The folds; see `sklearn.model_selection.GridSearchCV`. None means 5.
    scoring : str or callable, default=None
        How candidates are scored, and the mean of several; None means the squared
        error, or the pinball loss with ``loss="quantile"``. `score` is R2, whatever
        this is.
    preprocessing : "auto" or None, default="auto"
        "auto" takes raw tables: numbers are imputed and scaled, categories are encoded,
        see the Notes of `RegularizedMLPClassifierCV`. None gives the networks `X` as it
        is: it must have numbers only, in columns of similar scale. A sparse `X` is used
        as it is.
    loss : {"squared_error", "absolute_error", "huber", "poisson", "quantile"}, \
default="squared_error"
        What is minimized, as of `RegularizedMLPRegressor`.
    quantile : float, default=0.5
        The quantile, in (0, 1), that ``loss="quantile"`` predicts.
    activation : str, default="relu"
        Activation of the hidden layers, any name that `keras.activations.get` knows.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As of `RegularizedMLPRegressor`; an object only beside `param_distributions`
        without a ``learning_rate``.
    ema_momentum : float, default=0.99
        Momentum of the running average of the weights that is scored, kept and used
        for predictions; None means no averaging.
    batch_size : int or "auto", default="auto"
        Rows in a batch, at most all of them; "auto" means a 32nd of the rows, between
        32 and 256: an epoch then has about as many steps whatever the number of rows.
    epochs : int, default=486
        Passes over the training rows at most. The search ends earlier where longer
        training no longer pays, see Notes.
    shuffle : bool, default=True
        Whether every epoch visits the rows in another order.
    time_limit : float, default=None
        Seconds after which `fit` is to be done; None means no limit. Where there is no
        time for all candidates, it begins with a few and adds more, as long as there is
        time for them and for the final networks. Where there is no time to compare any,
        networks with default regularization are trained as far as time allows, but for
        one epoch at least, and a warning says so. A scorer that is slow shortens the
        choice of the ensemble.
    n_jobs : int, default=-1
        Number of networks that are trained at the same time, on threads unless a
        `joblib.parallel_config` says otherwise. -1 means as many as there are cores,
        None means 1 unless such a configuration says otherwise.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates, starting weights, the order of the rows and dropout.
    verbose : int, default=0
        1 or more prints a line for each rung and for the final networks.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has names that are all strings.
    cv_results_ : dict of str to ndarray or list
        Scores of the candidates in every rung, for `SearchDisplay` too, with the keys
        of `sklearn.model_selection.HalvingRandomSearchCV`. This and the following
        attributes on scores are absent where `time_limit` left no time to compare.
    best_params_ : dict
        Parameters of the best candidate, the one of the highest score in any rung with
        the front end that was chosen, ``epochs`` among them; empty where none were
        compared.
    best_score_ : float
        Its mean score on the test rows of the folds.
    best_index_ : int
        Its position in ``cv_results_``.
    n_candidates_ : list of int
        Number of candidates in each rung.
    n_resources_ : list of int
        Number of epochs after each rung.
    n_splits_ : int
        Number of folds.
    scorer_ : callable
        The scorer.
    ensemble_params_ : list of dict
        The parameters of the candidates in the ensemble, ``epochs`` among them; with
        `ensemble_size` only, as the following.
    ensemble_indices_ : ndarray of shape (n_chosen,), int
        Their positions in ``cv_results_``.
    ensemble_weights_ : ndarray of shape (n_chosen,), float
        Their shares of the networks, of sum 1.
    ensemble_score_ : float
        Score of the mean of the out-of-fold predictions, on average over the folds;
        NaN if the scorer can't judge a mean, or if a final network could not be fitted.
    best_estimator_ : MLPEnsembleRegressor or RegularizedMLPRegressor
        What predicts; the latter with ``ensemble_size=None``.
    epochs_
    l1_
    l2_
    group_l1_
    dropout_
    learning_rate_
    numeric_preprocessing_ : {"standard", "robust", "spline"} or None
        What `preprocessor_` does to numbers, see Notes of
        `RegularizedMLPClassifierCV`; None without it.
    preprocessor_ : sklearn.compose.ColumnTransformer or None
        The front end, fitted to all rows; `best_estimator_` and `model_` take what it
        gives. None with ``preprocessing=None`` or a sparse `X`.
    used_features_
    feature_importances_
    model_

    See Also
    --------
    RegularizedMLPClassifierCV : For labels; its Notes say how both choose.
    RegularizedMLPRegressor : One network, with the regularization that you give.
    sklearn.model_selection.HalvingRandomSearchCV : Successive halving for Pipelines.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import RegularizedMLPRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mlp = RegularizedMLPRegressorCV((16,), n_candidates=3, random_state=0)
    >>> bool(mlp.fit(X, y).score(X, y) > 0.4)
    True
    """

    __module__ = "skreg"

    def __init__(
        self,
        hidden_layer_sizes: LayerSizes = (128, 128),
        *,
        param_distributions: Mapping[str, Any]
        | Sequence[Mapping[str, Any]]
        | None = None,
        n_candidates: int = 27,
        ensemble_size: int | None = 8,
        cv: Splits = 3,
        scoring: Scorer = None,
        preprocessing: Literal["auto"] | None = "auto",
        loss: Literal[
            "squared_error", "absolute_error", "huber", "poisson", "quantile"
        ] = "squared_error",
        quantile: float = 0.5,
        activation: str = "relu",
        optimizer: Optimizer = "adam",
        ema_momentum: float | None = 0.99,
        batch_size: int | Literal["auto"] = "auto",
        epochs: int = 486,
        shuffle: bool = True,
        time_limit: float | None = None,
        n_jobs: int | None = -1,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.ensemble_size = ensemble_size
        self.cv = cv
        self.scoring = scoring
        self.preprocessing = preprocessing
        self.loss = loss
        self.quantile = quantile
        self.activation = activation
        self.optimizer = optimizer
        self.ema_momentum = ema_momentum
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.time_limit = time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _network(self):
        return RegularizedMLPRegressor(
            hidden_layer_sizes=self.hidden_layer_sizes,
            loss=self.loss,
            quantile=self.quantile,
            activation=self.activation,
            optimizer=self.optimizer,
            ema_momentum=self.ema_momentum,
            batch_size=self.batch_size,
            epochs=self.epochs,
            shuffle=self.shuffle,
        )

    def _in_own_unit(self, y):
        if self.scoring is not None:
            return y, ()
        y = np.asarray(y, np.float64)
        # Squared errors are numbers then, whatever the unit of y. A power of two leaves
        # all digits as they are.
        unit = math.ldexp(1.0, int(np.frexp(np.abs(y).max())[1]) - 1)
        return y / unit, (unit,) if self.loss == "quantile" else (unit, unit)

    def _default_scoring(self):
        if self.loss == "quantile":
            return make_scorer(
                mean_pinball_loss, greater_is_better=False, alpha=self.quantile
            )
        return "neg_mean_squared_error"
