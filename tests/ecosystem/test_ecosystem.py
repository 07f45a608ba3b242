"""The networks among scikit-learn's own meta-estimators, searches and curves.

Each must give the same result as the same steps by hand.
"""

from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from packaging.version import Version
from problems import assert_same_weights
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skrub import tabular_pipeline

# With these, a network learns the small data in few epochs.
QUICK = {"epochs": 20, "learning_rate": 0.03}


# Some meta-estimators compute weights by another formula, which rounds differently.
assert_same_network = partial(assert_same_weights, rtol=1e-7, atol=1e-9)


@pytest.fixture(scope="module")
def two_labels(iris):
    X, y = iris
    return X, np.column_stack([y == 0, y == 2]).astype(int)


@pytest.fixture(scope="module")
def number(diabetes):
    """Targets whose logarithm is linear in X."""
    X, _ = diabetes
    return X, np.exp((X[:, 1] + X[:, 2]) / 3)


@pytest.fixture(scope="module")
def two_numbers(number):
    X, y = number
    return X, np.column_stack([y, -np.sqrt(y)])


@pytest.fixture(scope="module", params=["mlp", "mlr"])
def learner(request):
    """A factory of networks, and rows for it."""
    data = {"mlp": "cancer", "mlr": "diabetes"}[request.param]
    make, rows = map(request.getfixturevalue, (request.param, data))
    return make, *rows


def splits(estimator, X, y):
    """The three folds of scikit-learn for ``cv=3``."""
    return list(check_cv(3, y, classifier=is_classifier(estimator)).split(X, y))


def calibrated(meta, X, y):
    fitted = [pair.estimator for pair in meta.calibrated_classifiers_]
    folds = StratifiedKFold(3).split(X, y)
    for network, (train, _) in zip(fitted, folds, strict=True):
        yield network, X[train], y[train]


def boosted(meta, X, y):
    weight = np.full(len(y), 1 / len(y))
    for network, factor in zip(meta.estimators_, meta.estimator_weights_, strict=True):
        yield network, X, y, weight
        weight = weight * np.exp(factor * (network.predict(X) != y))
        weight = weight / weight.sum()


# The meta-estimator of a network; the data; a lower bound of the score on unseen rows,
# where guessing gets about 0.6, 0.4, 0.4 and 0 on cancer, iris, two_labels, the rest;
# the number of networks; and each of them with the arguments of its fit by hand.
TABLE = {
    "OneVsRestClassifier": (
        OneVsRestClassifier,
        *("iris", 0.8, 3),
        lambda meta, X, y: [(meta.estimators_[c], X, y == c) for c in range(3)],
    ),
    "OneVsOneClassifier": (
        OneVsOneClassifier,
        *("iris", 0.8, 3),
        lambda meta, X, y: [
            (network, X[np.isin(y, pair)], y[np.isin(y, pair)])
            for network, pair in zip(
                meta.estimators_, combinations(range(3), 2), strict=True
            )
        ],
    ),
    "MultiOutputClassifier": (
        MultiOutputClassifier,
        *("two_labels", 0.8, 2),
        lambda meta, X, Y: [(meta.estimators_[i], X, Y[:, i]) for i in range(2)],
    ),
    "MultiOutputRegressor": (
        MultiOutputRegressor,
        *("two_numbers", 0.8, 2),
        lambda meta, X, Y: [(meta.estimators_[i], X, Y[:, i]) for i in range(2)],
    ),
    "TransformedTargetRegressor": (
        lambda net: TransformedTargetRegressor(net, func=np.log, inverse_func=np.exp),
        *("number", 0.8, 1),
        lambda meta, X, y: [(meta.regressor_, X, np.log(y))],
    ),
    # One batch per network: then neither the order of the drawn rows matters, nor
    # whether rows drawn twice are repeated or weighted.
    "BaggingClassifier": (
        lambda net: BaggingClassifier(
            net.set_params(batch_size=1000), n_estimators=3, random_state=0
        ),
        *("cancer", 0.85, 3),
        lambda meta, X, y: [
            (network, X[rows], y[rows])
            for network, rows in zip(
                meta.estimators_, meta.estimators_samples_, strict=True
            )
        ],
    ),
    # The networks must be weak: without errors nothing is boosted.
    "AdaBoostClassifier": (
        lambda net: AdaBoostClassifier(
            net.set_params(epochs=2), n_estimators=3, random_state=0
        ),
        *("cancer", 0.85, 3),
        boosted,
    ),
    "CalibratedClassifierCV": (
        lambda net: CalibratedClassifierCV(net, cv=3),
        *("cancer", 0.85, 3),
        calibrated,
    ),
    "VotingClassifier": (
        lambda net: VotingClassifier(
            [("net", net), ("linear", LogisticRegression())], voting="soft"
        ),
        *("iris", 0.8, 1),
        lambda meta, X, y: [(meta.estimators_[0], X, y)],
    ),
    "StackingClassifier": (
        lambda net: StackingClassifier(
            [("net", net), ("linear", LogisticRegression())], cv=3
        ),
        *("iris", 0.8, 1),
        lambda meta, X, y: [(meta.estimators_[0], X, y)],
    ),
    "StackingRegressor": (
        lambda net: StackingRegressor([("net", net), ("linear", Ridge())], cv=3),
        *("number", 0.8, 1),
        lambda meta, X, y: [(meta.estimators_[0], X, y)],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_meta_estimator_learns_by_networks_fitted_as_by_hand(name, request):
    wrap, data, least, n_networks, inside = TABLE[name]
    X, y = request.getfixturevalue(data)
    is_regression = data in ("number", "two_numbers")
    make = request.getfixturevalue("mlr" if is_regression else "mlp")
    meta = wrap(make(**QUICK)).fit(X[:60], y[:60])
    fits = list(inside(meta, X[:60], y[:60]))
    assert len(fits) == n_networks
    for network, *arguments in fits:
        assert_same_network(network, clone(network).fit(*arguments))
    assert meta.score(X[60:], y[60:]) > least


@pytest.mark.parametrize("wrapper", [MultiOutputClassifier, AdaBoostClassifier])
def test_meta_estimators_pass_on_sample_weights(wrapper, mlp, two_labels):
    X, Y = two_labels
    weight = np.random.default_rng(0).random(len(X))
    if wrapper is AdaBoostClassifier:
        once = wrapper(mlp(**QUICK), n_estimators=1, random_state=0)
        meta = once.fit(X, Y[:, 0], weight)
    else:
        meta = wrapper(mlp(**QUICK)).fit(X, Y, sample_weight=weight)
    inside = meta.estimators_[0]
    assert_same_network(inside, clone(inside).fit(X, Y[:, 0], weight))
    assert not np.allclose(inside.coefs_[0], clone(inside).fit(X, Y[:, 0]).coefs_[0])


# Searches and curves.


@pytest.mark.parametrize("incremental", [False, True])
def test_a_learning_curve_has_the_scores_of_fits_by_hand(learner, incremental):
    make, X, y = learner
    est = make(learning_rate=0.03, epochs=10)
    sizes, train_scores, test_scores = learning_curve(
        est,
        X,
        y,
        train_sizes=[15, 30, 60],
        cv=3,
        exploit_incremental_learning=incremental,
        error_score="raise",
    )
    for fold, (train, test) in enumerate(splits(est, X, y)):
        by_hand = clone(est)
        for i, size in enumerate(sizes):
            if incremental:  # each size adds an epoch over the new rows
                new = train[sizes[i - 1] if i else 0 : size]
                classes = {"classes": np.unique(y)} if is_classifier(est) else {}
                by_hand.partial_fit(X[new], y[new], **classes)
            else:
                by_hand.fit(X[train[:size]], y[train[:size]])
            expected = [by_hand.score(X[r], y[r]) for r in (train[:size], test)]
            assert [train_scores[i, fold], test_scores[i, fold]] == expected
    assert test_scores[-1].mean() > test_scores[0].mean()


def test_a_validation_curve_shows_what_too_strong_a_penalty_does(learner):
    make, X, y = learner
    est = make(**QUICK)
    strengths = [1e-4, 1.0, 100.0]
    train_scores, test_scores = validation_curve(
        est, X, y, param_name="l2", param_range=strengths, cv=3, error_score="raise"
    )
    for l2, scores in zip(strengths, test_scores, strict=True):
        alone = cross_val_score(clone(est).set_params(l2=l2), X, y, cv=3)
        np.testing.assert_array_equal(scores, alone)
    # A constant prediction scores the share of the larger class, or an R2 of 0.
    guessing = max(np.mean(y == 0), np.mean(y == 1)) if is_classifier(est) else 0.0
    assert train_scores[0].mean() > test_scores[0].mean() > guessing + 0.1
    assert test_scores[-1].mean() == pytest.approx(guessing, abs=0.1)


def test_cross_val_predict_gives_the_probabilities_of_the_folds(mlp, iris):
    X, y = iris
    est = mlp(**QUICK)
    proba = cross_val_predict(est, X, y, cv=3, method="predict_proba")
    assert proba.shape == (len(y), 3)
    for train, test in splits(est, X, y):
        by_hand = clone(est).fit(X[train], y[train])
        np.testing.assert_array_equal(proba[test], by_hand.predict_proba(X[test]))
    assert log_loss(y, proba) < 0.5 < np.log(3)


def test_only_the_column_that_matters_is_important(learner):
    make, X, _ = learner
    est = make(epochs=60, learning_rate=0.03)
    y = X[:, 2] > 0 if is_classifier(est) else X[:, 2]
    X = np.column_stack([X[:, 2], np.random.default_rng(0).normal(size=(len(X), 3))])
    result = permutation_importance(est.fit(X, y), X, y, random_state=0)
    assert result.importances_mean[0] > 0.3
    assert np.abs(result.importances_mean[1:]).max() < 0.1


# Frames between the steps of a Pipeline.


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_the_frames_of_transformers_name_the_columns(mlp, iris, library):
    X, y = iris
    frame = library.DataFrame(dict(zip("abcd", X.T, strict=True)))

    def pipeline():
        scaled = make_column_transformer(
            (StandardScaler(), ["d", "b"]), remainder="passthrough"
        )
        return make_pipeline(scaled, mlp(**QUICK))

    framed = pipeline().set_output(transform=library.__name__).fit(frame, y)
    names = ["standardscaler__d", "standardscaler__b", "remainder__a", "remainder__c"]
    assert framed[-1].feature_names_in_.tolist() == names
    assert framed.score(frame, y) > 0.8

    unnamed = pipeline().fit(frame, y)
    assert not hasattr(unnamed[-1], "feature_names_in_")
    assert_same_network(framed[-1], unnamed[-1])
    np.testing.assert_allclose(
        framed.predict_proba(frame), unnamed.predict_proba(frame), rtol=1e-7
    )


# Sample weights under metadata routing.


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def weighted(learner, routing):
    """A Pipeline whose network asks for weights, rows for it, and weights for them."""
    make, X, y = learner
    network = make(epochs=3, learning_rate=0.03)
    network.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    weight = np.random.default_rng(0).exponential(size=len(y))
    return Pipeline([("scale", scaler), ("net", network)]), 5 * X + 1, y, weight


def fit_by_hand(pipeline, X, y, weight):
    scaler, network = map(clone, (pipeline[0], pipeline[1]))
    return scaler.fit(X), network.fit(scaler.transform(X), y, sample_weight=weight)


def assert_weights_arrived(fitted, X, y, weight):
    assert_same_network(fitted[-1], fit_by_hand(fitted, X, y, weight)[1])
    _, unweighted = fit_by_hand(fitted, X, y, None)
    assert not np.allclose(fitted[-1].coefs_[0], unweighted.coefs_[0])


def test_weights_arrive_at_the_end_of_a_pipeline(weighted):
    pipeline, X, y, weight = weighted
    assert_weights_arrived(pipeline.fit(X, y, sample_weight=weight), X, y, weight)


by_scikit_learn_1_8 = pytest.mark.xfail(
    Version(sklearn.__version__) < Version("1.8"),
    raises=UnsetMetadataPassedError,
    reason="before 1.8, scikit-learn's scorer of a Pipeline ignores its last step",
    strict=True,
)


def scores_by_hand(pipeline, X, y, weight):
    """The weighted and the plain score on each fold, after a weighted fit."""
    for train, test in splits(pipeline, X, y):
        scaler, network = fit_by_hand(pipeline, X[train], y[train], weight[train])
        rows = scaler.transform(X[test]), y[test]
        yield network.score(*rows, weight[test]), network.score(*rows)


@by_scikit_learn_1_8
def test_weights_arrive_in_every_fold_and_in_its_score(weighted):
    pipeline, X, y, weight = weighted
    done = cross_validate(
        pipeline,
        X,
        y,
        cv=3,
        params={"sample_weight": weight},
        return_estimator=True,
        error_score="raise",
    )
    folds = splits(pipeline, X, y)
    for fitted, (train, _) in zip(done["estimator"], folds, strict=True):
        assert_weights_arrived(fitted, X[train], y[train], weight[train])
    weighted, plain = zip(*scores_by_hand(pipeline, X, y, weight), strict=True)
    np.testing.assert_allclose(done["test_score"], weighted, rtol=1e-9)
    assert not np.isclose(done["test_score"], plain, rtol=1e-9).any()


@by_scikit_learn_1_8
def test_weights_arrive_in_a_search(weighted):
    pipeline, X, y, weight = weighted
    grid = {"net__l2": [1e-4, 10.0]}
    found = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    found.fit(X, y, sample_weight=weight)
    assert_weights_arrived(found.best_estimator_, X, y, weight)
    for params, mean_score in zip(
        found.cv_results_["params"], found.cv_results_["mean_test_score"], strict=True
    ):
        candidate = clone(pipeline).set_params(**params)
        expected, _ = np.mean([*scores_by_hand(candidate, X, y, weight)], axis=0)
        assert mean_score == pytest.approx(expected, rel=1e-6)


def test_weights_that_no_step_requests_raise_an_error(learner, routing):
    make, X, y = learner
    pipeline = make_pipeline(make())
    with pytest.raises(UnsetMetadataPassedError, match=r"\[sample_weight\] are passed"):
        pipeline.fit(X, y, sample_weight=np.ones(len(y)))


def test_a_tabular_pipeline_of_skrub_takes_dates_and_categories(mlp):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "when": pd.date_range("2026-01-01", periods=90),
            "town": rng.choice(["north", "south", None], 90),
            "size": rng.normal(size=90),
        }
    )
    y = (table["size"] > 0).astype(int)
    model = tabular_pipeline(mlp((16,), epochs=60, learning_rate=0.01)).fit(table, y)
    assert type(model[-1]) is type(mlp())
    assert model.score(table, y) > 0.9
