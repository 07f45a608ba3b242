"""Exact zeros under `l1` and `group_l1`, against scikit-learn's linear models."""

import pickle
from functools import partial

import keras
import numpy as np
import pytest
from keras.optimizers.schedules import CosineDecay, PiecewiseConstantDecay
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, MultiTaskLasso
from sklearn.preprocessing import scale

OPTIMIZERS = {
    "adam": keras.optimizers.Adam(0.01),
    "sgd": keras.optimizers.SGD(0.1),
    "momentum": keras.optimizers.SGD(0.05, momentum=0.8),
    "nesterov": keras.optimizers.SGD(0.05, momentum=0.8, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop(0.002),
    "rmsprop with momentum": keras.optimizers.RMSprop(0.001, momentum=0.5),
    "amsgrad": keras.optimizers.Adam(0.01, beta_2=0.8, amsgrad=True),
    "nadam": keras.optimizers.Nadam(0.01),
    "adamax": keras.optimizers.Adamax(0.02),
    "adagrad": keras.optimizers.Adagrad(0.5),
    "clipped": keras.optimizers.SGD(0.1, momentum=0.5, global_clipnorm=10.0),
    "falling": keras.optimizers.SGD(CosineDecay(0.1, 2000), momentum=0.8),
    "falling rmsprop": keras.optimizers.RMSprop(CosineDecay(0.01, 2000), momentum=0.8),
}


@pytest.fixture(scope="module")
def numbers():
    """Standardized columns, some of which do not matter, and targets."""
    X, y = load_diabetes(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(len(y), 5))
    return scale(np.hstack([X, noise])), scale(y)


@pytest.fixture(scope="module")
def classes():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def linear(mlr):
    """A factory of linear models, each step of which sees all rows."""
    return partial(mlr, (), l2=0.0, batch_size=1000, epochs=2000, shuffle=False)


def assert_same_coef(coef, expected, atol=1e-4):
    np.testing.assert_allclose(coef, expected, atol=atol)
    # A coefficient this small may be zero in one and not in the other.
    clear = (expected == 0) | (np.abs(expected) > 10 * atol)
    np.testing.assert_array_equal((coef != 0)[clear], (expected != 0)[clear])
    assert (expected == 0).any()


@pytest.mark.parametrize(
    ("name", "l1"), [*((name, 0.1) for name in OPTIMIZERS), ("adam", 0.3)]
)
def test_a_linear_regressor_with_l1_is_the_lasso(linear, numbers, name, l1):
    X, y = numbers
    est = linear(l1=l1, optimizer=OPTIMIZERS[name]).fit(X, y)
    # We minimize     mean(error**2) +    l1 * sum(|w|),
    # the lasso   1/2 mean(error**2) + alpha * sum(|w|).
    expected = Lasso(alpha=l1 / 2, tol=1e-12, max_iter=100_000).fit(X, y).coef_
    assert_same_coef(est.coefs_[0][:, 0], expected)


def test_units_of_the_targets_change_the_mapping_of_strengths(linear, numbers):
    X, y = numbers
    est = linear(l1=0.1, optimizer=OPTIMIZERS["adam"]).fit(X, 50 * y + 7)
    # The network sees y / 50; so w is 50 times larger, and l1 counts as much.
    reference = Lasso(alpha=50 * 0.1 / 2, tol=1e-12, max_iter=100_000)
    expected = reference.fit(X, 50 * y + 7).coef_
    assert_same_coef(est.coefs_[0][:, 0], expected, atol=50e-4)


@pytest.mark.parametrize("l1", [0.03, 0.1])
def test_a_linear_classifier_with_l1_is_l1_logistic_regression(mlp, numbers, l1):
    X, y = numbers[0], numbers[1] > 0
    est = mlp((), l1=l1, l2=0.0, batch_size=1000, epochs=2000, learning_rate=0.02)
    est.fit(X, y)
    # Ours is mean(ce) + l1 * sum(|w|), theirs C * sum(ce) + sum(|w|).
    reference = LogisticRegression(
        l1_ratio=1, C=1 / (len(y) * l1), solver="saga", tol=1e-10, max_iter=20_000
    )
    if reference.penalty == "l2":  # before scikit-learn 1.8
        reference.set_params(penalty="elasticnet")
    reference.fit(X, y)
    assert_same_coef(est.coefs_[0][:, 0], reference.coef_[0])


@pytest.mark.parametrize("name", ["adam", "momentum", "rmsprop"])
def test_both_penalties_are_the_elastic_net(linear, numbers, name):
    X, y = numbers
    l1, l2 = 0.1, 0.2
    est = linear(l1=l1, optimizer=OPTIMIZERS[name]).set_params(l2=l2).fit(X, y)
    # Theirs: 1/2 mean(error**2) + alpha * (r * sum(|w|) + (1 - r) / 2 * sum(w**2)).
    alpha = l1 / 2 + l2
    reference = ElasticNet(alpha, l1_ratio=l1 / 2 / alpha, tol=1e-12, max_iter=100_000)
    assert_same_coef(est.coefs_[0][:, 0], reference.fit(X, y).coef_)


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("adam", 0.05),
        ("adam", 0.2),
        ("nesterov", 0.05),
        ("rmsprop with momentum", 0.05),
    ],
)
def test_several_outputs_with_group_l1_are_the_multi_task_lasso(
    linear, numbers, name, strength
):
    X, y = numbers
    Y = scale(np.column_stack([y, X[:, 2] - y, np.tanh(X[:, 8] + y)]))
    est = linear(group_l1=strength, optimizer=OPTIMIZERS[name]).fit(X, Y)
    # Ours has the mean over the three outputs, theirs half their sum.
    reference = MultiTaskLasso(3 * strength / 2, tol=1e-12, max_iter=100_000)
    coef = reference.fit(X, Y).coef_.T
    assert_same_coef(est.coefs_[0], coef)
    np.testing.assert_array_equal(est.used_features_, (coef != 0).any(axis=1))


@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_a_network_with_a_hidden_layer_meets_the_conditions_of_a_minimum(
    mlr, numbers, penalty
):
    X, y = numbers
    strength, l2 = (0.02, 0.01) if penalty == "l1" else (0.1, 0.01)
    descent = keras.optimizers.SGD(0.04, momentum=0.8)
    # Without a penalty on the output layer there is no minimum: its weights would
    # grow while those of the penalized layer shrink.
    est = mlr((6,), activation="tanh", l2=[l2, l2], optimizer=descent, shuffle=False)
    est.set_params(batch_size=1000, epochs=6000, **{penalty: strength}).fit(X, y)
    (w, v), (b, c) = est.coefs_, est.intercepts_
    hidden = np.tanh(X @ w + b)
    error = hidden @ v + c - y[:, np.newaxis]
    gradient = X.T @ (2 * error @ v.T * (1 - hidden**2)) / len(y)
    if penalty == "l1":
        size, pull, towards = np.abs(w), np.abs(gradient), np.sign(w)
    else:
        size, pull = np.linalg.norm(w, axis=1), np.linalg.norm(gradient, axis=1)
        towards = w / np.maximum(size, 1e-300)[:, np.newaxis]
    assert 0.2 < (size == 0).mean() < 1
    assert (pull[size == 0] <= strength + 1e-4).all()
    moved = size > 0
    np.testing.assert_allclose(
        gradient[moved], (-strength * towards - 2 * l2 * w)[moved], atol=1e-4
    )


def test_zeros_stay_zeros_where_the_rate_falls(mlp, cancer):
    # Momentum still moves the weights by sums of the larger rates.
    falling = PiecewiseConstantDecay([155], [0.05, 0.0005])
    kernels = []
    for rate in (0.05, falling):
        descent = keras.optimizers.SGD(rate, momentum=0.9)
        est = mlp((6,), l1=0.02, epochs=40, optimizer=descent)
        kernels.append(est.fit(*cancer).coefs_[0])
    assert (kernels[0] == 0).mean() > 0.5
    assert (kernels[1] == 0).mean() > 0.95 * (kernels[0] == 0).mean()


def test_zeros_are_zeros_wherever_weights_are_kept(mlp, cancer):
    est = mlp((8,), l1=0.05, epochs=20, ema_momentum=0.99).fit(*cancer)
    zero = est.coefs_[0] == 0
    assert 0.3 < zero.mean() < 1
    for kernel in (
        pickle.loads(pickle.dumps(est)).coefs_[0],
        est.model_.get_weights()[0],
    ):
        np.testing.assert_array_equal(kernel == 0, zero)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_columns_that_do_not_matter_leave_the_network(mlp, precision, as_sparse):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 12)).astype(precision)
    y = X[:, 0] * X[:, 1] > 0
    rows = csr_array(X) if as_sparse else X
    est = mlp((16,), group_l1=0.06, epochs=60).fit(rows, y)
    np.testing.assert_array_equal(est.used_features_, np.arange(12) < 2)
    assert est.score(rows, y) > 0.85
    unused = ~est.used_features_
    assert (est.feature_importances_[unused] == 0).all()
    norms = np.linalg.norm(est.coefs_[0], axis=1)
    np.testing.assert_allclose(est.feature_importances_, norms / norms.sum())
    changed = X.copy()
    changed[:, unused] = 7
    np.testing.assert_array_equal(est.predict_proba(changed), est.predict_proba(X))


def test_feature_selection_finds_the_importances(mlp, classes):
    est = mlp((8,), group_l1=0.05, epochs=30)
    selector = SelectFromModel(est, threshold=1e-10).fit(*classes)
    np.testing.assert_array_equal(
        selector.get_support(), selector.estimator_.used_features_
    )
    assert 0 < selector.get_support().sum() < 30
    assert RFE(est, n_features_to_select=5, step=0.5).fit(*classes).n_features_ == 5


def test_no_column_may_be_left(mlp, cancer):
    est = mlp((8,), group_l1=10.0, epochs=20, learning_rate=0.01).fit(*cancer)
    assert not est.used_features_.any()
    np.testing.assert_array_equal(est.feature_importances_, np.zeros(30))
    assert np.isfinite(est.predict_proba(cancer[0])).all()


@pytest.mark.parametrize("strength", [1e-30, 1e-12, 1e-3])
def test_groups_of_zeros_may_come_back_at_any_strength(mlp, cancer, strength):
    params = {"group_l1": 30.0, "epochs": 5, "warm_start": True, "learning_rate": 0.01}
    X, y = (given.astype(np.float32) for given in cancer)
    X[:, 3] = 0  # Adam's step size of such a column is huge
    est = mlp((8,), **params).fit(X, y)
    assert not est.used_features_.any()
    est.set_params(group_l1=strength, optimizer="sgd").fit(X, y)
    came_back = np.arange(30) != 3
    np.testing.assert_array_equal(est.used_features_, came_back)
