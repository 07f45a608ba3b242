"""Compare skreg on tables with scikit-learn's MLP, linear models and boosting.

`tables.py FOLDER` reads classification-NAME.csv and regression-NAME.csv (also .csv.gz):
the last column is the target, strings are categories, empty cells are missing values.
Without a folder, scikit-learn's own tables are taken. Each table is split 70/30 with
the seeds 0, 1, ... (stratified for classification), of which at most 1,500 rows are
taken for training and 3,000 for the test. Columns of strings get the most frequent
value for missing ones and are one-hot encoded; the others get the mean and are
standardized. Both are fitted on the training rows, and all models get the same float32
array.

Prints log-loss and balanced accuracy, or RMSE / standard deviation of the test targets
and R2, and the seconds of the fit; then means over the tables, mean ranks and median
seconds. The first fit, which compiles or loads compiled code, is printed apart. A table
of many classes takes minutes, nearly all of them in the tuned boosting. `--output`
appends each result to a file as one line of JSON, and `--reuse` reads such files, so
that what was run before is not run again. `--quick` only tests that the script runs.
"""

import argparse
import json
import re
import warnings
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from measure import first_fit, machine
from table_models import MODELS, OWN, PEERS, fitted

# What is reported for each kind of table: a loss, by which models are ranked, a score.
METRICS = {
    "classification": ("log_loss", "balanced_accuracy"),
    "regression": ("rmse_over_std", "r2"),
}
TITLES = {
    "log_loss": "log-loss",
    "balanced_accuracy": "bal. acc.",
    "rmse_over_std": "RMSE/std",
    "r2": "R2",
}
BUNDLED = {
    "classification-breast-cancer": load_breast_cancer,
    "classification-digits": load_digits,
    "classification-iris": load_iris,
    "classification-wine": load_wine,
    "regression-diabetes": load_diabetes,
}


def tables(folder):
    """Name and loader of each table: those of a folder, or the bundled ones."""
    if folder is None:
        return {
            name: lambda load=load: load(as_frame=True).frame
            for name, load in BUNDLED.items()
        }
    found = {}
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")]):
        name = path.name.removesuffix(".gz").removesuffix(".csv")
        if not re.match("|".join(f"{kind}-." for kind in METRICS), name):
            raise SystemExit(
                f"{path}: expected a name that starts with classification- or "
                "regression-"
            )
        # Only an empty cell is missing: "NA" and "None" may be categories.
        found[name] = partial(pd.read_csv, path, keep_default_na=False, na_values=[""])
    return found


def split(table, kind, seed):
    """Encoded training and test rows, and their targets: X, X_test, y, y_test."""
    X, y = table.iloc[:, :-1], table.iloc[:, -1].to_numpy()
    stratify = y if kind == "classification" else None
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.3, stratify=stratify, random_state=seed
    )
    # The rows come shuffled.
    X, y, X_test, y_test = X[:1500], y[:1500], X_test[:3000], y_test[:3000]
    encode = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    X = encode.fit_transform(X).astype(np.float32)
    return X, encode.transform(X_test).astype(np.float32), y, y_test


def measured(name, kind, X, X_test, y, y_test):
    """Loss and score on the test rows, and seconds of the fit."""
    predicted, probabilities, seconds = fitted(name, kind, X, y, X_test)
    if kind == "classification":
        # The metric clips probabilities at the resolution of their dtype.
        probabilities = np.asarray(probabilities, np.float32)
        loss = log_loss(y_test, probabilities, labels=np.unique(y))
        score = balanced_accuracy_score(y_test, predicted)
    else:
        loss = root_mean_squared_error(y_test, predicted) / np.std(y_test)
        score = r2_score(y_test, predicted)
    return dict(zip(METRICS[kind], (loss, score), strict=True)) | {"seconds": seconds}


def print_row(name, values):
    print(f"  {name:16}" + "".join(f"{value:10.4g}" for value in values), flush=True)


def print_header(columns):
    print(f"  {'':16}" + "".join(f"{column:>10}" for column in columns))


def run(chosen, models, n_splits, known, output):
    """Run the models on all splits of the tables; print and return the results."""
    missing = PEERS if find_spec("pytabkit") is None else {}
    for name in missing:
        if name in models:
            print(f"{name}: not run, needs pytabkit")
    results = []
    for table, load in chosen.items():
        kind = table.partition("-")[0]
        for seed in range(n_splits):
            data = split(load(), kind, seed)
            shape = f"{len(data[0])} + {len(data[1])} rows x {data[0].shape[1]}"
            print(f"\n{table}, split {seed}, {shape}")
            print_header([TITLES[metric] for metric in METRICS[kind]] + ["seconds"])
            for name in models:
                result = known.get((table, seed, name))
                if result is None and name not in missing:
                    result = {"table": table, "split": seed, "model": name}
                    result |= measured(name, kind, *data)
                    if output:
                        print(json.dumps(result), file=output, flush=True)
                if result:
                    print_row(name, [result[m] for m in (*METRICS[kind], "seconds")])
                    results.append(result)
    return pd.DataFrame(results)


def summarize(results, kind):
    """Print means, mean ranks and median seconds over all splits of the tables."""
    results = results[results["table"].str.startswith(kind)]
    if results.empty:
        return
    # A row per table and split; a model with results for only some of them is left out.
    by_model = results.pivot(index=["table", "split"], columns="model").dropna(axis=1)
    losses, seconds = by_model[METRICS[kind][0]], by_model["seconds"]
    summary = {TITLES[metric]: by_model[metric].mean() for metric in METRICS[kind]}
    summary["rank"] = pd.Series(rankdata(losses, axis=1).mean(axis=0), losses.columns)
    summary["seconds"] = seconds.median()
    summary = pd.DataFrame(summary).sort_values("rank")
    print(
        f"\n{kind.capitalize()}, {results['table'].nunique()} tables, {len(losses)} "
        "splits in all: means, mean ranks by loss, median seconds"
    )
    print_header(summary.columns)
    for name, values in summary.iterrows():
        print_row(name, values)
    if {"skreg CV", "boosting tuned"} <= set(losses):
        ratio = losses["skreg CV"].mean() / losses["boosting tuned"].mean()
        print(
            f"  mean {TITLES[METRICS[kind][0]]}, skreg CV / boosting tuned: {ratio:.3f}"
        )
    if {"skreg CV", "MLP tuned"} <= set(losses):
        ours, theirs = seconds["skreg CV"], seconds["MLP tuned"]
        print(
            f"  seconds, skreg CV / MLP tuned: {ours.sum() / theirs.sum():.3f} of all "
            f"splits together, {(ours / theirs).median():.3f} the median of the ratios"
        )


def read_results(paths):
    """Results of former runs, by table, split and model."""
    lines = [line for path in paths for line in path.read_text().splitlines()]
    results = map(json.loads, lines)
    return {(r["table"], r["split"], r["model"]): r for r in results}


def parsed_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="folder of CSV files")
    parser.add_argument("--splits", type=int, default=2, help="splits of each table")
    parser.add_argument(
        "--tables", nargs="+", metavar="NAME", help="tables with this in their name"
    )
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, metavar="MODEL", help=", ".join(MODELS)
    )
    parser.add_argument("--peers", action="store_true", help=f"{', '.join(PEERS)}, too")
    parser.add_argument("--output", type=Path, metavar="FILE", help="append results")
    parser.add_argument("--reuse", type=Path, metavar="FILE", nargs="+", default=[])
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    options = parser.parse_args()
    if options.quick:
        options.folder, options.tables, options.splits = None, ["iris", "diabetes"], 1
        options.models = ["MLP", "linear tuned"]
    return options


def main():
    options = parsed_options()
    chosen = {
        name: load
        for name, load in tables(options.folder).items()
        if not options.tables or any(part in name for part in options.tables)
    }
    if not chosen:
        raise SystemExit(f"no such table: {options.folder}, {options.tables}")
    models = options.models or [*OWN, *(PEERS if options.peers else [])]
    known = read_results(options.reuse)
    warnings.simplefilter("ignore")  # ConvergenceWarning of scikit-learn's MLP
    print(machine("numba", "numpy", "scikit-learn"))
    X, y = load_iris(return_X_y=True)
    print(f"first fit: {first_fit(X.astype(np.float32), y):.1f} s")
    with options.output.open("a") if options.output else nullcontext() as output:
        results = run(chosen, models, options.splits, known, output)
    for kind in METRICS:
        summarize(results, kind)


if __name__ == "__main__":
    main()
