"""Keras' callbacks and users' own: they see the network that the user gets."""

import csv

import keras
import numpy as np
import pytest
from keras import callbacks as keras_callbacks
from problems import assert_same, assert_same_weights, ignores_copy_warning

SGD = keras.optimizers.SGD

# Keras' files and schedulers convert its variables, of which NumPy 2 warns.
pytestmark = ignores_copy_warning


class Case:
    """Rows, an estimator with Keras' engine, and what its network predicts."""

    def __init__(self, make, X, y, against, **params):
        self.X, self.y = X, y
        self.params = {"engine": "keras", "batch_size": 60, **params}
        self.make = make
        # The validation loss rises as the fit improves.
        self.rising = {"X_val": X, "y_val": against}

    def fit(self, callbacks=None, **params):
        est = self.make(**{**self.params, "callbacks": callbacks, **params})
        return est.fit(self.X, self.y, **self.rising)

    def predictions(self, est):
        """The outputs of the network of `est`, of shape (n_rows, n_outputs)."""
        if not hasattr(est, "predict_proba"):
            return est.predict(self.X).reshape(len(self.X), -1)
        proba = est.predict_proba(self.X)
        return proba[:, 1:] if est.coefs_[-1].shape[1] == 1 else proba


@pytest.fixture(
    params=["two classes", "three classes", "labels", "numbers", "columns", "counts"]
)
def case(request, mlp, mlr, cancer, iris, diabetes):
    fast = {"learning_rate": 0.05}
    X, y = diabetes
    labels = np.column_stack([y > 100, y > 150, X[:, 0] > 0]).astype(int)
    columns = np.column_stack([y, 1e4 - 20 * y])
    return {
        "two classes": lambda: Case(mlp, *cancer, 1 - cancer[1], **fast),
        "three classes": lambda: Case(mlp, *iris, (iris[1] + 1) % 3, **fast),
        "labels": lambda: Case(mlp, X, labels, 1 - labels, **fast),
        "numbers": lambda: Case(mlr, X, y, y.max() - y, **fast),
        "columns": lambda: Case(mlr, X, columns, columns[:, ::-1], **fast),
        "counts": lambda: Case(mlr, X, y, y.max() - y, loss="poisson", **fast),
    }[request.param]()


@pytest.fixture
def numbers(mlr, diabetes):
    X, y = diabetes
    return Case(mlr, X, y, y.max() - y, optimizer="sgd", learning_rate=0.05)


class Watch(keras_callbacks.Callback):
    """Tells the predictions and the state of the model whenever it is called."""

    def __init__(self, X, tell, events):
        super().__init__()
        self.X, self.tell = X, tell
        for event in events:
            setattr(self, event, self.look)

    def look(self, *arguments, **logs):
        outputs = keras.ops.convert_to_numpy(self.model(self.X))
        steps = int(self.model.optimizer.iterations.numpy())
        self.tell((outputs, steps, type(self.model), self.model.stop_training))


EVENTS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_epoch_end",
    "on_train_end",
]


def test_the_model_of_a_callback_predicts_as_the_estimator_does(case):
    seen = []
    est = case.fit([Watch(case.X, seen.append, ["on_epoch_end"])], epochs=3)
    n_steps = -(-len(case.X) // 60)
    for epoch, (outputs, *state) in enumerate(seen, start=1):
        until_then = case.fit(epochs=epoch)
        expected = case.predictions(until_then)
        np.testing.assert_allclose(outputs, expected, rtol=1e-9)
        assert state == [epoch * n_steps, keras.Sequential, False]
    assert len(seen) == 3
    # The callback has not changed the weights, not by a bit.
    assert_same_weights(est, until_then)


def test_every_event_sees_the_units_of_the_targets(numbers):
    center, scale = numbers.y.mean(), numbers.y.std()
    seen, standardized = [], []
    est = numbers.fit([Watch(numbers.X, seen.append, EVENTS)])
    numbers.y = (numbers.y - center) / scale
    numbers.fit([Watch(numbers.X, standardized.append, EVENTS)])
    assert len(seen) == len(standardized) == 2 + 2 * (2 + 2 * 2)
    for ours, theirs in zip(seen, standardized, strict=True):
        np.testing.assert_allclose(ours[0], center + scale * theirs[0], rtol=1e-9)
        assert ours[1:] == theirs[1:]
    np.testing.assert_allclose(seen[-1][0], numbers.predictions(est), rtol=1e-12)


def test_checkpoints_are_of_the_network_that_the_user_gets(case, tmp_path):
    best = {"monitor": "val_loss", "save_best_only": True}
    est = case.fit(
        [
            keras_callbacks.ModelCheckpoint(str(tmp_path / "last.keras")),
            keras_callbacks.ModelCheckpoint(str(tmp_path / "best.keras"), **best),
            keras_callbacks.ModelCheckpoint(
                str(tmp_path / "best.weights.h5"), save_weights_only=True, **best
            ),
            keras_callbacks.EarlyStopping(patience=2),
        ],
        epochs=9,
    )
    last = keras.models.load_model(tmp_path / "last.keras")
    assert type(last) is keras.Sequential
    for ours, theirs in zip(last.layers, est.model_.layers, strict=True):
        assert (type(ours), ours.name) == (type(theirs), theirs.name)
    np.testing.assert_allclose(
        last.predict(case.X, verbose=0), case.predictions(est), rtol=1e-3, atol=1e-5
    )
    at_best = case.fit(epochs=best_epoch(est))
    network = keras.models.clone_model(est.model_)
    network.load_weights(tmp_path / "best.weights.h5")
    for model in (keras.models.load_model(tmp_path / "best.keras"), network):
        for ours, weights in zip(
            at_best.model_.get_weights(), model.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(weights, ours)


def test_early_stopping_restores_the_best_weights(case):
    stopping = keras_callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    est = case.fit([stopping], epochs=9)
    assert est.n_iter_ == best_epoch(est) + 2 < 9
    assert_same_weights(est, case.fit(epochs=best_epoch(est)), atol=1e-9)


def best_epoch(est):
    best = 1 + int(np.argmin(est.history_["val_loss"]))
    assert best < est.n_iter_  # else the last epoch is the best
    return best


def interrupt(epoch, logs):
    """Ctrl-C when two epochs have ended."""
    if epoch == 2:
        raise KeyboardInterrupt


INTERRUPT = keras_callbacks.LambdaCallback(on_epoch_begin=interrupt)


def test_a_fit_goes_on_from_its_backup(case, tmp_path):
    backup = keras_callbacks.BackupAndRestore(str(tmp_path / "backup"))
    with pytest.raises(KeyboardInterrupt):
        case.fit([backup, INTERRUPT], epochs=4)
    est, whole = case.fit([backup], epochs=4), case.fit(epochs=4)
    assert_same_weights(est, whole, atol=1e-9)
    assert est.n_iter_ == est.best_epoch_ == 4
    for name, figures in whole.history_.items():  # the first run's are lost
        expected = [np.nan, np.nan, *figures[2:]]
        np.testing.assert_allclose(est.history_[name], expected, rtol=1e-9)


def test_a_fit_whose_backup_is_complete_has_nothing_to_do(numbers, tmp_path):
    backup = keras_callbacks.BackupAndRestore(
        str(tmp_path / "backup"), delete_checkpoint=False
    )
    whole, again = (numbers.fit([backup], epochs=2) for _ in range(2))
    assert_same_weights(again, whole, atol=1e-9)
    assert again.n_iter_ == 2
    assert np.isnan(again.loss_curve_).all()


def test_early_stopping_beats_what_a_backup_has(numbers, tmp_path):
    backup = keras_callbacks.BackupAndRestore(str(tmp_path / "backup"))
    params = {"early_stopping": True, "n_iter_no_change": 2, "epochs": 9}
    with pytest.raises(KeyboardInterrupt):
        numbers.fit([backup, INTERRUPT], **params)
    est = numbers.fit([backup], **params)
    assert (est.n_iter_, est.best_epoch_) == (4, 2)
    assert_same_weights(est, numbers.fit(epochs=2), atol=1e-9)


# test_classifier.py tests LearningRateScheduler.
def test_the_learning_rate_is_theirs_to_set(numbers):
    plateau = keras_callbacks.ReduceLROnPlateau(factor=1e-9, patience=1)
    halted, two = numbers.fit([plateau], epochs=4), numbers.fit(epochs=2)
    assert halted.n_iter_ == 4
    assert_same_weights(halted, two, atol=1e-7)


def test_a_log_file_has_the_figures_of_the_history(numbers, tmp_path):
    est = numbers.fit([keras_callbacks.CSVLogger(tmp_path / "log.csv")], epochs=3)
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0].keys() == {"epoch", *est.history_}
    for name, figures in est.history_.items():
        assert [float(row[name]) for row in rows] == figures


class SetWeights(keras_callbacks.Callback):
    """Sets all weights to 0, and the output's bias, when an epoch has ended."""

    def __init__(self, bias):
        super().__init__()
        self.bias = bias

    def on_epoch_end(self, epoch, logs=None):
        *weights, bias = self.model.get_weights()
        zeros = [np.zeros_like(array) for array in weights]
        self.model.set_weights([*zeros, np.full_like(bias, self.bias)])


@pytest.mark.parametrize(
    ("loss", "inverse"), [("squared_error", np.asarray), ("poisson", np.log)]
)
def test_weights_are_theirs_to_set(numbers, loss, inverse):
    est = numbers.fit([SetWeights(inverse(152.0))], loss=loss)
    np.testing.assert_allclose(est.predict(numbers.X), 152.0, rtol=1e-12)


def test_training_goes_on_from_weights_that_a_callback_has_set(numbers):
    class Perturb(keras_callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.set_weights([1.1 * w for w in self.model.get_weights()])

    est = numbers.fit([Perturb()], epochs=2)
    by_hand = numbers.fit(epochs=1, warm_start=True)
    kernels = [1.1 * w for w in by_hand.coefs_]
    biases = [1.1 * b for b in by_hand.intercepts_]
    last = by_hand._output_scale().to_network_units(kernels[-1], biases[-1])
    by_hand._kernels = [*kernels[:-1], last[0]]
    by_hand._biases = [*biases[:-1], last[1]]
    by_hand.set_params(callbacks=None).fit(numbers.X, numbers.y, **numbers.rising)
    assert_same(est, by_hand)


class StopInBatch(keras_callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 1


def test_a_callback_can_stop_within_an_epoch(numbers):
    seen = []
    watch = Watch(numbers.X, seen.append, ["on_train_batch_end", "on_train_end"])
    est = numbers.fit([StopInBatch(), watch], epochs=3)
    assert [(steps, stop) for _, steps, _, stop in seen] == [
        (1, False),
        (2, True),
        (2, True),
    ]
    assert est.n_iter_ == len(est.loss_curve_) == 1


def test_callbacks_know_that_early_stopping_has_ended_the_training(numbers):
    seen = []
    est = numbers.fit(
        [Watch(numbers.X, seen.append, ["on_epoch_end"])],
        early_stopping=True,
        n_iter_no_change=2,
        epochs=9,
    )
    assert [stop for *_, stop in seen] == [False, False, True]
    assert est.n_iter_ == 3


def test_averaged_weights_are_swapped_in_in_the_units_of_the_targets(numbers):
    seen, standardized = [], []
    averaging = SGD(0.05, momentum=0.9, use_ema=True, ema_momentum=0.5)
    params = {"optimizer": averaging, "learning_rate": None, "epochs": 3}

    def fit(tell):
        return numbers.fit(
            [
                keras_callbacks.SwapEMAWeights(swap_on_epoch=True),
                Watch(numbers.X, tell, ["on_epoch_end"]),
            ],
            **params,
        )

    center, scale = numbers.y.mean(), numbers.y.std()
    est, plain = fit(seen.append), numbers.fit(**params)
    assert_same_weights(est, plain, atol=1e-9)
    numbers.y = (numbers.y - center) / scale
    fit(standardized.append)
    for ours, theirs in zip(seen, standardized, strict=True):
        np.testing.assert_allclose(ours[0], center + scale * theirs[0], rtol=1e-9)
