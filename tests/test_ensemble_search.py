"""Searches that choose an ensemble by their out-of-fold predictions."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import get_scorer, log_loss, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skreg import (
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedHalvingRandomSearchCV,
    BatchedRandomizedSearchCV,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
)
from skreg._search import greedy

GRID = {"l2": [0.0, 0.1], "dropout": [0.0, 0.5]}
LOSS = "neg_log_loss"


def searched(estimator, grid, X, y, *, search=BatchedGridSearchCV, **options):
    options = {"scoring": LOSS, "cv": 2, "ensemble_size": 3, **options}
    return search(estimator, grid, **options).fit(X, y)


def test_the_greedy_choice_adds_what_makes_the_mean_best():
    values, target = np.array([0.0, 1.0, 5.0]), 2.0

    def score(numbers):
        return -abs(values[numbers].mean() - target)

    assert greedy.choose_greedily(3, score, 1) == ([1], -1.0)
    numbers, best = greedy.choose_greedily(3, score, 4)
    assert numbers == [1, 1, 2, 1]  # means 1, 1, 7/3, 2
    assert best == 0.0


def test_members_are_chosen_by_the_mean_of_out_of_fold_predictions(mlp, iris):
    X, y = iris
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    search = searched(mlp(), GRID, X, y, cv=cv)
    candidates = search.cv_results_["params"]
    proba = [
        cross_val_predict(mlp(**p), X, y, cv=cv, method="predict_proba")
        for p in candidates
    ]

    def score(chosen):
        mean = np.mean([proba[c] for c in chosen], axis=0)
        return -np.mean([log_loss(y[test], mean[test]) for _, test in cv.split(X, y)])

    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], [*map(score, [[c] for c in range(4)])]
    )
    chosen = []
    for _ in range(3):
        chosen.append(max(range(4), key=lambda c: score([*chosen, c])))
    counts = {c: chosen.count(c) for c in chosen}
    assert search.ensemble_indices_.tolist() == list(counts)
    assert search.ensemble_params_ == [candidates[c] for c in counts]
    np.testing.assert_allclose(
        search.ensemble_weights_, np.array(list(counts.values())) / 3
    )
    assert search.ensemble_score_ == pytest.approx(score(chosen))


def test_all_else_is_as_without_an_ensemble(mlp, iris, assert_same_results):
    theirs = GridSearchCV(mlp(), GRID, scoring=LOSS, cv=2).fit(*iris)
    search = searched(mlp(), GRID, *iris)
    assert_same_results(search, theirs)
    assert search.best_score_ == pytest.approx(theirs.best_score_)
    assert search.n_features_in_ == 4
    np.testing.assert_array_equal(search.classes_, theirs.classes_)
    assert search.score(*iris) == get_scorer(LOSS)(search, *iris)
    assert not hasattr(
        BatchedGridSearchCV(mlp(), GRID, cv=2).fit(*iris), "ensemble_params_"
    )


def test_the_search_predicts_as_the_ensemble_does(mlp, iris):
    X, y = iris
    search = searched(mlp(), GRID, X, y)
    ensemble = search.best_estimator_
    assert type(ensemble) is MLPEnsembleClassifier
    assert len(ensemble.estimators_) == 3
    np.testing.assert_array_equal(search.predict_proba(X), ensemble.predict_proba(X))
    again = clone(ensemble).fit(X, y)
    np.testing.assert_allclose(again.predict_proba(X), ensemble.predict_proba(X))
    assert search.refit_time_ > 0


@pytest.mark.parametrize(
    "search",
    [
        BatchedRandomizedSearchCV,
        BatchedHalvingGridSearchCV,
        BatchedHalvingRandomSearchCV,
    ],
)
def test_every_search_chooses(mlp, iris, search):
    options = {}
    if "Grid" not in search.__name__:
        name = "n_candidates" if "Halving" in search.__name__ else "n_iter"
        options = {name: 4, "random_state": 0}
    if "Halving" in search.__name__:
        options |= {"factor": 2, "min_resources": 1}
    found = searched(mlp(epochs=2), GRID, *iris, search=search, **options)
    assert sum(found.ensemble_weights_) == pytest.approx(1)
    n = len(found.cv_results_["params"])
    assert (found.ensemble_indices_ < n).all()
    params = [found.cv_results_["params"][i] for i in found.ensemble_indices_]
    assert found.ensemble_params_ == params
    if "Halving" in search.__name__:  # of the last rung
        assert {p["epochs"] for p in params} == {2}
        assert found.ensemble_score_ >= found.best_score_


def test_candidates_may_differ_in_the_steps_before_the_network(mlp, iris):
    grid = {
        "regularizedmlpclassifier__l2": [0.0, 0.1],
        "standardscaler": [StandardScaler(), None],
    }
    X, y = iris
    search = searched(make_pipeline(StandardScaler(), mlp()), grid, 10 * X, y)
    assert search.ensemble_score_ > search.best_score_ - 1e-9
    assert search.predict_proba(10 * X).shape == (len(y), 3)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regression(mlr, diabetes, n_outputs):
    X, y = diabetes
    y = y if n_outputs == 1 else np.column_stack([y, y[::-1]])
    search = searched(mlr(), GRID, X, y, scoring=None, ensemble_size=2)
    assert type(search.best_estimator_) is MLPEnsembleRegressor
    assert search.predict(X).shape == y.shape
    assert search.ensemble_score_ >= search.best_score_


def test_several_labels_per_row(mlp):
    X, y = make_multilabel_classification(60, n_classes=3, random_state=0)
    search = searched(mlp(), GRID, X, y, scoring="f1_micro")
    assert search.predict(X).shape == y.shape
    assert search.ensemble_score_ >= search.best_score_


def test_one_of_several_scores_decides(mlp, iris):
    scoring = {"accuracy": "accuracy", "loss": LOSS}
    search = searched(mlp(), GRID, *iris, scoring=scoring, refit="loss")
    single = searched(mlp(), GRID, *iris)
    assert search.ensemble_params_ == single.ensemble_params_
    assert search.ensemble_score_ == single.ensemble_score_

    def both(estimator, X, y):
        return {n: get_scorer(s)(estimator, X, y) for n, s in scoring.items()}

    of_function = searched(mlp(), GRID, *iris, scoring=both, refit="loss")
    assert of_function.ensemble_params_ == single.ensemble_params_


def test_scorers_get_the_sample_weights_of_the_test_rows(mlp, iris):
    X, y = iris
    weights = np.where(np.arange(len(y)) % 3, 1e-9, 1.0)
    seen = []

    def loss(y, proba, sample_weight=None):
        seen.append(sample_weight)
        return log_loss(y, proba, sample_weight=sample_weight)

    scorer = make_scorer(loss, greater_is_better=False, response_method="predict_proba")
    options = {"scoring": scorer, "cv": 2, "ensemble_size": 2}
    theirs = GridSearchCV(mlp(), GRID, scoring=scorer, cv=2)
    theirs.fit(X, y, sample_weight=weights)
    expected = {None if w is None else tuple(w) for w in seen}
    seen.clear()
    BatchedGridSearchCV(mlp(), GRID, **options).fit(X, y, sample_weight=weights)
    # As scikit-learn's do; and once all, before anything is trained.
    full = {None} if None in expected else {tuple(weights)}
    assert {None if w is None else tuple(w) for w in seen} == expected | full


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_candidates_that_fail_are_not_chosen(mlp, iris):
    search = searched(mlp(), {"learning_rate": [1e200, 0.01]}, *iris)
    assert search.ensemble_params_ == [{"learning_rate": 0.01}]


def test_only_the_best_candidates_are_remembered(mlp, iris, monkeypatch):
    monkeypatch.setattr(greedy, "MAX_POOL", 1)
    search = searched(mlp(), GRID, *iris)
    assert search.ensemble_params_ == [search.best_params_]
    assert search.ensemble_score_ == pytest.approx(search.best_score_)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)]
)
def test_the_size_must_be_a_positive_integer(mlp, iris, size, error):
    with pytest.raises(error, match="ensemble_size"):
        searched(mlp(), GRID, *iris, ensemble_size=size)


@pytest.fixture
def untrained(monkeypatch):
    """Whatever trains is an error."""

    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr("skreg._xla.engine.train", train)


@pytest.mark.parametrize("refit", [False, lambda results: 0])
def test_an_ensemble_needs_a_refit_by_a_score(mlp, iris, untrained, refit):
    with pytest.raises(ValueError, match="refit must be True, or the name of a score"):
        searched(mlp(), GRID, *iris, refit=refit)


def weight_norm(estimator, X, y):
    return -float(np.sum(estimator.coefs_[0] ** 2))


@pytest.mark.parametrize(
    "scoring",
    [weight_norm, make_scorer(mean_squared_error, response_method="decision_function")],
)
def test_a_scorer_that_cannot_judge_a_mean_is_an_error(mlp, iris, untrained, scoring):
    with pytest.raises(ValueError, match="ensemble_size=3 needs a scoring that judges"):
        searched(mlp(), GRID, *iris, scoring=scoring)


def test_without_a_network_there_must_be_a_scoring(iris, untrained):
    tree = DecisionTreeClassifier(random_state=0)
    with pytest.raises(ValueError, match="scoring must be given with ensemble_size=3"):
        searched(tree, {"max_depth": [1, 2]}, *iris, scoring=None)
    search = searched(tree, {"max_depth": [1, 2]}, *iris, scoring="accuracy")
    assert search.ensemble_score_ >= search.best_score_
