"""The estimators that choose their own regularization."""

import pickle

import numpy as np
import pytest
from problems import assert_same
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, ParameterSampler
from sklearn.utils import check_random_state

from skreg import (
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)
from skreg._cv.scoring import neg_log_loss
from skreg._cv.space import default_distributions

SMALL = {
    "n_candidates": 4,
    "preprocessing": None,
    "ensemble_size": 2,
    "cv": 2,
    "epochs": 3,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def fitted(iris):
    """Not to be changed."""
    return RegularizedMLPClassifierCV((8,), **SMALL).fit(*iris)


@pytest.fixture(scope="module")
def fitted_regressor(diabetes):
    """Not to be changed."""
    return RegularizedMLPRegressorCV((8,), **SMALL).fit(*diabetes)


def test_the_chosen_parameters_are_those_of_the_best_candidate(fitted):
    results = fitted.cv_results_
    assert fitted.best_params_ == results["params"][fitted.best_index_]
    assert fitted.best_score_ == results["mean_test_score"][fitted.best_index_]
    for name in ("l2", "dropout", "learning_rate", "epochs"):
        assert getattr(fitted, f"{name}_") == fitted.best_params_[name]
    assert fitted.l1_ == fitted.best_params_.get("l1", 0.0)
    assert fitted.group_l1_ == fitted.best_params_.get("group_l1", 0.0)


def test_candidates_are_those_that_scikit_learn_draws(fitted):
    _, seed = check_random_state(0).randint(np.iinfo(np.int32).max, size=2)
    drawn = list(ParameterSampler(default_distributions(), 4, random_state=seed))
    first = fitted.cv_results_["params"][:4]
    assert first == [{**params, "epochs": 3} for params in drawn]


def test_the_networks_are_the_chosen_ones_with_seeds_of_their_own(fitted, iris):
    ensemble = fitted.best_estimator_
    assert type(ensemble) is MLPEnsembleClassifier
    shares = [
        np.mean([params == member for member in ensemble.params])
        for params in fitted.ensemble_params_
    ]
    np.testing.assert_array_equal(fitted.ensemble_weights_, shares)
    for params, member in zip(ensemble.params, ensemble.estimators_, strict=True):
        assert params.items() <= member.get_params().items()
        assert_same(clone(member).fit(*iris), member)
    assert len({member.random_state for member in ensemble.estimators_}) == 2


def test_predictions_are_those_of_the_ensemble(fitted, fitted_regressor, iris):
    X, _ = iris
    proba = fitted.predict_members(X).mean(axis=0)
    assert fitted.predict_members(X).shape == (2, len(X), 3)
    np.testing.assert_allclose(fitted.predict_proba(X), proba)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(proba))
    np.testing.assert_array_equal(
        fitted.predict(X), fitted.classes_[proba.argmax(axis=1)]
    )
    np.testing.assert_allclose(fitted.model_(X).numpy(), proba, atol=1e-9)
    assert type(fitted_regressor.best_estimator_) is MLPEnsembleRegressor


def test_the_regressor_is_scored_by_the_squared_error(fitted_regressor, diabetes):
    X, _ = diabetes
    assert repr(fitted_regressor.scorer_) == repr(get_scorer("neg_mean_squared_error"))
    members = fitted_regressor.predict_members(X)
    np.testing.assert_allclose(fitted_regressor.predict(X), members.mean(axis=0))


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e154, 1e300])
def test_the_choice_does_not_depend_on_the_unit_of_the_targets(
    fitted_regressor, diabetes, unit
):
    X, y = diabetes
    est = clone(fitted_regressor).fit(X, y * unit)
    assert est.best_params_ == fitted_regressor.best_params_
    np.testing.assert_array_equal(
        est.ensemble_indices_, fitted_regressor.ensemble_indices_
    )
    np.testing.assert_array_equal(
        est.cv_results_["rank_test_score"],
        fitted_regressor.cv_results_["rank_test_score"],
    )
    np.testing.assert_allclose(est.predict(X) / unit, fitted_regressor.predict(X))


def test_scores_are_in_units_of_the_squared_targets(fitted_regressor, diabetes):
    X, y = diabetes
    scored = clone(fitted_regressor).set_params(scoring="neg_mean_squared_error")
    scored.fit(X, y)
    for name in ("split0_test_score", "mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(
            fitted_regressor.cv_results_[name], scored.cv_results_[name]
        )
    assert fitted_regressor.best_score_ == scored.best_score_
    assert fitted_regressor.ensemble_score_ == scored.ensemble_score_


def test_without_an_ensemble_the_best_network_predicts(diabetes, iris):
    X, y = iris
    options = {**SMALL, "ensemble_size": None}
    mlp = RegularizedMLPClassifierCV((8,), **options).fit(X, y)
    assert type(mlp.best_estimator_) is RegularizedMLPClassifier
    np.testing.assert_array_equal(mlp.predict_members(X), [mlp.predict_proba(X)])
    mlr = RegularizedMLPRegressorCV((8,), **options).fit(*diabetes)
    assert type(mlr.best_estimator_) is RegularizedMLPRegressor
    X, _ = diabetes
    np.testing.assert_array_equal(mlr.predict_members(X), [mlr.predict(X)])


def test_param_distributions_replace_the_built_in_ones(iris):
    mlp = RegularizedMLPClassifierCV(
        (8,), param_distributions={"l2": [0.5, 0.25], "no": [1, 2]}, **SMALL
    )
    with pytest.raises(
        ValueError, match=r"param_distributions must have .* Invalid parameter 'no'\.$"
    ):
        mlp.fit(*iris)
    mlp.set_params(param_distributions={"l2": [0.5, 0.25]}, n_candidates=2).fit(*iris)
    assert mlp.l2_ in (0.5, 0.25)
    assert mlp.dropout_ == mlp.l1_ == mlp.group_l1_ == 0.0
    assert mlp.learning_rate_ is None


def test_parameters_of_the_network_are_passed_on(diabetes, iris):
    options = {
        "activation": "tanh",
        "optimizer": "sgd",
        "ema_momentum": None,
        "batch_size": 20,
        "shuffle": False,
    }
    mlp = RegularizedMLPClassifierCV((5,), class_weight="balanced", **options, **SMALL)
    mlr = RegularizedMLPRegressorCV((5,), loss="huber", **options, **SMALL)
    for est, data, own in (
        (mlp, iris, {"class_weight": "balanced"}),
        (mlr, diabetes, {"loss": "huber"}),
    ):
        member = est.fit(*data).best_estimator_.estimators_[0]
        expected = {**options, **own, "hidden_layer_sizes": (5,), "epochs": 3}
        assert expected.items() <= member.get_params().items()


def test_sample_weights_reach_fits_and_scores(iris):
    X, y = iris
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=len(y))
    mlp = RegularizedMLPClassifierCV((8,), **SMALL)
    scores = [
        clone(mlp).fit(X, y, sample_weight=w).cv_results_["mean_test_score"]
        for w in (None, np.ones(len(y)), weights)
    ]
    np.testing.assert_allclose(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2], rtol=1e-3)


def test_groups_reach_the_splitter(iris):
    X, y = iris
    groups = np.arange(len(y)) % 2
    options = {**SMALL, "cv": GroupKFold(2)}
    mlp = RegularizedMLPClassifierCV((8,), **options).fit(X, y, groups=groups)
    assert mlp.n_splits_ == 2
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        RegularizedMLPClassifierCV((8,), **options).fit(X, y)


def test_sparse_rows_give_what_dense_ones_do(fitted, iris):
    X, y = iris
    rows = sparse.csr_array(X)
    mlp = clone(fitted).fit(rows, y)
    np.testing.assert_allclose(
        mlp.predict_proba(rows), fitted.predict_proba(X), rtol=1e-6
    )


def test_several_labels_and_several_outputs(diabetes):
    X, Y = make_multilabel_classification(60, n_classes=3, random_state=0)
    mlp = RegularizedMLPClassifierCV((8,), **SMALL).fit(X, Y)
    assert mlp.predict(X).shape == Y.shape
    assert np.isfinite(mlp.ensemble_score_)
    X, y = diabetes
    y = np.column_stack([y, -y])
    mlr = RegularizedMLPRegressorCV((8,), **SMALL).fit(X, y)
    assert mlr.predict_members(X).shape == (2, *y.shape)


def test_the_same_seed_gives_the_same_bits(fitted, iris):
    X, y = iris
    again = clone(fitted).set_params(n_jobs=1).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    other = clone(fitted).set_params(random_state=1).fit(X, y)
    assert not np.allclose(other.predict_proba(X), fitted.predict_proba(X))


def test_a_pickle_predicts_the_same(fitted, iris):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(
        loaded.predict_proba(iris[0]), fitted.predict_proba(iris[0])
    )


# The default score.


def test_the_log_loss_is_scikit_learns(fitted, iris):
    X, y = iris
    weights = np.random.default_rng(0).uniform(size=len(y))
    expected = get_scorer("neg_log_loss")
    assert neg_log_loss(fitted, X, y) == pytest.approx(expected(fitted, X, y))
    assert neg_log_loss(fitted, X, y, sample_weight=weights) == pytest.approx(
        expected(fitted, X, y, sample_weight=weights)
    )


def test_the_log_loss_of_rows_without_some_class(fitted, iris):
    X, y = iris
    rows = y > 0
    proba = fitted.predict_proba(X[rows])
    expected = np.log(proba[np.arange(rows.sum()), y[rows]]).mean()
    assert neg_log_loss(fitted, X[rows], y[rows]) == pytest.approx(expected)


def test_the_log_loss_of_a_class_that_was_not_seen(fitted, iris):
    X, y = iris
    new = np.where(np.arange(len(y)) == 0, 7, y)
    loss = neg_log_loss(fitted, X, new)
    known = np.log(fitted.predict_proba(X)[np.arange(1, len(y)), y[1:]]).sum()
    unseen = np.log(np.finfo(float).eps)
    assert loss == pytest.approx((known + unseen) / len(y))


def test_the_log_loss_of_several_labels_is_the_mean_over_them():
    class Constant:
        def predict_proba(self, X):
            return np.array([[0.9, 0.4], [0.2, 0.4]])

    y = np.array([[1, 0], [0, 0]])
    expected = np.log([0.9, 0.6, 0.8, 0.6]).mean()
    assert neg_log_loss(Constant(), None, y) == pytest.approx(expected)
    assert neg_log_loss(Constant(), None, sparse.csr_array(y)) == pytest.approx(
        expected
    )


# Bad input.


@pytest.fixture
def untrained(monkeypatch):
    """Whatever trains is an error."""

    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr("skreg._training.dispatch.train", train)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_candidates": 0}, ValueError, "n_candidates == 0, must be >= 1"),
        ({"n_candidates": 2.5}, TypeError, "n_candidates must be an instance of int"),
        ({"ensemble_size": 0}, ValueError, "ensemble_size == 0, must be >= 1"),
        ({"time_limit": 0}, ValueError, "time_limit must be positive or None, got 0"),
        ({"time_limit": -1.0}, ValueError, "time_limit must be positive or None"),
        ({"time_limit": np.nan}, ValueError, "time_limit must be positive .* got nan"),
        ({"time_limit": "1 h"}, TypeError, "time_limit must be a number or None"),
        ({"time_limit": True}, TypeError, "time_limit must be a number .* got True"),
        ({"verbose": "a"}, TypeError, "verbose must be an instance of int"),
        ({"n_jobs": "a"}, TypeError, "n_jobs must be an instance of int"),
        ({"param_distributions": []}, ValueError, r"at least one dict, got \[\]"),
        ({"param_distributions": "l2"}, ValueError, "must be a dict or a sequence of"),
        ({"param_distributions": [["l2"]]}, ValueError, "must be a dict or a sequence"),
        ({"param_distributions": {"l2": 0.1}}, TypeError, "a list .* 'l2', got 0.1"),
        ({"param_distributions": {"l2": "a"}}, TypeError, "a list .* 'l2', got 'a'"),
        ({"scoring": ["accuracy"]}, ValueError, "scoring must be a str, a callable or"),
        ({"cv": []}, ValueError, "cv must give one fold at least"),
        ({"epochs": 0}, ValueError, "epochs == 0, must be >= 1"),
        ({"activation": "no"}, ValueError, "activation must be a name"),
        ({"activation": None}, TypeError, "activation must be the name .* got None"),
        ({"cv": 40}, ValueError, "n_splits=40 cannot be greater than the number"),
    ],
)
def test_bad_parameters_are_errors_before_training(
    fitted, iris, untrained, params, error, message
):
    mlp = clone(fitted).set_params(**params)
    with pytest.raises(error, match=message):
        mlp.fit(*iris)
    assert not hasattr(mlp, "best_estimator_")


def test_before_fit_nothing_predicts(iris):
    mlp = RegularizedMLPClassifierCV()
    for name in ("predict", "predict_proba", "predict_log_proba", "predict_members"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(mlp, name)(iris[0])
    for name in ("l2_", "classes_", "model_"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(mlp, name)
