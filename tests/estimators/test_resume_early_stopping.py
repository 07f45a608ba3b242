"""Early stopping with ``warm_start`` keeps the best epoch of all fits."""

import copy

import numpy as np
import pytest
from problems import Problem, assert_same, assert_same_weights, differ
from sklearn.metrics import log_loss


class Stopping(Problem):
    """Fits with early stopping, on rows with wrong labels enough to overfit."""

    def __init__(self, factory, X, y, engine):
        wrong = np.random.default_rng(0).random(len(y)) < 0.25
        y = np.where(wrong, 1 - y, y)
        super().__init__(
            factory,
            X[:60],
            y[:60],
            engine=engine,
            learning_rate=0.02,
            early_stopping=True,
            warm_start=True,
        )
        self.validation = {"X_val": X[60:], "y_val": y[60:]}
        # The validation loss rises as the fit improves.
        self.rising = {"X_val": X[:60], "y_val": 1 - y[:60]}

    def loss(self, est):
        rows, y = self.validation.values()
        return log_loss(y, est.predict_proba(rows))


@pytest.fixture
def stopping(mlp, cancer, engine):
    return Stopping(mlp, *cancer, engine)


def test_the_epoch_kept_is_the_best_of_all_fits(stopping):
    est = stopping.make(n_iter_no_change=3)
    best_epochs = []
    for epochs in (2, 12, 9, 9):
        stopping.fit(est.set_params(epochs=epochs), **stopping.validation)
        val_loss = est.history_["val_loss"]
        assert len(val_loss) == est.n_iter_
        assert est.best_epoch_ == 1 + np.argmin(val_loss)
        np.testing.assert_allclose(stopping.loss(est), min(val_loss), rtol=1e-9)
        best_epochs.append(est.best_epoch_)
    # The second fit improves on the first, and the last one does not on it.
    assert best_epochs[0] < best_epochs[1] <= best_epochs[2] == best_epochs[3]
    assert est.best_epoch_ < est.n_iter_ - 3


def test_a_fit_that_beats_nothing_keeps_what_there_was(stopping):
    est = stopping.make(epochs=9, n_iter_no_change=2)
    stopping.fit(est, **stopping.rising)
    kept = copy.deepcopy(est)
    for n_iter in (3, 5, 7):
        assert (est.n_iter_, est.best_epoch_) == (n_iter, 1)
        assert not differ(est, kept)
        stopping.fit(est, **stopping.rising)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_state_of_the_optimizer_is_that_of_the_epoch_kept(stopping, optimizer):
    params = {"optimizer": optimizer, "batch_size": 60, "shuffle": False}
    est = stopping.make(**params, epochs=9, n_iter_no_change=4)
    stopping.fit(est, **stopping.rising)
    kept = est.best_epoch_
    stopping.fit(est, **stopping.rising)
    assert est.best_epoch_ == kept <= 2  # the second fit keeps no epoch of its own
    stopping.warm(est, 2, early_stopping=False)
    whole = stopping.warm(stopping.make(**params), kept + 2, early_stopping=False)
    assert_same_weights(est, whole, rtol=1e-9, atol=1e-12)
    assert est.best_epoch_ == est.n_iter_ == kept + 10


def test_noise_is_that_of_the_epochs_run_not_of_the_epoch_kept(stopping):
    params = {"dropout": 0.5, "batch_size": 60, "shuffle": False}
    est = stopping.make(**params, epochs=9, n_iter_no_change=2)
    for _ in range(2):
        stopping.fit(est, **stopping.rising)
    assert (est.n_iter_, est.best_epoch_) == (5, 1)
    # Epochs 2 and 4 start from the same weights and see the same rows.
    second, fourth = est.history_["data_loss"][1], est.history_["data_loss"][3]
    assert abs(second - fourth) > 1e-3


def test_patience_goes_on_too(stopping):
    # Progress is small in all epochs but the first: after four more it ends.
    params = {"n_iter_no_change": 4, "tol": 0.5, "learning_rate": 0.001}
    whole = stopping.fit(stopping.make(**params, epochs=9), **stopping.validation)
    assert whole.n_iter_ == whole.best_epoch_ == 5
    est = stopping.make(**params)
    for epochs in (2, 1, 9):
        stopping.fit(est.set_params(epochs=epochs), **stopping.validation)
    assert_same(est, whole)


def test_other_validation_rows_are_judged_by_themselves(stopping):
    est = stopping.make(epochs=15, n_iter_no_change=15)
    stopping.fit(est, X_val=stopping.X, y_val=stopping.y)
    first = min(est.history_["val_loss"])
    # The losses on these rows are all higher, and yet the best epoch is kept.
    stopping.y, n_iter = 1 - stopping.y, est.n_iter_
    stopping.fit(est.set_params(epochs=4), **stopping.rising)
    second = est.history_["val_loss"][n_iter:]
    assert min(second) > first
    assert est.best_epoch_ == n_iter + 1 + np.argmin(second)


def test_early_stopping_may_begin_later(stopping):
    est = stopping.warm(stopping.make(), 3, early_stopping=False)
    plain = copy.deepcopy(est)
    est.set_params(early_stopping=True, n_iter_no_change=2)
    stopping.fit(est, **stopping.rising)
    assert (est.n_iter_, est.best_epoch_) == (5, 3)
    assert not differ(est, plain)


def test_both_engines_go_on_alike(mlp, cancer):
    both = []
    for engine in ("compiled", "keras"):
        stopping = Stopping(mlp, *cancer, engine)
        est = stopping.make(n_iter_no_change=3, epochs=12)
        for _ in range(3):
            stopping.fit(est, **stopping.validation)
        both.append(est)
    assert_same(*both, atol=1e-7)
