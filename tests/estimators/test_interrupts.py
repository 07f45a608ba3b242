"""Ctrl-C during training: completed epochs are kept where training can be resumed."""

import io
import itertools
import pickle
import signal
import sys
import threading

import keras
import numpy as np
import pytest
from problems import assert_same, assert_same_weights

from skreg._training import compiled, compiled_network
from skreg._training.keras import loop as keras_loop


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in an epoch, counted from 1: within it, or at its end."""

    def __init__(self, epoch, within=False):
        super().__init__()
        self.at, self.within = epoch - 1, within

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.within and self.epoch == self.at and batch == 0:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        if not self.within and epoch == self.at:
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(monkeypatch):
    """Call something with a Ctrl-C in one of its epochs, which have two steps."""
    run_steps = compiled.CompiledNetwork.run
    end_epoch = compiled._Run._end_epoch

    def run(est, call, *, epoch, within=False):
        def interrupted_steps(network, number, first, *arguments):
            if within and (number, first) == (epoch - 1, 1):
                raise KeyboardInterrupt
            return run_steps(network, number, first, *arguments)

        def interrupted_end(training, n_epochs):
            end_epoch(training, n_epochs)
            if not within and n_epochs == epoch:
                raise KeyboardInterrupt

        callbacks = est.callbacks
        if est.engine == "keras":
            est.callbacks = [Interrupt(epoch, within)]
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "CALL_SECONDS", 0)  # a call takes one step
            patch.setattr(compiled.CompiledNetwork, "run", interrupted_steps)
            patch.setattr(compiled._Run, "_end_epoch", interrupted_end)
            with pytest.raises(KeyboardInterrupt):
                call(est)
        est.callbacks = callbacks

    return run


@pytest.mark.parametrize("within", [False, True])
def test_a_warm_start_keeps_the_epochs_run_and_resumes(
    any_problem, interrupted, within
):
    problem = any_problem
    whole = problem.fit(problem.make(epochs=6, dropout=0.3))
    est = problem.make(epochs=5, dropout=0.3, warm_start=True)
    interrupted(est, problem.fit, epoch=2 + within, within=within)
    assert est.n_iter_ == est.best_epoch_ == 2
    np.testing.assert_allclose(est.loss_curve_, whole.loss_curve_[:2])
    interrupted(est, problem.fit, epoch=3)
    assert est.n_iter_ == 5
    assert_same(problem.warm(est, 1), whole)


class InterruptedOutput(io.StringIO):
    """Standard output where Ctrl-C comes while the third epoch is reported."""

    n_reports = 0

    def write(self, text):
        self.n_reports += "data_loss" in text
        if self.n_reports == 3:
            raise KeyboardInterrupt
        return super().write(text)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupt_while_progress_is_printed(
    any_problem, monkeypatch, early_stopping
):
    problem, params = any_problem, {"dropout": 0.3, "early_stopping": early_stopping}
    whole = problem.fit(problem.make(epochs=6, **params))
    est = problem.make(epochs=5, warm_start=True, verbose=2, **params)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", InterruptedOutput())
        with pytest.raises(KeyboardInterrupt):
            problem.fit(est)
    assert est.n_iter_ == 3
    assert whole.best_epoch_ == 6  # both continue from their last epoch
    assert_same(problem.warm(est, 3, verbose=0), whole)


class LineInterrupt:
    """Ctrl-C before the n-th line that is run of some modules, in a `with` block."""

    def __init__(self, n, modules):
        self.n_left, self.files = n, {module.__file__ for module in modules}

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)

    def __exit__(self, kind, error, traceback):
        sys.settrace(self.before)

    def trace(self, frame, event, arg):
        if frame.f_code.co_filename not in self.files:
            return None
        if event == "line":
            self.n_left -= 1
            if self.n_left == 0:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.parametrize(
    ("engine", "modules", "stride"),  # every line would take half a minute
    [("compiled", [compiled, compiled_network], 7), ("keras", [keras_loop], 13)],
    ids=["compiled", "keras"],
)
def test_an_interrupt_in_any_line_leaves_a_whole_epoch(
    mlp, iris, monkeypatch, engine, modules, stride
):
    X, y = iris
    monkeypatch.setattr(compiled, "CALL_SECONDS", 0)

    def make(epochs):
        return mlp(engine=engine, batch_size=90, epochs=epochs, warm_start=True)

    whole = {epochs: make(epochs).fit(X, y) for epochs in (1, 2, 3)}
    left = []
    for n in itertools.count(1, stride):
        est, interrupt = make(2), LineInterrupt(n, modules)
        try:
            with interrupt:
                est.fit(X, y)
            break
        except KeyboardInterrupt:
            left.append(getattr(est, "n_iter_", 0))
        if left[-1]:
            assert_same(est, whole[left[-1]], atol=1e-12)
            est.set_params(epochs=1).fit(X, y)  # this needs the optimizer's state
            assert_same(est, whole[left[-1] + 1], atol=1e-12)
        else:
            assert vars(est).keys() == est.get_params().keys()
    assert interrupt.n_left > 0  # the last fit came to its end
    assert {0, 1} <= set(left)


# A plain fit keeps no epoch, a fit with warm_start none that has not ended.
@pytest.mark.parametrize(("warm_start", "epoch"), [(False, 3), (True, 1)])
def test_an_interrupt_without_an_epoch_to_keep_changes_nothing(
    problem, interrupted, warm_start, epoch
):
    est = problem.make(epochs=4, warm_start=warm_start)
    interrupted(est, problem.fit, epoch=epoch, within=True)
    assert vars(est).keys() == est.get_params().keys()
    problem.fit(est)
    before = pickle.dumps(est)
    interrupted(est, problem.fit, epoch=epoch, within=warm_start)
    assert pickle.dumps(est) == before
    interrupted(est, problem.partial, epoch=1, within=True)
    assert pickle.dumps(est) == before


def test_partial_fit_keeps_an_epoch_that_has_ended(problem, interrupted):
    whole = problem.fit(problem.make(epochs=2, dropout=0.3))
    est = problem.make(dropout=0.3)
    interrupted(est, problem.partial, epoch=1)
    assert est.n_iter_ == 1
    assert_same(problem.partial(est), whole)


def test_early_stopping_keeps_the_best_of_the_epochs_run(
    mlp, iris, engine, interrupted
):
    X, y = iris
    params = {"early_stopping": True, "learning_rate": 0.03, "batch_size": 60}
    rising = {"X_val": X, "y_val": (y + 1) % 3}  # val_loss rises
    first = mlp(engine=engine, **params, epochs=1).fit(X, y, **rising)
    est = mlp(engine=engine, warm_start=True, **params, epochs=8)
    interrupted(est, lambda est: est.fit(X, y, **rising), epoch=3)
    assert (est.n_iter_, est.best_epoch_) == (3, 1)
    assert_same_weights(est, first, rtol=1e-9, atol=1e-12)


# The tests below raise a real signal, which comes in the middle of machine code.


@pytest.fixture
def signalled(default_handler):
    """Call something while Ctrl-C comes soon."""

    def run(call):
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            call()
        timer.join()

    return run


# A fit with these settings would take minutes.
ENDLESS = {"epochs": 10**7, "batch_size": 16, "engine": "compiled", "dropout": 0.2}


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_long_fit_ends_soon_and_leaves_the_estimator_as_it_was(
    mlp, iris, signalled, early_stopping
):
    est = mlp(engine="compiled").fit(*iris)
    est.set_params(**ENDLESS, early_stopping=early_stopping, n_iter_no_change=np.inf)
    before = pickle.dumps(est)
    signalled(lambda: est.fit(*iris))
    assert pickle.dumps(est) == before


def test_a_long_warm_start_ends_soon_and_keeps_whole_epochs(mlp, iris, signalled):
    est = mlp((64, 64), **ENDLESS, warm_start=True)
    signalled(lambda: est.fit(*iris))
    assert 1 <= est.n_iter_ == est.best_epoch_ < 10**6
    whole = mlp((64, 64), **{**ENDLESS, "epochs": est.n_iter_}).fit(*iris)
    assert_same(est, whole, atol=0)


def test_an_epoch_that_takes_long_is_interrupted_too(mlp, signalled):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300_000, 10))
    est = mlp((64, 64), batch_size=1, warm_start=True)
    signalled(lambda: est.fit(X, X[:, 0] > 0))
    assert vars(est).keys() == est.get_params().keys()
