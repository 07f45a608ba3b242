"""The estimator in use: labels, inputs, outputs, optimizers, callbacks, seeds."""

import copy

import keras
import numpy as np
import pytest
from problems import assert_same_weights, ignores_copy_warning
from scipy.special import expit, softmax
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def test_labels_of_three_classes_come_back_as_they_were(mlp, iris):
    X, codes = iris
    y = np.array(["setosa", "versicolor", "virginica"])[codes]
    named, coded = mlp().fit(X, y), mlp().fit(X, codes)
    assert_same_weights(named, coded)
    np.testing.assert_array_equal(
        named.predict(X), named.classes_[coded.predict(X)], strict=True
    )


@pytest.fixture(params=["cancer", "iris"])
def est_and_rows(request):
    """A classifier that is not to be changed, and its rows."""
    est = {"cancer": "fitted", "iris": "fitted_iris"}[request.param]
    return request.getfixturevalue(est), request.getfixturevalue(request.param)[0]


@pytest.mark.parametrize("n_rows", [1, 7])
def test_predictions_agree_with_each_other(est_and_rows, n_rows):
    est, X = est_and_rows
    X = X[:n_rows]
    proba, decision = est.predict_proba(X), est.decision_function(X)
    if len(est.classes_) == 2:
        assert decision.shape == (n_rows,)
        np.testing.assert_allclose(proba[:, 1], expit(decision))
        np.testing.assert_array_equal(est.predict(X), est.classes_[0 + (decision > 0)])
    else:
        assert decision.shape == (n_rows, 3)
        np.testing.assert_allclose(proba, softmax(decision, axis=1))
    assert proba.shape == (n_rows, len(est.classes_))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(est.predict_log_proba(X), np.log(proba))
    np.testing.assert_array_equal(est.predict(X), est.classes_[proba.argmax(axis=1)])


def test_log_probabilities_stay_finite_where_probabilities_underflow(est_and_rows):
    est, X = est_and_rows
    assert (est.predict_proba(1e5 * X) == 0).any()
    assert np.isfinite(est.predict_log_proba(1e5 * X)).all()


@pytest.mark.parametrize("data", ["cancer", "iris"])
@pytest.mark.parametrize(
    ("given", "computed"),
    [("f4", "f4"), ("f8", "f8"), ("f2", "f8"), ("i4", "f8"), ("?", "f8"), ("O", "f8")],
)
def test_arithmetic_is_in_the_dtype_of_the_training_rows(
    mlp, data, given, computed, request
):
    X, y = request.getfixturevalue(data)
    X = X.astype(given)
    est = mlp().fit(X, y)
    outputs = [est.predict_proba(X), est.predict_log_proba(X), est.decision_function(X)]
    for array in est.coefs_ + est.intercepts_ + outputs:
        assert array.dtype == computed
    in_keras = "f4" if keras.backend.backend() == "jax" else computed
    assert np.dtype(in_keras).name in {w.dtype for w in est.model_.weights}


@pytest.mark.parametrize(("fitted_in", "asked_in"), [("f4", "f8"), ("f8", "f4")])
def test_predictions_accept_the_other_dtype(mlp, cancer, fitted_in, asked_in):
    X, y = cancer
    est = mlp().fit(X.astype(fitted_in), y)
    proba = est.predict_proba(X.astype(asked_in))
    assert proba.dtype == fitted_in
    np.testing.assert_allclose(proba, est.predict_proba(X.astype(fitted_in)), rtol=1e-5)


def test_lists_are_arrays(mlp, cancer):
    X, y = cancer
    assert_same_weights(mlp().fit(X, y), mlp().fit(X.tolist(), y.tolist()))


def test_an_optimizer_object_is_never_changed(mlp, cancer, engine):
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build([keras.Variable(np.ones(3))])
    config = optimizer.get_config()
    state = [v.numpy() for v in optimizer.variables]
    est = mlp(optimizer=optimizer, engine=engine)
    first, second = copy.deepcopy(est.fit(*cancer)), est.fit(*cancer)
    assert est.optimizer is optimizer
    assert optimizer.get_config() == config
    for before, after in zip(state, optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, after.numpy())
    assert_same_weights(first, second)


@pytest.mark.parametrize(
    ("given", "meant"), [("auto", 32), (10_000, 120), (None, "auto")]
)
def test_batch_sizes_that_mean_the_same(mlp, cancer, given, meant):
    given = {} if given is None else {"batch_size": given}
    assert_same_weights(mlp(**given).fit(*cancer), mlp(batch_size=meant).fit(*cancer))


@pytest.mark.parametrize("batch_size", [32, 120])
@pytest.mark.parametrize("name", ["mlp", "mlr"])
def test_shuffling_matters_where_there_is_more_than_one_batch(
    request, cancer, name, batch_size
):
    make = request.getfixturevalue(name)
    shuffled = make(batch_size=batch_size).fit(*cancer)
    in_order = make(batch_size=batch_size, shuffle=False).fit(*cancer)
    same = np.allclose(shuffled.coefs_[0], in_order.coefs_[0], rtol=1e-9)
    assert same == (batch_size == 120)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("change", [{"random_state": 1}, {"epochs": 3}])
def test_every_seed_and_every_epoch_shuffles_differently(mlp, shuffle, change):
    # Inputs of zero leave only a bias to train. At such a rate it forgets all but the
    # last few of 60 rows, and so it depends on their order.
    X, y = np.zeros((60, 1)), np.arange(60) % 2
    est = mlp((), optimizer="sgd", learning_rate=2.0, batch_size=1, shuffle=shuffle)
    before = est.fit(X, y).intercepts_[0]
    after = est.set_params(**change).fit(X, y).intercepts_[0]
    assert np.allclose(before, after) == (not shuffle)


def test_the_model_has_the_regularization_of_each_layer(mlp, iris):
    est = mlp((5, 4), l1=[0.0, 0.1], l2=[0.5, 0.25, 0.125], dropout=[0.0, 0.5])
    network = est.fit(*iris).model_
    first, second, dropout, output = network.layers
    assert first.kernel_regularizer.get_config() == {"l1": 0.0, "l2": 0.5}
    assert second.kernel_regularizer.get_config() == {"l1": 0.1, "l2": 0.25}
    assert output.kernel_regularizer.get_config() == {"l1": 0.0, "l2": 0.125}
    assert isinstance(dropout, keras.layers.Dropout)
    assert dropout.rate == 0.5
    assert type(network) is keras.Sequential
    assert [layer.units for layer in (first, second, output)] == [5, 4, 3]
    assert [w.shape for w in est.coefs_] == [(4, 5), (5, 4), (4, 3)]


@ignores_copy_warning
def test_a_saved_model_predicts_without_skreg(fitted, cancer, tmp_path):
    fitted.model_.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    positive = keras.ops.convert_to_numpy(loaded(cancer[0]))[:, 0]
    expected = fitted.predict_proba(cancer[0])[:, 1]
    np.testing.assert_allclose(positive, expected, rtol=1e-6)


class StopAfter(keras.callbacks.Callback):
    """Stops the training after some epochs, which it counts in itself."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs
        self.seen = 0

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        if self.seen == self.epochs:
            self.model.stop_training = True


def test_callbacks_are_copied_and_can_stop_the_training(mlp, cancer):
    callback = StopAfter(2)
    before = vars(callback).copy()
    est = mlp(callbacks=callback, epochs=9).fit(*cancer)
    assert est.n_iter_ == est.best_epoch_ == len(est.loss_curve_) == 2
    assert est.fit(*cancer).n_iter_ == 2
    assert vars(callback) == before


def test_callbacks_see_the_figures_of_the_history(mlp, cancer):
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(dict(logs))
    )
    est = mlp(callbacks=[callback], l2=0.1).fit(
        *cancer, X_val=cancer[0][:9], y_val=cancer[1][:9]
    )
    for name in ("data_loss", "penalty", "loss", "val_loss", "val_score"):
        figures = [logs[name] for logs in seen]
        np.testing.assert_allclose(figures, est.history_[name], rtol=1e-6)


@ignores_copy_warning
def test_callbacks_can_set_the_learning_rate(mlp, cancer):
    halt = keras.callbacks.LearningRateScheduler(lambda epoch: 0.0 if epoch else 0.5)
    halted = mlp(optimizer="sgd", callbacks=[halt], epochs=3).fit(*cancer)
    once = mlp(optimizer="sgd", learning_rate=0.5, epochs=1, engine="keras")
    assert_same_weights(halted, once.fit(*cancer))


def test_a_random_state_instance_is_consumed(mlp, cancer):
    instance, twin = np.random.RandomState(5), np.random.RandomState(5)
    first = mlp(random_state=instance).fit(*cancer)
    second = mlp(random_state=instance).fit(*cancer)
    assert (first.coefs_[0] != second.coefs_[0]).any()
    assert_same_weights(first, mlp(random_state=twin).fit(*cancer))


def test_without_random_state_one_number_is_drawn_from_numpy(mlp, cancer):
    saved = np.random.get_state()
    np.random.seed(5)
    est = mlp(random_state=None, dropout=0.2).fit(*cancer)
    following = np.random.random()
    np.random.set_state(saved)

    twin = np.random.RandomState(5)
    seeded = mlp(random_state=twin, dropout=0.2).fit(*cancer)
    assert_same_weights(est, seeded)
    twin = np.random.RandomState(5)
    twin.randint(np.iinfo(np.int32).max)
    assert twin.random() == following


def test_grid_search_over_regularization_on_named_columns_and_labels(mlp):
    data = load_breast_cancer(as_frame=True)
    names = data.target.map(dict(enumerate(data.target_names)))
    pipeline = make_pipeline(StandardScaler(), mlp((32,), epochs=20))
    grid = {
        "regularizedmlpclassifier__l2": [1e-4, 1e-2],
        "regularizedmlpclassifier__dropout": [0.0, 0.2],
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    search.fit(data.data, names)
    assert search.best_score_ > 0.96
    assert set(search.predict(data.data)) == {"benign", "malignant"}
