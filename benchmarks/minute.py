"""Speed and losses beside scikit-learn, in one or two minutes on your own machine.

First a search over the strength of L2, 20 fits of 50 epochs on digits in float32, by
GridSearchCV on all cores: seconds of skreg, in threads, and of scikit-learn's MLP, in
processes. Then losses on test rows of the tables that come with scikit-learn: the CV
estimators of skreg with default parameters, scikit-learn's MLP with its penalty tuned,
gradient boosting with default parameters, and tuned linear models. Both are parts of
what peers.py and tables.py measure. `--quick` only tests that the script runs.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits

import peers
import tables
from measure import first_fit, machine

MODELS = ["skreg CV", "MLP tuned", "boosting", "linear tuned"]


def compare_searches(n_strengths, n_folds, epochs):
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    print(f"first fit, which compiles or loads compiled code: {first_fit(X, y):.2f} s")
    print(f"\n{n_strengths * n_folds} fits of {epochs} epochs, digits:")
    for name, search in {"skreg": peers.ours, "MLP": peers.scikit_learn}.items():
        start = time.perf_counter()
        score = search(n_strengths, X, y, n_folds, epochs, n_jobs=-1)
        seconds = time.perf_counter() - start
        print(f"  {name:6} {seconds:6.2f} s, best accuracy {score:.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")  # ConvergenceWarning of scikit-learn's MLP
    print(machine("numba", "numpy", "scikit-learn"))
    compare_searches(*((1, 2, 2) if quick else (4, 5, 50)))
    chosen, models = tables.tables(None), MODELS
    if quick:
        name = "regression-diabetes"
        chosen, models = {name: chosen[name]}, ["linear tuned"]
    results = tables.run(chosen, models, n_splits=1, known={}, output=None)
    for kind in tables.METRICS:
        tables.summarize(results, kind)


if __name__ == "__main__":
    main()
