"""Every example runs, on small settings, and prints what it is there to show."""

import runpy
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example as a script, in this process: every warning is an error here."""

    def run_script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run_script


def check_tables(output, n_epochs):
    """Three tables of four networks, the penalty only where there is one."""
    tables = [table.splitlines() for table in output.strip().split("\n\n")]
    assert [table[0].split(",")[0] for table in tables] == [
        "Training loss",
        "Penalty",
        "Validation loss",
    ]
    for table in tables:
        assert table[1].split() == ["epoch", "plain", "L2", "dropout", "both"]
        epochs = [int(row.split()[0]) for row in table[2:]]
        assert epochs == list(range(1, n_epochs + 1))
    training, penalty, validation = (
        np.array([row.split()[1:] for row in table[2:]], float) for table in tables
    )
    assert ((penalty > 0) == [False, True, False, True]).all()
    assert (training > 0).all()
    assert (validation > 0).all()


@pytest.fixture
def reviews(tmp_path):
    """Two files of reviews that a bag of words can tell apart, mostly."""
    rng = np.random.default_rng(0)
    neutral = [f"word{i}" for i in range(30)]
    paths = []
    for opinion in ("caf\xe9", "bad"):
        lines = [
            " ".join([*rng.choice(neutral, 5), opinion if rng.random() < 0.8 else ""])
            for _ in range(40)
        ]
        paths.append(tmp_path / f"{len(paths)}.txt")
        paths[-1].write_text("\n".join(lines), "latin-1")
    return paths


def test_grid_search_ranks_twelve_settings(run):
    lines = run("grid_search.py", "--epochs", 5, "--folds", 2).splitlines()
    assert lines[0].split() == ["rank", "l1", "l2", "dropout", "log-loss", "std"]
    rows = np.array([line.split() for line in lines[1:13]], float)
    assert len(np.unique(rows[:, 1:4], axis=0)) == 12
    ranks, losses = rows[:, 0], rows[:, 4]
    assert ranks[0] == 1
    assert (np.diff(ranks) >= 0).all()
    assert (np.diff(losses) >= 0).all()
    assert lines[13] == ""
    l1, l2, dropout = rows[0, 1:4].tolist()
    assert lines[14] == f"Best setting: l1={l1}, l2={l2}, dropout={dropout}"
    assert lines[15].startswith("On 143 held-out rows: log-loss ")
    assert float(lines[15].split()[-1]) > 0.9
    assert len(lines) == 16


def test_grid_search_dask_gets_the_same_results(run):
    output = run("grid_search_dask.py", "--epochs", 2, "--folds", 2)
    best, difference = output.splitlines()
    assert best.startswith("Best setting: {'network__dropout': ")
    assert float(difference.split()[-1]) < 1e-6


def test_cross_validation_compares_five_networks(run):
    output = run("cross_validation.py", "--epochs", 3, "--folds", 2, "--repeats", 1)
    lines = output.splitlines()[2:]
    names = [line[:16].strip() for line in lines]
    assert names == ["plain", "L1", "L2", "dropout", "L2 and dropout"]
    mean, std, gain, gain_std = np.array([line[16:].split() for line in lines], float).T
    assert ((mean > 0.5) & (mean <= 1)).all()
    assert (std >= 0).all()
    assert gain == pytest.approx(mean - mean[0], abs=1.1e-4)  # both are rounded
    assert gain[0] == gain_std[0] == 0


def test_imdb_overfitting_on_text_files(run, reviews, tmp_path):
    figure = tmp_path / "figure.png"
    output = run(
        "imdb_overfitting.py",
        *("--reviews", *reviews),
        *("--encoding", "latin-1"),
        *("--epochs", 3),
        *("--figure", figure),
    )
    check_tables(output, n_epochs=3)
    assert figure.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_imdb_overfitting_on_the_data_set_of_keras(run, monkeypatch):
    def load_data(num_words):
        rng = np.random.default_rng(0)
        reviews = np.empty(60, dtype=object)
        reviews[:] = [rng.integers(num_words, size=9).tolist() for _ in reviews]
        labels = rng.integers(2, size=60)
        return (reviews[:40], labels[:40]), (reviews[40:], labels[40:])

    # The download is 17 MB, and no test should need the network.
    monkeypatch.setattr(keras.datasets.imdb, "load_data", load_data)
    check_tables(run("imdb_overfitting.py", "--epochs", 2), n_epochs=2)


def test_no_example_is_left_out():
    source = Path(__file__).read_text()
    names = [example.name for example in EXAMPLES.glob("*.py")]
    assert names
    for name in names:
        assert f'run("{name}"' in source or f'        "{name}",\n' in source
