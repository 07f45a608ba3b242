"""Many classes or labels: targets stay small until their batch, and mean the same."""

import numpy as np
import pytest
from problems import assert_same
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

from skreg._estimators import labels
from skreg._training import validating


@pytest.fixture(scope="module")
def tagged():
    """Rows with some of six labels each."""
    X, Y = make_multilabel_classification(
        120, n_features=10, n_classes=6, random_state=0
    )
    return scale(X), Y


VALIDATION = {"early_stopping": True, "n_iter_no_change": 9, "dropout": 0.2}


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_labels_are_those_of_the_dense_ones(mlp, tagged, engine, container):
    X, Y = tagged
    params = {**VALIDATION, "engine": engine, "epochs": 5}
    dense = mlp(**params).fit(X, Y)
    assert_same(mlp(**params).fit(X, container(Y)), dense)
    assert_same(mlp(**params).fit(sparse.csr_array(X), container(Y)), dense)


def test_validation_labels_may_be_of_either_kind(mlp, tagged, engine, monkeypatch):
    X, Y = tagged
    X, Y, X_val, Y_val = X[:80], Y[:80], X[80:], Y[80:]
    # In several batches.
    monkeypatch.setattr(validating, "VALIDATION_BATCH", 16)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X_val))
    fits = [
        mlp(engine=engine).fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
        for y in (Y, sparse.csr_array(Y))
        for y_val in (Y_val, sparse.csr_array(Y_val))
    ]
    for est in fits[1:]:
        assert_same(est, fits[0])
    score = accuracy_score(Y_val, fits[0].predict(X_val), sample_weight=weight)
    assert fits[0].validation_scores_[-1] == pytest.approx(score)


def test_chunks_may_be_of_either_kind(mlp, tagged):
    X, Y = tagged
    kinds = [np.asarray, sparse.csr_array, sparse.csr_array]
    by_kind = {}
    for first in kinds[:2]:
        est = mlp().partial_fit(X, first(Y), classes=np.arange(6))
        for then in kinds[::-1]:
            est.partial_fit(X, then(Y))
        by_kind[first] = est
    assert_same(*by_kind.values())


def test_a_dense_matrix_of_few_ones_is_held_as_a_sparse_one(mlp, tagged, monkeypatch):
    X, Y = tagged
    Y = Y * (np.random.default_rng(0).random(Y.shape) < 0.1)
    dense = mlp(**VALIDATION).fit(X, Y)
    monkeypatch.setattr(labels, "MAX_DENSE_LABELS", 100)
    held_sparse = mlp(**VALIDATION).fit(X, Y)
    assert sparse.issparse(held_sparse._encode(Y, "y", X.dtype))
    assert_same(held_sparse, dense)
    assert isinstance(held_sparse.predict(X), np.ndarray)


def test_predictions_are_sparse_where_those_of_scikit_learn_are(mlp, tagged):
    X, Y = tagged
    for container in (np.asarray, sparse.csr_array, sparse.csc_matrix):
        ours = mlp(epochs=30).fit(X, container(Y))
        theirs = MLPClassifier((8,), tol=1.0, random_state=0).fit(X, container(Y))
        got, expected = ours.predict(X), theirs.predict(X)
        assert type(got) is type(expected)
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        labels = got.toarray() if sparse.issparse(got) else got
        np.testing.assert_array_equal(labels, ours.predict_proba(X) > 0.5)
        assert ours.score(X, container(Y)) == accuracy_score(Y, labels)


def test_predictions_are_made_chunk_by_chunk(mlp, iris, tagged):
    X, y = iris
    many = np.tile(X, (100, 1))
    np.testing.assert_array_equal(
        mlp().fit(X, y).predict(many), np.tile(mlp().fit(X, y).predict(X), 100)
    )
    X, Y = tagged
    est = mlp(epochs=20).fit(X, sparse.csr_array(Y))
    many = est.predict(np.tile(X, (40, 1)))
    np.testing.assert_array_equal(
        many.toarray(), np.tile(est.predict(X).toarray(), (40, 1))
    )


# The maximum of `resource.getrusage` would be that of the parent process.
MEMORY = """
import re
from pathlib import Path
import numpy as np
from scipy import sparse
from skreg import RegularizedMLPClassifier

def megabytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(name + r":\\s+(\\d+) kB", status)[1]) / 1024

rng = np.random.default_rng(0)
X = rng.normal(size=(10_000, 20))
labels = sparse.random(10_000, 4_000, density=1e-3, format="csr", random_state=0) > 0
classes = np.arange(10_000) % 4_000
for engine in ("compiled", "keras"):
    est = RegularizedMLPClassifier((8,), epochs=1, batch_size=200, engine=engine)
    est.set_params(early_stopping=True)
    for y in (labels[:300].astype(int), classes[:300] % 3):
        est.fit(X[:300], y)  # whatever is imported and kept
    for y in (labels.astype(int), classes):
        before = megabytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        est.fit(X, y).predict(X)
        print(megabytes("VmHWM") - before)
"""


def test_no_matrix_of_all_rows_and_labels_is_made(in_new_process):
    # It has 40 MB in bytes, 320 in float64; the logits of a chunk have 66, twice.
    grown = [float(line) for line in in_new_process(MEMORY).split()]
    assert len(grown) == 4
    assert 66 < min(grown) < max(grown) < 300
