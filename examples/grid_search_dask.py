"""Run a search on a Dask cluster: one more line, the same results.

joblib sends the fits of `GridSearchCV` to the backend that `parallel_config` selects:
first to threads of this process, then to a Dask cluster of two processes on this
machine. --scheduler connects to any other cluster.
"""

import argparse

import joblib
from distributed import Client
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=50)
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--scheduler", help="address of a running Dask scheduler")
options = parser.parse_args()


def main():
    """Search the same grid in this process and on the cluster."""
    X, y = load_digits(return_X_y=True)
    network = RegularizedMLPClassifier((64, 64), epochs=options.epochs, random_state=0)
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        {
            "network__l2": [1e-5, 1e-4, 1e-3, 1e-2],
            "network__dropout": [0.0, 0.2, 0.5],
        },
        scoring="neg_log_loss",
        cv=options.folds,
    )
    with joblib.parallel_config("threading", n_jobs=-1):
        here = search.fit(X, y).cv_results_["mean_test_score"]
    # Any free port for the dashboard: another cluster may use the default one.
    local = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    cluster = Client(options.scheduler) if options.scheduler else Client(**local)
    with cluster, joblib.parallel_config(backend="dask"):
        there = search.fit(X, y).cv_results_["mean_test_score"]
    print(f"Best setting: {search.best_params_}, log-loss {-search.best_score_:.4f}")
    print(f"Largest difference between the two: {abs(here - there).max():.0e}")


if __name__ == "__main__":  # worker processes import this file
    main()
