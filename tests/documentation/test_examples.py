"""Every example runs, on small settings, and shows what it claims to show."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from distributed import LocalCluster
from sklearn.metrics import average_precision_score, log_loss, recall_score

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
GALLERY = sorted(EXAMPLES.glob("plot_*.py"))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example as a script, in this process: every warning is an error here."""

    def run_script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.syspath_prepend(EXAMPLES)
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
    """Two files of reviews, most of which a bag of words can tell apart."""
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


def run_alone(name, *arguments):
    """Run an example in a new process, without any settings of TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *map(str, arguments)],
        env={k: v for k, v in os.environ.items() if not k.startswith("TF_")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_grid_search_ranks_twelve_settings_and_prints_nothing_else():
    lines = run_alone("grid_search.py", "--epochs", 5, "--folds", 2).splitlines()
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
    # The workers are threads here, as new processes would import TensorFlow.
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        options = "--epochs", 2, "--folds", 2, "--scheduler", cluster.scheduler_address
        output = run("grid_search_dask.py", *options)
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


@pytest.fixture
def draw(monkeypatch, capsys):
    """Run an example of the gallery; returns its global names."""

    def run_script(name):
        plt.switch_backend("agg")  # this closes all figures
        monkeypatch.setattr(plt, "show", lambda: None)
        names = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        assert capsys.readouterr().err == ""
        (number,) = plt.get_fignums()
        figure = plt.figure(number)
        figure.draw_without_rendering()  # the layout, which warns if nothing fits
        places = [(ax, ax.get_subplotspec()) for ax in figure.axes]
        twins = {ax for ax in figure.axes if ax.yaxis.get_label_position() == "right"}
        places = [place for place in places if place[0] not in twins]
        assert all(ax.get_xlabel() for ax, at in places if at and at.is_last_row())
        assert all(ax.get_ylabel() for ax, at in places if at and at.is_first_col())
        assert 6.4 <= figure.get_figwidth() <= 9
        return names

    yield run_script
    plt.close("all")


def test_overfitting_raises_the_validation_loss(draw):
    plain, regularized = draw("plot_overfitting.py")["validation_losses"]
    assert plain[-1] > min(plain) + 0.05
    assert regularized[-1] < min(plain)


def test_search_shows_that_dropout_and_l2_stand_in_for_each_other(draw):
    results = draw("plot_search.py")["search"].cv_results_
    scores = results["mean_test_score"].reshape(4, 5)  # dropout, L2
    gain_alone, gain_beside_l2 = (
        scores[2, 0] - scores[0, 0],
        scores[2, 3] - scores[0, 3],
    )
    assert gain_alone > 0.02
    assert abs(gain_beside_l2) < gain_alone / 2
    assert scores.argmin() == scores.size - 1


def test_weights_are_split_by_l1_and_shrunk_by_l2(draw):
    plain, l1, l2 = (
        np.abs(np.concatenate([w.ravel() for w in model[-1].coefs_[:-1]]))
        for model in draw("plot_weights.py")["models"].values()
    )
    assert np.mean(l1 == 0) > 0.85
    assert np.mean((l1 > 0) & (l1 < 0.01)) < 0.06
    assert np.mean(l1 > 0.1) > 0.01
    assert np.mean((l2 > 0.001) & (l2 < 0.1)) > 0.4
    assert np.median(plain) > 0.1 > 5 * np.median(l2)


def test_columns_that_do_not_matter_are_left_out(draw):
    names = draw("plot_feature_selection.py")
    used, X_test, y_test = (
        names["best"].used_features_,
        names["X_test"],
        names["y_test"],
    )
    assert used[:5].all()
    assert not used[5:].all()
    shares = abs(names["lasso"].coef_) / abs(names["lasso"].coef_).sum()
    assert shares[2] < 0.03  # its square matters
    best, without, lasso = (
        names[name].score(X_test, y_test) for name in ("best", "without", "lasso")
    )
    assert best > without + 0.1 > lasso + 0.1
    assert names["best"].feature_importances_[:5].sum() > 0.95


def test_averaged_weights_are_better_where_steps_are_long(draw):
    losses = draw("plot_averaging.py")["losses"]
    last, averaged = (np.array(losses[0.01, m])[-20:] for m in (None, 0.99))
    assert (averaged < last).mean() > 0.9
    assert averaged.std() < 0.2 * last.std()
    assert losses[0.01, 0.99][-1] < losses[0.001, None][-1]


def test_the_mean_of_networks_is_better_and_knows_what_to_doubt(draw):
    names = draw("plot_chosen_regularization.py")
    y, proba = names["y_test"], names["proba"]
    mean, by_hand = (
        log_loss(y, p) for p in (proba, names["by_hand"].predict_proba(names["X_test"]))
    )
    assert mean < np.mean(names["alone"])
    assert mean < by_hand
    assert names["errors"][-1] > 5 * max(names["errors"][:2])


def test_the_search_goes_on_where_the_target_is_smooth(draw):
    noisy, smooth = draw("plot_training_length.py")["fitted"].values()
    assert noisy.n_resources_[-1] < smooth.n_resources_[-1]
    assert noisy.epochs_ < smooth.epochs_


def test_two_quantiles_have_most_targets_between_them(draw):
    names = draw("plot_quantiles.py")
    assert 0.85 < names["coverage"] < 0.96
    assert names["loss"] < 0.8 * names["alone"]


def test_thinned_networks_average_to_the_whole_one(draw):
    names = draw("plot_dropout_ensemble.py")
    for losses in names["losses"].values():
        one, *_, many = np.mean(losses, axis=0)
        assert many < 0.8 * one
    geometric = np.mean(names["losses"]["geometric mean"], axis=0)
    assert geometric[-1] == pytest.approx(names["whole"], rel=0.05)


def test_best_score_is_optimistic_where_nested_scores_are_not(draw):
    best, nested, truth = draw("plot_nested_cv.py")["scores"].mean(axis=0)
    assert best - truth > 0.04
    assert abs(nested - truth) < 0.03


def test_text_needs_much_dropout_or_l2(draw):
    names = draw("plot_text.py")
    losses, accuracies = names["losses"], names["accuracies"]  # dropout, L2
    assert losses[3, 0] < losses[0, 0] - 0.05
    assert losses[0, 2] < losses[0, 0] - 0.05
    assert losses[:, 2].min() > losses[0, 2] - 0.05
    assert abs(accuracies[3, 0] - accuracies[0, 0]) < 0.05


def test_class_weights_do_not_rank_better(draw):
    names = draw("plot_class_imbalance.py")
    y = names["y_test"]
    plain, balanced = names["probabilities"].values()
    recall, balanced_recall = (
        recall_score(y, plain > 0.5),
        recall_score(y, balanced > 0.5),
    )
    assert balanced_recall > recall + 0.2
    assert average_precision_score(y, balanced) < average_precision_score(y, plain)
    assert abs(plain.mean() - y.mean()) < 0.01
    assert balanced.mean() > 2 * y.mean()


def test_chunks_are_as_good_as_all_rows_at_once(draw):
    names = draw("plot_out_of_core.py")
    assert len(names["accuracy"]) == 40
    assert names["accuracy"][-1] == pytest.approx(names["full"], abs=0.01)


def test_optuna_finds_better_strengths_than_the_defaults(draw):
    names = draw("plot_optuna.py")
    scores = names["scores"]
    assert len(scores) == 30
    assert max(scores) > names["default"]
    assert np.median(scores[10:]) > np.median(scores[:10])


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_examples_of_the_gallery_are_short_and_have_a_title(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 80
    assert lines[0] == '"""'
    assert lines[1][0].isupper()
    assert lines[2] == "=" * len(lines[1])
    assert lines[3] == ""


def test_no_example_is_left_out():
    source = Path(__file__).read_text()
    names = {example.name for example in EXAMPLES.glob("*.py")}
    for name in names:
        calls = f'run("{name}"', f'run_alone("{name}"', f'draw("{name}"'
        assert any(call in source for call in [*calls, f'        "{name}",\n'])
