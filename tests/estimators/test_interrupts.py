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
from problems import arrays, assert_same

from skreg._engine import engine as engine_module
from skreg._engine import history, interrupts, planning
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

    def calls(at, within):
        original = engine_module.calls
        n_before = 2 * at - within  # the epochs are cut in two

        def ending(*args):
            for i, segments in enumerate(original(*args)):
                if i == n_before:
                    raise KeyboardInterrupt
                yield segments
            raise KeyboardInterrupt

        return ending

    def run(est, call, *, epoch, within=False):
        callbacks = est.callbacks
        if est.engine == "keras":
            est.callbacks = [Interrupt(epoch, within)]
        with monkeypatch.context() as patch:
            patch.setattr(planning, "MAX_STEPS_PER_CALL", 1)
            patch.setattr(engine_module, "calls", calls(epoch, within))
            with pytest.raises(KeyboardInterrupt):
                call(est)
        est.callbacks = callbacks

    return run


def test_an_interrupt_leaves_a_plain_fit_as_it_was(problem, interrupted):
    est = problem.make(epochs=4)
    interrupted(est, problem.fit, epoch=3, within=True)
    assert vars(est).keys() == est.get_params().keys()
    problem.fit(est)
    before = pickle.dumps(est)
    interrupted(est, problem.fit, epoch=3)
    assert pickle.dumps(est) == before


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
    # Those of which there was no report yet may have been run in the same call.
    assert 3 <= est.n_iter_ <= 5
    assert whole.best_epoch_ == 6  # so that either goes on from its last epoch
    assert_same(problem.warm(est, 6 - est.n_iter_, verbose=0), whole)


class LineInterrupt:
    """Ctrl-C before the n-th line that is run of some modules, in a `with` block.

    With names of functions, of those alone.
    """

    def __init__(self, n, modules, functions=()):
        self.n_left, self.files = n, {module.__file__ for module in modules}
        self.functions = functions

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.trace)

    def __exit__(self, kind, error, traceback):
        sys.settrace(self.before)

    def trace(self, frame, event, arg):
        code = frame.f_code
        if code.co_filename not in self.files or (
            self.functions and code.co_name not in self.functions
        ):
            return None
        if event == "line":
            self.n_left -= 1
            if self.n_left == 0:
                raise KeyboardInterrupt
        return self.trace


@pytest.mark.parametrize(
    ("engine", "modules", "stride"),  # not every line, which takes half a minute
    [("compiled", [engine_module, history], 3), ("keras", [keras_loop], 13)],
    ids=["compiled", "keras"],
)
def test_an_interrupt_in_any_line_leaves_a_whole_epoch(
    mlp, iris, monkeypatch, engine, modules, stride
):
    X, y = iris
    monkeypatch.setattr(planning, "MAX_STEPS_PER_CALL", 1)

    def make(epochs):
        return mlp(engine=engine, batch_size=90, epochs=epochs, warm_start=True)

    whole = {epochs: make(epochs).fit(X, y) for epochs in (1, 2)}
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
            expected = whole[left[-1]]
            assert_same(est, expected, atol=1e-12)
            state = expected._optimizer_state.arrays
            for name, array in est._optimizer_state.arrays.items():
                np.testing.assert_allclose(array, state[name], rtol=1e-9, atol=1e-12)
        else:
            assert vars(est).keys() == est.get_params().keys()
    assert interrupt.n_left > 0  # the last fit came to its end
    assert {0, 1} <= set(left)


def test_an_interrupt_before_an_epoch_has_ended_leaves_it_as_it_was(
    problem, interrupted
):
    est = problem.make(epochs=2, warm_start=True)
    interrupted(est, problem.fit, epoch=1, within=True)
    assert vars(est).keys() == est.get_params().keys()
    problem.fit(est)
    before = pickle.dumps(est)
    for call in (problem.fit, problem.partial):
        interrupted(est, call, epoch=1, within=True)
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
    rising = {"X_val": X, "y_val": (y + 1) % 3}  # the better the fit, the worse
    first = mlp(engine=engine, **params, epochs=1).fit(X, y, **rising)
    est = mlp(engine=engine, warm_start=True, **params, epochs=8)
    interrupted(est, lambda est: est.fit(X, y, **rising), epoch=3)
    assert (est.n_iter_, est.best_epoch_) == (3, 1)
    for a, b in zip(arrays(est), arrays(first), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


# A real signal, which waits while TensorFlow works.


def signalled(function):
    """The function, with Ctrl-C while it is called."""

    def call(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return function(*args, **kwargs)

    return call


@pytest.fixture
def default_handler():
    """Not so where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def wait_for_threads(before):
    """Those that were not there before end, but for one that compiles ahead."""
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive(), thread


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_waits_for_tensorflow(mlp, iris, monkeypatch):
    est = mlp(epochs=1, warm_start=True)
    with monkeypatch.context() as patch:
        called = signalled(engine_module.compiled_function)
        patch.setattr(engine_module, "compiled_function", called)
        with pytest.raises(KeyboardInterrupt):
            est.fit(*iris)
    assert_same(est, mlp(epochs=1).fit(*iris))


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_while_a_step_is_traced_is_no_other_error(mlp, iris, monkeypatch):
    train_on_batch = keras_loop._Trainer.train_on_batch
    reached = []

    def traced(*args, **kwargs):
        figures = signalled(train_on_batch)(*args, **kwargs)
        reached.append(figures)
        return figures

    monkeypatch.setattr(keras_loop._Trainer, "train_on_batch", traced)
    with pytest.raises(KeyboardInterrupt):
        mlp(engine="keras").fit(*iris)
    assert len(reached) == 1


def test_a_handler_of_the_users_is_called_once(mlp, iris, monkeypatch):
    calls = []
    before = signal.signal(signal.SIGINT, lambda *args: calls.append(args))
    try:
        wrapped = signalled(engine_module.compiled_function)
        monkeypatch.setattr(engine_module, "compiled_function", wrapped)
        mlp().fit(*iris)
        ((number, _),) = calls
        assert number == signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_handler")
def test_an_interrupt_waits_until_keras_is_imported(tmp_path, monkeypatch):
    code = "import signal; signal.raise_signal(signal.SIGINT); imported = True"
    (tmp_path / "keras.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(KeyboardInterrupt):
        interrupts.import_keras()
    assert sys.modules["keras"].imported
