"""`partial_fit` and ``warm_start``: resumed training equals uninterrupted training."""

import copy
import pickle

import keras
import numpy as np
import pytest
from problems import arrays, assert_same, differ, the_problem
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

SGD, RMSPROP = keras.optimizers.SGD, keras.optimizers.RMSprop


# Training in several calls.


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_three_calls_of_partial_fit_are_a_fit_of_three_epochs(any_problem, dropout):
    params = {"dropout": dropout, "l1": 0.01}
    whole = any_problem.fit(any_problem.make(epochs=3, **params))
    in_pieces = any_problem.partial(any_problem.make(**params), 3)
    assert_same(in_pieces, whole)
    assert whole.n_iter_ == whole.best_epoch_ == 3


WARM_UP = keras.optimizers.schedules.CosineDecay(
    1e-3, 5, warmup_target=0.02, warmup_steps=3
)
OPTIMIZERS = {
    "adam": "adam",
    "amsgrad": keras.optimizers.Adam(0.01, beta_2=0.8, amsgrad=True),
    "nadam": keras.optimizers.Nadam(0.01, beta_1=0.8),
    "adagrad": keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.01),
    "lion": keras.optimizers.Lion(0.002),
    "momentum": SGD(0.05, momentum=0.9),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "warm-up": SGD(WARM_UP, momentum=0.9, nesterov=True),
    "rmsprop": "rmsprop",
    "centered": RMSPROP(0.01, momentum=0.5, centered=True),
}


@pytest.mark.parametrize(
    ("engine", "kind", "name"),
    [
        *(("compiled", "classifier", name) for name in OPTIMIZERS),
        *(("compiled", "regressor", name) for name in ("adam", "centered")),
        *(("keras", "classifier", n) for n in ("adam", "amsgrad", "warm-up")),
        *(("keras", "regressor", n) for n in ("momentum", "rmsprop")),
    ],
)
def test_fits_of_2_and_3_epochs_are_one_of_5(request, engine, kind, name):
    problem = the_problem(request, kind, engine)
    params = {"optimizer": OPTIMIZERS[name], "dropout": 0.3}
    whole = problem.fit(problem.make(epochs=5, **params))
    in_pieces = problem.warm(problem.warm(problem.make(**params), 2), 3)
    assert_same(in_pieces, whole)
    # The optimizer's state makes the difference: a plain fit keeps none.
    without_state = problem.warm(problem.fit(problem.make(epochs=2, **params)), 3)
    assert differ(without_state, whole)


def test_the_first_call_with_warm_start_is_a_plain_fit(compiled):
    params = {"dropout": 0.3, "epochs": 2}
    assert_same(
        compiled.fit(compiled.make(warm_start=True, **params)),
        compiled.fit(compiled.make(**params)),
    )


def test_early_stopping_holds_out_the_same_rows_again(compiled):
    params = {"early_stopping": True, "n_iter_no_change": 9, "validation_fraction": 0.3}
    whole = compiled.fit(compiled.make(epochs=4, **params))
    assert whole.best_epoch_ == 4  # each piece keeps its last weights, too
    in_pieces = compiled.warm(compiled.warm(compiled.make(**params), 1), 3)
    assert_same(in_pieces, whole)


def test_rows_may_be_dense_in_one_call_and_sparse_in_the_next(compiled):
    expected = compiled.partial(compiled.make(dropout=0.3), 3)
    est = compiled.make(dropout=0.3)
    for container in (np.asarray, sparse.csr_array, np.asarray):
        est.partial_fit(container(compiled.X), compiled.y, **compiled.classes)
    assert_same(est, expected)


def test_partial_fit_takes_several_labels_per_row(mlp, iris, engine):
    X, y = iris
    labels = np.column_stack([y == 0, y != 1, X[:, 0] > 0]).astype(int)
    whole = mlp(epochs=2, engine=engine).fit(X, labels)
    est = mlp(engine=engine)
    for _ in range(2):
        est.partial_fit(X, labels, classes=[0, 1, 2])
    assert_same(est, whole)
    np.testing.assert_array_equal(est.classes_, whole.classes_)


def test_sample_weights_are_scaled_within_each_call(compiled):
    weight = np.random.default_rng(0).integers(0, 3, len(compiled.y)).astype(float)
    whole = compiled.fit(compiled.make(epochs=3), sample_weight=weight)
    est = compiled.make()
    for factor in (1, 10, 0.1):  # only their ratios count
        est.partial_fit(
            compiled.X, compiled.y, **compiled.classes, sample_weight=factor * weight
        )
    assert_same(est, whole)


# Parameters changed between calls.


def test_another_learning_rate_takes_effect(problem):
    # The move of one step is proportional to it, given the optimizer's state.
    est = problem.make(batch_size=70, learning_rate=0.01, l2=0.0)
    problem.warm(est, 2)
    start = [array.copy() for array in arrays(est)]
    moves = []
    for learning_rate in (0.01, 0.02):
        ahead = copy.deepcopy(est)
        problem.warm(ahead, 1, learning_rate=learning_rate)
        moves.append([a - b for a, b in zip(arrays(ahead), start, strict=True)])
    for once, twice in zip(*moves, strict=True):
        assert np.abs(once).max() > 1e-4
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-6, atol=1e-9)


def test_strengths_and_rates_may_be_changed(compiled):
    est = compiled.warm(compiled.make(), 2)
    resumed = compiled.warm(copy.deepcopy(est), 2)
    for params in ({"l1": 0.1}, {"l2": 0.1}, {"dropout": 0.5}):
        assert differ(compiled.warm(copy.deepcopy(est), 2, **params), resumed)


COMPILED, KERAS = {"engine": "compiled"}, {"engine": "keras"}
ANOTHER = [
    (COMPILED, {"optimizer": "adam"}, {"optimizer": SGD(0.05, momentum=0.9)}),
    (COMPILED, {"optimizer": SGD(0.05, momentum=0.9)}, {"optimizer": "rmsprop"}),
    (COMPILED, {"optimizer": "rmsprop"}, {"optimizer": RMSPROP(centered=True)}),
    (COMPILED, {}, KERAS),
    (KERAS, {}, COMPILED),
    # AdamW has as many slots as Adam.
    (KERAS, {"optimizer": "adam"}, {"optimizer": "adamw"}),
    (KERAS, {"optimizer": "rmsprop"}, {"optimizer": RMSPROP(centered=True)}),
]


@pytest.mark.parametrize(("engine", "first", "then"), ANOTHER)
def test_another_optimizer_or_engine_starts_its_own_state(request, engine, first, then):
    problem = the_problem(request, "classifier", **engine)
    est = problem.fit(problem.make(warm_start=True, **first))
    without_state = problem.fit(problem.make(**first))
    assert_same(est, without_state)
    assert_same(
        problem.warm(est, 2, **then),
        problem.warm(without_state, 2, **then),
    )
    assert est.n_iter_ == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_partial_fit_continues_a_fit(classifier, optimizer):
    # Without momentum there is nothing that a plain fit could have kept.
    whole = classifier.fit(classifier.make(epochs=3, optimizer=optimizer))
    est = classifier.make(optimizer=optimizer, warm_start=optimizer == "adam")
    classifier.fit(est).partial_fit(classifier.X, classifier.y)
    assert_same(est, whole)


def test_after_a_plain_fit_the_optimizer_starts_anew(compiled):
    est = compiled.fit(compiled.make(dropout=0.3))
    loaded = pickle.loads(pickle.dumps(est))
    compiled.partial(est)
    assert_same(compiled.partial(loaded), est, atol=0)
    whole = compiled.fit(compiled.make(dropout=0.3, epochs=3))
    assert differ(est, whole)
    # The first step of Adam has the size of its rate, whatever the gradients.
    start = compiled.fit(compiled.make(dropout=0.3, l2=0.0, batch_size=70))
    before = start.coefs_[0].copy()
    compiled.partial(start)
    moves = np.abs(start.coefs_[0] - before)
    np.testing.assert_allclose(moves[moves > 0], 0.001, rtol=0.1)


def test_fit_without_warm_start_starts_anew(compiled):
    fresh = compiled.fit(compiled.make(epochs=3, dropout=0.3))
    est = compiled.partial(compiled.make(epochs=3, dropout=0.3), 2)
    assert_same(compiled.fit(est), fresh)
    est.set_params(random_state=1)
    compiled.warm(est, 2)
    est.set_params(warm_start=False, epochs=3, random_state=0)
    assert_same(compiled.fit(est), fresh)


def test_float32_rows_are_computed_in_the_dtype_of_the_weights(mlp, iris):
    X, y = iris
    est = mlp().partial_fit(X, y, classes=[0, 1, 2])
    est.partial_fit(X.astype(np.float32), y)
    assert {array.dtype for array in arrays(est)} == {np.dtype(np.float64)}


def test_the_network_has_the_new_weights(mlp, iris):
    est = mlp().partial_fit(*iris, classes=[0, 1, 2])
    first = est.model_.get_weights()
    est.partial_fit(*iris)
    assert not np.array_equal(est.model_.get_weights()[0], first[0])
    np.testing.assert_array_equal(est.model_.get_weights()[0], est.coefs_[0])


# Chunks.


def test_chunks_may_lack_a_class(mlp, iris, engine):
    X, y = iris
    names = np.array(["a", "b", "c"])
    est = mlp(engine=engine, optimizer="sgd", learning_rate=0.1)
    for chunk in ([0], [1, 2]):
        rows = np.isin(y, chunk)
        est.partial_fit(X[rows], names[y[rows]], classes=names)
    np.testing.assert_array_equal(est.classes_, names)
    assert est.predict_proba(X).shape == (90, 3)
    assert set(est.predict(X)) <= set(names)
    assert est.n_iter_ == 2


def test_a_chunk_of_one_class_moves_towards_it(mlp, cancer, engine):
    X, y = cancer
    est = mlp(engine=engine).partial_fit(X, y, classes=[0, 1])
    before = est.predict_proba(X)[:, 1].mean()
    est.partial_fit(X[y == 1], y[y == 1])
    assert est.predict_proba(X)[:, 1].mean() > before


def test_class_weights_are_factors_in_every_chunk(mlp, iris):
    X, y = iris
    factors = {0: 1.0, 1: 3.0, 2: 0.5}
    by_class = mlp(class_weight=factors)
    by_row = mlp()
    for rows in (y != 0, y != 1):
        by_class.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        weight = np.vectorize(factors.get)(y[rows])
        by_row.partial_fit(X[rows], y[rows], [0, 1, 2], weight)
    assert_same(by_class, by_row)


def test_chunks_may_be_of_any_size(mlp, iris):
    X, y = iris
    est = mlp(dropout=0.2)
    for n_rows in (40, 1, 32, 33, 2):
        est.partial_fit(X[:n_rows], y[:n_rows], classes=[0, 1, 2])
    assert est.n_iter_ == 5
    assert np.isfinite(est.loss_curve_).all()


def test_ten_chunks_of_digits_score_like_one_fit(mlp):
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = scale(X)[order], y[order]
    train, test = np.arange(1200), np.arange(1200, len(y))
    whole = mlp((32,), epochs=10).fit(X[train], y[train])
    est = mlp((32,))
    for _ in range(10):
        for rows in np.split(train, 10):
            est.partial_fit(X[rows], y[rows], classes=np.arange(10))
    expected = whole.score(X[test], y[test])
    assert expected > 0.9
    assert abs(est.score(X[test], y[test]) - expected) <= 0.01


def test_a_fresh_fit_learns_the_scale_anew(mlr, diabetes):
    X, y = diabetes
    est = mlr().partial_fit(X, y).fit(X, 1000 * y)
    assert_same(est, mlr().fit(X, 1000 * y))


# The history.


@pytest.mark.parametrize(
    "runs", [("validated", "partial_fit", "validated"), ("plain", "validated")]
)
def test_the_history_has_nan_where_a_run_did_not_validate(problem, runs):
    validation = {"X_val": problem.X[50:], "y_val": problem.y[50:]}
    est = problem.make(epochs=2, warm_start=True)
    for n_runs, run in enumerate(runs, start=1):
        if run == "partial_fit":
            problem.partial(est, 2)
        else:
            problem.fit(est, **(validation if run == "validated" else {}))
        assert est.n_iter_ == est.best_epoch_ == 2 * n_runs
        assert (est.validation_scores_ is not None) == ("validated" in runs[:n_runs])
    for name, figures in est.history_.items():
        finite = [run == "validated" or not name.startswith("val_") for run in runs]
        assert np.isfinite(figures).tolist() == np.repeat(finite, 2).tolist(), name
    assert est.validation_scores_ == est.history_["val_score"]
    assert est.loss_curve_ == est.history_["loss"]


# Copies.


def test_a_pickle_resumes_as_the_estimator_does(problem):
    est = problem.partial(problem.make(dropout=0.3))
    stored = pickle.dumps(est)
    problem.partial(est)
    after = pickle.dumps(est)
    loaded = problem.partial(pickle.loads(stored))
    assert_same(loaded, est, atol=0)
    assert pickle.dumps(est) == after


def test_training_a_copy_does_not_change_the_estimator(compiled):
    est = compiled.partial(compiled.make(dropout=0.3))
    before = pickle.dumps(est)
    ahead = compiled.partial(copy.copy(est))
    assert pickle.dumps(est) == before
    assert est.n_iter_ == 1
    assert_same(compiled.partial(est), ahead, atol=0)


def test_a_clone_has_no_state(compiled):
    est = compiled.partial(compiled.make(dropout=0.3), 2)
    other = clone(est)
    assert vars(other).keys() == other.get_params().keys()
    assert_same(compiled.partial(other, 2), est, atol=0)
