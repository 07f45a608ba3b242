"""skreg beside its peers: the same folds, seeds, epochs and batches, in one process.

Prints medians in seconds, and ratios to skreg. Every timed part starts without any
compiled program, so the time to compile is in it. `--quick` is a smoke run, whose
figures say nothing; `--only` takes the names of peers, as they are printed.
"""

import argparse
import gc
import itertools
import platform
import time
import warnings
from functools import partial
from importlib.util import find_spec
from statistics import median

import keras
import numpy as np
import psutil
import sklearn
import tensorflow as tf
from joblib import parallel_config
from scikeras.wrappers import KerasClassifier
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import RegularizedMLPClassifier, _program

STRENGTHS = [1e-5, 1e-4, 1e-3, 1e-2]
OURS, SKLEARN = "skreg", "scikit-learn MLPClassifier"


def network(n_features, n_outputs, sizes, l2, loss):
    """The same network for the peers that want a function."""
    l2 = keras.regularizers.L2(l2)
    hidden = [keras.layers.Dense(n, "relu", kernel_regularizer=l2) for n in sizes]
    last = keras.layers.Dense(n_outputs, "sigmoid" if n_outputs == 1 else "softmax")
    model = keras.Sequential([keras.Input((n_features,)), *hidden, last])
    model.compile("adam", loss)
    return model


def scikeras_network(meta, sizes, l2):
    binary = meta["target_type_"] == "binary"
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    n_outputs = 1 if binary else meta["n_classes_"]
    return network(meta["n_features_in_"], n_outputs, sizes, l2, loss)


def keras_network(X, y, sizes, l2):
    # Keras' wrapper one-hot encodes two classes as well.
    n_classes = 2 if y.ndim == 1 else y.shape[1]
    return network(X.shape[1], n_classes, sizes, l2, "categorical_crossentropy")


class Scikeras:
    """scikeras' classifier, by its fit and predict: its search is broken since 1.6."""

    def __init__(self, l2, sizes, batch_size, epochs):
        self.model = KerasClassifier(
            model=scikeras_network,
            model__sizes=sizes,
            model__l2=l2,
            epochs=epochs,
            batch_size=batch_size,
            verbose=0,
        )

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X, verbose=0)

    def n_epochs(self):
        return len(self.model.history_["loss"])


class KerasWrapper:
    """Keras' own SKLearnClassifier, by its fit and predict."""

    def __init__(self, l2, sizes, batch_size, epochs):
        self.model = keras.wrappers.SKLearnClassifier(
            keras_network,
            model_kwargs={"sizes": sizes, "l2": l2},
            fit_kwargs={"epochs": epochs, "batch_size": batch_size, "verbose": 0},
        )

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X).ravel()

    def n_epochs(self):
        return len(self.model.history_.epoch)


def skorch(l2, sizes, batch_size, epochs, n_features, n_classes):
    """skorch's classifier; its L2 is the optimizer's decay, of all layers."""
    import torch
    from skorch import NeuralNetClassifier

    widths = [n_features, *sizes]
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    layers.append(torch.nn.Linear(widths[-1], n_classes))
    return NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__lr=1e-3,
        optimizer__weight_decay=2 * l2,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def ours(l2, sizes, batch_size, epochs, engine="auto"):
    return RegularizedMLPClassifier(
        sizes,
        l2=l2,
        batch_size=batch_size,
        epochs=epochs,
        engine=engine,
        random_state=0,
    )


def scikit_learn(l2, sizes, batch_size, epochs):
    return MLPClassifier(
        sizes,
        alpha=2 * l2 * batch_size,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
    )


def peers(X, y, only=None):
    """Name to a function (l2, sizes, batch_size, epochs) that makes a classifier."""
    makers = {
        OURS: ours,
        SKLEARN: scikit_learn,
        "skreg, engine='keras'": partial(ours, engine="keras"),
        "scikeras": Scikeras,
        "Keras SKLearnClassifier": KerasWrapper,
    }
    if find_spec("skorch") and find_spec("torch"):
        shape = {"n_features": X.shape[1], "n_classes": len(np.unique(y))}
        makers["skorch"] = partial(skorch, **shape)
    return {k: v for k, v in makers.items() if only is None or k in {OURS, *only}}


def n_epochs(model):
    if hasattr(model, "n_iter_"):
        return model.n_iter_
    return len(model.history) if hasattr(model, "history") else model.n_epochs()


def timed(action):
    """Seconds of an action that finds nothing compiled, and what it returns."""
    _program._programs.clear()
    gc.collect()
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def median_time(action, repeats):
    """Median seconds of an action that may find everything compiled."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def grid_search(make, X, y, epochs, strengths, n_folds):
    """Best score and epochs run of a search over the strengths."""
    folds = StratifiedKFold(n_folds)
    model = make(1e-4, (64, 64), 32, epochs)
    if isinstance(model, RegularizedMLPClassifier | MLPClassifier):
        name, factor = ("l2", 1) if hasattr(model, "l2") else ("alpha", 64)
        step = type(model).__name__.lower()
        grid = {f"{step}__{name}": [factor * l2 for l2 in strengths]}
        search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=folds)
        search.fit(X, y)
        return search.best_score_, n_epochs(search.best_estimator_[-1])
    means, epochs_run = [], []
    for l2 in strengths:
        scores = []
        for train, test in folds.split(X, y):
            scale = StandardScaler().fit(X[train])
            model = make(l2, (64, 64), 32, epochs)
            model.fit(single(scale.transform(X[train]), model), y[train])
            predicted = model.predict(single(scale.transform(X[test]), model))
            scores.append(accuracy_score(y[test], predicted))
            epochs_run.append(n_epochs(model))
        means.append(np.mean(scores))
    # The final fit on all rows, as GridSearchCV does it.
    model = make(strengths[int(np.argmax(means))], (64, 64), 32, epochs)
    model.fit(single(StandardScaler().fit_transform(X), model), y)
    return max(means), min(epochs_run)


def single(X, model):
    """torch and stock Keras work in single precision."""
    double = isinstance(model, RegularizedMLPClassifier | MLPClassifier)
    return X if double else X.astype(np.float32)


def row(name, seconds, reference):
    print(f"  {name:28} {seconds:10.4g} s {seconds / reference:10.3g}", flush=True)


def compare_searches(title, X, y, epochs, repeats, quick, only):
    strengths, n_folds = (STRENGTHS[:2], 2) if quick else (STRENGTHS, 5)
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


def compare_fits(title, X, y, sizes, batch_size, epochs, repeats, only):
    print(f"\nOne fit, {title}: {sizes}, batch {batch_size}, {epochs} epochs")
    makers = peers(X, y, only)
    times, models = {name: [] for name in makers}, {}
    for _ in range(repeats):
        for name, make in makers.items():
            model = make(1e-4, sizes, batch_size, epochs)
            data = single(X, model)
            seconds, models[name] = timed(lambda m=model, d=data: m.fit(d, y))
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
                partial(model.predict, single(X[:n], model)),
                50 if n == 1 and name in (OURS, SKLEARN) else repeats,
            )
            for name, model in models.items()
        }
        for name, seconds in times.items():
            row(name, seconds, times[OURS])


def compare_memory(X, y, n_fits, only):
    print(f"\nResident memory that {n_fits - 1} further fits leave behind, MB")
    X = StandardScaler().fit_transform(X)
    process = psutil.Process()
    for name, make in peers(X, y, only).items():
        after = []
        for i, l2 in enumerate(np.geomspace(1e-5, 1e-2, n_fits)):
            model = make(l2, (64, 64), 32, 2)
            model.fit(single(X, model), y)
            if i in (0, n_fits - 1):
                gc.collect()
                after.append(process.memory_info().rss / 1e6)
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
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    parser.add_argument(
        "--only", nargs="+", metavar="PEER", help="compare with these peers alone"
    )
    options = parser.parse_args()
    quick, only = options.quick, options.only and {SKLEARN, *options.only}
    keras.utils.disable_interactive_logging()  # of Keras' wrapper in predict
    warnings.simplefilter("ignore")  # of MLPClassifier: not converged
    print(
        f"{platform.machine()}, {psutil.cpu_count()} cores; Python "
        f"{platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, scikit-learn {sklearn.__version__}\n"
        "Seconds (median), and how many times skreg's"
    )
    epochs, repeats = (2, 1) if quick else (50, 3)
    cancer, digits = (
        load(return_X_y=True) for load in (load_breast_cancer, load_digits)
    )
    big = make_classification(
        300 if quick else 100_000, 100, n_informative=20, random_state=0
    )
    if quick:
        cancer, digits = ((X[:200], y[:200]) for X, y in (cancer, digits))
    compare_searches("breast cancer", *cancer, epochs, repeats, quick, only)
    if not quick:
        compare_searches("digits", *digits, epochs, repeats, quick, only)
    models = compare_fits(
        "100,000 x 100, float64 (peers but scikit-learn: float32)",
        *big,
        (256, 256),
        512,
        epochs=2 if quick else 5,
        repeats=repeats,
        only=only,
    )
    compare_predictions("float64", models, big[0], repeats)
    big = big[0].astype(np.float32), big[1]
    models = compare_fits(
        "100,000 x 100, float32",
        *big,
        (256, 256),
        512,
        epochs=2 if quick else 5,
        repeats=repeats,
        only=[SKLEARN, "Keras SKLearnClassifier"],
    )
    compare_predictions("float32", models, big[0], repeats)
    compare_threads(*digits, epochs, repeats)
    compare_memory(*cancer, n_fits=3 if quick else 100, only=only)


if __name__ == "__main__":
    main()
