"""The estimator that scikit-learn's search runs over, whose fits were made before."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV
from skreg._search.fitting import Fit
from skreg._search.prefitted import PrefittedCandidates

X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


class Fitter:
    """Fits every candidate on all rows at once."""

    def split(self, cv):
        return list(cv.split(X))

    def fit_all(self, estimator, settings, splits, search_task):
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
    candidates = PrefittedCandidates(LogisticRegression(max_iter=200), Fitter())
    splits = candidates.split(KFold(2))
    fits = candidates.fit([{"C": 1.0}, {"C": -2.0}], splits, None)
    seconds = [[fit.seconds for fit in folds] for folds in fits]
    assert seconds == [[0.25, 0.25], [0.5, 0.5]]
    return candidates.provide()


def test_clones_are_fitted_in_the_order_of_candidates_and_folds(prefitted):
    for _ in range(2):
        candidate = clone(prefitted).set_params(C=1.0)
        coefs = candidate.coef_
        candidate.fit(X[:2], Y[:2])
        assert candidate.coef_ is coefs
    for _ in range(2):
        candidate = clone(prefitted).set_params(C=-2.0)
        assert candidate.C == -2.0
        with pytest.raises(ValueError, match="negative C"):
            candidate.fit(X, Y)
    refitted = clone(prefitted).set_params(C=0.5).fit(X, Y)
    assert vars(refitted).keys() == vars(LogisticRegression().fit(X, Y)).keys()
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
    ids=lambda value: type(value).__name__,
)
def test_a_clone_of_a_parameter_is_that_parameter(value):
    class Failing(Fitter):
        def fit_all(self, estimator, settings, splits, search_task):
            return [Fit(ValueError("as expected"), 0.0)]

    candidates = PrefittedCandidates(Pipeline([("step", None)]), Failing())
    candidates.fit([{"step": value}], [None], None)
    candidate = clone(candidates.provide()).set_params(step=clone(value, safe=False))
    with pytest.raises(ValueError, match="as expected"):
        candidate.fit(X)


def test_clones_before_any_fit_are_estimators(prefitted):
    for estimator in (
        PrefittedCandidates(LogisticRegression(C=3.0), Fitter()).provide(),
        clone(prefitted),
        clone(clone(prefitted)),
    ):
        assert clone(estimator).get_params() == estimator.get_params()
        assert clone(estimator).fit(X, Y).predict(X).shape == (4,)


@pytest.mark.parametrize("fitted", [False, True])
def test_it_reads_copies_and_pickles_as_the_estimator(prefitted, fitted):
    real = LogisticRegression(max_iter=200)
    estimator = prefitted
    if not fitted:
        estimator = PrefittedCandidates(real, Fitter()).provide()
    assert type(estimator) is LogisticRegression
    assert repr(estimator) == repr(real)
    assert estimator.get_params() == real.get_params()
    assert estimator._repr_html_().count("LogisticRegression")
    assert pickle.dumps(estimator) == pickle.dumps(real)
    copies = [copy.copy(estimator), copy.deepcopy(estimator)]
    copies.append(pickle.loads(pickle.dumps(estimator)))
    for same in copies:
        assert type(same) is LogisticRegression
        assert vars(same) == vars(real)


# A search as a tool sees it that patches scikit-learn's searches.


@pytest.fixture
def watched(monkeypatch, mlp, cancer):
    """Fit a search, and call a function before and after scikit-learn's own ``fit``."""

    def run(look, **options):
        def watching(self, *args, **kwargs):
            look(self)
            fitted = original(self, *args, **kwargs)
            look(self)
            return fitted

        original = GridSearchCV.fit
        monkeypatch.setattr(GridSearchCV, "fit", watching)
        pipeline = make_pipeline(StandardScaler(), mlp())
        grid = {"regularizedmlpclassifier__l2": [0.0, 0.1]}
        search = BatchedGridSearchCV(pipeline, grid, cv=2, **options)
        return search.fit(*cancer)

    return run


@pytest.mark.parametrize(
    "options", [{}, {"n_jobs": 2, "scoring": "neg_log_loss"}, {"refit": False}], ids=str
)
def test_it_reads_as_the_search_itself(watched, options):
    seen = []

    def look(search):
        estimator = search.estimator
        read = [
            repr(search),
            str(estimator),
            type(search),
            estimator.__class__,
            [type(step) for step in estimator.named_steps.values()],
            isinstance(estimator, Pipeline),
            repr(search.get_params()),
            repr(estimator.get_params(deep=False)),
            repr(clone(search)),
            repr(clone(estimator)),
            search.get_metadata_routing(),
        ]
        seen.append([str(x) for x in read])

    search = watched(look, **options)
    look(search)
    during, after, real = seen
    assert during == after == real
    assert "skreg._search" not in "".join(real).replace("skreg._search.search", "")


def test_it_is_pickled_and_copied_as_the_search_itself(watched, cancer):
    copies = []

    def look(search):
        copies.append(pickle.loads(pickle.dumps(search)))
        copies.append(copy.deepcopy(search))
        assert b"prefitted" not in pickle.dumps(search)
        assert b"prefitted" not in pickle.dumps(search.estimator)

    search = watched(look)
    look(search)
    for same in copies:
        assert type(same) is BatchedGridSearchCV
        assert type(same.estimator) is Pipeline
        assert repr(same) == repr(search)
    X, y = cancer
    for fitted in copies[2:]:
        np.testing.assert_array_equal(fitted.predict_proba(X), search.predict_proba(X))
        assert fitted.score(X, y) == search.score(X, y)
    for unfitted in copies[:2]:
        unfitted.fit(X, y)
        np.testing.assert_array_equal(
            unfitted.cv_results_["mean_test_score"],
            search.cv_results_["mean_test_score"],
        )


def test_nothing_of_it_stays_in_a_fitted_search(mlp, cancer):
    search = BatchedGridSearchCV(mlp(), {"l2": [0.0, 0.1]}, cv=2).fit(*cancer)
    assert type(search.estimator) is type(search.best_estimator_) is type(mlp())
    assert search.scorer_._estimator is search.estimator
    assert "fit" not in vars(search.best_estimator_)


def test_fitted_candidates_are_of_the_estimators_class(mlp, cancer):
    seen = []

    def scorer(estimator, X, y):
        clone(estimator)
        pickle.dumps(estimator)
        seen.append((type(estimator), vars(estimator).get("fit")))
        return estimator.score(X, y)

    BatchedGridSearchCV(mlp(), {"l2": [0.0, 0.1]}, scoring=scorer, cv=2).fit(*cancer)
    assert seen == 4 * [(type(mlp()), None)]


PREDICT = """
import pickle
import sys

with open(sys.argv[1], "rb") as file:
    search, X = pickle.load(file)
print(search.predict(X).sum(), {"keras", "tensorflow"} & set(sys.modules))
"""


def test_a_pickled_search_predicts_without_tensorflow(
    mlp, cancer, tmp_path, in_new_process
):
    search = BatchedGridSearchCV(mlp(), {"l2": [0.0, 0.1]}, cv=2).fit(*cancer)
    path = tmp_path / "search.pickle"
    path.write_bytes(pickle.dumps((search, cancer[0])))
    expected = f"{search.predict(cancer[0]).sum()} set()\n"
    assert in_new_process(PREDICT, str(path)) == expected
