"""Any estimator in a batched search gives what it gives in scikit-learn's search."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    MLPEnsembleClassifier,
    RegularizedMLPClassifier,
)
from skreg._search import groups

LOSS = "neg_log_loss"
L2 = [0.0, 0.1]


@pytest.fixture
def stacked(monkeypatch):
    """Sizes of the groups that are trained together."""
    sizes = []

    def train_together(tasks, *args, **kwargs):
        sizes.append(len(tasks))
        return original(tasks, *args, **kwargs)

    original = groups.train_together
    monkeypatch.setattr(groups, "train_together", train_together)
    return sizes


@pytest.fixture
def both(assert_same_results):
    """Run a search of ours and scikit-learn's, and compare; returns ours."""

    def run(estimator, grid, *data, fit_params=None, **options):
        options = {"scoring": LOSS, "cv": 2, **options}
        ours, theirs = (
            search(clone(estimator), grid, **options).fit(*data, **(fit_params or {}))
            for search in (BatchedGridSearchCV, GridSearchCV)
        )
        assert_same_results(ours, theirs)
        best = [getattr(s, "best_estimator_", None) for s in (ours, theirs)]
        assert type(best[0]) is type(best[1])
        return ours

    return run


# Subclasses: what they override is used.


class Logs(RegularizedMLPClassifier):
    """Trains on, and predicts from, the logarithms of the columns."""

    def fit(self, X, y, sample_weight=None):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return super().fit(np.log(X), y, sample_weight)

    def _outputs(self, X):
        return super()._outputs(np.log(X))


class Small(RegularizedMLPClassifier):
    """Has one parameter only, which is none of its base class."""

    def __init__(self, strength=0.0):
        super().__init__((4,), l2=strength, epochs=2, random_state=0)
        self.strength = strength


class Doubled(RegularizedMLPClassifier):
    """Overrides a hook that neither ``fit`` nor the search calls by itself."""

    def _fit(self, X, y, *args, **kwargs):
        super()._fit(np.vstack([X, X]), np.hstack([y, y]), *args, **kwargs)
        self.doubled_ = True
        return self


class Opposite(RegularizedMLPClassifier):
    """Overrides what is called once it is fitted."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]

    def score(self, X, y, sample_weight=None):
        return 1 - super().score(X, y, sample_weight)


class Returning(RegularizedMLPClassifier):
    """Returns something else than itself from ``fit``."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        return None if self.shuffle else clone(self)


class Strengths(RegularizedMLPClassifier):
    """Overrides how parameters are set."""

    def set_params(self, **params):
        if "l2" in params:
            params["l2"] = 10 * params["l2"]
        return super().set_params(**params)


@pytest.mark.parametrize("cls", [Logs, Doubled, Opposite, Strengths])
@pytest.mark.parametrize("scoring", [LOSS, None])
def test_a_subclass_is_fitted_by_its_own_methods(both, cancer, cls, scoring):
    X, y = cancer
    est = cls((4,), epochs=2, random_state=0)
    search = both(est, {"l2": L2}, np.exp(X), y, scoring=scoring)
    assert getattr(search.best_estimator_, "n_calls_", 1) == 1
    assert hasattr(search.best_estimator_, "doubled_") == (cls is Doubled)


@pytest.mark.parametrize("shuffle", [True, False])
def test_what_fit_returns_does_not_matter(both, cancer, shuffle):
    est = Returning((4,), epochs=2, random_state=0, shuffle=shuffle)
    both(est, {"l2": L2}, *cancer)
    both(make_pipeline(StandardScaler(), est), {"returning__l2": L2}, *cancer)
    ensemble = MLPEnsembleClassifier(est, [{}, {"l2": 0.1}]).fit(*cancer)
    assert all(hasattr(member, "coefs_") for member in ensemble.estimators_)


def test_a_subclass_may_have_parameters_of_its_own(both, cancer):
    both(Small(), {"strength": L2}, *cancer)
    both(make_pipeline(StandardScaler(), Small()), {"small__strength": L2}, *cancer)


def test_a_subclass_may_be_a_candidate_among_networks(both, mlp, cancer, stacked):
    X, y = cancer
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", mlp())])
    grid = [
        {"clf": [Opposite((4,), epochs=2, random_state=0)], "clf__l1": [0.0, 0.1]},
        {"clf__l2": L2},
    ]
    both(pipeline, grid, X, y, refit=False, n_jobs=1)
    assert stacked == [4]


def test_a_pipeline_may_be_of_a_subclass(both, mlp, cancer):
    class Counting(Pipeline):
        def fit(self, X, y=None, **params):
            super().fit(X, y, **params)
            self.n_weights_ = sum(kernel.size for kernel in self[-1].coefs_)
            return self

    pipeline = Counting([("scale", StandardScaler()), ("clf", mlp((4,)))])
    search = both(pipeline, {"clf__l2": L2}, *cancer)
    assert search.best_estimator_.n_weights_ == 30 * 4 + 4


def test_a_search_may_be_of_a_subclass(mlp, cancer, assert_same_results):
    class OverL2(BatchedGridSearchCV):
        def __init__(self, estimator):
            super().__init__(estimator, {"l2": L2}, cv=2)

    assert_same_results(
        OverL2(mlp()).fit(*cancer), GridSearchCV(mlp(), {"l2": L2}, cv=2).fit(*cancer)
    )


def test_a_subclass_may_search_in_rounds(mlp, cancer, assert_same_results):
    def in_rounds(base):
        class InRounds(base):
            def _run_search(self, evaluate_candidates):
                evaluate_candidates([{"l2": 0.0}, {"l2": 0.1}])
                results = evaluate_candidates([{"l2": 0.2}])
                assert len(results["mean_fit_time"]) == 3

        return InRounds(mlp(), {}, scoring=LOSS, cv=2)

    assert_same_results(
        in_rounds(BatchedGridSearchCV).fit(*cancer),
        in_rounds(GridSearchCV).fit(*cancer),
    )


def test_folds_that_can_be_read_once(mlp, cancer, assert_same_results):
    rows = np.arange(120)
    folds = [(rows[:70], rows[70:]), (rows[50:], rows[:50])]
    ours, theirs = (
        search(mlp(), {"l2": L2}, cv=iter(folds)).fit(*cancer)
        for search in (BatchedGridSearchCV, GridSearchCV)
    )
    assert_same_results(ours, theirs)


# Compositions that end in a network.


def test_nested_pipelines_are_stacked(both, mlp, cancer, stacked):
    inner = Pipeline([("pca", PCA(4)), ("mlp", mlp())])
    pipeline = Pipeline([("scale", StandardScaler()), ("inner", inner)])
    grid = {
        "inner__mlp__l2": L2,
        "inner__mlp__dropout": [0.0, 0.4],
        "inner__pca__n_components": [3, 5],
    }
    search = both(pipeline, grid, *cancer, n_jobs=1, return_train_score=True)
    assert stacked == [8, 8]
    assert search.best_estimator_[-1][-1].n_features_in_ in (3, 5)
    assert search.estimator[-1][-1] is not search.best_estimator_[-1][-1]


def test_inner_pipelines_may_be_candidates(both, mlp, cancer):
    pipeline = Pipeline([("scale", StandardScaler()), ("inner", "passthrough")])
    grid = [
        {"inner": [make_pipeline(PCA(3), mlp()), make_pipeline(PCA(5), mlp())]},
        {"inner": [mlp()], "inner__l2": L2},
        {"inner": [LogisticRegression()], "scale": ["passthrough"]},
    ]
    both(pipeline, grid, *cancer)


def test_weights_reach_the_network_in_a_nested_pipeline(both, mlp, cancer):
    weight = np.random.default_rng(0).random(120)
    pipeline = Pipeline([("inner", Pipeline([("mlp", mlp())]))])
    fit_params = {"inner__mlp__sample_weight": weight}
    both(pipeline, {"inner__mlp__l2": L2}, *cancer, fit_params=fit_params)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_networks_for_transformed_targets_are_stacked(
    both, mlr, diabetes, stacked, in_pipeline
):
    X, y = diabetes
    X = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    regressor, prefix = mlr(), "regressor__"
    if in_pipeline:
        regressor = Pipeline([("scale", StandardScaler()), ("mlp", regressor)])
        prefix = "regressor__mlp__"
    est = TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)
    grid = {f"{prefix}l2": L2, f"{prefix}dropout": [0.0, 0.4]}
    search = both(est, grid, X, y, scoring="r2", n_jobs=1)
    assert stacked == [8]
    best = search.best_estimator_
    np.testing.assert_array_equal(best.predict(X), clone(best).fit(X, y).predict(X))


def test_fitted_candidates_are_what_a_fit_would_give(mlr, diabetes):
    X, y = diabetes
    X = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    est = make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(
            make_pipeline(PCA(3), mlr()), func=np.log, inverse_func=np.exp
        ),
    )
    seen = {BatchedGridSearchCV: [], GridSearchCV: []}
    name = "transformedtargetregressor__regressor__regularizedmlpregressor__l2"
    for search, fitted in seen.items():
        options = {
            "scoring": lambda est, X, y, fitted=fitted: fitted.append(est) or 0.0
        }
        search(est, {name: L2}, cv=2, refit=False, **options).fit(X, y)
    for a, b in zip(*seen.values(), strict=True):
        assert repr(a) == repr(b)
        assert vars(a).keys() == vars(b).keys()
        assert vars(a[-1]).keys() == vars(b[-1]).keys()
        assert vars(a[-1].regressor_).keys() == vars(b[-1].regressor_).keys()
        assert a[-1].get_params()["regressor"] is not a[-1].regressor_
        assert list(a.feature_names_in_) == list(X.columns)
        np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-6)


def test_a_step_is_filled_from_the_grid(both, mlp, cancer, stacked):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", "passthrough")])
    grid = [
        {"clf": [mlp(), mlp((3,))], "clf__l2": L2},
        {"clf": [LogisticRegression()], "clf__C": [0.1, 1.0]},
        {"clf": [mlp()], "scale": ["passthrough"]},
    ]
    search = both(pipeline, grid, *cancer, n_jobs=1)
    assert stacked == [4, 4, 2]
    assert search.estimator[-1] == "passthrough"


def test_a_step_may_be_called_as_a_parameter(both, mlp, cancer):
    pipeline = Pipeline([("l1", StandardScaler()), ("l2", mlp())])
    grid = {"l2": [mlp((3,)), mlp((4,))], "l2__l2": L2, "l1__with_mean": [True, False]}
    both(pipeline, grid, *cancer)


# Estimators that have nothing to do with networks.


# Not in processes: a worker of loky that imports TensorFlow after its first job seems
# to leak memory, and is stopped with a warning.
JOBS = pytest.mark.parametrize("n_jobs", [None, 2])


@JOBS
def test_other_estimators(both, cancer, n_jobs):
    with parallel_config("threading"):
        both(LogisticRegression(), {"C": [0.1, 1.0]}, *cancer, n_jobs=n_jobs)


def test_an_estimator_without_targets(both, iris):
    both(
        KMeans(random_state=0, n_init=1), {"n_clusters": [2, 3]}, iris[0], scoring=None
    )


@JOBS
def test_estimators_around_networks(both, mlp, iris, n_jobs):
    for est, name in (
        (BaggingClassifier(mlp(), 2, random_state=0), "estimator__l2"),
        (OneVsRestClassifier(mlp()), "estimator__l2"),
        (GridSearchCV(mlp(), {"dropout": [0.0, 0.4]}, cv=2), "estimator__l2"),
    ):
        with parallel_config("threading"):
            both(est, {name: L2}, *iris, n_jobs=n_jobs)


def test_an_estimator_that_only_looks_like_one(both, cancer):
    class Prior(ClassifierMixin):
        """Has no base class with parameters."""

        def __init__(self, share=0.5):
            self.share = share

        def get_params(self, deep=True):
            return {"share": self.share}

        def set_params(self, **params):
            self.share = params["share"]
            return self

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def score(self, X, y):
            return self.share

        def __sklearn_tags__(self):
            return BaseEstimator().__sklearn_tags__()

    search = both(Prior(), {"share": [0.1, 0.9]}, *cancer, scoring=None)
    assert search.best_params_ == {"share": 0.9}


def test_draws_of_other_estimators_are_those_of_scikit_learns_search(
    mlp, cancer, assert_same_results
):
    """Networks draw one seed for all; nothing else draws more or less than there."""
    pipeline = Pipeline([("clf", PCA())])
    draws = {
        "clf": [LogisticRegression(solver="saga", max_iter=1)],
        "clf__C": [0.1, 1.0, 10.0],
    }
    searches = []
    for search in (BatchedRandomizedSearchCV, RandomizedSearchCV):
        np.random.seed(0)
        options = {"n_iter": 3, "cv": 2, "scoring": LOSS, "random_state": 1}
        with pytest.warns(UserWarning, match="max_iter was reached"):
            searches.append(search(pipeline, draws, **options).fit(*cancer))
    assert_same_results(*searches)


def test_errors_of_other_estimators_are_scored(both, mlp, cancer):
    pipeline = Pipeline([("clf", mlp())])
    grid = [{"clf": [LogisticRegression()], "clf__C": [1.0, -1.0]}, {"clf__l2": L2}]
    with (
        pytest.warns(
            FitFailedWarning, match=r"2 fits failed out of a total of 8(.|\n)*'C'"
        ),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        both(pipeline, grid, *cancer)


def test_a_regressor_that_is_not_ours(both, mlr, diabetes):
    est = TransformedTargetRegressor(mlr(), func=np.log, inverse_func=np.exp)
    both(est, {"regressor": [Ridge(), None, mlr()]}, *diabetes, scoring="r2")
