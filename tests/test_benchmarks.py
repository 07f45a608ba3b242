"""The benchmarks run and print their tables."""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def printed(name):
    done = subprocess.run(
        [sys.executable, BENCHMARKS / name, "--quick"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_peers_are_compared():
    output = printed("peers.py")
    for title in ("GridSearchCV", "One fit", "Predict 1 rows", "Resident memory"):
        assert f"\n{title}" in output
    for peer in ("skreg ", "scikit-learn", "scikeras", "Keras SKLearnClassifier"):
        assert output.count(f"  {peer}") > 3


def test_defaults_are_compared():
    output = printed("defaults.py")
    for data_set in ("breast cancer", "wine", "iris", "digits", "diabetes"):
        assert f"\n{data_set} " in output


def test_sparse_rows_are_timed():
    assert re.search(r"one epoch: \d+\.\d s, peak \d+ MB\n$", printed("text.py"))
