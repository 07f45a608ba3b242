"""Several labels per row: scikit-learn's shapes, and one logistic output per label."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale


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


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_the_loss_is_the_sum_over_the_labels(mlp, tagged, engine):
    X, Y = tagged
    still = {"optimizer": "sgd", "learning_rate": 1e-30}
    est = mlp(engine=engine, **still).fit(X, Y, X_val=X[:50], y_val=Y[:50])

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


def test_both_engines_train_the_same_network(mlp, tagged):
    compiled, by_keras = (
        mlp(epochs=20, engine=engine).fit(*tagged) for engine in ("compiled", "keras")
    )
    for a, b in zip(compiled.coefs_, by_keras.coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_sparse_indicators_are_the_dense_ones(mlp, tagged):
    X, Y = tagged
    dense, of_sparse = mlp().fit(X, Y), mlp().fit(X, sparse.csr_array(Y))
    for a, b in zip(dense.coefs_, of_sparse.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_early_stopping_holds_out_rows(mlp, tagged):
    est = mlp(epochs=100, learning_rate=0.1, early_stopping=True).fit(*tagged)
    assert est.best_epoch_ == 1 + np.argmin(est.history_["val_loss"])
    assert est.n_iter_ < 100


def test_class_weights_are_refused(mlp, tagged):
    message = "class_weight must be None where a row may have several labels"
    with pytest.raises(ValueError, match=message):
        mlp(class_weight="balanced").fit(*tagged)


def test_validation_targets_have_the_labels_of_the_training(mlp, tagged):
    X, Y = tagged
    message = r"y_val must have a column for each of 4 labels, got shape \(120, 3\)"
    with pytest.raises(ValueError, match=message):
        mlp().fit(X, Y, X_val=X, y_val=Y[:, :3])
