"""The benchmarks run and print their tables."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def printed_by_process(name, *options):
    """What a benchmark prints that needs a process of its own."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / name, "--quick", *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# It drops all compiled programs and measures memory.
def test_peers_are_compared():
    output = printed_by_process("peers.py")
    for title in ("GridSearchCV", "One fit", "Predict 1 rows", "Resident memory"):
        assert f"\n{title}" in output
    for peer in ("skreg ", "scikit-learn", "scikeras", "Keras SKLearnClassifier"):
        assert output.count(f"  {peer}") > 3


def test_memory_of_searches_is_measured():
    output = printed_by_process("peers.py", "--memory")
    assert re.search(r"  3 candidates: .* ms per fit, peak \d+ MB\n", output)
    assert re.search(r"  1000 rows, .*: peak \d+ MB, .* times X\n", output)


# It starts processes, which import the script.
def test_sparse_rows_are_timed():
    output = printed_by_process("text.py")
    assert re.search(r"one epoch: \d+\.\d s, peak \d+ MB\n$", output)


def test_defaults_are_compared(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["defaults.py", "--quick"])
    monkeypatch.syspath_prepend(BENCHMARKS)
    runpy.run_path(str(BENCHMARKS / "defaults.py"), run_name="__main__")
    output = capsys.readouterr().out
    for data_set in ("breast cancer", "wine", "iris", "digits", "diabetes"):
        assert f"\n{data_set} " in output
