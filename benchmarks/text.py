"""Measure skreg on sparse rows: film reviews as a bag of words, and a random matrix.

`text.py --reviews POS NEG` reads two files with one review per line (latin-1), such as
those of the sentence polarity data set, and trains a network with two hidden layers of
16 units on 10,000 binary columns: on the CSR matrix, on the dense array, and, with
scikit-learn's MLP, on the CSR matrix. Without `--reviews`, only one epoch on a random
matrix of 1,000,000 x 1,000 with 20 entries per row is run. Each measurement is from a
new process: seconds and the increase in peak memory during the fit, after a first fit
on a few rows, which compiles or loads compiled code. `--quick` only tests that the
script runs. Linux only.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from measure import in_new_process, peak_growth
from skreg import RegularizedMLPClassifier


def bag_of_words(paths):
    """A binary bag of words in float32, with a quarter of the rows held out."""
    texts, labels = [], []
    for label, path in enumerate(paths):
        lines = Path(path).read_text("latin-1").splitlines()
        texts += lines
        labels += [label] * len(lines)
    train, test, y_train, y_test = train_test_split(
        texts, np.array(labels), stratify=labels, random_state=0
    )
    words = CountVectorizer(binary=True, max_features=10_000, dtype=np.float32)
    return words.fit_transform(train), words.transform(test), y_train, y_test


def on_reviews(which, paths, epochs):
    """Seconds, peak MB and test accuracy of a fit on the reviews."""
    X, X_test, y, y_test = bag_of_words(paths)
    if which == "scikit-learn, CSR":
        model = MLPClassifier((16, 16), batch_size=512, max_iter=epochs, random_state=0)
    else:
        model = RegularizedMLPClassifier(
            (16, 16), l2=1e-3, batch_size=512, epochs=epochs, random_state=0
        )
    if which == "skreg, dense":
        X = X.toarray()
    seconds, peak = fitted(model, X, y)
    assert model.n_iter_ == epochs
    return seconds, peak, model.score(X_test, y_test)


def on_many_rows(n_rows):
    """Seconds and peak MB of one epoch on random rows, and the size of these in MB."""
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 1000, (n_rows, 20), dtype=np.int32).ravel()
    starts = np.arange(0, columns.size + 1, 20, dtype=np.int32)
    X = sparse.csr_array((np.ones(columns.size), columns, starts), (n_rows, 1000))
    y = rng.integers(0, 2, n_rows)
    model = RegularizedMLPClassifier((16, 16), batch_size=512, epochs=1, random_state=0)
    n_bytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return *fitted(model, X, y), n_bytes / 1e6


def fitted(model, X, y):
    """Fit; return seconds and the increase in peak memory in MB."""
    warnings.simplefilter("ignore")  # ConvergenceWarning of scikit-learn's MLP
    rows = np.r_[0:100, X.shape[0] - 100 : X.shape[0]]  # of both classes
    clone(model).fit(X[rows], y[rows])
    start = time.perf_counter()
    peak = peak_growth(lambda: model.fit(X, y))
    return time.perf_counter() - start, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", nargs=2, metavar=("POS", "NEG"))
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    options = parser.parse_args()
    if options.reviews:
        epochs = 2 if options.quick else 20
        print(f"Reviews, {epochs} epochs, batch 512: seconds, peak MB, test accuracy")
        for which in ("skreg, CSR", "scikit-learn, CSR", "skreg, dense"):
            runs = [
                in_new_process(on_reviews, which, options.reviews, epochs)
                for _ in range(1 if options.quick else 3)
            ]
            seconds, peak, accuracy = np.median(runs, axis=0)
            print(
                f"  {which:18} {seconds:8.3f} {peak:8.0f} {accuracy:8.4f}", flush=True
            )
    n_rows = 10_000 if options.quick else 1_000_000
    seconds, peak, size = in_new_process(on_many_rows, n_rows)
    print(
        f"{n_rows:,} x 1,000, 20 entries per row ({size:.0f} MB), one epoch: "
        f"{seconds:.1f} s, peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
