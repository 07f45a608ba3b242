"""Measure a new process: from its start to a fitted iris, and back to the shell.

The process imports, fits an estimator with default parameters on iris, and ends:
skreg's classifier in float32 and in float64, with Numba's cache filled and empty, where
it compiles, and scikit-learn's MLP. Prints medians in seconds, alternated, and the peak
memory of the process in MB. `--quick` only tests that the script runs. Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

OURS = """
from sklearn.datasets import load_iris
from skreg import RegularizedMLPClassifier
X, y = load_iris(return_X_y=True)
RegularizedMLPClassifier(random_state=0).fit(X.astype("{dtype}"), y)
"""
THEIRS = """
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
X, y = load_iris(return_X_y=True)
MLPClassifier(random_state=0).fit(X, y)
"""


def process(code, cache):
    """Seconds and peak MB of a process with that folder as Numba's cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-W", "ignore", "-c", code]  # a ConvergenceWarning
    start = time.perf_counter()
    child = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"the process ended with {child.returncode}"
    return seconds, usage.ru_maxrss * 1024 / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    quick = parser.parse_args().quick
    ours = {dtype: OURS.format(dtype=dtype) for dtype in ("float32", "float64")}
    results = {}

    def measure(name, code, cache):
        results.setdefault(name, []).append(process(code, cache))

    with tempfile.TemporaryDirectory() as filled:
        for code in ours.values():
            process(code, filled)
        for i in range(1 if quick else 5):
            measure("scikit-learn MLPClassifier", THEIRS, filled)
            for dtype, code in ours.items():
                measure(f"skreg, {dtype}, cache filled", code, filled)
                if i < 3 and not (quick and dtype == "float64"):
                    with tempfile.TemporaryDirectory() as empty:
                        measure(f"skreg, {dtype}, cache empty", code, empty)
    for name, runs in sorted(results.items()):
        seconds, peak = (median(values) for values in zip(*runs, strict=True))
        print(f"{name:30} {seconds:8.2f} s {peak:8.0f} MB")


if __name__ == "__main__":
    main()
