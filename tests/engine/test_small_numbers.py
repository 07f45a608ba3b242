"""Numbers that decay towards zero end as zeros, not as slow denormal ones."""

import numpy as np
import pytest


def assert_normal(values):
    """Each is zero, or at least the least normal number of its dtype."""
    values = np.abs(values)
    assert ((values == 0) | (values >= np.finfo(values.dtype).tiny)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_that_decay_become_zero(mlp, cancer, dtype):
    X = cancer[0].astype(dtype)
    X[:, 0] = 0  # only L2 moves the weights of this column
    # Each step halves the weights.
    est = mlp((4,), optimizer="sgd", learning_rate=0.25, l2=1.0, batch_size=1000)
    for epochs in (50, 120, 1000, 1100):
        est.set_params(epochs=epochs).fit(X, cancer[1])
        assert_normal(est.coefs_[0])
    assert (est.coefs_[0][0] == 0).all()


RULES = "adam", "nadam", "adamax", "rmsprop"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
def test_the_averages_of_an_optimizer_become_zero(mlp, cancer, rule, dtype):
    X = cancer[0].astype(dtype)
    est = mlp((4,), optimizer=rule, warm_start=True, l2=0.0, batch_size=1000)
    est.fit(X, cancer[1])
    X[:, 0] = 0  # from now on its gradients are zero
    for _ in range(4):
        est.set_params(epochs=2000).fit(X, cancer[1])
        slots = est._optimizer_state.arrays
        for name in slots.keys() - {"step", "rate_sum"}:
            assert_normal(slots[name])
    # This average forgets soonest; the column has four weights.
    average = slots["velocity" if rule == "rmsprop" else "momentum"]
    assert (average[:4] == 0).all()
