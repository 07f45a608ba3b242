"""The batched searches, which users fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    GridSearchCV,
    RandomizedSearchCV,
)

from skreg._estimators.types import RandomState
from skreg._search.base import BatchedSearchMixin

Grid: TypeAlias = Mapping[str, Sequence[Any] | NDArray[Any]]
Scoring: TypeAlias = str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None
Refit: TypeAlias = bool | str | Callable[[dict[str, Any]], int]
Splits: TypeAlias = int | BaseCrossValidator | BaseShuffleSplit | Iterable[Any] | None


class BatchedGridSearchCV(BatchedSearchMixin, GridSearchCV):
    """Grid search in which candidates and folds are trained together.

    Gives what `sklearn.model_selection.GridSearchCV` gives for an estimator with an
    integer ``random_state``, in a fraction of the time: networks that differ in
    ``l1``, ``l2``, ``group_l1``, ``dropout``, ``learning_rate``, ``ema_momentum`` and
    rows are trained as one batched computation.

    Parameters
    ----------
    estimator : estimator
        Any estimator. Trained together are the networks of those that are or end in
        one of skreg's: in a `sklearn.pipeline.Pipeline`, in a
        `sklearn.compose.TransformedTargetRegressor`, or in one within another. The
        steps before the network are fitted on each fold's training rows once for each
        of their settings. All other candidates, and subclasses of these classes, are
        fitted as scikit-learn's search fits them.
    param_grid : dict or list of dict
        Parameter names to lists of values, or several such dicts. Candidates that
        differ in other parameters than those named above, such as
        ``hidden_layer_sizes``, are trained in groups of their own.
    scoring : str, callable, list, tuple or dict, default=None
        How to score on the test rows; None means the estimator's ``score``.
    n_jobs : int, default=None
        Number of groups that joblib trains at the same time, on threads unless a
        `joblib.parallel_config` says otherwise. None means the number given there, or
        else all cores, which TensorFlow would use anyway; 1 means one group after the
        other. For candidates that are not trained in groups, it means what it means
        in scikit-learn's search.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows; with several scores, by which
        of them it is chosen, or a function of ``cv_results_`` that gives its index.
    cv : int, splitter or iterable, default=None
        The folds; None means 5, stratified for a classifier.
    verbose : int, default=0
        1 or more shows one progress bar over all epochs of all networks, on a terminal
        or in a notebook; values above 1 also print what scikit-learn's search prints
        for the value less one.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of groups that are dispatched to the workers ahead of time.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit fails. With "raise" its error is raised: if
        the candidate is invalid, before anything is trained; otherwise, as soon as a
        group has failed.
    return_train_score : bool, default=False
        Whether to score on the training rows too.
    group_size : int, default=None
        The most networks that are trained together; None means as many as fit into
        the processor's cache.
    ensemble_size : int, default=None
        Number of networks whose mean predicts in place of the best candidate, see
        `MLPEnsembleClassifier`. They are chosen greedily, with replacement [1]_: each
        time that candidate is added which makes the score of the mean of the
        out-of-fold predictions best. Each choice becomes a network with a seed of its
        own, trained on all rows. Needs a score that can judge averaged probabilities,
        or averaged predictions of a regressor. None means no ensemble.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        As scikit-learn's. ``mean_fit_time`` is in seconds and counts a network's share
        of the time that its group took, without the steps before it.
    best_estimator_ : estimator
        Fitted on all rows; with `refit` only.
    best_score_ : float
        Mean test score of the best candidate; not where `refit` is a function.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Its position in ``cv_results_``.
    ensemble_params_ : list of dict
        The candidates in the ensemble; with `ensemble_size` only, as the following.
    ensemble_indices_ : ndarray of shape (n_chosen,), int
        Their positions in ``cv_results_``.
    ensemble_weights_ : ndarray of shape (n_chosen,)
        Their shares of the networks, of sum 1.
    ensemble_score_ : float
        Score of the mean of the out-of-fold predictions, on average over the folds.
    scorer_ : callable or dict
        The scorer, or the scorers by name.
    n_splits_ : int
        Number of folds.
    n_used_features_ : ndarray of shape (n_candidates, n_splits)
        How many columns each candidate's network uses on each fold, see
        `RegularizedMLPClassifier.used_features_`; NaN for other estimators, and where a
        fit failed.
    refit_time_ : float
        Seconds that the final fit took; with `refit` only.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Labels; with `refit` and a classifier only.
    n_features_in_ : int
        Number of columns; with `refit` only.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them; with `refit` only.

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates at random.
    sklearn.model_selection.GridSearchCV : The better choice for a single candidate, or
        if no two candidates have the same shape, as then nothing can be stacked.

    Notes
    -----
    Results are equal up to rounding: a network that is trained in a group differs from
    one trained alone in the last bits, which training amplifies. In float64, log
    losses agree to 1e-6 or better. A transformer that draws random numbers without a
    seed is fitted once per fold here, and once per candidate and fold by scikit-learn.

    Networks that can't be stacked, such as those with Keras callbacks, are trained
    one by one. A group that the engine fails to train, for want of memory above all,
    is divided until it succeeds or a single network is left, which has failed then.

    With ``random_state=None`` one seed is drawn for all networks that are trained in
    groups: they start alike and see the same noise, so that their scores differ only
    by what the grid varies. In scikit-learn's search each draws its own.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection
       from libraries of models", ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import BatchedGridSearchCV, RegularizedMLPClassifier
    >>> mlp = RegularizedMLPClassifier((16,), epochs=10, random_state=0)
    >>> grid = {
    ...     "regularizedmlpclassifier__l2": [0.0, 1e-3, 1e-2],
    ...     "regularizedmlpclassifier__dropout": [0.0, 0.5],
    ... }
    >>> search = BatchedGridSearchCV(make_pipeline(StandardScaler(), mlp), grid)
    >>> search = search.fit(*load_breast_cancer(return_X_y=True))
    >>> bool(search.best_score_ > 0.95)
    True
    """

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_grid: Grid | Sequence[Grid],
        *,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: Refit = True,
        cv: Splits = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = False,
        group_size: int | None = None,
        ensemble_size: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.group_size = group_size
        self.ensemble_size = ensemble_size


class BatchedRandomizedSearchCV(BatchedSearchMixin, RandomizedSearchCV):
    """Randomized search in which candidates and folds are trained together.

    Gives what `sklearn.model_selection.RandomizedSearchCV` gives for an estimator
    with an integer ``random_state``; see `BatchedGridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        As for `BatchedGridSearchCV`.
    param_distributions : dict or list of dict
        Parameter names to lists of values, or to distributions that have an ``rvs``
        method, such as those of `scipy.stats`.
    n_iter : int, default=10
        Number of candidates.
    scoring : str, callable, list, tuple or dict, default=None
        As for `BatchedGridSearchCV`, and so are all the parameters that follow.
    n_jobs : int, default=None
        Number of groups trained at the same time.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows.
    cv : int, splitter or iterable, default=None
        The folds.
    verbose : int, default=0
        Whether to show a progress bar.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of groups that are dispatched to the workers ahead of time.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates that are drawn.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit fails; "raise" raises its error.
    return_train_score : bool, default=False
        Whether to score on the training rows too.
    group_size : int, default=None
        The most networks that are trained together.
    ensemble_size : int, default=None
        Number of networks whose mean predicts, see `BatchedGridSearchCV`.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray or list
        As for `BatchedGridSearchCV`, and so are all the attributes that follow.
    best_estimator_ : estimator
        Fitted on all rows.
    best_score_ : float
        Mean test score of the best candidate.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Its position in ``cv_results_``.
    ensemble_params_ : list of dict
        The candidates in the ensemble; with `ensemble_size` only, as the following.
    ensemble_indices_ : ndarray of shape (n_chosen,), int
        Their positions in ``cv_results_``.
    ensemble_weights_ : ndarray of shape (n_chosen,)
        Their shares of the networks, of sum 1.
    ensemble_score_ : float
        Score of the mean of the out-of-fold predictions, on average over the folds.
    scorer_ : callable or dict
        The scorer, or scorers by name.
    n_splits_ : int
        Number of folds.
    n_used_features_ : ndarray of shape (n_candidates, n_splits)
        How many columns each candidate's network uses on each fold, see
        `RegularizedMLPClassifier.used_features_`; NaN for other estimators, and where a
        fit failed.
    refit_time_ : float
        Seconds that the final fit took.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them.

    See Also
    --------
    BatchedGridSearchCV : Tries every combination of a grid, and describes the
        parameters and attributes in detail.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skreg import BatchedRandomizedSearchCV, RegularizedMLPClassifier
    >>> mlp = RegularizedMLPClassifier((16,), epochs=100, random_state=0)
    >>> strengths = {"l1": loguniform(1e-5, 1e-2), "l2": loguniform(1e-5, 1e-2)}
    >>> search = BatchedRandomizedSearchCV(mlp, strengths, n_iter=4, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> bool(search.best_score_ > 0.8)
    True
    """

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        n_iter: int = 10,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: Refit = True,
        cv: Splits = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: RandomState = None,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = False,
        group_size: int | None = None,
        ensemble_size: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.group_size = group_size
        self.ensemble_size = ensemble_size
