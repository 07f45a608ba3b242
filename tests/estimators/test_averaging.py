"""`ema_momentum`: the weights that are kept are a running average."""

import keras
import numpy as np
import pytest
from problems import STANDING_STILL, assert_same_weights
from sklearn.metrics import log_loss

OPTIMIZERS = {"adam": keras.optimizers.Adam(0.01), "sgd": keras.optimizers.SGD(0.1)}


class Iterates(keras.callbacks.Callback):
    """Appends the weights after every step to a list that copies share."""

    def __init__(self, seen):
        super().__init__()
        self._seen = seen

    def __deepcopy__(self, memo):
        return Iterates(self._seen)

    def on_train_batch_end(self, batch, logs=None):
        self._seen.append([np.array(w) for w in self.model.get_weights()])


def replay(start, iterates, ema_momentum, zeros_stay):
    """The average by hand."""
    average = [w.copy() for w in start]
    for t, weights in enumerate(iterates, start=1):
        momentum = min(ema_momentum, (1 + t) / (10 + t))
        for a, w in zip(average, weights, strict=True):
            a[...] = momentum * a + (1 - momentum) * w
            if zeros_stay:
                a[w == 0] = 0
    return average


@pytest.mark.parametrize(
    ("name", "ema_momentum", "l1"),
    [("adam", 0.99, 0.0), ("adam", 0.3, 0.02), ("sgd", 0.0, 0.0), ("sgd", 0.99, 0.02)],
)
def test_the_average_is_that_of_the_weights_after_each_step(
    mlp, cancer, name, ema_momentum, l1
):
    est = mlp(optimizer=OPTIMIZERS[name], l1=l1)
    start = mlp(epochs=1, **STANDING_STILL).fit(*cancer).model_.get_weights()
    iterates = []
    mlp(**{**est.get_params(), "callbacks": Iterates(iterates)}).fit(*cancer)
    expected = replay(start, iterates, ema_momentum, zeros_stay=l1 > 0)
    # With JAX, model_ is in float32.
    atol = 1e-6 if keras.backend.backend() == "jax" else 1e-7
    for engine in ("compiled", "keras"):
        fitted = mlp(**{**est.get_params(), "engine": engine})
        fitted.set_params(ema_momentum=ema_momentum).fit(*cancer)
        for w, average in zip(fitted.model_.get_weights(), expected, strict=True):
            np.testing.assert_allclose(w, average, atol=atol)
        assert (fitted.coefs_[0] == 0).any() == (l1 > 0)


def test_validation_and_early_stopping_judge_the_average(mlp, cancer, engine):
    X, y = cancer
    given = {"X_val": X[80:], "y_val": y[80:]}
    est = mlp(ema_momentum=0.9, learning_rate=0.1, batch_size=40, engine=engine)
    est.fit(X[:80], y[:80], **given)
    np.testing.assert_allclose(
        est.history_["val_loss"][-1], log_loss(y[80:], est.predict_proba(X[80:]))
    )
    stopped = mlp(**{**est.get_params(), "early_stopping": True, "tol": 0.0})
    stopped.set_params(n_iter_no_change=3, epochs=200).fit(X[:80], y[:80], **given)
    assert stopped.n_iter_ < 200
    np.testing.assert_allclose(
        min(stopped.history_["val_loss"]),
        log_loss(y[80:], stopped.predict_proba(X[80:])),
    )


@pytest.mark.parametrize(
    "params", [{}, {"early_stopping": True}, {"l1": 2**-6, "group_l1": 2**-6}]
)
def test_a_warm_start_carries_the_average_on(mlp, cancer, engine, params):
    params = {"ema_momentum": 0.9, "engine": engine, "batch_size": 50, **params}
    whole = mlp(epochs=4, **params).fit(*cancer)
    parts = mlp(epochs=2, warm_start=True, **params).fit(*cancer).fit(*cancer)
    assert_same_weights(parts, whole, atol=1e-12, rtol=1e-7)


def test_chunks_of_other_units_carry_the_average_on(mlr, diabetes, engine):
    """What the first chunk predicts stays the same in the units of both."""
    X, y = diabetes
    est = mlr(ema_momentum=0.9, engine=engine).partial_fit(X[:50], y[:50])
    before = est.predict(X)
    far = 100 * y[50:]
    est.set_params(**STANDING_STILL).partial_fit(X[50:], far)
    np.testing.assert_allclose(est.predict(X), before, rtol=1e-7)
    est.set_params(optimizer="adam", learning_rate=0.03)
    start = est.score(X, y)
    for _ in range(10):
        est.partial_fit(X, y)
    assert est.score(X, y) > start + 0.5


def test_an_optimizer_that_averages_is_validated_by_its_average(mlp, cancer):
    X, y = cancer
    averaging = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    est = mlp(epochs=6, optimizer=averaging, shuffle=False, early_stopping=True)
    est.set_params(n_iter_no_change=10).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    best = min(est.history_["val_loss"])
    np.testing.assert_allclose(best, log_loss(y[80:], est.predict_proba(X[80:])))
