"""What scikit-learn's search runs over: an estimator whose fits are made in advance."""

from collections import deque
from numbers import Number

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags


class PrefittedEstimator:
    """An estimator that scikit-learn's search clones, but does not have to fit.

    For every candidate and fold, the search clones its estimator, sets the candidate's
    parameters, and fits. As long as there are fits from `prefit`, `set_params` of a
    clone returns the next one, after a check that it is one of these parameters.

    In all other respects it is the estimator: it has its attributes, class and repr,
    and is copied and pickled as the estimator is. So whatever looks at the search
    during its ``fit``, such as a tool that logs experiments, sees what the user made.

    Parameters
    ----------
    estimator : estimator
        Not fitted.
    fitter : skreg._search.fitting.CandidateFitter
    """

    def __init__(self, estimator, fitter, fits=None):
        self._estimator = estimator
        self._fitter = fitter
        self._fits = deque() if fits is None else fits  # shared by all clones

    def prefit(self, settings, cv):
        """Fit candidates on all folds.

        Parameters
        ----------
        settings : list of dict
            The candidates: parameters to set.
        cv : splitter

        Returns
        -------
        splits : FixedSplits
            The folds.
        seconds : ndarray of shape (n_candidates, n_folds)
            What each fit took.
        """
        splits = self._fitter.split(cv)
        fits = self._fitter.fit_all(self._estimator, settings, splits)
        each = [params for params in settings for _ in splits]
        self._fits.extend(zip(each, (fit.outcome for fit in fits), strict=True))
        seconds = np.array([fit.seconds for fit in fits])
        return FixedSplits(splits), seconds.reshape(len(settings), len(splits))

    def set_params(self, **params):
        """Return the next fit; if there is none, the estimator with the parameters."""
        if not self._fits:
            return self._estimator.set_params(**params)
        expected, outcome = self._fits.popleft()
        if _comparable(params) != _comparable(expected):
            raise RuntimeError(
                "scikit-learn's search was expected to fit the candidate "
                f"{expected}, but it asked for {params}."
            )
        if isinstance(outcome, Exception):
            return _fit_once(self._estimator.set_params(**params), outcome)
        return _fit_once(outcome)

    def __sklearn_clone__(self):
        return PrefittedEstimator(clone(self._estimator), self._fitter, self._fits)

    @property  # type: ignore[misc]
    def __class__(self):
        return type(self._estimator)

    def __getattr__(self, name):
        return getattr(self._estimator, name)

    def __repr__(self):
        return repr(self._estimator)

    def __reduce_ex__(self, protocol):
        return self._estimator.__reduce_ex__(protocol)

    def __sklearn_tags__(self):
        return get_tags(self._estimator)  # scikit-learn 1.6 looks for it in the class


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
