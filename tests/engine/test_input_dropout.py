"""Dropout of the columns of X, in both engines."""

import keras
import numpy as np
import pytest
from problems import assert_same, assert_same_weights
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.preprocessing import scale


def test_on_average_it_is_a_ridge_penalty(mlr, engine):
    # Wager, Wang and Liang, "Dropout training as adaptive regularization", NIPS 2013:
    # over the noise, the squared error has rate / (1 - rate) * sum(w**2 * x**2) more.
    rng = np.random.default_rng(0)
    X = scale(rng.normal(size=(200, 4)))
    y = scale(X @ [1.0, -1.0, 0.5, 0.0] + 0.1 * rng.normal(size=200))
    rate = 0.4
    est = mlr((), input_dropout=rate, l2=0.0, ema_momentum=0.999, engine=engine)
    est.set_params(optimizer="sgd", learning_rate=0.05, batch_size=200, shuffle=False)
    est.set_params(epochs=5000 if engine == "compiled" else 700).fit(X, y)
    ridge = Ridge(alpha=rate / (1 - rate) * len(y)).fit(X, y)
    np.testing.assert_allclose(est.coefs_[0][:, 0], ridge.coef_, atol=0.03)


def test_the_columns_of_sparse_rows_are_dropped_as_those_of_dense_ones(mlp, cancer):
    X, y = cancer
    X = np.where(X > 0.5, X, 0)
    est = mlp((8,), input_dropout=0.3, dropout=0.2, batch_size=30)
    dense = clone(est).fit(X, y)
    assert_same(clone(est).fit(csr_array(X), y), dense, atol=1e-9)
    without = clone(est).set_params(input_dropout=0.0).fit(X, y)
    assert not np.allclose(without.coefs_[0], dense.coefs_[0])


def test_the_noise_does_not_depend_on_the_dtype_or_on_the_course_of_fits(mlp, cancer):
    X, y = cancer
    est = mlp((8,), input_dropout=0.5, l2=0.0, optimizer="sgd", learning_rate=0.1)
    est.set_params(epochs=5)
    single, double = (clone(est).fit(X.astype(t), y) for t in ("f4", "f8"))
    np.testing.assert_allclose(single.coefs_[0], double.coefs_[0], atol=1e-4)
    resumed = clone(est).set_params(warm_start=True, epochs=2).fit(X, y)
    resumed.set_params(epochs=3).fit(X, y)
    assert_same_weights(resumed, double)


def test_the_keras_model_has_the_layer_first(mlp, cancer, engine):
    X, y = cancer
    est = mlp((8,), input_dropout=0.25, dropout=0.5, engine=engine).fit(X, y)
    first, hidden, dropout, _ = est.model_.layers
    assert isinstance(first, keras.layers.Dropout)
    assert (first.rate, dropout.rate) == (0.25, 0.5)
    assert (first.name, hidden.name) == ("input_dropout", "hidden_1")
    np.testing.assert_allclose(
        est.model_(X).numpy()[:, 0], est.predict_proba(X)[:, 1], rtol=1e-6
    )


@pytest.mark.parametrize("rate", [-0.1, 1.0, "0.5", np.nan])
def test_a_rate_is_below_1(mlp, cancer, rate):
    with pytest.raises((ValueError, TypeError), match="input_dropout"):
        mlp(input_dropout=rate).fit(*cancer)
