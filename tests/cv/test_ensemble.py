"""Ensembles: several networks with seeds of their own, and the mean of them."""

import pickle

import numpy as np
import pytest
from problems import assert_same
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import check_random_state

from skreg import MLPEnsembleClassifier, MLPEnsembleRegressor

NETWORK = "regularizedmlpclassifier__"


@pytest.fixture(scope="module")
def fitted(mlp, iris):
    """Three members; not to be changed."""
    members = [{"dropout": 0.3}, {"dropout": 0.3}, {"l2": 0.1}]
    return MLPEnsembleClassifier(mlp(), members).fit(*iris)


def test_members_are_what_a_fit_with_their_seeds_gives(mlp, iris):
    members = [{"dropout": 0.3}, {"dropout": 0.3, "l1": 0.01}, {"learning_rate": 0.1}]
    ensemble = MLPEnsembleClassifier(mlp((6, 5)), members).fit(*iris)
    for params, member in zip(members, ensemble.estimators_, strict=True):
        assert params.items() <= member.get_params().items()
        assert_same(clone(member).fit(*iris), member)


def test_seeds_are_drawn_from_that_of_the_network(mlp, fitted):
    drawn = check_random_state(0).randint(np.iinfo(np.int32).max, size=3)
    assert [m.random_state for m in fitted.estimators_] == drawn.tolist()
    assert fitted.estimator.random_state == 0


def test_random_state_none_draws_other_seeds_in_each_fit(mlp, iris):
    ensemble = MLPEnsembleClassifier(mlp(epochs=1, random_state=None), [{}, {}])
    seeds = [
        member.random_state
        for _ in range(2)
        for member in clone(ensemble).fit(*iris).estimators_
    ]
    assert len(set(seeds)) == 4


def test_classifier_averages_probabilities(fitted, iris):
    X, _ = iris
    each = [member.predict_proba(X) for member in fitted.estimators_]
    np.testing.assert_allclose(fitted.predict_members(X), each)
    proba = np.mean(each, axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X), proba)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(proba))
    np.testing.assert_array_equal(
        fitted.predict(X), fitted.classes_[proba.argmax(axis=1)]
    )
    assert fitted.score(X, iris[1]) == np.mean(fitted.predict(X) == iris[1])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regressor_averages_predictions(mlr, diabetes, n_outputs):
    X, y = diabetes
    y = y if n_outputs == 1 else np.column_stack([y, 1e3 * y])
    ensemble = MLPEnsembleRegressor(mlr(), [{}, {"dropout": 0.2}]).fit(X, y)
    each = [member.predict(X) for member in ensemble.estimators_]
    assert ensemble.predict_members(X).shape == (2, *y.shape)
    np.testing.assert_allclose(ensemble.predict(X), np.mean(each, axis=0))


@pytest.mark.parametrize("as_sparse", [False, True])
def test_several_labels_per_row(mlp, as_sparse):
    X, Y = make_multilabel_classification(60, n_classes=4, random_state=0)
    y = sparse.csr_matrix(Y) if as_sparse else Y
    X = sparse.csr_array(X) if as_sparse else X
    ensemble = MLPEnsembleClassifier(mlp(epochs=30, learning_rate=0.05), [{}, {}]).fit(
        X, y
    )
    labels = ensemble.predict(X)
    assert sparse.issparse(labels) == as_sparse
    labels = labels.toarray() if as_sparse else labels
    np.testing.assert_array_equal(labels, ensemble.predict_proba(X) > 0.5)
    assert np.mean(labels == Y) > 0.8


def test_pipelines_that_agree_in_the_steps_before_the_network_have_one_model(mlp, iris):
    X, y = iris
    pipeline = make_pipeline(FunctionTransformer(), mlp())
    ensemble = MLPEnsembleClassifier(pipeline, [{}, {f"{NETWORK}l2": 0.1}]).fit(X, y)
    proba = ensemble.predict_proba(X)
    each = [member.predict_proba(X) for member in ensemble.estimators_]
    np.testing.assert_allclose(proba, np.mean(each, axis=0))
    np.testing.assert_allclose(ensemble.model_(X).numpy(), proba, atol=1e-7)


def test_members_may_differ_in_the_steps_before_the_network(mlp, iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), mlp())
    members = [
        {},
        {"standardscaler__with_mean": False},
        {"standardscaler": "passthrough"},
    ]
    ensemble = MLPEnsembleClassifier(pipeline, members).fit(X + 1, y)
    for member in ensemble.estimators_:
        assert_same(clone(member).fit(X + 1, y)[-1], member[-1])
    each = [member.predict_proba(X) for member in ensemble.estimators_]
    np.testing.assert_allclose(ensemble.predict_proba(X), np.mean(each, axis=0))
    with pytest.raises(AttributeError, match="agree in the steps before it"):
        ensemble.model_  # noqa: B018


def test_other_compositions_are_averaged_as_they_are(mlr, diabetes):
    X, y = diabetes
    scaled = TransformedTargetRegressor(mlr(), func=np.log, inverse_func=np.exp)
    members = [{}, {"regressor": LinearRegression()}]
    ensemble = MLPEnsembleRegressor(scaled, members).fit(X, y)
    each = [member.predict(X) for member in ensemble.estimators_]
    assert isinstance(ensemble.estimators_[1].regressor_, LinearRegression)
    np.testing.assert_allclose(ensemble.predict(X), np.mean(each, axis=0))
    forest = MLPEnsembleClassifier(LogisticRegression(), [{}, {"C": 0.1}])
    assert forest.fit(X, y > 100).predict_proba(X).shape == (len(X), 2)


def test_fit_parameters_reach_every_member(mlp, iris):
    X, y = iris
    weights = np.random.default_rng(0).uniform(size=len(y))
    ensemble = MLPEnsembleClassifier(mlp(early_stopping=True), [{}, {}])
    ensemble.fit(X, y, weights)
    for member in ensemble.estimators_:
        assert_same(clone(member).fit(X, y, sample_weight=weights), member)


def test_an_ensemble_can_be_boosted(mlp, iris):
    network = mlp((8,), epochs=60, learning_rate=0.01)
    boosted = AdaBoostClassifier(
        MLPEnsembleClassifier(network, [{}, {}]), n_estimators=2
    )
    first, second = boosted.fit(*iris).estimators_
    assert boosted.score(*iris) > 0.9
    # The second one has been fitted to rows of other weights.
    assert (
        abs(first.predict_proba(iris[0]) - second.predict_proba(iris[0])).max() > 0.01
    )


@pytest.mark.parametrize("n_members", [1, 2])
def test_model_is_the_mean_in_plain_keras(mlp, mlr, iris, cancer, diabetes, n_members):
    for X, y in (iris, cancer):
        ensemble = MLPEnsembleClassifier(mlp(dropout=0.2), [{}] * n_members).fit(X, y)
        proba = ensemble.predict_proba(X)
        expected = proba[:, 1:] if proba.shape[1] == 2 else proba
        np.testing.assert_allclose(ensemble.model_(X).numpy(), expected, atol=1e-9)
    X, y = diabetes
    ensemble = MLPEnsembleRegressor(mlr(), [{}] * n_members).fit(X, y)
    expected = ensemble.predict(X)[:, np.newaxis]
    np.testing.assert_allclose(ensemble.model_(X).numpy(), expected)


def test_a_pickle_holds_the_members_and_predicts_the_same(fitted, iris):
    X, _ = iris
    assert fitted.model_ is fitted.model_
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert "model_" not in vars(loaded)
    members = sum(len(pickle.dumps(member)) for member in fitted.estimators_)
    assert len(pickle.dumps(fitted)) < members + 4000


def test_fitting_again_forgets_the_old_model(mlp, iris, cancer):
    ensemble = MLPEnsembleClassifier(mlp(), [{}]).fit(*iris)
    assert ensemble.model_.output_shape == (None, 3)
    assert ensemble.fit(*cancer).model_.output_shape == (None, 1)


@pytest.mark.parametrize("params", [[], {}, "l2", ["l2"], [None], 3, map(dict, [])])
def test_params_must_be_dicts(mlp, iris, params):
    with pytest.raises(ValueError, match="params must be a sequence of dicts"):
        MLPEnsembleClassifier(mlp(), params).fit(*iris)


def test_the_estimator_must_be_of_the_kind(mlp, mlr, iris):
    with pytest.raises(
        TypeError, match="estimator must be a classifier with predict_p"
    ):
        MLPEnsembleClassifier(mlr(), [{}]).fit(*iris)
    with pytest.raises(
        TypeError, match="estimator must be a classifier with predict_p"
    ):
        MLPEnsembleClassifier(RidgeClassifier(), [{}]).fit(*iris)
    with pytest.raises(TypeError, match="estimator must be a regressor"):
        MLPEnsembleRegressor(mlp(), [{}]).fit(*iris)


def test_a_member_that_fails_leaves_the_ensemble_as_it_was(mlp, iris):
    ensemble = MLPEnsembleClassifier(mlp(), [{}])
    with pytest.raises(NotFittedError, match="not fitted"):
        ensemble.predict(iris[0])
    before = ensemble.fit(*iris).estimators_
    for params, message in (
        ({"l2": -1}, "l2"),
        ({"learning_rate": 1e200}, "non-finite"),
    ):
        ensemble.set_params(params=[{}, params])
        with pytest.raises(ValueError, match=message):
            ensemble.fit(*iris)
        assert ensemble.estimators_ is before
