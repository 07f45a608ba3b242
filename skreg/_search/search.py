"""The batched searches: scikit-learn's own, over networks that were trained together.

All candidates are trained on all folds first; then scikit-learn's search runs over an
estimator whose fits have been made already. So scores, ranks, masks, error scores and
the refit are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.metrics import check_scoring
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.utils import check_scalar, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel

from skreg._estimators.base import DocLinkMixin
from skreg._estimators.types import MatrixLike, RandomState
from skreg._search.fitting import CandidateFitter
from skreg._search.prefitted import FixedSplits, PrefittedCandidates
from skreg._search.scoring import check_refit, names_of_scores_matter
from skreg._search.workers import Workers, return_as

Grid: TypeAlias = Mapping[str, Sequence[Any] | NDArray[Any]]
Scoring: TypeAlias = str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None
Refit: TypeAlias = bool | str | Callable[[dict[str, Any]], int]
Splits: TypeAlias = int | BaseCrossValidator | BaseShuffleSplit | Iterable[Any] | None


class _BatchedSearch(DocLinkMixin, MetaEstimatorMixin):
    """What the two searches share; precedes scikit-learn's class among the bases."""

    def fit(self, X: MatrixLike, y: MatrixLike | None = None, **params: Any) -> Self:
        """Train every candidate on every fold, score them, and refit the best one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict of str to object
            Passed on to the estimator's ``fit``, to the scorer and to the splitter as
            scikit-learn's search does; arrays with one entry per row are split into
            the folds.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument is not usable; before anything is trained,
            unless only fitting can show it. The search is then left as it was. An
            error of a candidate's own fit is raised only with ``error_score="raise"``.
        """
        self._validate_params()
        if self.group_size is not None:
            check_scalar(self.group_size, "group_size", Integral, min_val=1)
        X, y = indexable(X, y)
        fit_params, split_params = self._route(params)
        check = partial(check_refit, self) if names_of_scores_matter(self) else None
        fitter = CandidateFitter(
            X,
            y,
            fit_params,
            split_params,
            parallel=Parallel(
                self.n_jobs, pre_dispatch=self.pre_dispatch, return_as=return_as()
            ),
            workers=Workers(self.n_jobs, self.pre_dispatch),
            group_size=self.group_size,
            refit=bool(self.refit),
            raise_errors=self.error_score == "raise",
            check_refit=check,
            visible=self.verbose > 0,
        )
        search = copy(self)
        search._prefitted = PrefittedCandidates(self.estimator, fitter)
        search.estimator = search._prefitted.provide()
        search.verbose = max(0, self.verbose - 1)
        with parallel_config("sequential"):  # not on the machines that fit the groups
            super(_BatchedSearch, search).fit(X, y, **params)
        if self.scoring is None:  # then the scorer refers to the estimator
            search.scorer_ = check_scoring(self.estimator)
        for name, value in vars(search).items():
            if name.endswith("_"):
                setattr(self, name, value)
        return self

    def _route(self, params):
        """The parameters of ``fit`` that the estimator and the splitter get."""
        if not get_config()["enable_metadata_routing"]:
            params = dict(params)
            return params, {"groups": params.pop("groups", None)}
        routed = process_routing(self, "fit", **params)
        return routed.estimator.fit, routed.splitter.split

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        seconds = []

        def fit_and_evaluate(candidates, cv=None, **options):
            candidates = list(candidates)
            splits = self._prefitted.split(cv or self._checked_cv_orig)
            if len(splits) == self.n_splits_:  # otherwise scikit-learn raises an error
                seconds.extend(self._prefitted.fit(candidates, splits))
            splitter = FixedSplits(splits)
            results = evaluate_candidates(candidates, cv=splitter, **options)
            results["mean_fit_time"] = np.mean(seconds, axis=1)
            results["std_fit_time"] = np.std(seconds, axis=1)
            return results

        # scikit-learn 1.9 passes it, earlier versions do not take it.
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        super()._run_search(fit_and_evaluate, **context)

    def __getstate__(self):
        # During `fit`, a search has the data and joblib's workers at hand.
        state = super().__getstate__().copy()
        state.pop("_prefitted", None)
        return state


class BatchedGridSearchCV(_BatchedSearch, GridSearchCV):
    """Grid search in which candidates and folds are trained together.

    Gives what `sklearn.model_selection.GridSearchCV` gives for an estimator with an
    integer ``random_state``, in a fraction of the time: networks that differ in
    ``l1``, ``l2``, ``dropout``, ``learning_rate`` and rows are trained as one batched
    computation.

    Parameters
    ----------
    estimator : estimator
        One of skreg's, or a `sklearn.pipeline.Pipeline` that ends in one. The steps
        before it are fitted on each fold's training rows once for each of their
        settings. With ``random_state=None`` one seed is drawn, and all candidates and
        folds share it: they start alike and see the same noise, so that their scores
        differ only by what the grid varies. In scikit-learn's search each draws its
        own.
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
        other.
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
        The score of a candidate whose fit fails; "raise" raises its error.
    return_train_score : bool, default=False
        Whether to score on the training rows too.
    group_size : int, default=None
        The most networks that are trained together; None means as many as fit into
        the processor's cache.

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
    scorer_ : callable or dict
        The scorer, or the scorers by name.
    n_splits_ : int
        Number of folds.
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
    one by one.

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


class BatchedRandomizedSearchCV(_BatchedSearch, RandomizedSearchCV):
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
    scorer_ : callable or dict
        The scorer, or scorers by name.
    n_splits_ : int
        Number of folds.
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
