"""Measure the memory of a search and of an estimator that chooses for itself.

On 100,000 rows of 100 columns in float32 (40 MB), with two threads, each in a new
process: scikit-learn's GridSearchCV, 4 candidates x 5 folds, two hidden layers of 64
units, 2 epochs, with and without a StandardScaler in a Pipeline; and
RegularizedMLPClassifierCV, whose epochs are reduced to 9. Prints by how much a fit
raises the peak memory of the process, in MB and as a multiple of the size of X, which
is not counted itself. A first fit on few rows, which loads compiled code, is not
counted either. `--quick` only tests that the script runs. Linux only.
"""

import argparse

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from measure import in_new_process, machine, peak_growth
from skreg import RegularizedMLPClassifier, RegularizedMLPClassifierCV

STRENGTHS = [0.0, 1e-5, 1e-4, 1e-3]


def searched():
    mlp = RegularizedMLPClassifier((64, 64), epochs=2, random_state=0)
    return GridSearchCV(mlp, {"l2": STRENGTHS}, cv=5)


def searched_pipeline():
    mlp = RegularizedMLPClassifier((64, 64), epochs=2, random_state=0)
    grid = {"regularizedmlpclassifier__l2": STRENGTHS}
    return GridSearchCV(make_pipeline(StandardScaler(), mlp), grid, cv=5)


def chosen():
    return RegularizedMLPClassifierCV(epochs=9, n_jobs=2, random_state=0)


ESTIMATORS = {
    "GridSearchCV": searched,
    "GridSearchCV, with StandardScaler": searched_pipeline,
    "RegularizedMLPClassifierCV": chosen,
}


def growth(name, n_rows):
    """By how many MB a fit raises the peak memory, and the MB of X."""
    X = np.random.default_rng(0).standard_normal((n_rows, 100), np.float32)
    y = X[:, 0] > 0
    est = ESTIMATORS[name]()
    with joblib.parallel_config("threading", n_jobs=2):
        clone(est).fit(X[:500], y[:500])
        return peak_growth(lambda: est.fit(X, y)), X.nbytes / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    n_rows = 2_000 if parser.parse_args().quick else 100_000
    print(machine("numba", "numpy", "scikit-learn"))
    print(f"{n_rows:,} rows x 100 columns, float32, two threads: growth of the peak")
    for name in ESTIMATORS:
        peak, size = in_new_process(growth, name, n_rows)
        print(f"  {name:34} {peak:6.0f} MB {peak / size:6.2f} times X", flush=True)


if __name__ == "__main__":
    main()
