"""The estimator that scikit-learn's search runs over, whose fits were made before."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from skreg._search.fitting import Fit
from skreg._search.prefitted import PrefittedEstimator

X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


class Fitter:
    """Fits every candidate on all rows at once."""

    def split(self, cv):
        return list(cv.split(X))

    def fit_all(self, estimator, settings, splits):
        fits = []
        for params in settings:
            candidate = clone(estimator).set_params(**params)
            for _ in splits:
                if params["C"] < 0:
                    fits.append(Fit(ValueError("negative C"), 0.5))
                else:
                    fits.append(Fit(clone(candidate).fit(X, Y), 0.25))
        return fits


@pytest.fixture
def prefitted():
    estimator = PrefittedEstimator(LogisticRegression(max_iter=200), Fitter())
    splits, seconds = estimator.prefit([{"C": 1.0}, {"C": -2.0}], KFold(2))
    assert [len(fold) for fold in splits.split()] == [2, 2]
    np.testing.assert_array_equal(seconds, [[0.25, 0.25], [0.5, 0.5]])
    return estimator


def test_clones_are_fitted_in_the_order_of_candidates_and_folds(prefitted):
    for _ in range(2):
        candidate = clone(prefitted).set_params(C=1.0)
        coefs = candidate.coef_
        candidate.fit(X[:2], Y[:2])
        assert type(candidate) is LogisticRegression
        assert candidate.coef_ is coefs
    for _ in range(2):
        candidate = clone(prefitted).set_params(C=-2.0)
        assert candidate.C == -2.0
        with pytest.raises(ValueError, match="negative C"):
            candidate.fit(X, Y)
    refitted = clone(prefitted).set_params(C=0.5).fit(X, Y)
    assert type(refitted) is LogisticRegression
    np.testing.assert_array_equal(
        refitted.coef_, LogisticRegression(C=0.5, max_iter=200).fit(X, Y).coef_
    )


def test_a_fit_is_prefitted_once(prefitted):
    candidate = clone(prefitted).set_params(C=1.0).fit(X, Y)
    before = candidate.coef_
    assert (candidate.fit(-X, Y).coef_ != before).any()
    assert "fit" not in vars(candidate)


@pytest.mark.parametrize(
    "params", [{"C": 2.0}, {"C": True}, {}, {"C": 1.0, "tol": 1.0}, {"C": None}]
)
def test_other_parameters_than_the_candidates_are_an_error(prefitted, params):
    with pytest.raises(RuntimeError, match=r"fit the candidate \{'C': 1.0\}, but"):
        clone(prefitted).set_params(**params)


@pytest.mark.parametrize(
    "value",
    [
        np.nan,
        np.float64(np.nan),
        (8, 4),
        {"a": [1, None]},
        np.arange(3),
        np.random.RandomState(0),
        LogisticRegression(),
        [("a", LogisticRegression())],
        len,
    ],
    ids=repr,
)
def test_a_clone_of_a_parameter_is_that_parameter(value):
    estimator = PrefittedEstimator(Pipeline([("step", None)]), None)
    estimator._fits.append(({"step": value}, ValueError("as expected")))
    candidate = clone(estimator).set_params(step=clone(value, safe=False))
    with pytest.raises(ValueError, match="as expected"):
        candidate.fit(X)


def test_clones_before_any_fit_are_estimators(prefitted):
    for estimator in (
        PrefittedEstimator(LogisticRegression(C=3.0), None),
        clone(prefitted),
        clone(clone(prefitted)),
    ):
        assert clone(estimator).get_params() == estimator.get_params()
        assert clone(estimator).fit(X, Y).predict(X).shape == (4,)


@pytest.mark.parametrize("prefit", [False, True])
def test_it_reads_copies_and_pickles_as_the_estimator(prefitted, prefit):
    real = LogisticRegression(max_iter=200)
    estimator = prefitted if prefit else PrefittedEstimator(real, Fitter())
    assert isinstance(estimator, LogisticRegression)
    assert estimator.__class__ is LogisticRegression
    assert is_classifier(estimator)
    assert repr(estimator) == repr(real)
    assert estimator.get_params() == real.get_params()
    assert estimator._repr_html_().count("LogisticRegression")
    assert pickle.dumps(estimator) == pickle.dumps(real)
    copies = [copy.copy(estimator), copy.deepcopy(estimator)]
    copies.append(pickle.loads(pickle.dumps(estimator)))
    for same in copies:
        assert type(same) is LogisticRegression
        assert same.get_params() == real.get_params()
