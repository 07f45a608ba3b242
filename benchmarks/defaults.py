"""Compare skreg's defaults with scikit-learn's MLP, by repeated cross-validation.

Both are in a Pipeline after a StandardScaler, with the same folds, on scikit-learn's
data sets and on subsets of a few hundred rows. Prints mean scores (accuracy; R2 on
diabetes), their difference, and skreg's time as a multiple of scikit-learn's. The first
fit, which compiles or loads compiled code, is printed apart. With `--set epochs=50
l2=1e-3`, skreg's estimators have other parameters; `--quick` only tests that the script
runs.
"""

import argparse
import ast
import time
import warnings

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.model_selection import (
    KFold,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from measure import first_fit, machine
from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

# Name, loader, and numbers of rows; None means all.
CLASSIFICATION = [
    ("breast cancer", load_breast_cancer, (100, 200, None)),
    ("wine", load_wine, (100, None)),
    ("iris", load_iris, (100, None)),
    ("digits", load_digits, (100, 200, 500, None)),
]
REGRESSION = [("diabetes", load_diabetes, (100, 200, None))]


def subset(X, y, n_rows, stratify):
    """A random, stratified subset of the rows."""
    if n_rows is None:
        return X, y
    return train_test_split(
        X, y, train_size=n_rows, stratify=y if stratify else None, random_state=0
    )[::2]


def scores_and_seconds(network, X, y, n_splits, n_repeats):
    """Mean score of a scaled network over all folds, and the time in seconds.

    Each repetition has different folds and a different seed for the network: with few
    rows, the initial weights matter as much as the folds.
    """
    folds = StratifiedKFold if is_classifier(network) else KFold
    scores, start = [], time.perf_counter()
    for seed in range(n_repeats):
        model = make_pipeline(
            StandardScaler(), clone(network).set_params(random_state=seed)
        )
        cv = folds(n_splits, shuffle=True, random_state=seed)
        scores.append(cross_val_score(model, X, y, cv=cv, error_score="raise"))
    return np.mean(scores), time.perf_counter() - start


def compare(data_sets, ours, theirs, quick):
    """Print one line per data set; return score differences and both times."""
    n_splits = 2 if quick else 5
    differences, seconds = [], np.zeros(2)
    for name, load, sizes in data_sets:
        for n_rows in sizes[:1] if quick else sizes:
            X, y = subset(*load(return_X_y=True), n_rows, is_classifier(ours))
            # The fewer rows, the more depends on folds and starting weights.
            repeats = 40 if len(y) <= 100 else 10 if len(y) < 1000 else 2
            work = X, y, n_splits, 1 if quick else repeats
            mine, my_seconds = scores_and_seconds(ours, *work)
            their, their_seconds = scores_and_seconds(theirs, *work)
            differences.append(mine - their)
            seconds += my_seconds, their_seconds
            print(
                f"{name:14} {len(y):5} {mine:8.4f} {their:8.4f} "
                f"{differences[-1]:+8.4f} {my_seconds / their_seconds:8.2f}",
                flush=True,
            )
    return differences, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    settings = {}
    for setting in options.set:
        name, value = setting.split("=", 1)
        settings[name] = ast.literal_eval(value)
    warnings.simplefilter("ignore")  # ConvergenceWarning of scikit-learn's MLP
    print(machine("numba", "numpy", "scikit-learn"))
    print(f"first fit: {first_fit(*load_iris(return_X_y=True)):.1f} s")
    print(f"{'':14}  rows    skreg  sklearn     diff   time x")
    differences, seconds = compare(
        CLASSIFICATION,
        RegularizedMLPClassifier(**settings),
        MLPClassifier(),
        options.quick,
    )
    print(
        f"mean difference {np.mean(differences):+.4f}, worst {min(differences):+.4f}; "
        f"{seconds[0]:.1f} s against {seconds[1]:.1f} s"
    )
    compare(
        REGRESSION,
        RegularizedMLPRegressor(**settings),
        MLPRegressor(),
        options.quick,
    )


if __name__ == "__main__":
    main()
