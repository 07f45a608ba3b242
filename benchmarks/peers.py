"""Compare skreg with its peers: the same folds, epochs and batches, in one process.

Prints median times in seconds, and ratios to skreg, in double and in single precision;
most peers support single precision only. Compiled functions are discarded before each
timing, so that it includes compilation. `--quick` only tests that the script runs;
`--only` takes names of peers as they are printed. `--halving` compares halving searches
instead, and `--memory` measures the memory of searches, over numbers of rows and of
candidates.
"""

import argparse
import platform
import warnings
from functools import partial
from statistics import median

import keras
import numpy as np
import psutil
import sklearn
import tensorflow as tf
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from halving import compare_halving
from measure import (
    ON_ALL_CORES,
    a_search,
    compare_by_time,
    median_time,
    resident_memory,
    row,
    timed,
)
from memory import compare_rows, compare_sizes
from networks import OURS, SCIKERAS, SKLEARN, n_epochs, ours, peers, scikit_learn
from skreg import BatchedGridSearchCV, RegularizedMLPClassifier

STRENGTHS = [1e-5, 1e-4, 1e-3, 1e-2]


def grid_search(make, X, y, epochs, strengths, n_folds):
    """Search over the strengths; return the best score and the number of epochs run."""
    model = make(1e-4, (64, 64), 32, epochs)
    if isinstance(model, RegularizedMLPClassifier | MLPClassifier):
        name, factor = ("l2", 1) if hasattr(model, "l2") else ("alpha", 64)
        grid = {name: [factor * l2 for l2 in strengths]}
        return a_search(GridSearchCV, model, grid, X, y, n_folds)()
    means, epochs_run = [], []
    for l2 in strengths:
        scores = []
        for train, test in StratifiedKFold(n_folds).split(X, y):
            scale = StandardScaler().fit(X[train])
            model = make(l2, (64, 64), 32, epochs)
            model.fit(scale.transform(X[train]), y[train])
            predicted = model.predict(scale.transform(X[test]))
            scores.append(accuracy_score(y[test], predicted))
            epochs_run.append(n_epochs(model))
        means.append(np.mean(scores))
    # The refit on all rows, as in GridSearchCV.
    model = make(strengths[int(np.argmax(means))], (64, 64), 32, epochs)
    model.fit(StandardScaler().fit_transform(X), y)
    return max(means), min(epochs_run)


def compare_searches(title, X, y, epochs, repeats, quick, only):
    strengths, n_folds = (STRENGTHS[:1], 2) if quick else (STRENGTHS, 5)
    size = f"{len(strengths)} strengths x {n_folds} folds"
    print(f"\nGridSearchCV, {title}: {size}, {epochs} epochs, batch 32")
    makers = peers(X, y, only)
    fast = [OURS, SKLEARN]
    times = {name: [] for name in makers}
    scores = {}
    for name in fast * repeats + [name for name in makers if name not in fast]:
        seconds, (scores[name], run) = timed(
            partial(grid_search, makers[name], X, y, epochs, strengths, n_folds)
        )
        times[name].append(seconds)
        assert run == epochs, f"{name} ran {run} epochs"
    for name, seconds in times.items():
        row(name, median(seconds), median(times[OURS]))
        if not quick:
            assert scores[name] > scores[SKLEARN] - 0.02, f"{name}: {scores[name]}"
    print("  best scores:", *(f"{n} {score:.4f};" for n, score in scores.items()))


def compare_batched_searches(title, X, y, epochs, repeats, quick, only):
    n_folds, n = (2, 1) if quick else (5, 12)
    strengths = np.geomspace(1e-5, 1e-2, n)
    mixed = {"l1": [0.0, 1e-4], "l2": [1e-5, 1e-4, 1e-3], "dropout": [0.0, 0.3]}
    print(f"\nBatchedGridSearchCV, {title}: {n} candidates x {n_folds} folds")
    mlp, theirs = (make(1e-4, (64, 64), 32, epochs) for make in (ours, scikit_learn))
    data = X, y, n_folds
    l2, alpha = {"l2": strengths}, {"alpha": 64 * strengths}
    on_all_cores = a_search(GridSearchCV, theirs, alpha, *data, n_jobs=-1)
    mixed_search = a_search(BatchedGridSearchCV, mlp, mixed, *data)
    runs = {
        OURS: a_search(BatchedGridSearchCV, mlp, l2, *data),
        ON_ALL_CORES: on_all_cores,
        "the same, workers running": on_all_cores,
        "skreg, 12 of l1, l2, dropout": mixed_search,
        "skreg in GridSearchCV": a_search(GridSearchCV, mlp, l2, *data),
    }
    order = list(runs) * repeats
    if SCIKERAS in (one_by_one := peers(X, y, only)):
        order.append("scikeras, one by one")
        runs[order[-1]] = partial(
            grid_search, one_by_one[SCIKERAS], X, y, epochs, strengths, n_folds
        )
    scores = compare_by_time(runs, order, epochs)
    assert quick or min(scores.values()) > scores[ON_ALL_CORES] - 0.02


def compare_fits(title, X, y, sizes, batch_size, epochs, repeats, only):
    print(f"\nOne fit, {title}: {sizes}, batch {batch_size}, {epochs} epochs")
    makers = peers(X, y, only)
    times, models = {name: [] for name in makers}, {}
    for _ in range(repeats):
        for name, make in makers.items():
            model = make(1e-4, sizes, batch_size, epochs)
            seconds, models[name] = timed(partial(model.fit, X, y))
            times[name].append(seconds)
            assert n_epochs(model) == epochs, name
    for name, seconds in times.items():
        row(name, median(seconds), median(times[OURS]))
    return models


def compare_predictions(title, models, X, repeats):
    for n in (1, len(X)):
        print(f"\nPredict {n} rows, {title}")
        times = {
            name: median_time(
                partial(model.predict, X[:n]),
                50 if n == 1 and name in (OURS, SKLEARN) else repeats,
            )
            for name, model in models.items()
        }
        for name, seconds in times.items():
            row(name, seconds, times[OURS])


def compare_memory(X, y, n_fits, only):
    print(f"\nResident memory growth over {n_fits - 1} further fits, MB")
    X = StandardScaler().fit_transform(X)
    for name, make in peers(X, y, only).items():
        after = []
        for i, l2 in enumerate(np.geomspace(1e-5, 1e-2, n_fits)):
            model = make(l2, (64, 64), 32, 2)
            model.fit(X, y)
            if i in (0, n_fits - 1):
                after.append(resident_memory())
        print(f"  {name:28} {after[-1] - after[0]:10.1f}", flush=True)


def compare_threads(X, y, epochs, repeats):
    print(f"\nGridSearchCV of skreg, digits, in threads, {epochs} epochs")
    model = make_pipeline(StandardScaler(), ours(1e-4, (64, 64), 32, epochs))
    search = GridSearchCV(model, {"regularizedmlpclassifier__l2": STRENGTHS}, cv=5)
    times, scores = {1: [], 2: []}, {}
    for _ in range(repeats):
        for n, seconds in times.items():
            with parallel_config("threading", n_jobs=n):
                elapsed, done = timed(lambda: clone(search).fit(X, y))
            seconds.append(elapsed)
            scores[n] = done.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores[1], scores[2])
    for n, seconds in times.items():
        row(f"{n} thread(s)", median(seconds), median(times[2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    parser.add_argument(
        "--only", nargs="+", metavar="PEER", help="compare with these peers only"
    )
    parser.add_argument(
        "--halving", action="store_true", help="compare halving searches instead"
    )
    parser.add_argument(
        "--memory", action="store_true", help="measure the memory of searches instead"
    )
    options = parser.parse_args()
    quick, only = options.quick, options.only and {SKLEARN, *options.only}
    print(
        f"{platform.machine()}, {psutil.cpu_count()} cores; Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, scikit-learn {sklearn.__version__}\n"
        "Median seconds, and the multiple of skreg's"
    )
    epochs, repeats = (2, 1) if quick else (50, 3)
    cancer, digits = (
        load(return_X_y=True) for load in (load_breast_cancer, load_digits)
    )
    if quick:
        cancer, digits = ((X[:200], y[:200]) for X, y in (cancer, digits))
    warnings.simplefilter("ignore")  # ConvergenceWarning of MLPClassifier
    if options.memory:
        compare_sizes(*digits, epochs, quick)
        compare_rows(quick)
        return
    dtypes = (np.float32,) if quick else (np.float64, np.float32)
    if not options.halving:
        compare_all(cancer, digits, dtypes, epochs, repeats, quick, only)
        return
    for dtype in dtypes:
        title = f"digits, {dtype.__name__}"
        compare_halving(title, digits[0].astype(dtype), digits[1], repeats, quick)


def compare_all(cancer, digits, dtypes, epochs, repeats, quick, only):
    keras.utils.disable_interactive_logging()  # progress bars of Keras' wrapper
    # Keras takes longer to trace a step than to run so few of them.
    tf.config.run_functions_eagerly(quick)
    big = make_classification(
        300 if quick else 100_000, 100, n_informative=20, random_state=0
    )
    for dtype in dtypes:
        data_sets = {"breast cancer": cancer, "digits": digits}
        for title, (X, y) in list(data_sets.items())[: 1 if quick else 2]:
            work = f"{title}, {dtype.__name__}", X.astype(dtype), y, epochs, repeats
            compare_searches(*work, quick, only)
            compare_batched_searches(*work, quick, only)
        X, y = big[0].astype(dtype), big[1]
        title = f"100,000 x 100, {dtype.__name__}"
        models = compare_fits(
            title, X, y, (256, 256), 512, 2 if quick else 5, repeats, only
        )
        compare_predictions(title, models, X, repeats)
    compare_threads(*digits, epochs, repeats)
    single = cancer[0].astype(np.float32), cancer[1]
    compare_memory(*single, n_fits=2 if quick else 100, only=only)


if __name__ == "__main__":
    main()
