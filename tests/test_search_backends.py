"""What joblib is told about where and how many groups train is respected."""

import threading

import pytest
from joblib import cpu_count, parallel_config
from joblib.parallel import ThreadingBackend
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skreg import BatchedGridSearchCV
from skreg._search import groups
from skreg._search.workers import Workers

GRID = {"l2": [0.0, 0.01, 0.1], "dropout": [0.0, 0.4]}
OPTIONS = {"scoring": "neg_log_loss", "cv": 2, "refit": False}


@pytest.fixture
def threads(monkeypatch):
    """The threads that trained a group."""
    seen = set()

    def train_together(*args, **kwargs):
        seen.add(threading.current_thread())
        return original(*args, **kwargs)

    original = groups.train_together
    monkeypatch.setattr(groups, "train_together", train_together)
    return seen


@pytest.fixture(scope="module")
def expected(mlp, cancer):
    return GridSearchCV(mlp(), GRID, **OPTIONS).fit(*cancer)


ONE_JOB = [
    {"n_jobs": 1},
    {"backend": "threading", "n_jobs": 1},
    {"backend": "loky", "n_jobs": 1},
    {"backend": "multiprocessing", "n_jobs": 1},
    {"backend": "sequential"},
    {"backend": "sequential", "n_jobs": 4},
]


@pytest.mark.parametrize("config", ONE_JOB, ids=str)
def test_one_job_is_one_group_after_the_other_in_this_thread(
    mlp, cancer, threads, expected, assert_same_results, config
):
    search = BatchedGridSearchCV(mlp(), GRID, group_size=1, **OPTIONS)
    with parallel_config(**config):
        assert_same_results(search.fit(*cancer), expected)
    assert threads == {threading.current_thread()}


class NoGenerator(ThreadingBackend):
    """Like a backend of a third party that gives all its results at once."""

    supports_return_generator = False


@pytest.mark.parametrize("backend", [ThreadingBackend, NoGenerator])
@pytest.mark.parametrize("where", ["search", "config"])
def test_as_many_threads_as_jobs(
    mlp, cancer, threads, expected, assert_same_results, backend, where
):
    search = BatchedGridSearchCV(mlp(), GRID, group_size=1, **OPTIONS)
    config = {"n_jobs": 3} if where == "config" else {}
    if where == "search":
        search.set_params(n_jobs=3)
    with parallel_config(backend(), **config):
        assert_same_results(search.fit(*cancer), expected)
    assert threading.current_thread() not in threads
    assert 1 <= len(threads) <= 3


@pytest.mark.parametrize(
    ("n_jobs", "config", "expected"),
    [
        (None, {}, cpu_count()),
        (None, {"n_jobs": 1}, 1),
        (None, {"n_jobs": 3}, 3),
        (None, {"n_jobs": -1}, cpu_count()),
        (2, {"n_jobs": 3}, 2),
        (1, {"n_jobs": 3}, 1),
        (None, {"backend": "threading"}, cpu_count()),
        (None, {"backend": "threading", "n_jobs": 3}, 3),
        (None, {"backend": "loky", "n_jobs": 1}, 1),
        (5, {"backend": "sequential"}, 1),
    ],
    ids=str,
)
def test_the_number_of_workers(n_jobs, config, expected):
    with parallel_config(**config):
        assert Workers(n_jobs, "2*n_jobs").n_workers == expected


@pytest.mark.parametrize("where", ["search", "config"])
def test_a_backend_that_forks_is_refused(mlp, cancer, threads, where):
    config = {"n_jobs": 2} if where == "config" else {}
    n_jobs = 2 if where == "search" else None
    search = BatchedGridSearchCV(mlp(), GRID, n_jobs=n_jobs, **OPTIONS)
    match = "'multiprocessing' can't train networks.*'loky' or 'threading'"
    with (
        parallel_config("multiprocessing", **config),
        pytest.raises(ValueError, match=match),
    ):
        search.fit(*cancer)
    assert not threads
    assert not hasattr(search, "cv_results_")


@pytest.mark.parametrize("n_jobs", [1, None])
def test_what_has_no_networks_may_be_forked(cancer, n_jobs):
    """One job, which is not forked; more would be forks of pytest."""
    search = BatchedGridSearchCV(LogisticRegression(), {"C": [1.0]}, n_jobs=n_jobs)
    with parallel_config("multiprocessing"):
        assert search.fit(*cancer).best_score_ > 0.9
