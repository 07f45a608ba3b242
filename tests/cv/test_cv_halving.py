"""The schedule of the rungs, and which candidates go on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, PredefinedSplit

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV
from skreg._cv.halving import mean_scores, pays, rung_epochs
from skreg._cv.rungs import Candidate, FoldFit
from skreg._cv.space import default_distributions

NAN = np.nan


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (486, [6, 18, 54, 162, 486]),
        (81, [9, 27, 81]),
        (20, [6, 20]),
        (17, [17]),
        (1, [1]),
    ],
)
def test_the_last_rung_has_all_epochs(epochs, expected):
    assert rung_epochs(epochs) == expected


@pytest.mark.parametrize("n_candidates", [4, 10])
def test_rungs_are_those_of_scikit_learns_halving_search(iris, n_candidates):
    est = RegularizedMLPClassifierCV(
        (5,), n_candidates=n_candidates, epochs=18, cv=2, ensemble_size=None
    ).set_params(random_state=0, scoring="neg_log_loss", preprocessing=None)
    est.fit(*iris)
    draws = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)
    theirs = HalvingRandomSearchCV(
        est._network().set_params(random_state=draws[0], batch_size=32),
        default_distributions(),
        n_candidates=n_candidates,
        resource="epochs",
        max_resources=18,
        min_resources=est.n_resources_[0],
        cv=2,
        scoring="neg_log_loss",
        random_state=draws[1],
        return_train_score=False,
    ).fit(*iris)
    assert est.n_candidates_ == theirs.n_candidates_
    assert est.n_resources_ == theirs.n_resources_
    assert est.n_splits_ == theirs.n_splits_
    ours, theirs = est.cv_results_, theirs.cv_results_
    assert list(ours) == list(theirs)
    assert ours["params"] == theirs["params"]
    for name, expected in theirs.items():
        if name.startswith("param_"):
            np.testing.assert_array_equal(ours[name].mask, expected.mask)
            assert ours[name].tolist() == expected.tolist()
        elif name != "params":
            assert ours[name].dtype == expected.dtype
            if "_time" not in name:
                np.testing.assert_allclose(ours[name], expected, rtol=1e-6)


def test_the_search_ends_where_longer_training_does_not_pay(iris):
    X, y = iris
    noise = np.random.RandomState(0).permutation(y)
    est = RegularizedMLPClassifierCV((8,), n_candidates=9, cv=2, random_state=0)
    assert est.fit(X, noise).n_resources_ == [6, 18]


def test_the_search_goes_on_while_longer_training_pays():
    X = np.random.RandomState(0).uniform(-1, 1, (200, 2))
    y = np.sin(3 * X[:, 0]) * X[:, 1]  # smooth, and without noise
    est = RegularizedMLPRegressorCV((32,), n_candidates=3, random_state=0).fit(X, y)
    assert est.n_resources_[:4] == [6, 18, 54, 162]
    assert est.n_candidates_[:4] == [3, 1, 1, 1]
    assert est.epochs_ == est.best_params_["epochs"] >= 162
    short = clone(est).set_params(epochs=54).fit(X, y)
    assert short.n_resources_ == [6, 18, 54]
    assert short.best_score_ < est.best_score_
    assert short.score(X, y) < est.score(X, y)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]], True),
        ([[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]], False),
        # The mean gain is 0.2; its standard error is 0.1, then 0.3.
        ([[0.0, 0.0, 0.0]], [[0.1, 0.1, 0.4]], True),
        ([[0.0, 0.0, 0.0]], [[-0.4, 0.4, 0.6]], False),
        # The best of each side is compared.
        ([[0.0, 0.0, 0.0], [3.0, 3.0, 3.0]], [[1.0, 1.0, 1.0]], False),
        ([[1.0, 1.0, NAN]], [[2.0, 2.0, NAN]], True),
        ([[1.0]], [[2.0]], True),  # of one fold no error is known
        ([[1.0]], [[1.0]], False),
        ([[1.0, 1.0]], [[NAN, NAN]], False),
    ],
)
def test_a_rung_pays_if_it_gains_more_than_its_standard_error(before, now, expected):
    def candidates(scores):
        return [Candidate({}, [FoldFit(None, x) for x in row]) for row in scores]

    assert pays(candidates(before), candidates(now)) is expected


def test_a_table_given_twice_is_fitted_alike():
    X = np.random.RandomState(0).uniform(-1, 1, (2100, 2))
    y = np.sin(3 * X[:, 0]) * X[:, 1]
    folds = np.arange(len(y)) % 2
    est = RegularizedMLPRegressorCV((32,), n_candidates=9, epochs=18, random_state=0)
    once = clone(est).set_params(cv=PredefinedSplit(folds)).fit(X, y)
    twice = clone(est).set_params(cv=PredefinedSplit(np.tile(folds, 2)))
    twice.fit(np.tile(X, (2, 1)), np.tile(y, 2))
    assert twice.n_resources_ == once.n_resources_
    rows = once.cv_results_["iter"] == 0
    correlation = np.corrcoef(
        once.cv_results_["mean_test_score"][rows],
        twice.cv_results_["mean_test_score"][rows],
    )
    assert correlation[0, 1] > 0.95
    chosen = [{p["l2"] for p in est.ensemble_params_} for est in (once, twice)]
    assert chosen[0] & chosen[1]
    assert twice.epochs_ == once.epochs_
    assert np.std(twice.predict(X) - once.predict(X)) < 0.1 * np.std(y)


def test_no_more_candidates_than_a_list_has_combinations(iris):
    est = RegularizedMLPClassifierCV(
        (5,), n_candidates=9, param_distributions={"l2": [0.0, 1e-3]}, epochs=2, cv=2
    ).set_params(preprocessing=None)
    assert est.fit(*iris).n_candidates_ == [2]  # and no warning


@pytest.mark.parametrize("name", ["epochs", "warm_start"])
def test_what_the_search_sets_itself_is_not_drawn(iris, name):
    est = RegularizedMLPClassifierCV(param_distributions={name: [1, 2]}, n_candidates=2)
    with pytest.raises(ValueError, match=f"param_distributions must not have '{name}'"):
        est.fit(*iris)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[1, 3], [5, 7]], [2, 6]),
        ([[1, 3], [5, NAN]], [2, NAN]),  # a candidate that can't be compared
        ([[1, NAN], [5, NAN]], [1, 5]),  # a fold without any score
        ([[1, NAN, 3], [5, NAN, NAN]], [2, NAN]),
        ([[1, NAN], [NAN, 5]], [1, 5]),  # as else there would be nothing
        ([[NAN, NAN]], [NAN]),
    ],
)
def test_means_are_of_scores_that_can_be_compared(scores, expected):
    np.testing.assert_array_equal(mean_scores(np.array(scores, dtype=float)), expected)
