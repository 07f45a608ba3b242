"""What a search holds in memory, and that its results do not depend on that."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV, BatchedHalvingGridSearchCV
from skreg._xla import inputs, pages
from skreg._search import fitting

L2 = [0.0, 1e-3, 1e-2, 0.1]

# Without XLA, whose programs take as much memory for few rows as for many.
SEARCHES = """
import re
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BatchedGridSearchCV, BatchedHalvingGridSearchCV
from skreg import RegularizedMLPClassifier
from skreg._xla import planning
from skreg._xla.pages import give_back_free_memory

planning.XLA_GROUP_STEPS = np.inf
X = np.random.default_rng(0).standard_normal((60_000, 100), np.float32)
mlp = RegularizedMLPClassifier((8,), epochs=1, batch_size=512, random_state=0)
scaled = make_pipeline(StandardScaler(), mlp)


def in_use(which):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{which}:\\s+(\\d+) kB", status)[1])


def fit(search, est, X, **options):
    name = "l2" if est is mlp else "regularizedmlpclassifier__l2"
    grid = {name: [0.0, 1e-3, 1e-2, 0.1]}
    search(est, grid, cv=5, **options).fit(X, X[:, 0] > 0)


def print_peak(search, est, **options):
    fit(search, est, X[:1000], **options)
    give_back_free_memory()
    before = in_use("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is to be a new one
    fit(search, est, X, **options)
    print((in_use("VmHWM") - before) / X.nbytes)


print_peak(BatchedGridSearchCV, mlp, n_jobs=2)
print_peak(BatchedGridSearchCV, scaled, n_jobs=2)
print_peak(BatchedHalvingGridSearchCV, scaled, n_jobs=2, factor=2)
print_peak(BatchedGridSearchCV, scaled, n_jobs=1)
"""


def test_memory_beside_the_rows_does_not_grow_with_folds(in_new_process):
    *of_two, of_one = map(float, in_new_process(SEARCHES).split())
    assert max(of_two) < 5
    assert of_one < 4


class Double(TransformerMixin, BaseEstimator):
    """Gives rows of another dtype than X is of."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.astype(np.float64)


@pytest.mark.parametrize("search", [BatchedGridSearchCV, BatchedHalvingGridSearchCV])
@pytest.mark.parametrize("steps", [[], [StandardScaler()], ["passthrough", Double()]])
def test_folds_that_are_prepared_one_by_one_give_the_same_scores(
    mlp, cancer, monkeypatch, search, steps
):
    X, y = cancer
    est = make_pipeline(*steps, mlp(early_stopping=True, epochs=8))
    options = {"factor": 2} if search is BatchedHalvingGridSearchCV else {}
    grid = {"regularizedmlpclassifier__l2": L2}

    def scores(n_jobs):
        done = search(
            est, grid, cv=3, scoring="neg_log_loss", n_jobs=n_jobs, **options
        ).fit(X.astype(np.float32) if len(steps) == 2 else X, y)
        return [done.cv_results_[f"split{fold}_test_score"] for fold in range(3)]

    expected = scores(2)
    monkeypatch.setattr(fitting, "FOLDS_BYTES", 0)
    for n_jobs in (1, 8):  # 4 networks per fold
        np.testing.assert_allclose(scores(n_jobs), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_train_as_small_ones(mlp, cancer, monkeypatch, order):
    X, y = cancer
    est = mlp(dropout=0.2)
    expected = est.fit(X, y).coefs_
    monkeypatch.setattr(pages, "LARGE", 64)
    monkeypatch.setattr(inputs, "LARGE", 64)
    for got, w in zip(
        est.fit(np.array(X, order=order), y).coefs_, expected, strict=True
    ):
        np.testing.assert_array_equal(got, w)


def test_arrays_are_copied_only_where_tensorflow_could_not_read_them():
    array = pages.zeros((1 << 10, 1 << 10), np.float32)
    assert not array.any()
    assert pages.shareable(array) is array
    for other in (array[1:, :-1], array.T, np.asfortranarray(array)):
        other[0, 0] = 3
        copy = pages.shareable(other)
        np.testing.assert_array_equal(copy, other)
        assert not np.shares_memory(copy, other)
        assert copy.ctypes.data % pages.ALIGNMENT == 0
    array.setflags(write=False)
    assert pages.shareable(array) is not array
