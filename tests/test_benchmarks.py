"""The benchmarks run; their figures are for their users."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_peers_are_compared():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "peers.py", "--quick"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for title in ("GridSearchCV", "One fit", "Predict 1 rows", "Resident memory"):
        assert f"\n{title}" in done.stdout
    for peer in ("skreg ", "scikit-learn", "scikeras", "Keras SKLearnClassifier"):
        assert done.stdout.count(f"  {peer}") > 3
