"""The benchmarks run and print their tables."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import train_test_split

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def printed_by_process(name, *options):
    """What a benchmark prints that needs a process of its own."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / name, "--quick", *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# They start processes, which import the script. peers.py and start.py start many and
# take a minute each: only `nox -s benchmarks -- --quick` runs them.
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("text.py", [r".*one epoch: \d+\.\d s, peak \d+ MB"]),
        (
            "memory.py",
            [
                r"GridSearchCV(, with StandardScaler)? +\d+ MB +\d+\.\d+ times X",
                r"RegularizedMLPClassifierCV +\d+ MB +\d+\.\d+ times X",
            ],
        ),
    ],
)
def test_processes_are_timed(name, lines):
    output = printed_by_process(name)
    for line in lines:
        assert re.search(rf"\n *{line}\n", f"\n{output}"), line


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a benchmark prints that runs in this process."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.syspath_prepend(BENCHMARKS)
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_a_minute_shows_the_main_claims(printed):
    output = printed("minute.py", "--quick")
    for name in ("skreg", "MLP"):
        assert re.search(rf"\n  {name} +\d+\.\d\d s, best accuracy 0\.\d+\n", output)
    assert "\nregression-diabetes, split 0, 309 + 133 rows x 10\n" in output


def test_tables_are_compared(printed, tmp_path):
    results = tmp_path / "results.jsonl"
    output = printed("tables.py", "--quick", "--output", results)
    assert "\nclassification-iris, split 0, 105 + 45 rows x 4\n" in output
    assert "\nregression-diabetes, split 0, 309 + 133 rows x 10\n" in output
    written = [json.loads(line) for line in results.read_text().splitlines()]
    assert [result["model"] for result in written] == ["MLP", "linear tuned"] * 2
    for result in written[2:]:
        assert result["r2"] == pytest.approx(1 - result["rmse_over_std"] ** 2)


def test_results_on_tables_are_reused(printed, tmp_path):
    """Known results of three tables give means, ranks and ratios, without a fit."""
    for name in "abc":
        (tmp_path / f"regression-{name}.csv").write_text("x,y\n" + "1,2\n" * 10)
    # By table; the three models, and one that is not asked for.
    losses = {
        "skreg": (0.3, 0.5, 0.1),
        "skreg CV": (0.2, 0.2, 0.2),
        "boosting tuned": (0.1, 0.4, 0.3),
        "MLP": (9.0, 9.0, 9.0),
    }
    lines = [
        {"table": f"regression-{table}", "split": 0, "model": model, "seconds": seconds}
        | {"rmse_over_std": loss, "r2": 1 - loss**2}
        for model, of_tables in losses.items()
        for table, loss, seconds in zip("abc", of_tables, (5, 1, 7), strict=True)
    ]
    known = tmp_path / "known.jsonl"
    known.write_text("".join(json.dumps(line) + "\n" for line in lines))
    models = list(losses)[:3]
    options = "--splits", 1, "--reuse", known, "--models", *models
    output = printed("tables.py", tmp_path, *options)
    _, summary = output.split("means, mean ranks by loss, median seconds\n")
    rows = [re.split(" {2,}", line.strip()) for line in summary.splitlines()]
    assert rows[1:4] == [
        ["skreg CV", "0.2", "0.96", "1.667", "5"],
        ["boosting tuned", "0.2667", "0.9133", "2", "5"],
        ["skreg", "0.3", "0.8833", "2.333", "5"],
    ]
    assert rows[4] == ["mean RMSE/std, skreg CV / boosting tuned: 0.750"]


def test_tables_are_split_and_encoded(printed, tmp_path):
    """The error of RidgeCV is that on rows prepared by hand."""
    rng = np.random.default_rng(0)
    number, category = rng.normal(size=11_000), rng.choice(["NA", "b", "c"], 11_000)
    y = number + (category == "NA") + rng.normal(size=11_000)
    table = pd.DataFrame({"number": number, "category": category, "y": y})
    table.loc[::7, "number"] = np.nan
    table.loc[::5, "category"] = None
    table.to_csv(tmp_path / "regression-made.csv.gz", index=False)
    results = tmp_path / "results.jsonl"
    options = "--splits", 1, "--models", "linear tuned", "--output", results
    output = printed("tables.py", tmp_path, *options)
    assert "split 0, 1500 + 3000 rows x 4\n" in output

    train, test = train_test_split(table, test_size=0.3, random_state=0)
    train, test = train[:1500], test[:3000]
    mean, (most,) = train["number"].mean(), train["category"].mode()
    spread = train["number"].fillna(mean).std(ddof=0)
    rows, rows_test = (
        np.column_stack(
            [(part["number"].fillna(mean) - mean) / spread]
            + [part["category"].fillna(most) == value for value in ("NA", "b", "c")]
        )
        for part in (train, test)
    )
    alphas = np.logspace(-3, 3, 13)
    ridge = RidgeCV(alphas, cv=3, scoring="neg_mean_squared_error")
    ridge.fit(rows, train["y"])
    errors = ridge.predict(rows_test) - test["y"]
    expected = np.sqrt(np.mean(errors**2)) / np.std(test["y"])
    (result,) = map(json.loads, results.read_text().splitlines())
    assert result["rmse_over_std"] == pytest.approx(expected, rel=1e-5)


def test_tables_need_a_kind(printed, tmp_path):
    (tmp_path / "prices.csv").write_text("x,y\n1,2\n")
    with pytest.raises(SystemExit, match=r"prices\.csv: expected a name that starts"):
        printed("tables.py", tmp_path)


def test_models_that_are_not_installed_are_not_run(printed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytabkit", None)
    models = "--models", "RealMLP", "linear tuned"
    output = printed("tables.py", "--tables", "iris", "--splits", 1, *models)
    assert "\nRealMLP: not run, needs pytabkit\n" in output
    assert "\n  RealMLP" not in output
    assert output.count("\n  linear tuned ") == 2
