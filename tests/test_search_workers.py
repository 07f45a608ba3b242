"""Where groups are trained: on threads, in processes, by a Dask cluster; and Ctrl-C."""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV, BatchedHalvingGridSearchCV

GRID = {"l2": [0.0, 1e-2], "dropout": [0.0, 0.4], "activation": ["relu", "tanh"]}
OPTIONS = {"scoring": "neg_log_loss", "cv": 2, "error_score": "raise"}


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as two,
        Client(two) as client,
    ):
        yield client


@pytest.mark.parametrize("config", [{"n_jobs": 2}, {"backend": "loky", "n_jobs": 2}])
def test_groups_give_the_same_results_on_threads_and_in_processes(
    mlp, cancer, assert_same_results, config
):
    search = BatchedGridSearchCV(mlp(), GRID, group_size=3, **OPTIONS)
    alone = search.fit(*cancer)
    # Here networks travel from rung to rung.
    halving = BatchedHalvingGridSearchCV(mlp(epochs=4), GRID, factor=2, **OPTIONS)
    halved = halving.fit(*cancer)
    with parallel_config(**config):
        assert_same_results(search.fit(*cancer), alone)
        assert_same_results(halving.fit(*cancer), halved)


def test_a_dask_cluster_gives_the_local_results(
    cluster, mlp, cancer, assert_same_results
):
    def has_trained():
        return "skreg._xla.engine" in sys.modules

    mlp = make_pipeline(StandardScaler(), mlp(early_stopping=True, epochs=4))
    grid = {f"regularizedmlpclassifier__{k}": v for k, v in GRID.items()}
    search = BatchedGridSearchCV(clone(mlp), grid, group_size=2, **OPTIONS)
    local = search.fit(*cancer)
    mlp.set_params(regularizedmlpclassifier__early_stopping=False)
    halving = BatchedHalvingGridSearchCV(mlp, grid, factor=2, **OPTIONS)
    halved = halving.fit(*cancer)
    assert not any(cluster.run(has_trained).values())
    with parallel_config(backend="dask"):
        spread = search.fit(*cancer)
        assert list(cluster.run(has_trained).values()) == [True, True]
        assert_same_results(spread, local)
        # Here networks travel from rung to rung.
        assert_same_results(halving.fit(*cancer), halved)


def test_results_survive_a_killed_worker(
    cluster, mlp, cancer, assert_same_results, tmp_path
):
    here = os.getpid()

    class Killer(keras.callbacks.Callback):
        """The first worker that ends an epoch is killed."""

        def on_epoch_end(self, epoch, logs=None):
            killed = Path(tmp_path, "killed")
            if os.getpid() != here and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    grid = [{"l2": [0.0, 0.1]}, {"callbacks": [[Killer()]], "l1": [0.0, 0.1]}]
    search = BatchedGridSearchCV(mlp(), grid, refit=False, **OPTIONS)
    local = search.fit(*cancer)
    before = set(cluster.run(os.getpid).values())
    with parallel_config(backend="dask"):
        spread = search.fit(*cancer)
    assert Path(tmp_path, "killed").exists()
    assert set(cluster.run(os.getpid).values()) != before
    scores = [f"split{fold}_test_score" for fold in range(2)]
    for name in scores:
        np.testing.assert_array_equal(spread.cv_results_[name], local.cv_results_[name])


INTERRUPTED = """
import os, signal, threading
import psutil
import tensorflow  # before the clock starts
from sklearn.datasets import load_iris
from skreg import (
    BatchedGridSearchCV, BatchedHalvingGridSearchCV, RegularizedMLPClassifier
)

network = RegularizedMLPClassifier((8,), epochs=10**6, random_state=0)
# Not so where a shell has started the tests in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
for search, n_jobs, engine in [
    (BatchedGridSearchCV, 1, "auto"),
    (BatchedHalvingGridSearchCV, 2, "auto"),
    (BatchedGridSearchCV, 2, "keras"),
]:
    network.set_params(engine=engine)
    search = search(network, {"l2": [0, 0.1]}, n_jobs=n_jobs)
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        search.fit(*load_iris(return_X_y=True))
    except KeyboardInterrupt:
        children = psutil.Process().children()
        print("interrupted", children, hasattr(search, "cv_results_"))
"""


def test_an_interrupt_ends_the_search(in_new_process):
    # Without the interrupts it would train for hours.
    printed = in_new_process(INTERRUPTED, timeout=120)
    assert printed == 3 * "interrupted [] False\n"
