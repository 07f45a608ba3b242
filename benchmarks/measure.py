"""How the benchmarks measure: times with empty caches, memory, searches."""

import gc
import multiprocessing
import re
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import psutil
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from networks import OURS, SKLEARN, n_epochs
from skreg._xla import compiled


def timed(action):
    """Time an action with empty caches; return seconds and its result."""
    compiled._functions.clear()
    compiled._xla_programs.clear()
    gc.collect()
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def median_time(action, repeats):
    """Median time of an action, after a first call that may compile."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def row(name, seconds, reference):
    print(f"  {name:28} {seconds:10.4g} s {seconds / reference:10.3g}", flush=True)


def a_search(search, model, grid, X, y, n_folds, **options):
    """A function that runs a search in a scaled Pipeline; returns score and epochs."""
    step = type(model).__name__.lower()
    grid = {f"{step}__{name}": values for name, values in grid.items()}
    pipeline = make_pipeline(StandardScaler(), model)

    def run():
        done = search(pipeline, grid, cv=StratifiedKFold(n_folds), **options)
        done.fit(X, y)
        return done.best_score_, n_epochs(done.best_estimator_[-1])

    return run


ON_ALL_CORES = f"{SKLEARN}, n_jobs=-1"


def compare_by_time(runs, order, epochs):
    """Run `a_search` functions in this order; print medians and return the scores.

    The workers of the one on all cores start anew each time.
    """
    times, scores = {name: [] for name in runs}, {}
    for name in order:
        if name == ON_ALL_CORES:
            get_reusable_executor().shutdown()
        seconds, (scores[name], n_run) = timed(runs[name])
        times[name].append(seconds)
        assert n_run == epochs, f"{name} ran {n_run} epochs"
    for name, seconds in times.items():
        row(name, median(seconds), median(times[OURS]))
    print("  best scores:", *(f"{n} {score:.4f};" for n, score in scores.items()))
    return scores


def resident_memory():
    """Of this process in MB."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def peak_memory():
    """Peak resident memory of this process in MB; Linux only.

    getrusage does not work here: its maximum is inherited from the parent process.
    """
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) * 1024 / 1e6


def in_new_process(function, *arguments):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(function, *arguments).result()
