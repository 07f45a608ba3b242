"""The batched halving searches give what scikit-learn's give, and go on training."""

import keras
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor

# From the private file: the public name asks for an import that changes a module.
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skreg import BatchedHalvingGridSearchCV, BatchedHalvingRandomSearchCV
from skreg._xla import compiled, engine, inputs, planning
from skreg._search import sizes

LOSS = "neg_log_loss"
GRID = {"l2": [0.0, 1e-2, 0.1], "dropout": [0.0, 0.2, 0.5]}
ATTRIBUTES = [
    "n_resources_",
    "n_candidates_",
    "n_remaining_candidates_",
    "n_iterations_",
    "n_possible_iterations_",
    "n_required_iterations_",
    "min_resources_",
    "max_resources_",
]


@pytest.fixture
def both(assert_same_results):
    """Run a halving search of ours and scikit-learn's, and compare; returns ours.

    `resource` is the full name of the epochs, which ours finds by itself.
    """

    def run(
        estimator,
        grid,
        X,
        y,
        fit_params=None,
        *,
        resource="epochs",
        searches=GRIDS,
        **o,
    ):
        options = {"scoring": LOSS, "cv": 3, **o}
        epochs = estimator.get_params()[resource]
        theirs = {"resource": resource, "max_resources": epochs, **options}
        ours, expected = (
            search(clone(estimator), grid, **arguments).fit(X, y, **(fit_params or {}))
            for search, arguments in zip(searches, (options, theirs), strict=True)
        )
        assert_same_results(ours, expected)
        for name in ATTRIBUTES:
            assert getattr(ours, name) == getattr(expected, name), name
        return ours

    return run


GRIDS = BatchedHalvingGridSearchCV, HalvingGridSearchCV
RANDOM = BatchedHalvingRandomSearchCV, HalvingRandomSearchCV


@pytest.fixture
def trainings(monkeypatch):
    """Of every training of the compiled engine the epochs before it, and its own."""
    runs = []

    def train(*args, first_epoch, dry_run=False, **kwargs):
        if not dry_run:
            runs.append((first_epoch, args[4]))
        return original(*args, first_epoch=first_epoch, dry_run=dry_run, **kwargs)

    original = engine.train
    monkeypatch.setattr(engine, "train", train)
    return runs


# Rungs whose networks go on.


@pytest.mark.parametrize(
    ("params", "grid"),
    [
        ({}, GRID),
        # Training goes on from other weights than their average, where there is one.
        ({"l1": 1e-3}, {"ema_momentum": [0.0, 0.5, 0.9], "dropout": [0.0, 0.2, 0.5]}),
        ({"optimizer": keras.optimizers.SGD(0.05, momentum=0.9)}, GRID),
        ({"optimizer": "rmsprop", "group_l1": 0.01, "shuffle": False}, GRID),
    ],
    ids=["adam", "averages", "sgd", "rmsprop"],
)
def test_rungs_are_those_of_scikit_learn(both, mlp, cancer, params, grid):
    search = both(mlp(epochs=9, **params), grid, *cancer, cv=2)
    assert search.n_resources_ == [1, 3, 9]
    assert search.n_candidates_ == [9, 3, 1]


def test_survivors_go_on(mlp, cancer, trainings):
    search = BatchedHalvingGridSearchCV(mlp(epochs=9), GRID, cv=2, n_jobs=1)
    search.fit(*cancer)
    before_refit, refit = trainings[:-1], trainings[-1]
    assert list(dict.fromkeys(before_refit)) == [(0, 1), (1, 2), (3, 6)]
    assert refit == (0, 9)


def test_a_survivor_is_what_a_fit_of_all_its_epochs_gives(mlp, cancer):
    X, y = cancer
    rows = np.arange(120)
    scored = []

    def scoring(est, X, y):
        scored.append(est)
        return -est.history_["loss"][-1]

    BatchedHalvingGridSearchCV(
        mlp(epochs=9, ema_momentum=0.9),
        GRID,
        cv=[(rows[:80], rows[80:])],
        scoring=scoring,
        return_train_score=False,
    ).fit(X, y)
    assert [est.n_iter_ for est in scored] == 9 * [1] + 3 * [3] + [9]
    last = scored[-1]
    alone = clone(last).fit(X[:80], y[:80])
    assert last.best_epoch_ == alone.best_epoch_ == 9
    assert vars(last).keys() == vars(alone).keys()
    for name, figures in alone.history_.items():
        np.testing.assert_allclose(last.history_[name], figures, atol=1e-9)
    for w, expected in zip(last.coefs_, alone.coefs_, strict=True):
        np.testing.assert_allclose(w, expected, atol=1e-9)


def test_networks_that_keras_trains_go_on(both, mlp, cancer):
    falling = keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)
    params = {"optimizer": keras.optimizers.Adam(falling), "ema_momentum": 0.9}
    est = mlp(epochs=2, engine="keras", batch_size=60, **params)
    search = both(est, {"dropout": [0.1, 0.5]}, *cancer, cv=2, factor=2)
    assert search.n_resources_ == [1, 2]


def test_candidates_drawn_at_random(both, mlp, cancer):
    space = {"l2": loguniform(1e-5, 1e-1), "dropout": [0.0, 0.2, 0.5]}
    est = mlp(epochs=6)
    options = {"random_state": 2, "searches": RANDOM}
    search = both(est, space, *cancer, **options, min_resources=2)
    assert search.n_candidates_ == [3, 1]  # as many as the epochs allow
    options |= {"n_candidates": 8, "min_resources": "exhaust", "factor": 2}
    search = both(est, space, *cancer, **options)
    assert search.n_candidates_ == [8, 4, 2]


def test_the_first_rung_may_be_repeated(both, mlp, cancer, trainings):
    options = {"aggressive_elimination": True, "max_resources": 6, "min_resources": 2}
    search = both(mlp(), GRID, *cancer, **options)
    assert search.n_resources_ == [2, 2, 6]
    # Nothing is left to train in the second rung.
    assert list(dict.fromkeys(trainings))[:2] == [(0, 2), (2, 4)]


def test_a_survivor_may_have_failed(both, mlp, cancer):
    grid = {"learning_rate": [1e200, 1e201, 1e202, 0.01]}
    est = mlp(optimizer="sgd", epochs=4)
    with pytest.warns(match="became non-finite|fits failed|are non-finite"):
        search = both(est, grid, *cancer, factor=2, refit=False)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 4


def test_networks_in_a_pipeline_go_on(both, mlp, cancer, trainings):
    weight = np.random.default_rng(0).random(120)
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", mlp(epochs=4))])
    grid = {"mlp__l2": [0.0, 0.1], "scale__with_std": [True, False]}
    fit_params = {"mlp__sample_weight": weight}
    options = {"resource": "mlp__epochs", "factor": 2}
    both(pipeline, grid, *cancer, fit_params, **options)
    assert {(0, 1), (1, 1), (2, 2)} <= set(trainings)
    # The epochs may be called by either name.
    search = BatchedHalvingGridSearchCV(
        pipeline, grid, resource="mlp__epochs", factor=2, cv=3, scoring=LOSS
    )
    assert search.fit(*cancer).max_resources_ == 4


def test_regressors_of_several_outputs_go_on(both, mlr, diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -y, y**2])
    est = TransformedTargetRegressor(mlr(epochs=6), transformer=StandardScaler())
    grid = {"regressor__l2": [0.0, 0.1], "regressor__dropout": [0.0, 0.2]}
    options = {"resource": "regressor__epochs", "scoring": "r2", "factor": 2}
    both(est, grid, X, Y, **options)


def test_candidates_of_other_shapes_and_lengths_of_training(both, mlp, cancer):
    grid = {"hidden_layer_sizes": [(4,), (6, 3)], "batch_size": [16, 32]}
    search = both(mlp(epochs=4), grid, *cancer, factor=2)
    assert search.n_candidates_ == [4, 2, 1]


def test_a_search_without_a_seed_goes_on(mlp, cancer, trainings):
    est = mlp(epochs=9, random_state=None)
    search = BatchedHalvingGridSearchCV(est, GRID, cv=2, n_jobs=1, refit=False)
    search.fit(*cancer)
    assert list(dict.fromkeys(trainings)) == [(0, 1), (1, 2), (3, 6)]


# What starts again in each rung.


class Jitter(TransformerMixin, BaseEstimator):
    """Other rows whenever it is fitted."""

    def fit(self, X, y=None):
        self.shift_ = np.random.default_rng().normal(size=X.shape[1])
        return self

    def transform(self, X):
        return X + self.shift_


def test_networks_whose_rows_have_changed_start_again(mlp, cancer, trainings):
    grid = {"mlp__l2": [0.0, 0.1, 0.2]}
    pipeline = Pipeline([("jitter", Jitter()), ("mlp", mlp(epochs=3))])
    BatchedHalvingGridSearchCV(pipeline, grid, cv=2, refit=False).fit(*cancer)
    assert set(trainings) == {(0, 1), (0, 3)}


class Decay(keras.callbacks.Callback):
    """Depends on how many epochs there will be."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.1 * (1 - epoch / self.params["epochs"])


def test_early_stopping_and_callbacks_start_again(both, mlp, cancer, trainings):
    stopping = {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.1}
    grid = {"l2": [0.0, 0.1], "dropout": [0.0, 0.5]}
    both(mlp(epochs=6, learning_rate=0.1, **stopping), grid, *cancer, cv=2)
    assert {first for first, _ in trainings} == {0}
    est = mlp(epochs=2, callbacks=[Decay()], batch_size=60)
    both(est, {"l2": [0.0, 1.0]}, *cancer, cv=2, factor=2)


@pytest.mark.parametrize("resource", ["n_samples", "batch_size"])
def test_other_resources_are_those_of_scikit_learn(
    mlp, cancer, assert_same_results, trainings, resource
):
    options = {"resource": resource, "cv": 2, "scoring": LOSS, "random_state": 0}
    options["max_resources"] = 120 if resource == "n_samples" else 18
    ours, theirs = (search(mlp(), GRID, **options).fit(*cancer) for search in GRIDS)
    assert_same_results(ours, theirs)
    assert ours.n_resources_ == theirs.n_resources_
    assert {first for first, _ in trainings} == {0}


def test_other_estimators_are_those_of_scikit_learn(cancer, assert_same_results):
    options = {"resource": "max_depth", "max_resources": 3, "cv": 3}
    grid = {"criterion": ["gini", "entropy"], "min_samples_leaf": [1, 9]}
    tree = DecisionTreeClassifier(random_state=0)
    ours, theirs = (search(tree, grid, **options).fit(*cancer) for search in GRIDS)
    assert_same_results(ours, theirs)


def test_rungs_share_xla_programs(mlp, cancer, monkeypatch, assert_same_results):
    options = {"cv": 4, "scoring": LOSS}
    with monkeypatch.context() as patch:
        patch.setattr(planning, "XLA_GROUP_STEPS", 0)
        patch.setattr(planning, "XLA_COMPILE_SECONDS", 0)  # for networks alone
        patch.setattr(sizes, "GROUP_SECONDS", 1.0)  # so that all but the last share
        # Groups of few folds have fewer rows than those of many.
        patch.setattr(inputs, "MIN_PADDED_BYTES", 1)
        patch.setattr(compiled, "_xla_programs", programs := set())
        ours = BatchedHalvingGridSearchCV(mlp(epochs=9), GRID, **options).fit(*cancer)
    # One of groups, and of single networks with dropout or without, as the refit has.
    assert len(programs) <= 3
    assert len([key for key in programs if (1, 1, 1) not in key[3:]]) == 1
    options |= {"resource": "epochs", "max_resources": 9}
    theirs = HalvingGridSearchCV(mlp(epochs=9), GRID, **options).fit(*cancer)
    assert_same_results(ours, theirs)
