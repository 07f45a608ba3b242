"""`partial_fit` and ``warm_start``: going on is as if one had never stopped."""

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


# Cut in pieces.


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_six_calls_of_partial_fit_are_a_fit_of_six_epochs(any_problem, dropout):
    params = {"dropout": dropout, "l1": 0.01}
    whole = any_problem.fit(any_problem.make(epochs=6, **params))
    in_pieces = any_problem.partial(any_problem.make(**params), 6)
    assert_same(in_pieces, whole)
    assert whole.n_iter_ == whole.best_epoch_ == 6


def assert_2_and_3_epochs_are_5(problem, optimizer):
    params = {"optimizer": optimizer, "dropout": 0.3}
    whole = problem.fit(problem.make(epochs=5, **params))
    in_pieces = problem.warm(problem.warm(problem.make(**params), 2), 3)
    assert_same(in_pieces, whole)
    # That is due to what the optimizer had gathered: a fit that is not to be gone on
    # from leaves none of it.
    forgetful = problem.warm(problem.fit(problem.make(epochs=2, **params)), 3)
    assert differ(forgetful, whole)


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        SGD(0.05, momentum=0.9),
        SGD(0.05, momentum=0.9, nesterov=True),
        "rmsprop",
        RMSPROP(0.01, momentum=0.5, centered=True),
    ],
    ids=["adam", "momentum", "nesterov", "rmsprop", "centered"],
)
def test_fits_of_2_and_3_epochs_are_one_of_5(compiled, optimizer):
    assert_2_and_3_epochs_are_5(compiled, optimizer)


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        ("classifier", "adam"),
        ("regressor", SGD(0.05, momentum=0.9)),
        ("classifier", "rmsprop"),
    ],
    ids=["adam", "momentum", "rmsprop"],
)
def test_fits_of_2_and_3_epochs_with_keras(request, name, optimizer):
    assert_2_and_3_epochs_are_5(the_problem(request, name, "keras"), optimizer)


def test_a_first_call_has_nothing_to_go_on_from(compiled):
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


def test_several_labels_a_row(mlp, iris, engine):
    X, y = iris
    labels = np.column_stack([y == 0, y != 1, X[:, 0] > 0]).astype(int)
    whole = mlp(epochs=2, engine=engine).fit(X, labels)
    est = mlp(engine=engine)
    for _ in range(2):
        est.partial_fit(X, labels, classes=[0, 1, 2])
    assert_same(est, whole)
    np.testing.assert_array_equal(est.classes_, whole.classes_)


def test_weights_of_the_rows_are_of_each_call(compiled):
    weight = np.random.default_rng(0).integers(0, 3, len(compiled.y)).astype(float)
    whole = compiled.fit(compiled.make(epochs=3), sample_weight=weight)
    est = compiled.make()
    for factor in (1, 10, 0.1):  # only their ratios count
        est.partial_fit(
            compiled.X, compiled.y, **compiled.classes, sample_weight=factor * weight
        )
    assert_same(est, whole)


# What may be changed on the way.


def test_another_learning_rate_is_heeded(problem):
    # The move of one step is proportional to it, given what the optimizer has gathered.
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
    gone_on = compiled.warm(copy.deepcopy(est), 2)
    for params in ({"l1": 0.1}, {"l2": 0.1}, {"dropout": 0.5}):
        assert differ(compiled.warm(copy.deepcopy(est), 2, **params), gone_on)


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
    with_nothing_gathered = problem.fit(problem.make(**first))
    assert_same(est, with_nothing_gathered)
    assert_same(
        problem.warm(est, 2, **then),
        problem.warm(with_nothing_gathered, 2, **then),
    )
    assert est.n_iter_ == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_partial_fit_goes_on_after_fit(classifier, optimizer):
    # Without momentum there is nothing that a plain fit could have kept.
    whole = classifier.fit(classifier.make(epochs=3, optimizer=optimizer))
    est = classifier.make(optimizer=optimizer, warm_start=optimizer == "adam")
    classifier.partial(classifier.fit(est))
    assert_same(est, whole)


def test_classes_need_not_be_given_after_fit(mlp, iris):
    est = mlp().fit(*iris)
    est.partial_fit(*iris)
    assert est.n_iter_ == 3


def test_fit_without_warm_start_starts_anew(compiled):
    fresh = compiled.fit(compiled.make(epochs=3, dropout=0.3))
    est = compiled.partial(compiled.make(epochs=3, dropout=0.3), 2)
    assert_same(compiled.fit(est), fresh)
    est.set_params(random_state=1)
    compiled.warm(est, 2)
    est.set_params(warm_start=False, epochs=3, random_state=0)
    assert_same(compiled.fit(est), fresh)


def test_fit_without_warm_start_may_have_other_rows_and_classes(mlp, iris, cancer):
    est = mlp().partial_fit(*iris, classes=[0, 1, 2])
    assert_same(est.fit(*cancer), mlp().fit(*cancer))
    np.testing.assert_array_equal(est.classes_, [0, 1])


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


def test_ten_chunks_of_digits_come_to_what_fit_comes_to(mlp):
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


@pytest.mark.parametrize(
    ("loss", "engine"),
    [
        ("squared_error", "compiled"),
        ("absolute_error", "compiled"),
        ("huber", "compiled"),
        ("huber", "keras"),
    ],
)
def test_the_scale_of_the_targets_is_that_of_the_first_call(
    mlr, diabetes, loss, engine
):
    X, y = diabetes
    first, later = 1e6 + 1e3 * y[:60], 2e6 + 5e3 * y[60:]
    params = {"loss": loss, "engine": engine, "l1": [0.0, 0.01]}
    est = mlr(**params).partial_fit(X[:60], first).partial_fit(X[60:], later)
    # The same in the first call's units.
    mean, deviation = first.mean(), first.std()
    by_hand = mlr(**params).partial_fit(X[:60], (first - mean) / deviation)
    by_hand.partial_fit(X[60:], (later - mean) / deviation)
    expected = mean + deviation * by_hand.predict(X)
    np.testing.assert_allclose(est.predict(X), expected, rtol=1e-9)
    np.testing.assert_allclose(est.loss_curve_, by_hand.loss_curve_, rtol=1e-9)
    # One epoch hardly moves the outputs, which are about 0 in these units.
    error = (later - mean) / deviation
    of_zeros = {
        "squared_error": np.mean(error**2),
        "absolute_error": np.mean(np.abs(error)),
        "huber": np.mean(np.abs(error) - 0.5),
    }
    np.testing.assert_allclose(est.loss_curve_[1], of_zeros[loss], rtol=0.2)


def test_the_scale_of_counts_is_the_first_calls_mean(mlr, diabetes):
    X, y = diabetes
    first, later = 1e3 * y[:60], 1e4 * y[60:]
    est = mlr(loss="poisson").partial_fit(X[:60], first).partial_fit(X[60:], later)
    mean = first.mean()
    by_hand = mlr(loss="poisson").partial_fit(X[:60], first / mean)
    by_hand.partial_fit(X[60:], later / mean)
    np.testing.assert_allclose(est.predict(X), mean * by_hand.predict(X), rtol=1e-9)


def test_a_warm_start_keeps_the_scale_too(mlr, diabetes):
    X, y = diabetes
    fitted = mlr(warm_start=True).fit(X, y).fit(X, 5 * y + 3000)
    in_calls = mlr()
    for given in (y, y, 5 * y + 3000, 5 * y + 3000):
        in_calls.partial_fit(X, given)
    assert_same(fitted, in_calls)


def test_a_fresh_fit_learns_the_scale_anew(mlr, diabetes):
    X, y = diabetes
    est = mlr().partial_fit(X, y).fit(X, 1000 * y)
    assert_same(est, mlr().fit(X, 1000 * y))


# The history.


def test_the_history_has_nan_where_a_run_did_not_validate(problem):
    X_val, y_val = problem.X[50:], problem.y[50:]
    est = problem.make(epochs=2, warm_start=True)
    problem.fit(est, X_val=X_val, y_val=y_val)
    problem.partial(est)
    problem.fit(est, X_val=X_val, y_val=y_val)
    assert est.n_iter_ == est.best_epoch_ == 5
    validated = [True, True, False, True, True]
    for name, figures in est.history_.items():
        expected = validated if name.startswith("val_") else [True] * 5
        assert np.isfinite(figures).tolist() == expected, name
    assert est.validation_scores_ == est.history_["val_score"]
    assert est.loss_curve_ == est.history_["loss"]


def test_validation_may_begin_later(classifier):
    est = classifier.make(epochs=2, warm_start=True)
    classifier.fit(est)
    assert est.validation_scores_ is None
    classifier.fit(est, X_val=classifier.X, y_val=classifier.y)
    for name in ("val_loss", "val_score"):
        assert np.isnan(est.history_[name]).tolist() == [True, True, False, False]


# Copies.


def test_a_pickle_goes_on_as_the_estimator_does(problem):
    est = problem.partial(problem.make(dropout=0.3))
    stored = pickle.dumps(est)
    problem.partial(est)
    after = pickle.dumps(est)
    loaded = problem.partial(pickle.loads(stored))
    assert_same(loaded, est, atol=0)
    assert pickle.dumps(est) == after


def test_what_a_copy_does_leaves_the_estimator_alone(compiled):
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


def test_a_fit_that_is_not_gone_on_from_keeps_no_optimizer(mlp, cancer):
    X, y = cancer
    plain = len(pickle.dumps(mlp((200,)).fit(X, y)))
    assert len(pickle.dumps(mlp((200,), warm_start=True).fit(X, y))) > 2 * plain
