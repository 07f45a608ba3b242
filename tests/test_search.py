"""The batched searches give what scikit-learn's searches give."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skreg import BatchedGridSearchCV, BatchedRandomizedSearchCV

LOSS = "neg_log_loss"
STRENGTHS = {"l1": [0.0, 1e-3], "l2": [0.0, 1e-2], "dropout": [0.0, 0.4]}
FEW = {"l2": [0.0, 1e-2], "dropout": [0.0, 0.4]}


@pytest.fixture
def both(assert_same_results):
    """Run a search of ours and scikit-learn's, and compare; returns ours."""

    def run(estimator, grid, X, y, fit_params=None, **options):
        options = {"scoring": LOSS, "cv": 3, **options}
        searches = [
            search(clone(estimator), grid, **options).fit(X, y, **(fit_params or {}))
            for search in (BatchedGridSearchCV, GridSearchCV)
        ]
        assert_same_results(*searches)
        return searches[0]

    return run


def scores(search):
    """Of every candidate and fold."""
    results = search.cv_results_
    names = [f"split{fold}_test_score" for fold in range(search.n_splits_)]
    return np.column_stack([results[name] for name in names])


# What equality requires of engine and search, point by point.


@pytest.mark.parametrize("data", ["cancer", "iris"])
def test_every_candidate_sees_the_noise_it_would_see_alone(both, mlp, data, request):
    X, y = request.getfixturevalue(data)
    search = both(mlp((8, 6), epochs=4), STRENGTHS, X, y, return_train_score=True)
    assert len(np.unique(scores(search))) == scores(search).size


def test_folds_take_unequal_numbers_of_steps(both, mlp, cancer):
    rows = np.arange(120)
    cv = [(rows[:n], rows[n:]) for n in (33, 64, 65, 100)]  # 3, 4, 5 and 7 steps
    for optimizer, grid in {"adam": STRENGTHS, "sgd": FEW}.items():
        est = mlp(batch_size=16, epochs=3, optimizer=optimizer)
        both(est, grid, *cancer, cv=cv)


def test_batch_size_order_and_held_out_rows_are_each_folds_own(both, mlp, cancer):
    X, y = cancer
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    rows = np.random.default_rng(1).permutation(120)
    # Without the rows of weight 0, fewer than 32 are left in the first fold.
    cv = [(rows[:40], rows[40:]), (rows[40:], rows[:40]), (rows[30:90], rows[:30])]
    est = mlp(
        early_stopping=True, learning_rate=0.05, epochs=12, n_iter_no_change=2, tol=0.01
    )
    fit_params = {"sample_weight": weight}
    search = both(est, STRENGTHS, X, y, fit_params, cv=cv)
    assert search.best_estimator_.n_iter_ < 12


def test_a_fold_may_lack_a_class(both, mlp, iris):
    X, y = iris
    two, three = np.flatnonzero(y < 2), np.arange(len(y))
    cv = [(two[::2], two[1::2]), (three[::2], three[1::2]), (two[::2], three[1::2])]
    grid = {"l2": [0.0, 0.1], "dropout": [0.0, 0.3]}
    search = both(mlp(epochs=5), grid, X, y, cv=cv, scoring="accuracy")
    assert scores(search)[:, 2].max() < 0.7  # the third class is never predicted
    proba = both(mlp(), grid, X, y, cv=cv[:2]).predict_proba(X)
    assert proba.shape == (90, 3)


def test_a_step_may_keep_another_number_of_columns_in_each_fold(both, mlp, cancer):
    X, y = cancer
    X = np.where(np.arange(120)[:, np.newaxis] < 40, X[:, :1], X)
    rows = np.arange(120)
    cv = [(rows[:60], rows[60:]), (rows[50:], rows[:50])]
    pipeline = make_pipeline(PCA(0.9), mlp())
    kept = [clone(pipeline[0]).fit(X[train]).n_components_ for train, _ in cv]
    assert kept[0] != kept[1]
    both(pipeline, {"regularizedmlpclassifier__l2": [0.0, 0.1]}, X, y, cv=cv)


def test_a_random_state_is_cloned_for_every_candidate(both, mlp, cancer):
    est = mlp(random_state=np.random.RandomState(3))
    search = both(est, {"l2": [0.0, 0.1, 0.0]}, *cancer)
    np.testing.assert_array_equal(scores(search)[0], scores(search)[2])


def test_without_a_seed_all_candidates_share_one_that_numpy_draws(mlp, cancer):
    search = BatchedGridSearchCV(
        mlp(random_state=None), {"l2": [0.0, 0.1, 0.0]}, scoring=LOSS, refit=False
    )
    np.random.seed(5)
    first = scores(search.fit(*cancer))
    second = scores(search.fit(*cancer))
    np.testing.assert_array_equal(first[0], first[2])
    assert (first != second).all()
    np.random.seed(5)
    np.testing.assert_array_equal(scores(search.fit(*cancer)), first)
    np.random.seed(5)
    seed = np.random.randint(np.iinfo(np.int32).max)
    np.testing.assert_array_equal(
        scores(search.set_params(estimator__random_state=seed).fit(*cancer)), first
    )


def test_scorers_get_the_weights_that_scikit_learn_passes(both, mlp, cancer):
    weight = np.random.default_rng(0).integers(0, 4, 120).astype(float)
    for scoring in (LOSS, "accuracy", None):
        both(mlp(), FEW, *cancer, {"sample_weight": weight}, scoring=scoring)


def test_float32_is_trained_in_float32(both, mlp, cancer):
    X, y = cancer
    search = both(mlp(), FEW, X.astype(np.float32), y)
    assert search.best_estimator_.coefs_[0].dtype == np.float32


# Scores and refits.


@pytest.mark.parametrize(
    "scoring",
    [
        None,
        "roc_auc",  # of decision scores
        "neg_brier_score",  # of probabilities
        get_scorer("f1_macro"),
        lambda est, X, y: est.best_epoch_ + est.predict_proba(X)[0, 0],
    ],
    ids=["default", "decision", "probability", "scorer", "function"],
)
def test_any_scorer_gives_the_same_results(both, mlp, cancer, scoring):
    both(mlp(), FEW, *cancer, scoring=scoring)


def lowest_spread(results):
    return int(results["std_test_loss"].argmin())


@pytest.mark.parametrize("refit", ["loss", "auc", lowest_spread, False])
def test_several_scores_give_the_same_results(both, mlp, cancer, refit):
    scoring = {"loss": LOSS, "auc": "roc_auc"}
    search = both(
        mlp(), FEW, *cancer, scoring=scoring, refit=refit, return_train_score=True
    )
    assert search.multimetric_
    assert set(search.scorer_) == {"loss", "auc"}
    assert hasattr(search, "best_estimator_") == bool(refit)
    assert hasattr(search, "best_score_") == (refit in ("loss", "auc"))
    assert hasattr(search, "predict") == bool(refit)


def test_the_refit_is_a_fit_of_the_best_candidate_on_all_rows(mlp, cancer):
    X, y = cancer
    search = BatchedGridSearchCV(mlp(), FEW, scoring=LOSS).fit(X, y)
    alone = mlp(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))
    np.testing.assert_array_equal(
        search.decision_function(X), alone.decision_function(X)
    )
    np.testing.assert_array_equal(search.classes_, alone.classes_)
    assert search.n_features_in_ == X.shape[1]
    assert search.score(X, y) == get_scorer(LOSS)(alone, X, y)
    assert search.refit_time_ > 0


def test_string_labels_give_the_same_results(both, mlp, iris):
    X, codes = iris
    y = np.array(["setosa", "versicolor", "virginica"])[codes]
    search = both(mlp(class_weight={"setosa": 3.0}), FEW, X, y, scoring=None)
    np.testing.assert_array_equal(search.classes_, np.unique(y))


# What is batched, and what is not.


def test_other_parameters_split_the_grid(both, mlp, cancer):
    grid = [
        {"hidden_layer_sizes": [(6,), (4, 3)], "activation": ["tanh", "relu"]},
        {"batch_size": [10, "auto"], "epochs": [1, 3], "l2": [0.0, 0.1]},
        {"early_stopping": [True, False], "class_weight": ["balanced", {0: 2}]},
        {"optimizer": ["sgd", "rmsprop", "adamw"], "learning_rate": [None, 0.01]},
        {"random_state": [1, 2], "shuffle": [True, False]},
    ]
    both(mlp(), grid, *cancer, cv=2)


def test_networks_that_cannot_be_stacked_are_fitted_one_by_one(both, mlp, cancer):
    grid = [
        {"callbacks": [[keras.callbacks.TerminateOnNaN()]], "l2": [0.0, 0.1]},
        {"engine": ["keras"], "dropout": [0.5]},
        {"l1": [1e-3, 1e-2]},
    ]
    both(mlp(), grid, *cancer, cv=2)


@pytest.mark.parametrize("group_size", [1, 5, 1000])
def test_the_size_of_groups_changes_nothing(mlp, cancer, group_size):
    search = BatchedGridSearchCV(
        mlp(), FEW, scoring=LOSS, group_size=group_size, refit=False
    )
    other = clone(search).set_params(group_size=None, n_jobs=2)
    np.testing.assert_allclose(
        scores(search.fit(*cancer)), scores(other.fit(*cancer)), rtol=1e-9
    )


# Pipelines.


def test_a_pipelines_steps_are_fitted_once_for_each_of_their_settings(mlp, cancer):
    fitted_on = []

    class FitRecorder(FunctionTransformer):
        def fit(self, X, y=None):
            fitted_on.append(X.tobytes())
            return super().fit(X, y)

    X, y = cancer
    pipeline = Pipeline([("a", FitRecorder()), ("b", StandardScaler()), ("mlp", mlp())])
    grid = {"b__with_std": [True, False], "mlp__l2": [0, 0.1], "mlp__epochs": [1, 2]}
    cv = StratifiedKFold(3)
    BatchedGridSearchCV(pipeline, grid, cv=cv, refit=False).fit(X, y)
    expected = [
        X[train].tobytes() for _ in (True, False) for train, _ in cv.split(X, y)
    ]
    assert fitted_on == expected


def test_a_grid_may_vary_the_steps(both, mlp, cancer):
    scaler = StandardScaler()
    pipeline = Pipeline([("scale", scaler), ("pca", PCA(4)), ("mlp", mlp())])
    grid = [
        {"pca__n_components": [2, 3], "mlp__l2": [0.0, 0.1]},
        {"scale": [scaler, "passthrough", None], "mlp__dropout": [0.0, 0.5]},
        {"mlp": [mlp((3,)), mlp((4,))], "mlp__l1": [0.0, 0.1]},
    ]
    search = both(pipeline, grid, *cancer)
    assert search.estimator.named_steps["pca"].n_components == 4
    assert not hasattr(search.estimator[-1], "coefs_")


def test_a_last_step_that_is_not_ours_is_fitted_as_it_is(both, mlp, cancer):
    pipeline = Pipeline([("scale", StandardScaler()), ("last", mlp())])
    grid = [{"last": [LogisticRegression(), mlp()]}, {"last__l2": [0.0, 0.1]}]
    both(pipeline, grid, *cancer)


def test_data_frames_keep_their_names(both, mlp, cancer):
    X = pd.DataFrame(cancer[0][:, :6], columns=list("abcdef"))
    columns = ColumnTransformer([("some", StandardScaler(), ["b", "d", "f"])])
    pipeline = Pipeline([("columns", columns), ("mlp", mlp())])
    search = both(pipeline, {"mlp__l2": [0.0, 0.1]}, X, cancer[1])
    assert list(search.feature_names_in_) == list("abcdef")
    assert search.best_estimator_[-1].n_features_in_ == 3


# Parameters of fit.


def test_weights_reach_the_network_at_the_end_of_a_pipeline(both, mlp, cancer):
    weight = np.random.default_rng(0).random(120)
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", mlp())])
    grid = {"mlp__l2": [0.0, 0.1]}
    weighted = both(pipeline, grid, *cancer, {"mlp__sample_weight": weight})
    assert (scores(weighted) != scores(both(pipeline, grid, *cancer))).all()


def test_weights_are_routed(both, mlp, cancer):
    weight = np.random.default_rng(0).random(120)
    groups = np.random.default_rng(1).integers(0, 7, 120)
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer(LOSS)
        for scored in (True, False):
            est = mlp().set_fit_request(sample_weight=True)
            pipeline = Pipeline([("scale", StandardScaler()), ("mlp", est)])
            pipeline[0].set_fit_request(sample_weight=False)
            both(
                pipeline,
                {"mlp__l2": [0.0, 0.1], "scale__with_mean": [True, False]},
                *cancer,
                {"sample_weight": weight, "groups": groups},
                cv=GroupKFold(3),
                scoring=scorer.set_score_request(sample_weight=scored),
            )


def test_validation_rows_pass_through_a_pipeline(both, mlp, cancer):
    X, y = cancer
    with config_context(enable_metadata_routing=True):
        est = mlp(early_stopping=True, epochs=6).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("mlp", est)], transform_input=["X_val"]
        )
        validation = {"X_val": X[:110], "y_val": y[:110]}  # not one per training row
        search = both(pipeline, {"mlp__l2": [0, 0.1]}, X, y, validation)
    assert search.best_estimator_[-1].history_["val_loss"]


def test_groups_are_for_the_splitter(both, mlp, cancer):
    groups = np.random.default_rng(1).integers(0, 7, 120)
    both(mlp(), {"l2": [0.0, 0.1]}, *cancer, {"groups": groups}, cv=GroupKFold(3))


def test_a_splitter_that_shuffles_without_a_seed_splits_once(mlp, cancer):
    search = BatchedGridSearchCV(
        mlp(), {"l2": [0.1, 0.1]}, scoring=LOSS, cv=ShuffleSplit(3)
    ).fit(*cancer)
    np.testing.assert_array_equal(*scores(search))


# The randomized search.


def test_the_randomized_search_draws_what_scikit_learns_draws(
    mlp, cancer, assert_same_results
):
    strengths = {"l2": loguniform(1e-5, 1e-1), "dropout": [0.0, 0.2, 0.5]}
    options = {"n_iter": 4, "random_state": 2, "scoring": LOSS, "cv": 3}
    searches = [
        search(mlp(), strengths, **options).fit(*cancer)
        for search in (BatchedRandomizedSearchCV, RandomizedSearchCV)
    ]
    assert_same_results(*searches)
    assert len(set(searches[0].cv_results_["param_l2"])) == 4


def test_a_random_state_instance_is_advanced_as_by_scikit_learn(
    mlp, cancer, assert_same_results
):
    def run(search):
        rng = np.random.RandomState(4)
        search = search(mlp(), {"l2": loguniform(1e-5, 1)}, n_iter=2, random_state=rng)
        return search.fit(*cancer), rng.random()

    ours, theirs = run(BatchedRandomizedSearchCV), run(RandomizedSearchCV)
    assert ours[1] == theirs[1]
    assert_same_results(ours[0], theirs[0])


def test_scorers_of_make_scorer(both, mlp, cancer):
    def cost(y, predicted):
        return np.mean((y - predicted) ** 2)

    both(mlp(), FEW, *cancer, scoring=make_scorer(cost, greater_is_better=False))
