"""Several labels per row: scikit-learn's shapes, and one logistic output per label.

Targets of many labels, and of many classes, stay small until their batch.
"""

import numpy as np
import pytest
from problems import STANDING_STILL, assert_same
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

from skreg._estimators import labels
from skreg._training import validating


@pytest.fixture(scope="module")
def tagged():
    """Rows with some of four labels each."""
    X, Y = make_multilabel_classification(
        120, n_features=10, n_classes=4, random_state=0
    )
    return scale(X), Y


def test_shapes_are_those_of_scikit_learn(mlp, tagged):
    X, Y = tagged
    ours = mlp().fit(X, Y)
    theirs = MLPClassifier((8,), tol=1.0, random_state=0).fit(X, Y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        got, expected = getattr(ours, method)(X), getattr(theirs, method)(X)
        assert got.shape == expected.shape
        assert got.dtype == expected.dtype
    assert ours.decision_function(X).shape == Y.shape
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_predictions_agree_with_each_other(mlp, tagged):
    X, Y = tagged
    est = mlp(epochs=100).fit(X, Y)
    proba = est.predict_proba(X)
    np.testing.assert_allclose(proba, expit(est.decision_function(X)))
    np.testing.assert_allclose(est.predict_log_proba(X), np.log(proba))
    np.testing.assert_array_equal(est.predict(X), proba > 0.5)
    np.testing.assert_allclose(est.model_(X), proba)
    assert est.score(X, Y) == accuracy_score(Y, est.predict(X)) > 0.3


def test_the_loss_is_the_sum_over_the_labels(mlp, tagged, engine):
    X, Y = tagged
    est = mlp(engine=engine, **STANDING_STILL)
    est.fit(X, Y, X_val=X[:50], y_val=Y[:50])

    def total(X, Y):
        pairs = zip(Y.T, est.predict_proba(X).T, strict=True)
        return sum(log_loss(y, proba) for y, proba in pairs)

    assert est.history_["data_loss"][-1] == pytest.approx(total(X, Y), rel=1e-9)
    expected = total(X[:50], Y[:50])
    assert est.history_["val_loss"][-1] == pytest.approx(expected, rel=1e-9)
    assert est.validation_scores_[-1] == pytest.approx(est.score(X[:50], Y[:50]))


def test_without_hidden_layers_it_is_a_network_for_each_label(mlp, tagged):
    X, Y = tagged
    est = mlp((), l2=0.01, batch_size=120, learning_rate=0.1, epochs=450)
    together = est.fit(X, Y).predict_proba(X)
    apart = OneVsRestClassifier(est).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(together, apart, atol=1e-4)


def test_early_stopping_holds_out_rows(mlp, tagged):
    est = mlp(epochs=100, learning_rate=0.1, early_stopping=True).fit(*tagged)
    assert est.best_epoch_ == 1 + np.argmin(est.history_["val_loss"])
    assert est.n_iter_ < 100


def test_class_weights_are_refused(mlp, tagged):
    message = "class_weight must be None where a row may have several labels"
    with pytest.raises(ValueError, match=message):
        mlp(class_weight="balanced").fit(*tagged)


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
    # The validation rows take several batches.
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
        est = mlp().partial_fit(X, first(Y), classes=np.arange(4))
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


def test_sparse_predictions_are_made_chunk_by_chunk(mlp, tagged):
    X, Y = tagged
    est = mlp(epochs=20).fit(X, sparse.csr_array(Y))
    many = est.predict(np.tile(X, (40, 1)))
    np.testing.assert_array_equal(
        many.toarray(), np.tile(est.predict(X).toarray(), (40, 1))
    )


# The maximum of `resource.getrusage` would include the parent process.
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
        est.fit(X[:300], y)  # imports and caches
    for y in (labels.astype(int), classes):
        before = megabytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        est.fit(X, y).predict(X)
        print(megabytes("VmHWM") - before)
"""


def test_no_matrix_of_all_rows_and_labels_is_made(in_new_process):
    # It would take 40 MB in bytes and 320 in float64; the logits of a chunk take
    # 66, twice.
    grown = [float(line) for line in in_new_process(MEMORY).split()]
    assert len(grown) == 4
    assert 66 < min(grown) < max(grown) < 300
