"""Every example runs, on small settings, and prints what it is there to show."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    """What an example prints; a warning of our own making would be an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", EXAMPLES / name, *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def reviews(tmp_path):
    """Two files of reviews that a bag of words can tell apart, mostly."""
    rng = np.random.default_rng(0)
    neutral = [f"word{i}" for i in range(30)]
    paths = []
    for opinion in ("good", "bad"):
        lines = [
            " ".join([*rng.choice(neutral, 5), opinion if rng.random() < 0.8 else ""])
            for _ in range(40)
        ]
        paths.append(tmp_path / f"{opinion}.txt")
        paths[-1].write_text("\n".join(lines), "latin-1")
    return paths


def test_grid_search_ranks_twelve_settings():
    lines = run("grid_search.py", "--epochs", "5", "--folds", "2").splitlines()
    ranks = [int(line.split()[0]) for line in lines[1:13]]
    assert ranks == sorted(ranks)
    assert ranks[0] == 1
    assert lines[14].startswith("Best setting: l1=")
    assert float(lines[-1].split()[-1]) > 0.9


def test_cross_validation_compares_five_networks():
    output = run(
        "cross_validation.py", "--epochs", "3", "--folds", "2", "--repeats", "1"
    )
    rows = [line.split() for line in output.splitlines()[2:]]
    assert [row[0] for row in rows] == ["plain", "L1", "L2", "dropout", "L2"]
    assert all(0.5 < float(row[-4]) <= 1 for row in rows)
    assert float(rows[0][-2]) == 0


def test_imdb_overfitting_on_text_files(reviews, tmp_path):
    figure = tmp_path / "figure.png"
    output = run(
        "imdb_overfitting.py",
        "--reviews",
        *reviews,
        "--epochs",
        "3",
        "--figure",
        figure,
    )
    names, headings, *epochs = output.splitlines()[1:]
    assert names.split() == ["plain", "L2", "0.001", "dropout", "0.5", "both"]
    plain, penalized = ["train", "val"], ["train", "penalty", "val"]
    assert headings.split() == ["epoch", *(plain + penalized) * 2]
    assert [line.split()[0] for line in epochs] == ["1", "2", "3"]
    figures = np.array([line.split()[1:] for line in epochs], float)
    assert (figures > 0).all()
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_no_example_is_left_out():
    source = Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in source
