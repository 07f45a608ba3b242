"""Facts from scikit-learn's own tests of its MLP.

`sklearn/neural_network/tests/test_mlp.py` was gone through test by test. Adopted here,
in our own words: alpha, lbfgs_classification and lbfgs_regression (how well digits and
a linear problem are learned), multilabel_classification, multioutput_regression,
sample_weight_with_early_stopping.

Held elsewhere: fit and gradient (`test_oracles`: Keras and textbook loops instead of
numbers by hand), partial_fit, also of what was loaded and for unseen classes,
warm_start, and the errors of both (`test_incremental`, `test_incremental_errors`),
nonfinite_params and diverging_loss, which is an error here (`test_bad_input`,
`test_incremental_errors`), predict_proba of two and more classes and labels
(`test_classifier`, `test_multilabel`), shuffle (`test_classifier`),
preserve_feature_names (`test_inputs`), sparse_matrices (`test_sparse`), early_stopping
with its stratification, strings, patience and least number of rows
(`test_early_stopping`), dtypes (`test_precision`, `test_classifier`), vs_poisson_glm
(`test_regressor`).

Left out: lbfgs's maxfun, and that it knows no partial_fit, as there is no such solver;
learning_rate_warmstart and adaptive_learning_rate, since schedules are Keras' own;
tolerance and n_iter_no_change without early stopping, since training runs for the
number of epochs that it is told to; verbose's exact lines; warm_start_no_convergence,
as there is no warning of that kind; partial_fit with early stopping, which is refused
with an error here.
"""

import numpy as np
import pytest
from problems import assert_same
from sklearn.datasets import (
    load_digits,
    make_multilabel_classification,
    make_regression,
)
from sklearn.preprocessing import minmax_scale


def test_stronger_l2_means_smaller_weights(mlp, iris):
    sums = [
        np.abs(mlp(epochs=40, learning_rate=0.01, l2=l2).fit(*iris).coefs_[0]).sum()
        for l2 in (0.0, 1e-3, 1e-2, 1e-1)
    ]
    assert (np.diff(sums) < 0).all()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_digits_are_learned(mlp, activation):
    X, y = load_digits(n_class=3, return_X_y=True)
    X, y = minmax_scale(X[:200]), y[:200]
    est = mlp((50,), activation=activation, epochs=60, learning_rate=0.01)
    est.fit(X[:150], y[:150])
    assert est.score(X[:150], y[:150]) > 0.95
    assert est.score(X[150:], y[150:]) > 0.9
    assert est.predict(X[150:]).dtype.kind == "i"


def test_several_labels_are_learned(mlp):
    X, y = make_multilabel_classification(n_samples=50, random_state=0)
    est = mlp((50,), epochs=150, learning_rate=0.01)
    assert est.fit(X, y).score(X, y) > 0.97


@pytest.mark.parametrize("n_targets", [1, 5])
def test_linear_targets_are_learned(mlr, n_targets):
    X, y = make_regression(
        n_samples=200, n_features=10, n_targets=n_targets, random_state=0
    )
    est = mlr((50,), epochs=100, learning_rate=0.01)
    assert est.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("make", ["mlp", "mlr"])
def test_weights_of_one_are_none_with_early_stopping(make, iris, request):
    X, y = iris
    weighted, plain = (
        request.getfixturevalue(make)(early_stopping=True, epochs=5).fit(X, y, weight)
        for weight in (np.ones(len(y)), None)
    )
    assert_same(weighted, plain, atol=0)
