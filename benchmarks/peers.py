"""Compare searches: skreg, scikit-learn's MLP and scikeras, the same folds and epochs.

scikit-learn's GridSearchCV searches over the strength of L2 on breast cancer and on
digits, in float32 and in float64: 4 strengths x 5 folds ("20 fits") and 12 x 5 ("60
fits"), in a Pipeline after a StandardScaler, two hidden layers of 64 units, 50 epochs,
batches of 32 rows. "All cores" is threads for skreg, and for scikit-learn's MLP
processes, which start anew each time, as they do for skreg "in processes"; a Dask
cluster, if that is installed, runs already. scikeras' estimators can't be searched by
scikit-learn 1.9 and compute in float32 only: their fits and predictions are run in a
loop, for the 20 fits, once.

Prints medians in seconds, alternated, and multiples of skreg's on all cores. The first
fit of each dtype, which compiles or loads compiled code, is printed apart. With
`--repeats 1` it takes ten minutes on two cores, a third of that scikeras.
`--quick` only tests that the script runs: its figures say nothing.
"""

import argparse
import os
import time
import warnings
from functools import partial
from importlib.util import find_spec
from statistics import median

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from measure import first_fit, machine
from skreg import RegularizedMLPClassifier

SIZES, BATCH_SIZE = (64, 64), 32
OURS = "skreg, all cores"


def strengths(n):
    return np.geomspace(1e-5, 1e-2, n)


def grid_search(network, parameter, values, X, y, n_folds, **options):
    """Search over one parameter; return the best score."""
    model = Pipeline([("scale", StandardScaler()), ("network", network)])
    grid = {f"network__{parameter}": values}
    search = GridSearchCV(model, grid, cv=StratifiedKFold(n_folds), **options)
    search.fit(X, y)
    assert (
        search.best_estimator_[-1].n_iter_
        == network.get_params()[
            "epochs" if isinstance(network, RegularizedMLPClassifier) else "max_iter"
        ]
    )
    return search.best_score_


def ours(n, X, y, n_folds, epochs, n_jobs, backend="threading"):
    network = RegularizedMLPClassifier(
        SIZES, batch_size=BATCH_SIZE, epochs=epochs, random_state=0
    )
    with joblib.parallel_config(backend, n_jobs=n_jobs):
        return grid_search(network, "l2", strengths(n), X, y, n_folds)


def dask_cluster():
    """A cluster of processes on this machine."""
    from distributed import Client

    workers = {"n_workers": os.cpu_count(), "threads_per_worker": 1}
    return Client(**workers, dashboard_address=":0")


def scikit_learn(n, X, y, n_folds, epochs, n_jobs):
    network = MLPClassifier(
        SIZES,
        batch_size=BATCH_SIZE,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
    )
    alphas = 2 * BATCH_SIZE * strengths(n)
    return grid_search(network, "alpha", alphas, X, y, n_folds, n_jobs=n_jobs)


def scikeras(n, X, y, n_folds, epochs):
    """The same in a loop; returns the best score."""
    from scikeras.wrappers import KerasClassifier

    means = []
    for l2 in strengths(n):
        scores = []
        for train, test in StratifiedKFold(n_folds).split(X, y):
            scale = StandardScaler().fit(X[train])
            network = KerasClassifier(
                scikeras_network,
                model__l2=l2,
                epochs=epochs,
                batch_size=BATCH_SIZE,
                verbose=0,
            )
            network.fit(scale.transform(X[train]), y[train])
            predicted = network.predict(scale.transform(X[test]), verbose=0)
            scores.append((predicted == y[test]).mean())
        means.append(np.mean(scores))
    return max(means)


def scikeras_network(meta, l2):
    import keras

    l2 = keras.regularizers.L2(l2)
    hidden = [keras.layers.Dense(n, "relu", kernel_regularizer=l2) for n in SIZES]
    binary = meta["target_type_"] == "binary"
    last = (1, "sigmoid") if binary else (meta["n_classes_"], "softmax")
    rows = keras.Input((meta["n_features_in_"],))
    model = keras.Sequential([rows, *hidden, keras.layers.Dense(*last)])
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile("adam", loss)
    return model


def compare(title, n, X, y, n_folds, epochs, repeats, *, with_scikeras):
    print(f"\n{n * n_folds} fits, {title}, {epochs} epochs")
    work = n, X, y, n_folds, epochs
    runs = {
        OURS: partial(ours, *work, -1),
        "skreg, one by one": partial(ours, *work, 1),
        "scikit-learn, all cores": partial(scikit_learn, *work, -1),
        "scikit-learn, one by one": partial(scikit_learn, *work, 1),
        "skreg, in processes": partial(ours, *work, -1, "loky"),
    }
    order = list(runs) * repeats
    if with_scikeras:
        order.append("scikeras, in a loop")
        runs[order[-1]] = partial(scikeras, *work)
    times, scores = {}, {}

    def measure(name, run):
        start = time.perf_counter()
        scores[name] = run()
        times.setdefault(name, []).append(time.perf_counter() - start)

    for name in order:
        get_reusable_executor().shutdown()
        measure(name, runs[name])
    if find_spec("distributed"):
        with dask_cluster():
            for _ in range(repeats):
                measure("skreg, on Dask", partial(ours, *work, -1, "dask"))
    for name, seconds in times.items():
        ratio = median(seconds) / median(times[OURS])
        print(
            f"  {name:26} {median(seconds):8.2f} s {ratio:7.2f} x, "
            f"best score {scores[name]:.4f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    parser.add_argument("--no-scikeras", action="store_true", help="leave it out")
    parser.add_argument("--repeats", type=int, default=3, help="of each search")
    options = parser.parse_args()
    quick = options.quick
    warnings.simplefilter("ignore")  # ConvergenceWarning of MLPClassifier
    print(machine("numba", "numpy", "scikit-learn", "scikeras", "keras", "tensorflow"))
    data_sets = {"breast cancer": load_breast_cancer, "digits": load_digits}
    counts, n_folds = ((1,), 2) if quick else ((4, 12), 5)
    epochs, repeats = (2, 1) if quick else (50, options.repeats)
    for dtype in (np.float32, np.float64):
        for title, load in data_sets.items():
            X, y = load(return_X_y=True)
            X = X.astype(dtype)
            if title == "breast cancer":
                seconds = first_fit(X, y)
                print(f"\nfirst fit in {dtype.__name__}: {seconds:.2f} s", flush=True)
            for n in counts:
                single = dtype == np.float32 and n == counts[0]
                compare(
                    f"{title}, {dtype.__name__}",
                    *(n, X, y, n_folds, epochs, repeats),
                    with_scikeras=single and not options.no_scikeras,
                )


if __name__ == "__main__":
    main()
