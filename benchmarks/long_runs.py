"""Many fits in one process: memory, and seconds per fit, in the end as at the start.

Fits of one shape, of 200 shapes, and batched searches; then threads that fit and
predict at the same time, whose results are compared with those of fits one by one.
`--quick` only tests that the script runs.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from measure import resident_memory
from skreg import BatchedGridSearchCV, RegularizedMLPClassifier


def repeat(title, action, n, n_first):
    """Run ``action(i)`` n times; compare the end with the time after `n_first`."""
    seconds = []
    for i in range(n):
        start = time.perf_counter()
        action(i)
        seconds.append(time.perf_counter() - start)
        if i == n_first - 1:
            before = resident_memory()
    # Not the first tenth, in which programs are compiled.
    tenth = max(1, n // 10)
    early, late = median(seconds[tenth : 2 * tenth]), median(seconds[-tenth:])
    print(
        f"  {title}: {resident_memory() - before:+.0f} MB since number {n_first}; "
        f"{1e3 * early:.3g} ms at first, {1e3 * late:.3g} ms in the end, "
        f"ratio {late / early:.2f}",
        flush=True,
    )


def fit_in_threads(X, y, n_fits):
    """The largest difference between fits on 8 threads and one after the other."""

    def fit(seed):
        est = RegularizedMLPClassifier(
            (8 + seed % 3,), dropout=0.1 * (seed % 2), epochs=5, random_state=seed
        )
        return est.fit(X, y).predict_proba(X)

    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(fit, range(n_fits)))
    return max(np.abs(fit(i) - proba).max() for i, proba in enumerate(together))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    quick = parser.parse_args().quick
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)

    def fit(i):
        RegularizedMLPClassifier((16,), epochs=5, random_state=i).fit(X, y).predict(X)

    def fit_shape(i):
        sizes = (4 + i % 20, 4 + i // 20)
        RegularizedMLPClassifier(sizes, epochs=5, random_state=i).fit(X, y)

    def search(i):
        mlp = RegularizedMLPClassifier((16,), epochs=30, random_state=i)
        BatchedGridSearchCV(mlp, {"l2": [0.0, 1e-3], "dropout": [0.0, 0.2]}).fit(X, y)

    print("Resident memory and median seconds")
    n_fits, n_shapes, n_searches = (20, 20, 4) if quick else (1000, 200, 50)
    repeat(f"{n_fits} fits", fit, n_fits, min(50, n_fits // 2))
    repeat(f"{n_searches} searches", search, n_searches, min(5, n_searches // 2))
    repeat(f"{n_shapes} shapes", fit_shape, n_shapes, 1)
    n_fits = 16 if quick else 2000
    difference = fit_in_threads(X, y, n_fits)
    print(f"  {n_fits} fits on 8 threads: largest difference {difference:.1g}")


if __name__ == "__main__":
    main()
