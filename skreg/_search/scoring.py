"""What the scores will be called, found out before anything is trained."""

from collections.abc import Mapping
from warnings import catch_warnings, simplefilter


def names_matter(search):
    """Whether `refit` is to name one of the scores that a function returns.

    scikit-learn learns from the first fit whether there is such a score. Here, all
    folds are trained by then.
    """
    return callable(search.scoring) and isinstance(search.refit, str)


def check_refit(search, estimator, X, y):
    """Raise scikit-learn's error if a function returns no score that `refit` names.

    Parameters
    ----------
    search : BaseSearchCV
        For which `names_matter`.
    estimator : estimator
        A candidate that can predict, if badly.
    X, y : array-like
        Test rows.
    """
    try:
        with catch_warnings():
            simplefilter("ignore")
            scores = search.scoring(estimator, X, y)
    except Exception:  # perhaps for want of training
        return
    if isinstance(scores, Mapping):
        search._check_refit_for_multimetric(scores)
