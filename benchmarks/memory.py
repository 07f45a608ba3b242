"""The memory of searches, over numbers of rows and of candidates."""

from itertools import product
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from measure import a_search, in_new_process, peak_memory, resident_memory, timed
from networks import ours
from skreg import BatchedGridSearchCV, RegularizedMLPClassifier


def large_search(n_candidates, X, y, epochs, n_folds):
    """Seconds per fit of a search, and the peak memory of the process in MB."""
    l2 = {"l2": np.geomspace(1e-5, 1e-2, n_candidates)}
    mlp = ours(1e-4, (64, 64), 32, epochs)
    seconds, (_, n_run) = timed(a_search(BatchedGridSearchCV, mlp, l2, X, y, n_folds))
    assert n_run == epochs
    return seconds / (n_candidates * n_folds), peak_memory()


def compare_sizes(X, y, epochs, quick):
    counts, n_folds = ((3,), 2) if quick else ((12, 60, 300), 5)
    print(f"\nBatchedGridSearchCV, digits, {n_folds} folds, each in a new process")
    for n in counts:
        each, peak = measured(quick, large_search, n, X, y, epochs, n_folds)
        print(f"  {n} candidates: {1e3 * each:.4g} ms per fit, peak {peak:.0f} MB")


def search_beside_rows(n_rows, n_jobs, scaled):
    """Peak memory of a search in MB, beside what was there before; the MB of X."""
    X = np.random.default_rng(0).standard_normal((n_rows, 100), np.float32)
    y = X[:, 0] > 0
    mlp = RegularizedMLPClassifier((64, 64), epochs=2, random_state=0)
    est = make_pipeline(StandardScaler(), mlp) if scaled else mlp
    name = "regularizedmlpclassifier__l2" if scaled else "l2"
    grid = {name: [0.0, 1e-5, 1e-4, 1e-3]}
    search = BatchedGridSearchCV(est, grid, cv=5, n_jobs=n_jobs)
    clone(search).fit(X[:1000], y[:1000])
    before = resident_memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is to be a new one
    search.fit(X, y)
    return peak_memory() - before, X.nbytes / 1e6


def compare_rows(quick):
    print("\nBatchedGridSearchCV, 100 columns, float32, 4 candidates x 5 folds")
    counts = (1_000,) if quick else (10_000, 100_000, 1_000_000)
    kinds = [(1, True)] if quick else list(product((1, 2), (False, True)))
    for n_rows in counts:
        for n_jobs, scaled in kinds:
            peak, size = measured(quick, search_beside_rows, n_rows, n_jobs, scaled)
            kind = "scaled in a Pipeline" if scaled else "as they are"
            print(
                f"  {n_rows} rows, {kind}, n_jobs={n_jobs}: peak {peak:.0f} MB, "
                f"{peak / size:.2f} times X",
                flush=True,
            )


def measured(quick, function, *arguments):
    """What the function measures, in a new process unless it is only to run."""
    return function(*arguments) if quick else in_new_process(function, *arguments)
