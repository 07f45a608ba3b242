"""What a user passes arrives: folds, frames, weights, groups, sparse targets, lists."""

from types import MappingProxyType

import dask.array
import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from problems import SMALL_CV
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning, UnsetMetadataPassedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skreg import (
    MLPEnsembleRegressor,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)


def classifier(**options):
    return RegularizedMLPClassifierCV((4,), **{**SMALL_CV, **options})


def assert_same_scores(ours, theirs):
    for est in (ours, theirs):
        assert np.isfinite(est.ensemble_score_)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


# Folds.


@pytest.mark.parametrize("time_limit", [None, 1e3])
@pytest.mark.parametrize("kind", ["generator", "zip", "masks", "lists"])
def test_folds_are_read_once(iris, kind, time_limit):
    X, y = iris
    folds = list(KFold(2).split(X))
    masks = [tuple(np.isin(np.arange(len(y)), part) for part in fold) for fold in folds]
    cv = {
        "generator": (fold for fold in folds),
        "zip": zip(*zip(*folds, strict=True), strict=True),
        "masks": masks,
        "lists": [[part.tolist() for part in fold] for fold in folds],
    }[kind]
    est = classifier(cv=cv, time_limit=time_limit).fit(X, y)
    theirs = classifier(cv=KFold(2), time_limit=time_limit).fit(X, y)
    assert est.n_splits_ == 2
    if time_limit is None:
        assert_same_scores(est, theirs)


def test_a_splitter_without_a_seed_gives_all_candidates_the_same_folds(iris):
    seen = []

    def scorer(est, X, y):
        seen.append(X[:, 0].sum())
        return 0.0

    classifier(cv=ShuffleSplit(2), scoring=scorer, ensemble_size=None).fit(*iris)
    assert len(set(seen)) == 2
    assert len(seen) == 2 * (3 + 1)


# Frames.


@pytest.mark.parametrize("ensemble_size", [None, 2])
def test_a_scorer_sees_the_frame_and_the_series(iris, ensemble_size):
    X = pd.DataFrame(
        iris[0], columns=list("abcd"), index=[f"row{i}" for i in range(90)]
    )
    y = pd.Series(iris[1], index=X.index).map({0: "x", 1: "y", 2: "z"})
    seen = []

    def scorer(est, X, y):
        assert list(X.columns) == list("abcd")
        assert (X.index == y.index).all()
        seen.append(X.index[0])
        return (est.predict(X) == y).mean()

    est = classifier(scoring=scorer, ensemble_size=ensemble_size).fit(X, y)
    assert est.feature_names_in_.tolist() == list("abcd")
    assert set(est.predict(X)) <= {"x", "y", "z"}
    assert len(seen) >= 8
    assert seen[0].startswith("row")


def test_frames_give_what_arrays_give(iris, diabetes):
    X, y = iris
    X_frame, y_series = pd.DataFrame(X).add_prefix("x"), pd.Series(y)
    assert_same_scores(classifier().fit(X_frame, y_series), classifier().fit(X, y))
    X, y = diabetes
    Y = np.column_stack([y, -y])
    est = RegularizedMLPRegressorCV((4,), **SMALL_CV)
    ours = est.fit(pd.DataFrame(X).add_prefix("x"), pd.DataFrame(Y)).cv_results_
    theirs = RegularizedMLPRegressorCV((4,), **SMALL_CV).fit(X, Y).cv_results_
    np.testing.assert_allclose(ours["mean_test_score"], theirs["mean_test_score"])


# Lists, sparse targets, Dask.


def test_lists_give_what_arrays_give(iris):
    X, y = iris
    ours = classifier().fit(X.tolist(), y.tolist(), sample_weight=[1.0] * len(y))
    assert_same_scores(ours, classifier().fit(X, y))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("array", ["array", "matrix"])
def test_sparse_targets_give_what_dense_ones_give(kind, array):
    X, Y = make_multilabel_classification(60, n_classes=3, random_state=0)
    y = getattr(sparse, f"{kind}_{array}")(Y)
    ours = classifier().fit(X, y)
    assert_same_scores(ours, classifier().fit(X, Y))
    assert sparse.issparse(ours.predict(X))


def test_sparse_targets_are_scored_by_scorers_that_take_dense_ones():
    X, Y = make_multilabel_classification(60, n_classes=3, random_state=0)
    ours = classifier(scoring="roc_auc").fit(X, sparse.csr_array(Y))
    assert_same_scores(ours, classifier(scoring="roc_auc").fit(X, Y))
    assert sparse.issparse(ours.predict(X))


def test_dask_arrays_give_what_arrays_give(iris):
    X, y = iris
    ours = classifier().fit(dask.array.from_array(X.copy(), chunks=(30, 4)), y)
    assert_same_scores(ours, classifier().fit(X, y))


def test_class_weights_are_any_mapping(iris):
    weights = {0: 1.0, 1: 5.0, 2: 1.0}
    ours = classifier(class_weight=MappingProxyType(weights)).fit(*iris)
    assert_same_scores(ours, classifier(class_weight=weights).fit(*iris))


# Weights and groups, with and without metadata routing.


@pytest.fixture(params=[False, True], ids=["by hand", "routed"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


def test_without_metadata(iris, routing):
    assert np.isfinite(classifier().fit(*iris).best_score_)


def test_weights_reach_fits_and_the_default_score(iris, routing):
    X, y = iris
    weights = np.random.default_rng(0).uniform(size=len(y))
    seen = classifier().fit(X, y, sample_weight=weights)
    with config_context(enable_metadata_routing=False):
        expected = classifier().fit(X, y, sample_weight=weights)
        without = classifier().fit(X, y)
    assert_same_scores(seen, expected)
    assert not np.allclose(seen.best_score_, without.best_score_, rtol=1e-3)


def test_weights_reach_a_scorer_that_takes_them(iris, routing):
    X, y = iris
    weights = np.random.default_rng(0).uniform(size=len(y))
    scorer = get_scorer("neg_log_loss")
    if routing:
        # As in LogisticRegressionCV; that of scikit-learn 1.7 raises no error.
        if parse_version(sklearn.__version__) >= parse_version("1.9"):
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                classifier(scoring=scorer).fit(X, y, sample_weight=weights)
        scorer = scorer.set_score_request(sample_weight=True)
    ours = classifier(scoring=scorer).fit(X, y, sample_weight=weights)
    assert_same_scores(ours, classifier().fit(X, y, sample_weight=weights))


def test_weights_do_not_reach_a_scorer_that_takes_none(iris):
    X, y = iris

    def scorer(est, X, y):
        return (est.predict(X) == y).mean()

    weights = np.linspace(0.5, 1, len(y))
    est = classifier(scoring=scorer).fit(X, y, sample_weight=weights)
    assert 0 <= est.best_score_ <= 1


def test_groups_reach_the_splitter(iris, routing):
    X, y = iris
    groups = np.arange(len(y)) % 2
    ours = classifier(cv=GroupKFold(2)).fit(X, y, groups=groups)
    folds = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in (0, 1)]
    theirs = classifier(cv=list(GroupKFold(2).split(X, y, groups))).fit(X, y)
    assert len(folds) == ours.n_splits_ == 2
    assert_same_scores(ours, theirs)


def test_groups_and_weights_in_a_pipeline(iris):
    X, y = iris
    groups, weights = np.arange(len(y)) % 2, np.linspace(0.5, 1, len(y))
    with config_context(enable_metadata_routing=True):
        est = classifier(cv=GroupKFold(2)).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, est)
        pipeline.fit(X, y, groups=groups, sample_weight=weights)
    direct = classifier(cv=GroupKFold(2))
    direct.fit(StandardScaler().fit_transform(X), y, weights, groups=groups)
    assert_same_scores(pipeline[-1], direct)


def test_other_metadata_is_an_error(iris, routing):
    message = "unexpected argument" if routing else "Passing extra keyword arguments"
    with pytest.raises((TypeError, ValueError), match=message):
        classifier().fit(*iris, others=1)


def test_an_optimizer_object_needs_distributions_without_a_learning_rate(iris):
    est = classifier(optimizer=keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="optimizer must be a str where param_distr"):
        est.fit(*iris)
    est.set_params(param_distributions={"l2": [0.1, 0.2, 0.3]}).fit(*iris)


# Targets in one column.


@pytest.mark.parametrize("preprocessing", ["auto", None])
@pytest.mark.parametrize("column", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_one_column_of_y_is_flat_and_warns_once(iris, column, preprocessing):
    X, y = iris
    network = RegularizedMLPRegressor((4,), epochs=1, random_state=0)
    for est in (
        classifier(preprocessing=preprocessing),
        RegularizedMLPRegressorCV((4,), **{**SMALL_CV, "preprocessing": preprocessing}),
        MLPEnsembleRegressor(network, [{}, {}]),
    ):
        flat = est.fit(X, y).predict(X)
        with pytest.warns(DataConversionWarning, match="column-vector y") as warned:
            est.fit(X, column(y.reshape(-1, 1)))
        assert len(warned) == 1
        np.testing.assert_array_equal(est.predict(X), flat)
