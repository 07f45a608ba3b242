"""skreg's defaults beside those of scikit-learn's MLP, by repeated cross-validation.

Both in a Pipeline after a StandardScaler, with the same folds, on the data sets that
scikit-learn brings and on subsets of some hundred rows. Prints mean scores (accuracy;
R2 on diabetes), their difference, and how many times scikit-learn's seconds skreg took,
compile time included. `--set epochs=50 l2=1e-3` tries other settings of skreg's;
`--quick` is a smoke run, whose figures say nothing.
"""

import argparse
import ast
import time
import warnings

import numpy as np
from sklearn.base import is_classifier
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.model_selection import (
    RepeatedKFold,
    RepeatedStratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, RegularizedMLPRegressor

# Name, loader, numbers of rows; None means all.
CLASSIFICATION = [
    ("breast cancer", load_breast_cancer, (100, 200, None)),
    ("wine", load_wine, (100, None)),
    ("iris", load_iris, (100, None)),
    ("digits", load_digits, (100, 200, 500, None)),
]
REGRESSION = [("diabetes", load_diabetes, (100, 200, None))]


def subset(X, y, n_rows, stratify):
    """Rows drawn at random, of every class its share."""
    if n_rows is None:
        return X, y
    return train_test_split(
        X, y, train_size=n_rows, stratify=y if stratify else None, random_state=0
    )[::2]


def scores_and_seconds(network, X, y, cv):
    """Scores of a scaled network on all folds, and how long that took."""
    model = make_pipeline(StandardScaler(), network)
    start = time.perf_counter()
    scores = cross_val_score(model, X, y, cv=cv, error_score="raise")
    return scores, time.perf_counter() - start


def compare(data_sets, ours, theirs, cv, quick):
    """Print a row a data set; return differences of the scores, and seconds of both."""
    differences, seconds = [], np.zeros(2)
    for name, load, sizes in data_sets:
        for n_rows in sizes[:1] if quick else sizes:
            X, y = subset(*load(return_X_y=True), n_rows, is_classifier(ours))
            mine, my_seconds = scores_and_seconds(ours, X, y, cv)
            their, their_seconds = scores_and_seconds(theirs, X, y, cv)
            differences.append(mine.mean() - their.mean())
            seconds += my_seconds, their_seconds
            print(
                f"{name:14} {len(y):5} {mine.mean():8.4f} {their.mean():8.4f} "
                f"{differences[-1]:+8.4f} {my_seconds / their_seconds:8.2f}",
                flush=True,
            )
    return differences, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    settings = {}
    for setting in options.set:
        name, value = setting.split("=", 1)
        settings[name] = ast.literal_eval(value)
    warnings.simplefilter("ignore")  # of scikit-learn's MLP: not converged
    folds = {"n_splits": 2, "n_repeats": 1} if options.quick else {"n_repeats": 4}
    print(f"{'':14}  rows    skreg  sklearn     diff   time x")
    differences, seconds = compare(
        CLASSIFICATION,
        RegularizedMLPClassifier(random_state=0, **settings),
        MLPClassifier(random_state=0),
        RepeatedStratifiedKFold(**folds, random_state=0),
        options.quick,
    )
    print(
        f"mean difference {np.mean(differences):+.4f}, worst {min(differences):+.4f}; "
        f"{seconds[0]:.1f} s against {seconds[1]:.1f} s"
    )
    compare(
        REGRESSION,
        RegularizedMLPRegressor(random_state=0, **settings),
        MLPRegressor(random_state=0),
        RepeatedKFold(**folds, random_state=0),
        options.quick,
    )


if __name__ == "__main__":
    main()
