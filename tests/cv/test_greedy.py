"""The greedy choice of an ensemble's members."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._cv.greedy import choose_greedily

OPTIONS = {"n_candidates": 10, "epochs": 18, "cv": 2, "ensemble_size": 4}
OPTIONS |= {"batch_size": 16, "preprocessing": None, "random_state": 0}


def brute_force(n_candidates, score, size):
    """The numbers of the chosen candidates, and the score of their mean."""
    chosen = []
    for _ in range(size):
        every = {score([*chosen, c]): c for c in reversed(range(n_candidates))}
        chosen.append(every[max(every)])
    return chosen, max(every)


def test_each_choice_makes_the_mean_best():
    rng = np.random.default_rng(0)
    truth, values = rng.normal(size=30), rng.normal(size=(6, 30))

    def score(chosen):
        return -np.mean((values[chosen].mean(axis=0) - truth) ** 2)

    expected, best = brute_force(6, score, 7)
    numbers, scores = choose_greedily([score([c]) for c in range(6)], score, 7)
    assert numbers == expected
    assert scores[-1] == best
    assert len(set(numbers)) > 1


def test_a_mean_without_a_score_is_not_chosen():
    numbers, scores = choose_greedily(
        [np.nan, 1, 2], lambda c: np.nan if 0 in c else c[-1], 2
    )
    assert numbers == [2, 2]
    assert scores == [2, 2]


def test_only_means_that_may_be_chosen_are_scored():
    calls = []
    own = [1.0, 3.0, 2.0]
    choose_greedily(own, lambda c: calls.append(c) or sum(own[i] for i in c), 3)
    assert [len(numbers) for numbers in calls] == [2] * 3 + [3] * 3
    assert choose_greedily(own, lambda c: 1 / 0, 1) == ([1], [3.0])


def test_without_time_the_choices_so_far_are_repeated():
    left = iter([True] * 3 + [False])
    numbers, scores = choose_greedily(
        [0.5, 1.0, 0.8], lambda c: sum(c), 5, lambda: next(left)
    )
    assert numbers == [1, 2, 1, 2, 1]
    assert scores == [1.0, 3, 3, 3, 3]


def out_of_fold(est, X, y, cv, method):
    """The rows of the results, the best first, and their predictions in each fold."""
    rows = np.argsort(-est.cv_results_["mean_test_score"], kind="stable")
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    base = est._network().set_params(random_state=seeds[0])
    folds = []
    for train, test in cv.split(X, y):
        values = []
        for i in rows:
            network = clone(base).set_params(**est.cv_results_["params"][i])
            network.fit(X[train], y[train])
            values.append(getattr(network, method)(X[test]))
        folds.append((np.stack(values), y[test]))
    return rows, folds


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_members_are_chosen_by_out_of_fold_predictions(iris, diabetes, kind):
    if kind == "classifier":
        X, y = iris
        est = RegularizedMLPClassifierCV((6,), **OPTIONS).fit(X, y)
        loss, method, cv = log_loss, "predict_proba", StratifiedKFold(2)
    else:
        X, y = diabetes
        est = RegularizedMLPRegressorCV((6,), **OPTIONS).fit(X, y)
        loss, method, cv = mean_squared_error, "predict", KFold(2)
    rows, folds = out_of_fold(est, X, y, cv, method)

    def score(chosen):
        return -np.mean([loss(y, values[chosen].mean(axis=0)) for values, y in folds])

    numbers, best = brute_force(len(rows), score, 4)
    assert est.ensemble_score_ == pytest.approx(best, rel=1e-6)
    chosen = list(dict.fromkeys(rows[numbers].tolist()))
    assert est.ensemble_indices_.tolist() == chosen
    shares = [np.mean(rows[numbers] == i) for i in chosen]
    np.testing.assert_array_equal(est.ensemble_weights_, shares)
    assert est.ensemble_params_ == [est.cv_results_["params"][i] for i in chosen]


def only_a_network(est, X, y):
    return est.coefs_[0].max()


def test_a_score_that_can_not_judge_means_leaves_the_best_candidate(iris):
    est = RegularizedMLPClassifierCV((6,), scoring=only_a_network, **OPTIONS)
    with pytest.warns(UserWarning, match="means of candidates could not be compared"):
        est.fit(*iris)
    assert est.ensemble_params_ == [est.best_params_]
    assert np.isnan(est.ensemble_score_)
    assert len(est.best_estimator_.estimators_) == 4
