"""Optimizers by name and as objects, and their learning-rate schedules."""

import pickle

import keras
import numpy as np
import pytest
from problems import assert_same
from scipy.special import expit
from sklearn.base import clone

K = keras.optimizers
S = keras.optimizers.schedules
COSINE = S.CosineDecay(0.02, 7, alpha=0.05)
WARM_UP = S.CosineDecay(1e-3, 5, warmup_target=0.02, warmup_steps=3)


@pytest.mark.parametrize(
    "name",
    ["Adam", "AdamW", "Nadam", "Adamax", "Adagrad", "Lion", "SGD", "RMSprop"],
)
def test_a_name_trains_as_the_object_with_the_defaults_of_keras(mlp, cancer, name):
    for alias, params in ((name.lower(), {}), (name, {"learning_rate": 0.25})):
        by_name = mlp(optimizer=alias, engine="compiled", **params).fit(*cancer)
        optimizer = getattr(K, name)(**params)
        by_object = mlp(optimizer=optimizer, engine="compiled").fit(*cancer)
        assert_same(by_name, by_object, atol=0)


class Sawtooth(S.LearningRateSchedule):
    """A user's own schedule, whose configuration can't be read."""

    def __call__(self, step):
        return 0.01 / (1 + keras.ops.cast(step % 7, "float32"))


class Table(S.LearningRateSchedule):
    """Knows the rates of as many steps as it has entries, one step at a time."""

    def __init__(self, rates):
        self.rates = rates

    def __call__(self, step):
        return self.rates[int(step)]


def test_a_schedule_is_the_learning_rate_of_a_named_optimizer(mlp, cancer):
    by_name = mlp(optimizer="sgd", learning_rate=WARM_UP).fit(*cancer)
    assert_same(by_name, mlp(optimizer=K.SGD(WARM_UP)).fit(*cancer))


RATES = [0.01, 0.005, 0.01 / 3, 0.0025, 0.002, 0.01 / 6, 0.01 / 7, 0.01, 0.005]


@pytest.mark.parametrize(
    ("engine", "schedule"),
    [
        ("compiled", Sawtooth()),
        ("keras", Sawtooth()),
        # This fails if it is asked for a rate beyond the last step.
        ("compiled", Table(RATES)),
    ],
)
def test_a_schedule_of_the_users_own(mlp, cancer, engine, schedule):
    est = mlp((), optimizer="sgd", learning_rate=schedule, epochs=9, l2=0.0)
    est.set_params(batch_size=120, shuffle=False, engine=engine).fit(*cancer)
    X, y = cancer
    start = mlp((), optimizer="sgd", learning_rate=1e-30, l2=0.0).fit(X, y)
    w, b = start.coefs_[0][:, 0], 0.0
    for rate in RATES:
        error = (expit(X @ w + b) - y) / len(y)
        w, b = w - rate * X.T @ error, b - rate * error.sum()
    np.testing.assert_allclose(est.coefs_[0][:, 0], w, atol=1e-8)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_each_call_of_partial_fit_goes_on_with_the_schedule(regressor, momentum):
    # Proximal steps with momentum need the sum of all rates.
    params = {"optimizer": K.SGD(COSINE, momentum=momentum), "l1": 2**-7}
    whole = regressor.fit(regressor.make(epochs=4, **params))
    assert_same(regressor.partial(regressor.make(**params), 4), whole)


def test_a_schedule_is_kept_as_other_parameters_are(mlp, cancer):
    est = mlp(learning_rate=COSINE).fit(*cancer)
    assert est.get_params()["learning_rate"] is COSINE
    assert "CosineDecay" in repr(est)
    assert clone(est).learning_rate.get_config() == COSINE.get_config()
    again = pickle.loads(pickle.dumps(est))
    assert_same(again.fit(*cancer), est)
    assert est.set_params(learning_rate=0.01).learning_rate == 0.01
