"""The batched halving searches, which users fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import floor, log
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator

# From the private file, as the public name asks for an import that changes
# `sklearn.model_selection` for the whole process.
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.utils import check_scalar

from skreg._estimators.types import RandomState
from skreg._search.base import BatchedSearchMixin
from skreg._search.composite import find_network
from skreg._search.progress import OutOfTime
from skreg._search.rungs import LastRung
from skreg._search.search import Grid, Splits
from skreg._search.time_limit import TimeBudget

Scorer: TypeAlias = str | Callable[..., Any] | None
Refit: TypeAlias = bool | Callable[[dict[str, Any]], int]

# Of a network that is fitted alone, in networks that are trained together.
SINGLE_REFIT_COST = 4


class BatchedHalvingMixin(BatchedSearchMixin):
    """Goes before a halving search of scikit-learn's among the base classes."""

    def _to_run(self):
        search = super()._to_run()
        name = _epochs_name(self.estimator)
        if self.resource == "epochs":
            search.resource = name
        params = self.estimator.get_params()
        if search.resource == name in params and self.max_resources == "auto":
            check_scalar(params[name], name, Integral, min_val=1)
            search.max_resources = params[name]
        return search

    def _last_rung(self):
        if self.resource == _epochs_name(self.estimator):
            return LastRung(self.resource, self.factor, self.max_resources)
        return None

    def _time_budget(self):
        if self.time_limit is None:
            return None
        check_scalar(
            self.time_limit, "time_limit", Real, min_val=0, include_boundaries="neither"
        )
        self._budget = TimeBudget(self.time_limit)
        return self._budget

    def _fit_candidates(self, candidates, splits, task):
        if self.time_limit is not None:
            *earlier, resources = self.n_resources_
            goes_on = earlier and self.resource == _epochs_name(self.estimator)
            new = resources - earlier[-1] if goes_on else resources
            n = len(splits)
            # On all rows, and of one network alone about as slow as of a small group.
            refit = (self.ensemble_size or SINGLE_REFIT_COST) * resources * n / (n - 1)
            self._budget.begin_rung(len(candidates) * n * new, bool(self.refit) * refit)
        return super()._fit_candidates(candidates, splits, task)

    def _evaluate_all(self, evaluate_candidates, **context):
        try:
            super()._evaluate_all(evaluate_candidates, **context)
        except OutOfTime:
            self._leave_last_rung()

    def _leave_last_rung(self):
        """What scikit-learn's search sets after the last rung, which was not run."""
        *self.n_resources_, _ = self.n_resources_
        *self.n_candidates_, n_remaining = self.n_candidates_
        if not self.n_resources_:
            raise TimeoutError(
                "time_limit must leave time for the first rung of all candidates, got "
                f"{self.time_limit!r} seconds; lower min_resources or their number."
            ) from None
        n_possible = log(self.max_resources_ // self.min_resources_, self.factor)
        n_required = log(self.n_candidates_[0], self.factor)
        self.n_remaining_candidates_ = n_remaining
        self.n_required_iterations_ = 1 + floor(n_required)
        self.n_possible_iterations_ = 1 + floor(n_possible)
        self.n_iterations_ = len(self.n_resources_)


def _epochs_name(estimator):
    """Full name of the network's epochs."""
    path, network = find_network(estimator)
    return "__".join([*path, "epochs"]) if network is not None else "epochs"


class BatchedHalvingGridSearchCV(BatchedHalvingMixin, HalvingGridSearchCV):
    """Search over a grid by successive halving, with networks trained together.

    All candidates are trained for a few epochs. The best of them go on in the next
    rung, `factor` times as long, until few are left [1]_. Gives what scikit-learn's
    ``HalvingGridSearchCV`` gives for an estimator with an integer ``random_state``, in
    a fraction of the time: candidates and folds are trained as one batched computation,
    see `BatchedGridSearchCV`, and survivors *go on* from their weights, the state of
    their optimizer and their averages instead of starting again. Scikit-learn's class
    is experimental; this one needs no import that enables it.

    Parameters
    ----------
    estimator : estimator
        Any estimator. Trained together are the networks of those that are or end in one
        of skreg's, see `BatchedGridSearchCV`.
    param_grid : dict or list of dict
        Parameter names to lists of values, or several such dicts.
    factor : float, default=3
        By how much the candidates are divided, and the resources multiplied, from rung
        to rung.
    resource : str, default="epochs"
        What grows from rung to rung. "epochs" are those of the network, wherever it is
        in the estimator. Otherwise "n_samples", the number of rows, or the full name of
        a parameter of the estimator that takes positive integers.
    max_resources : int or "auto", default="auto"
        The most resources that a rung may have. "auto" means the estimator's
        ``epochs``, or with ``resource="n_samples"`` the number of rows; for other
        resources it must be given.
    min_resources : int, "exhaust" or "smallest", default="exhaust"
        Resources of the first rung. "exhaust" means so many that the last rung has as
        many as `max_resources` allows. "smallest" means 1, or with
        ``resource="n_samples"`` twice the number of folds, for a classifier times the
        number of classes.
    aggressive_elimination : bool, default=False
        Whether the first rung is repeated, where `max_resources` allows too few rungs
        to leave fewer than `factor` candidates. Networks are not trained again then.
    cv : int, splitter or iterable, default=5
        The folds, the same in all rungs: a splitter that shuffles needs an integer
        ``random_state``.
    scoring : str or callable, default=None
        How to score on the test rows; None means the estimator's ``score``.
    refit : bool or callable, default=True
        Whether to fit the best candidate on all rows. A callable counts as True.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit fails, which is eliminated first. With
        "raise" its error is raised: if the candidate is invalid, before anything is
        trained; otherwise, as soon as the network has failed.
    return_train_score : bool, default=True
        Whether to score on the training rows too.
    random_state : int, RandomState instance or None, default=None
        Determines which rows are drawn with ``resource="n_samples"``.
    n_jobs : int, default=None
        Number of groups that joblib trains at the same time; see `BatchedGridSearchCV`.
    verbose : int, default=0
        1 or more shows one progress bar per rung, on a terminal or in a notebook;
        values above 1 also print what scikit-learn's search prints for the value less
        one.
    group_size : int, default=None
        The most networks that are trained together; None means as many as fit into
        the processor's cache.
    ensemble_size : int, default=None
        Number of networks whose mean predicts, see `BatchedGridSearchCV`.
    time_limit : float, default=None
        Seconds after which `fit` is to be done, as far as the rungs before can tell: no
        rung begins that would take longer, and one that does is abandoned. The best of
        the last complete rung is then the result. None means no limit.

    Attributes
    ----------
    n_resources_ : list of int
        Resources of each rung: with ``resource="epochs"`` the epochs in all.
    n_candidates_ : list of int
        Number of candidates in each rung.
    n_remaining_candidates_ : int
        Number of candidates that would be left after the last rung.
    max_resources_ : int
        The most resources that a rung may have.
    min_resources_ : int
        Resources of the first rung.
    n_iterations_ : int
        Number of rungs.
    n_possible_iterations_ : int
        Number of rungs that `max_resources_` allows.
    n_required_iterations_ : int
        Number of rungs until fewer than `factor` candidates are left.
    cv_results_ : dict of str to ndarray or list
        As scikit-learn's, with one entry per candidate and rung; ``iter`` is the number
        of the rung and ``n_resources`` what it had. ``mean_fit_time`` is in seconds and
        counts what this rung took: a network's share of the time that its group took.
    best_estimator_ : estimator
        The best candidate of the last rung, fitted from the start on all rows; with
        `refit` only.
    best_score_ : float
        Mean test score of the best candidate of the last rung.
    best_params_ : dict
        Parameters of the best candidate, the resource among them.
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
    scorer_ : callable
        The scorer.
    n_splits_ : int
        Number of folds.
    n_used_features_ : ndarray of shape (n_candidates, n_splits)
        How many columns each candidate's network uses on each fold, see
        `RegularizedMLPClassifier.used_features_`; NaN for other estimators, and where a
        fit failed.
    refit_time_ : float
        Seconds that the final fit took; with `refit` only.
    multimetric_ : bool
        Always False.
    classes_ : ndarray of shape (n_classes,)
        Labels; with `refit` and a classifier only.
    n_features_in_ : int
        Number of columns; with `refit` only.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them; with `refit` only.

    See Also
    --------
    BatchedHalvingRandomSearchCV : Draws candidates at random.
    BatchedGridSearchCV : Trains all candidates to the end.

    Notes
    -----
    Orders of rows and dropout noise depend on the seed and the number of the epoch
    alone. So a network that goes on learns what it would learn from the start, and the
    scores of a rung are those of scikit-learn's search, which starts again: in float64,
    log losses agree to 1e-6 or better. Networks start again where that would not hold:
    with early stopping or Keras callbacks, which may depend on the number of epochs;
    with a transformer that draws random numbers without a seed, and so gives other rows
    in each rung; and where the resource is not the network's epochs.

    What a rung leaves is kept in memory for the next: about three times the weights of
    each network that is still in the race.

    With few epochs a network cannot overfit yet. A first rung that is too short
    therefore favours weak regularization; `min_resources` lengthens it.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
       hyperparameter optimization", AISTATS 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import BatchedHalvingGridSearchCV, RegularizedMLPClassifier
    >>> mlp = RegularizedMLPClassifier((16,), epochs=90, random_state=0)
    >>> grid = {"l2": [0.0, 1e-3, 1e-2], "dropout": [0.0, 0.2, 0.4]}
    >>> search = BatchedHalvingGridSearchCV(mlp, grid).fit(*load_iris(return_X_y=True))
    >>> search.n_candidates_, search.n_resources_
    ([9, 3, 1], [10, 30, 90])
    """

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_grid: Grid | Sequence[Grid],
        *,
        factor: float = 3,
        resource: str = "epochs",
        max_resources: int | Literal["auto"] = "auto",
        min_resources: int | Literal["exhaust", "smallest"] = "exhaust",
        aggressive_elimination: bool = False,
        cv: Splits = 5,
        scoring: Scorer = None,
        refit: Refit = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        group_size: int | None = None,
        ensemble_size: int | None = None,
        time_limit: float | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.group_size = group_size
        self.ensemble_size = ensemble_size
        self.time_limit = time_limit


class BatchedHalvingRandomSearchCV(BatchedHalvingMixin, HalvingRandomSearchCV):
    """Draw candidates at random and halve them, with networks trained together.

    Gives what scikit-learn's ``HalvingRandomSearchCV`` gives for an estimator with an
    integer ``random_state``; see `BatchedHalvingGridSearchCV`.

    Parameters
    ----------
    estimator : estimator
        As for `BatchedHalvingGridSearchCV`.
    param_distributions : dict or list of dict
        Parameter names to lists of values, or to distributions that have an ``rvs``
        method, such as those of `scipy.stats`.
    n_candidates : int or "exhaust", default="exhaust"
        Number of candidates in the first rung. "exhaust" means so many that the last
        rung has as many resources as `max_resources` allows, which is
        ``max_resources // min_resources``.
    factor : float, default=3
        As for `BatchedHalvingGridSearchCV`, and so are all the parameters that follow.
    resource : str, default="epochs"
        What grows from rung to rung.
    max_resources : int or "auto", default="auto"
        The most resources that a rung may have.
    min_resources : int, "exhaust" or "smallest", default="smallest"
        Resources of the first rung; not "exhaust" if `n_candidates` is.
    aggressive_elimination : bool, default=False
        Whether the first rung is repeated.
    cv : int, splitter or iterable, default=5
        The folds.
    scoring : str or callable, default=None
        How to score on the test rows.
    refit : bool or callable, default=True
        Whether to fit the best candidate on all rows.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit fails; "raise" raises its error.
    return_train_score : bool, default=True
        Whether to score on the training rows too.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates that are drawn, and the rows with
        ``resource="n_samples"``.
    n_jobs : int, default=None
        Number of groups trained at the same time.
    verbose : int, default=0
        Whether to show progress bars.
    group_size : int, default=None
        The most networks that are trained together.
    ensemble_size : int, default=None
        Number of networks whose mean predicts, see `BatchedGridSearchCV`.
    time_limit : float, default=None
        Seconds after which `fit` is to be done, as far as the rungs before can tell: no
        rung begins that would take longer, and one that does is abandoned. The best of
        the last complete rung is then the result. None means no limit.

    Attributes
    ----------
    n_resources_ : list of int
        As for `BatchedHalvingGridSearchCV`, and so are all the attributes that follow.
    n_candidates_ : list of int
        Number of candidates in each rung.
    n_remaining_candidates_ : int
        Number of candidates that would be left after the last rung.
    max_resources_ : int
        The most resources that a rung may have.
    min_resources_ : int
        Resources of the first rung.
    n_iterations_ : int
        Number of rungs.
    n_possible_iterations_ : int
        Number of rungs that `max_resources_` allows.
    n_required_iterations_ : int
        Number of rungs until fewer than `factor` candidates are left.
    cv_results_ : dict of str to ndarray or list
        One entry per candidate and rung.
    best_estimator_ : estimator
        Fitted on all rows.
    best_score_ : float
        Mean test score of the best candidate of the last rung.
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
    scorer_ : callable
        The scorer.
    n_splits_ : int
        Number of folds.
    n_used_features_ : ndarray of shape (n_candidates, n_splits)
        How many columns each candidate's network uses on each fold, see
        `RegularizedMLPClassifier.used_features_`; NaN for other estimators, and where a
        fit failed.
    refit_time_ : float
        Seconds that the final fit took.
    multimetric_ : bool
        Always False.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where `X` has them.

    See Also
    --------
    BatchedHalvingGridSearchCV : Tries every combination of a grid, and describes the
        parameters and attributes in detail.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skreg import BatchedHalvingRandomSearchCV, RegularizedMLPClassifier
    >>> mlp = RegularizedMLPClassifier((16,), epochs=90, random_state=0)
    >>> strengths = {"l1": loguniform(1e-5, 1e-2), "l2": loguniform(1e-5, 1e-2)}
    >>> search = BatchedHalvingRandomSearchCV(
    ...     mlp, strengths, min_resources=10, random_state=0
    ... )
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> search.n_candidates_, search.n_resources_
    ([9, 3, 1], [10, 30, 90])
    """

    __module__ = "skreg"

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        n_candidates: int | Literal["exhaust"] = "exhaust",
        factor: float = 3,
        resource: str = "epochs",
        max_resources: int | Literal["auto"] = "auto",
        min_resources: int | Literal["exhaust", "smallest"] = "smallest",
        aggressive_elimination: bool = False,
        cv: Splits = 5,
        scoring: Scorer = None,
        refit: Refit = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        group_size: int | None = None,
        ensemble_size: int | None = None,
        time_limit: float | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.group_size = group_size
        self.ensemble_size = ensemble_size
        self.time_limit = time_limit
