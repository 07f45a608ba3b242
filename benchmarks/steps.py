"""Measure a training step: processor microseconds, for four networks, in both dtypes.

A network is named by its layers' sizes, from the columns of X to the classes, and by
the rows in a batch. Its time is that of fits of many epochs, less that of fits of few,
by the number of steps between them, so that neither compiling nor what a fit does once
is counted; with BLAS on one thread. "plain" has a dropout of 0.2 and L2, "all" has
`l1`, `group_l1` and `ema_momentum` in addition. Prints medians of alternated fits.
`--quick` only tests that the script runs.
"""

import argparse
import time
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from measure import first_fit, machine
from skreg import RegularizedMLPClassifier

# Rows, columns, classes, hidden layers, rows in a batch, epochs.
NETWORKS = [
    (1797, 64, 10, (64, 64), 32, 40),
    (2000, 100, 5, (128, 128), 128, 40),
    (569, 30, 2, (16,), 32, 400),
    (5000, 100, 10, (512, 512), 128, 4),
]
SETTINGS = {
    "plain": {},
    "all": {"l1": 1e-5, "group_l1": 1e-4, "ema_momentum": 0.99},
}


def seconds(mlp, epochs, X, y):
    """Processor seconds of a fit."""
    start = time.process_time()
    mlp.set_params(epochs=epochs).fit(X, y)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    quick = parser.parse_args().quick
    print(machine("numba", "numpy", "scipy"))
    print(f"{'network, batch':24} {'dtype':8}" + "".join(f"{s:>9}" for s in SETTINGS))
    rng = np.random.default_rng(0)
    for n_rows, n_columns, n_classes, hidden, batch_size, epochs in NETWORKS:
        X = rng.standard_normal((n_rows, n_columns))
        y = rng.integers(0, n_classes, n_rows)
        few, many = (1, 2) if quick else (2, 2 + epochs)
        n_steps = -(-n_rows // batch_size) * (many - few)
        for dtype in (np.float32, np.float64):
            first_fit(X.astype(dtype), y, **SETTINGS["all"])
            times = {name: [] for name in SETTINGS}
            for _ in range(1 if quick else 5):
                for name, settings in SETTINGS.items():
                    mlp = RegularizedMLPClassifier(
                        hidden,
                        dropout=0.2,
                        batch_size=batch_size,
                        random_state=0,
                        **settings,
                    )
                    with threadpool_limits(1, "blas"):
                        first = seconds(mlp, few, X.astype(dtype), y)
                        more = seconds(mlp, many, X.astype(dtype), y) - first
                    times[name].append(1e6 * more / n_steps)
            layers = "-".join(map(str, (n_columns, *hidden, n_classes)))
            medians = "".join(f"{median(times[name]):9.1f}" for name in SETTINGS)
            title = f"{layers}, {batch_size}"
            print(f"{title:24} {dtype.__name__:8}{medians}", flush=True)


if __name__ == "__main__":
    main()
