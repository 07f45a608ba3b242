"""Fits in threads and processes: the same bits, and BLAS threads as they were."""

import sys
import threading

import joblib
import numpy as np
import pytest
from joblib import parallel_config
from problems import arrays, ignores_fork_warning
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info, threadpool_limits


def n_blas_threads():
    return {
        library["filepath"]: library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }


@pytest.fixture
def two_threads(fitted):
    """BLAS may use two threads, not one as in other tests."""
    with threadpool_limits(2, "blas"):
        before = n_blas_threads()
        assert set(before.values()) == {2}
        yield
        assert n_blas_threads() == before


class Output:
    """Standard output that calls a function for every epoch that is shown."""

    def __init__(self, function):
        self._function = function

    def write(self, text):
        if "data_loss" in text:
            self._function()

    def flush(self):
        pass


@pytest.fixture
def at_each_epoch(monkeypatch):
    """Have a function called after each epoch of fits with ``verbose=2``."""
    return lambda function: monkeypatch.setattr(sys, "stdout", Output(function))


@pytest.mark.parametrize(
    ("width", "in_main_thread", "expected"),
    [(8, True, 1), (8, False, 1), (600, True, 2), (600, False, 1)],
)
def test_a_wide_network_alone_uses_the_cores(
    mlp, cancer, two_threads, at_each_epoch, width, in_main_thread, expected
):
    seen = set()
    at_each_epoch(lambda: seen.update(n_blas_threads().values()))
    est = mlp((width, width), epochs=1, batch_size=100, verbose=2)
    if in_main_thread:
        est.fit(*cancer)
    else:
        thread = threading.Thread(target=est.fit, args=cancer)
        thread.start()
        thread.join()
    assert seen == {expected}


@pytest.mark.parametrize("error", [None, OSError, KeyboardInterrupt])
def test_fits_that_overlap_or_fail_leave_the_number_of_threads(
    mlp, cancer, two_threads, at_each_epoch, error
):
    # The first fit ends, in one way or another, while the second is under way.
    both_train, first_ended = threading.Barrier(2), threading.Event()
    seen, passed, ended = [], [], []

    def end_of_epoch():
        seen.append(set(n_blas_threads().values()))
        name = threading.current_thread().name
        if name == "second" and not first_ended.is_set():  # this is its first epoch
            both_train.wait(60)
            assert first_ended.wait(60)
        elif name == "first" and not passed:
            both_train.wait(60)
            passed.append(name)
            if error is not None:
                raise error

    def fit():
        try:
            mlp(verbose=2).fit(*cancer)
            ended.append("fitted")
        except BaseException as raised:
            ended.append(type(raised))
        if threading.current_thread().name == "first":
            first_ended.set()

    at_each_epoch(end_of_epoch)
    threads = [threading.Thread(target=fit, name=name) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [error or "fitted", "fitted"]
    assert seen
    assert all(n == {1} for n in seen)


def test_a_fit_that_diverges_leaves_the_number_of_threads(mlp, cancer, two_threads):
    with pytest.raises(ValueError, match="non-finite"):
        mlp(optimizer="sgd", learning_rate=1e300).fit(*cancer)


PARAMS = {"dropout": 0.3, "l1": 1e-3, "early_stopping": True, "ema_momentum": 0.9}


def weights(est, X, y):
    return np.concatenate([w.ravel() for w in arrays(est.fit(X, y))])


@ignores_fork_warning
@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_fits_are_the_same_to_the_bit_wherever_they_run(mlp, cancer, backend):
    ests = [mlp((n, 5), **PARAMS, random_state=n) for n in (3, 4, 8)]
    expected = [weights(clone(est), *cancer) for est in ests]
    with parallel_config(backend, n_jobs=2):
        calls = (joblib.delayed(weights)(est, *cancer) for est in 2 * ests)
        got = joblib.Parallel()(calls)
    np.testing.assert_equal(got, 2 * expected)


def test_earlier_fits_do_not_matter(mlp, mlr, cancer, iris, diabetes):
    est = mlp((5,), **PARAMS)
    expected = weights(clone(est), *cancer)
    mlr((9, 9), dropout=0.5, epochs=3).fit(*diabetes)
    mlp(random_state=None, dropout=0.1).fit(*iris)
    np.testing.assert_array_equal(weights(est, *cancer), expected)


@ignores_fork_warning
@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_a_parallel_grid_search_has_the_same_scores(mlp, cancer, backend):
    grid = {"l2": [1e-4, 1e-2], "dropout": [0.0, 0.5]}
    search = GridSearchCV(mlp(), grid, cv=3, scoring="neg_log_loss")
    alone = search.fit(*cancer).cv_results_["mean_test_score"]
    with parallel_config(backend, n_jobs=2):
        parallel = search.fit(*cancer).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(parallel, alone)
