"""Scores of a rung are those of cross-validation with as many epochs."""

import numpy as np
import pytest
from sklearn.model_selection import cross_validate

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

OPTIONS = {
    "n_candidates": 4,
    "preprocessing": None,
    "epochs": 18,
    "cv": 2,
    "batch_size": 16,
    "random_state": 0,
    "ensemble_size": None,
}


@pytest.mark.parametrize("ema_momentum", [None, 0.9])
def test_scores_of_a_classifier(iris, ema_momentum):
    X, y = iris
    est = RegularizedMLPClassifierCV((6,), ema_momentum=ema_momentum, **OPTIONS)
    assert_scores_are_those_of_cross_validation(est.fit(X, y), X, y)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_scores_of_a_regressor(diabetes, loss):
    X, y = diabetes
    est = RegularizedMLPRegressorCV((6,), loss=loss, **OPTIONS).fit(X, y)
    assert_scores_are_those_of_cross_validation(est, X, y)


def assert_scores_are_those_of_cross_validation(est, X, y):
    results = est.cv_results_
    seed = est.best_estimator_.random_state
    assert est.n_resources_ == [6, 18]
    for i, params in enumerate(results["params"]):
        network = est._network().set_params(random_state=seed, **params)
        expected = cross_validate(network, X, y, cv=2, scoring=est.scorer_)
        got = [results[f"split{fold}_test_score"][i] for fold in range(2)]
        np.testing.assert_allclose(got, expected["test_score"], rtol=1e-7)
        assert results["mean_test_score"][i] == pytest.approx(np.mean(got))
        assert results["std_test_score"][i] == pytest.approx(np.std(got))
