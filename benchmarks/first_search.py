"""The first search of a process, start of Python included: where its time goes.

Whole processes are timed: skreg's batched search beside scikit-learn's search of its
own MLP on all cores, alternately. skreg's is also run with TensorFlow's cache of
compiled programs on disk, which its first run fills. `--quick` only tests that the
script runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

COMMON = """
import json, sys, time
start = time.perf_counter()
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

n_candidates, n_folds, epochs, warm = map(int, sys.argv[1:])
X, y = load_breast_cancer(return_X_y=True)
strengths = [10 ** (-5 + 3 * i / n_candidates) for i in range(n_candidates)]
"""
OURS = """
from skreg import BatchedGridSearchCV, RegularizedMLPClassifier

import tensorflow  # or else the search would
imported = time.perf_counter()
mlp = RegularizedMLPClassifier((64, 64), epochs=epochs, random_state=0)
search = BatchedGridSearchCV(
    make_pipeline(StandardScaler(), mlp),
    {"regularizedmlpclassifier__l2": strengths},
    cv=n_folds,
)
"""
THEIRS = """
import warnings
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

imported = time.perf_counter()
warnings.simplefilter("ignore")  # ConvergenceWarning
mlp = MLPClassifier(
    (64, 64), batch_size=32, max_iter=epochs, n_iter_no_change=epochs, random_state=0
)
search = GridSearchCV(
    make_pipeline(StandardScaler(), mlp),
    {"mlpclassifier__alpha": [64 * strength for strength in strengths]},
    cv=n_folds,
    n_jobs=-1,
)
"""
RUN = """
times = [imported - start]
for _ in range(1 + warm):
    before = time.perf_counter()
    search.fit(X, y)
    times.append(time.perf_counter() - before)
print(json.dumps(times))
"""


def run(code, sizes, cache=None, warm=0):
    """Seconds of the whole process; of its imports and each of its searches."""
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if cache is not None:
        flags += f" --tf_xla_persistent_cache_directory={cache}"
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", COMMON + code + RUN, *map(str, sizes), str(warm)],
        env={**os.environ, "TF_XLA_FLAGS": flags, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    return seconds, json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    quick = parser.parse_args().quick
    sizes, repeats = ((2, 2, 2), 1) if quick else ((12, 5, 50), 5)
    print("12 candidates x 5 folds, breast cancer, (64, 64), 50 epochs; median seconds")
    with tempfile.TemporaryDirectory() as cache:
        kinds = {
            "scikit-learn, n_jobs=-1": (THEIRS,),
            "skreg": (OURS, None, 1),
            "skreg, programs on disk": (OURS, cache),
        }
        if quick:
            kinds = {"skreg": kinds["skreg"]}
        else:
            run(OURS, sizes, cache)
        times = {name: [] for name in kinds}
        for name in list(kinds) * repeats:
            code, *options = kinds[name]
            times[name].append(run(code, sizes, *options))
    reference = None
    for name, runs in times.items():
        parts = [median(part) for part in zip(*(of for _, of in runs), strict=True)]
        # A second search only shows what is left where everything is compiled.
        whole = median(seconds - sum(of[2:]) for seconds, of in runs)
        reference = reference or whole
        print(
            f"  {name:28} {whole:8.2f} s, scikit-learn / this {reference / whole:.2f}; "
            f"imports {parts[0]:.2f}, search {parts[1]:.2f}"
            + "".join(f", the next {part:.2f}" for part in parts[2:])
        )


if __name__ == "__main__":
    main()
