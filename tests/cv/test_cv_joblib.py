"""Where candidates are trained is up to joblib's configuration."""

import warnings
from concurrent.futures import CancelledError

import distributed
import numpy as np
import pytest
from joblib import parallel_config
from joblib.parallel import (
    ThreadingBackend,
    register_parallel_backend,
)
from problems import SMALL_CV
from sklearn.base import clone

from skreg import MLPEnsembleClassifier, RegularizedMLPClassifierCV
from skreg._cv.parallel import count_workers

CV = RegularizedMLPClassifierCV((6,), **SMALL_CV)


@pytest.fixture(scope="module")
def alone(iris):
    """Fitted one network after the other; not to be changed."""
    return clone(CV).set_params(n_jobs=1).fit(*iris)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_any_backend_gives_the_same_networks(alone, iris, backend):
    with parallel_config(backend, n_jobs=2):
        est = clone(CV).set_params(n_jobs=None).fit(*iris)
    np.testing.assert_array_equal(
        est.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert est.best_params_ == alone.best_params_
    np.testing.assert_array_equal(
        est.predict_proba(iris[0]), alone.predict_proba(iris[0])
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dask_gives_the_same_networks(alone, iris):
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 2}
    with (
        distributed.Client(dashboard_address=":0", **options),
        parallel_config("dask"),
    ):
        est = clone(CV).fit(*iris)
    np.testing.assert_array_equal(
        est.predict_proba(iris[0]), alone.predict_proba(iris[0])
    )


class LosesWorkers(ThreadingBackend):
    """Loses the jobs of the first call, as Dask does where a process dies."""

    n_calls = 0

    def start_call(self):
        type(self).n_calls += 1
        super().start_call()

    def submit(self, func, callback=None):
        return super().submit(cancelled if self.n_calls == 1 else func, callback)

    def apply_async(self, func, callback=None):  # the name in older versions of joblib
        return super().apply_async(cancelled if self.n_calls == 1 else func, callback)


def cancelled():
    raise CancelledError


def test_jobs_that_a_worker_takes_with_it_are_run_again(alone, iris):
    register_parallel_backend("loses workers", LosesWorkers)
    with parallel_config("loses workers", n_jobs=2):
        est = clone(CV).set_params(n_jobs=None).fit(*iris)
    # Two rungs, which train and predict; the first call twice; and the ensemble.
    assert LosesWorkers.n_calls == 6
    np.testing.assert_array_equal(
        est.predict_proba(iris[0]), alone.predict_proba(iris[0])
    )


def test_filters_of_warnings_stay_as_they_were(iris):
    before = list(warnings.filters)
    clone(CV).set_params(n_jobs=2).fit(*iris)
    assert warnings.filters == before


class Counting(ThreadingBackend):
    """Notes the number of workers whenever it starts some."""

    seen = []  # noqa: RUF012

    def configure(self, n_jobs=1, parallel=None, **options):
        self.seen.append(n_jobs)
        return super().configure(n_jobs, parallel, **options)


def test_the_same_workers_train_all_rungs_and_the_ensemble(iris):
    register_parallel_backend("counting", Counting)
    Counting.seen.clear()
    with parallel_config("counting"):
        clone(CV).set_params(n_jobs=2).fit(*iris)
    assert Counting.seen == [2]


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 3), (2, 2), (-1, None)])
def test_n_jobs_means_what_it_means_in_scikit_learn(mlp, iris, n_jobs, expected):
    register_parallel_backend("counting", Counting)
    Counting.seen.clear()
    with parallel_config("counting", n_jobs=3):
        MLPEnsembleClassifier(mlp(epochs=1), [{}], n_jobs=n_jobs).fit(*iris)
    assert Counting.seen == [-1 if expected is None else expected]


def test_without_a_configuration_threads_are_used(iris, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("another process")

    monkeypatch.setattr("joblib._parallel_backends.LokyBackend.configure", fail)
    assert clone(CV).set_params(n_jobs=2).fit(*iris).n_candidates_ == [3, 1]


@pytest.mark.parametrize(
    ("n_jobs", "configured", "expected"), [(None, None, 1), (3, None, 3), (None, 2, 2)]
)
def test_workers_are_counted(n_jobs, configured, expected):
    assert count_workers(n_jobs) == (n_jobs or 1)
    with parallel_config("threading", n_jobs=configured):
        assert count_workers(n_jobs) == expected
