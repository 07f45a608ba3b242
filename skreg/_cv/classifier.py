"""RegularizedMLPClassifierCV: labels in, probabilities out, nothing to tune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skreg._cv.base import RegularizedMLPCV, Scorer, Splits
from skreg._cv.scoring import neg_log_loss
from skreg._estimators.classifier import RegularizedMLPClassifier
from skreg._estimators.common import MLPClassifierMixin
from skreg._estimators.labels import Labels
from skreg._estimators.types import LayerSizes, Optimizer, RandomState


class RegularizedMLPClassifierCV(MLPClassifierMixin, RegularizedMLPCV):
    """Classification by networks that choose their own regularization.

    Tries many settings of ``l1``, ``l2``, ``group_l1``, ``dropout`` and
    ``learning_rate`` by cross-validation, chooses how long to train as well, and
    predicts with the mean of several networks of the best.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 128)
        Units of each hidden layer.
    param_distributions : dict or list of dict, default=None
        What is tried: names of parameters of `RegularizedMLPClassifier`, with lists of
        values or distributions that have an ``rvs`` method, such as those of
        `scipy.stats`. Each candidate is drawn from one of the dicts, where there are
        several. None means the built-in ones, see Notes.
    n_candidates : int, default=27
        How many settings are tried; fewer if `param_distributions` has lists alone,
        of fewer combinations.
    ensemble_size : int, default=8
        Number of networks whose mean predicts; None means the best candidate alone.
    cv : int, splitter or iterable, default=3
        The folds, stratified by class; see `sklearn.model_selection.GridSearchCV`.
        None means 5.
    scoring : str or callable, default=None
        How candidates are scored, and the mean of several; None means the
        log-loss. `score` is the accuracy, whatever this is.
    preprocessing : "auto" or None, default="auto"
        "auto" takes raw tables: numbers are imputed and scaled, categories are encoded,
        see Notes. None gives the networks `X` as it is: it must have numbers only, in
        columns of similar scale. A sparse `X` is used as it is.
    activation : str, default="hard_silu"
        Activation of the hidden layers, any name that `keras.activations.get` knows.
        On the tables on which the defaults were chosen, this one gave lower log-losses
        than "relu", but no lower errors of regressors.
    optimizer : str or keras.optimizers.Optimizer, default="adam"
        As of `RegularizedMLPClassifier`; an object only beside `param_distributions`
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
    class_weight : dict or "balanced", default=None
        Factors of the classes in the loss, as of `RegularizedMLPClassifier`, and in the
        log-loss that scores candidates.
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
    classes_
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has names that are all strings.
    cv_results_ : dict of str to ndarray or list
        Scores of the candidates in every rung, for `SearchDisplay` too, with the keys
        of `sklearn.model_selection.HalvingRandomSearchCV`; beside them
        ``"numeric_preprocessing"``, as in the attribute. This and the following
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
    best_estimator_ : MLPEnsembleClassifier or RegularizedMLPClassifier
        What predicts; the latter with ``ensemble_size=None``.
    epochs_
    l1_
    l2_
    group_l1_
    dropout_
    learning_rate_
    numeric_preprocessing_ : {"standard", "robust", "spline"} or None
        What `preprocessor_` does to numbers, see Notes; None without it.
    preprocessor_ : sklearn.compose.ColumnTransformer or None
        The front end, fitted to all rows; `best_estimator_` and `model_` take what it
        gives. None with ``preprocessing=None`` or a sparse `X`.
    used_features_
    feature_importances_
    model_

    See Also
    --------
    RegularizedMLPClassifier : One network, with the regularization that you give.
    sklearn.model_selection.HalvingRandomSearchCV : Successive halving for Pipelines.

    Notes
    -----
    Candidates are drawn at random and trained on the folds in rungs [1]_: with the
    default `epochs`, all of them for 6 epochs, the best third for 18, the best third of
    those for 54, then for 162 and 486. At the end of each rung they are scored out of
    fold. A longer rung follows as long as it pays: as long as the best score is higher
    than the best one of the rungs before by more than the standard error, over the
    folds, of the difference.

    A choice is a candidate and a number of epochs. From the best 30 of all rungs,
    `ensemble_size` choices are made greedily, with replacement: each time the one that
    makes the mean of the out-of-fold predictions best [2]_. Each becomes a network with
    a seed of its own, trained on all rows for that number of epochs.

    With ``preprocessing="auto"``, a `sklearn.compose.ColumnTransformer` makes numbers
    of the columns of a data frame (pandas or polars) or an array, fitted to the
    training rows of each fold alone. Numbers are imputed by the mean, with an indicator
    where values are missing, and scaled. Columns of text, categories, objects and
    booleans are categories: they are one-hot encoded, rare and unseen ones together; a
    column of more than 30 categories is encoded by the mean target of each [3]_, if
    ``y`` is one column and a class has 10 rows at least. Sample weights do not matter
    to any of that. Unless `X` is sparse, the networks compute in
    float32.

    The search begins with standardized numbers. After the first rung the three best
    candidates are also tried with two other front ends. "robust" scales numbers by
    median and interquartile range, and clips them smoothly at 3 of those, ``z / sqrt(1
    + (z / 3)**2)`` [4]_. "spline" has piecewise-linear functions of them between
    quantiles beside that (`sklearn.preprocessing.SplineTransformer`). The best third of
    the candidates goes on with the one that gains most, if any gains more than its
    standard error over the folds; `numeric_preprocessing_` says which. "spline" is not
    tried where the table has more than about 0.7 million numbers with three folds, nor
    is "robust" with 7 million, as each fold has a copy of all rows. Scorers get rows as
    the networks take them.

    The built-in distributions draw ``l2`` from 1e-5 to 0.1 and ``learning_rate`` from
    1e-3 to 0.02, log-uniformly, and ``dropout`` from 0 to 0.5; half of the candidates
    have ``l1`` from 1e-6 to 1e-3 beside them, and half have ``group_l1`` from 1e-4 to
    0.03.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
       hyperparameter optimization", AISTATS 2016.
    .. [2] R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection
       from libraries of models", ICML 2004.
    .. [3] D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical
       attributes in classification and prediction problems", SIGKDD Explorations 3,
       2001.
    .. [4] D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: strong
       pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024,
       :arxiv:`2407.04491`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import RegularizedMLPClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = RegularizedMLPClassifierCV((16,), n_candidates=9, random_state=0)
    >>> bool(mlp.fit(X, y).score(X, y) > 0.9)
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
        activation: str = "hard_silu",
        optimizer: Optimizer = "adam",
        ema_momentum: float | None = 0.99,
        batch_size: int | Literal["auto"] = "auto",
        epochs: int = 486,
        shuffle: bool = True,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
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
        self.activation = activation
        self.optimizer = optimizer
        self.ema_momentum = ema_momentum
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.time_limit = time_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _network(self):
        class_weight = self.class_weight
        if isinstance(class_weight, Mapping):
            class_weight = dict(class_weight)  # Candidates are clones: it is copied.
        return RegularizedMLPClassifier(
            hidden_layer_sizes=self.hidden_layer_sizes,
            activation=self.activation,
            optimizer=self.optimizer,
            ema_momentum=self.ema_momentum,
            batch_size=self.batch_size,
            epochs=self.epochs,
            shuffle=self.shuffle,
            class_weight=class_weight,
        )

    def _weigh_classes(self, score_params, y):
        if self.class_weight is None:
            return score_params
        # Else a network that has hardly learned the weights would have the best score.
        labels = Labels.learn(np.asarray(y), None)
        weights = score_params.get("sample_weight", np.ones(len(y)))
        codes = labels.encode(np.asarray(y), "y")
        factors = labels.factors(self.class_weight, codes, weights)
        return {"sample_weight": factors[codes[:, 0]] * weights}

    def _default_scoring(self):
        return neg_log_loss

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels, of shape (n_classes,)."""
        check_is_fitted(self)
        return self.best_estimator_.classes_

    def _predict_proba(self, X):
        X = self._validated_rows(X)
        return self.best_estimator_.predict_proba(X)

    def _predict_log_proba(self, X):
        X = self._validated_rows(X)
        return self.best_estimator_.predict_log_proba(X)
