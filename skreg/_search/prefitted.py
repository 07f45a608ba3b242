"""Fits made in advance, and how scikit-learn's search gets them."""

from collections import deque
from copy import copy
from functools import partial
from numbers import Number

import numpy as np
from joblib import parallel_config
from sklearn.base import clone


class PrefittedCandidates:
    """The fits of a search's candidates on its folds, made in advance.

    For every candidate and fold, scikit-learn's search clones its estimator, sets the
    candidate's parameters, and calls ``fit``. The search is given the estimator from
    `provide`, whose clones return one fit after the other from ``set_params``, after
    a check that it is one of these parameters.

    Parameters
    ----------
    estimator : estimator
        Not fitted.
    fitter : skreg._search.fitting.CandidateFitter
    """

    def __init__(self, estimator, fitter):
        self._estimator = estimator
        self._fitter = fitter
        self._fits = deque()
        self._refitted = None

    @property
    def n_splits(self):
        """The number of folds that the splitter promises."""
        return self._fitter.n_splits

    def split(self, cv=None):
        """Row numbers of each fold, as a list of (train, test), by `cv` if given."""
        return self._fitter.split(cv)

    def fit(self, settings, splits, search_task):
        """Fit candidates on all folds.

        Parameters
        ----------
        settings : list of dict
            The candidates: parameters to set.
        splits : list of (train, test)
        search_task : SearchTask
            Of which the fits are subtasks.

        Returns
        -------
        ndarray of Fit of shape (n_candidates, n_folds)
        """
        fits = self._fitter.fit_all(self._estimator, settings, splits, search_task)
        each = [params for params in settings for _ in splits]
        self._fits.extend(zip(each, (fit.outcome for fit in fits), strict=True))
        return np.reshape(np.array(fits, object), (len(settings), len(splits)))

    def refit(self, ensemble, backend, n_jobs):
        """Have the search fit this ensemble on all rows, not its best candidate.

        Parameters
        ----------
        ensemble : MLPEnsembleClassifier or MLPEnsembleRegressor
            Not fitted.
        backend : joblib.parallel.ParallelBackendBase
        n_jobs : int or None
            What joblib's configuration is to be while it is fitted.
        """
        scope = self._fitter.refit.scope
        self._refitted = _fit_where(ensemble, scope, backend, n_jobs)

    def new_estimator(self):
        """The estimator as it was given, not fitted."""
        return clone(self._estimator)

    def provide(self):
        """The estimator, for the search to clone.

        It is a copy with a few methods shadowed, and no more: whatever looks at the
        search during its ``fit``, such as a tool that logs experiments, sees the class
        and the parameters that the user chose. It is pickled without the shadows.
        """
        return self._shadow(self._estimator)

    def _shadow(self, estimator):
        shadowed = copy(estimator)
        shadowed.__reduce_ex__ = estimator.__reduce_ex__
        shadowed.__getstate__ = estimator.__getstate__
        shadowed.__sklearn_clone__ = lambda: self._shadow(estimator)
        shadowed.set_params = partial(self._set_params, estimator)
        return shadowed

    def _set_params(self, estimator, /, **params):
        """The next fit; when there is none, what is to be fitted on all rows."""
        if not self._fits:
            if self._refitted is not None:
                return self._refitted
            return clone(estimator).set_params(**params)
        expected, outcome = self._fits.popleft()
        if _comparable(params) != _comparable(expected):
            raise RuntimeError(
                "scikit-learn's search was expected to fit the candidate "
                f"{expected}, but it asked for {params}."
            )
        if isinstance(outcome, Exception):
            return _fit_once(clone(estimator).set_params(**params), outcome)
        return _fit_once(outcome)


def _fit_once(estimator, error=None):
    """Shadow the estimator's ``fit``, for one call, by what is left of it to do.

    scikit-learn scores the object whose ``fit`` it has called. So that object is the
    fitted estimator itself.
    """

    def fit(X, y=None, **params):
        del estimator.fit
        if error is not None:
            raise error
        return estimator

    estimator.fit = fit
    return estimator


def _fit_where(ensemble, scope, backend, n_jobs):
    """Shadow an ensemble's ``fit``, for one call, by one in another configuration."""

    def fit(X, y=None, **params):
        del ensemble.fit
        with parallel_config(backend, n_jobs=n_jobs):
            return ensemble._fit(X, y, params, scope)

    ensemble.fit = fit
    return ensemble


def _comparable(value):
    """Something that is equal for a parameter and for its clone.

    Objects that need not know equality are represented by their type.
    """
    if isinstance(value, dict):
        return {key: _comparable(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [type(value), *map(_comparable, value)]
    if isinstance(value, Number | str | None):
        return type(value), repr(value)  # NaN is not equal to itself
    return type(value)


class FixedSplits:
    """Splits made in advance: a splitter that shuffles would make others.

    Parameters
    ----------
    splits : list of (train, test)
        Row numbers of each fold.
    """

    def __init__(self, splits):
        self._splits = splits

    def split(self, X=None, y=None, **params):
        """Return the row numbers of each fold."""
        return iter(self._splits)
