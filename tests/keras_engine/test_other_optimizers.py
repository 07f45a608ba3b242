"""Optimizers, and settings of them, that are left to the Keras engine."""

import keras
import numpy as np
import pytest

K = keras.optimizers


@pytest.mark.parametrize(
    "optimizer",
    [
        K.Adadelta(0.1),
        K.Lamb(0.01),
        K.Adam(gradient_accumulation_steps=2),
        K.Adam(use_ema=True),
        K.Adam(loss_scale_factor=2.0),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_what_remains_for_the_keras_engine(mlp, cancer, optimizer):
    reason = f"this optimizer or its settings: {type(optimizer).__name__}"
    est = mlp(optimizer=optimizer, engine="compiled")
    with pytest.raises(ValueError, match=reason):
        est.fit(*cancer)
    assert est.set_params(engine="auto").fit(*cancer).n_iter_ == 2


@pytest.mark.parametrize("optimizer", [K.Lion(0.002), K.Adadelta(1.0)])
def test_without_step_sizes_l1_is_followed_by_its_subgradient(mlp, cancer, optimizer):
    est = mlp(l1=0.05, epochs=50, optimizer=optimizer)
    kernel = est.fit(*cancer).coefs_[0]
    assert (np.abs(kernel) < 0.03).mean() > 0.5
    assert (kernel != 0).all()


def test_lion_with_l1_is_no_task_for_the_compiled_engine(mlp, cancer):
    # Its steps are as large as the learning rate, which has no proximal operator.
    with pytest.raises(ValueError, match=r"'compiled' cannot.*l1 or group_l1.*Lion"):
        mlp(l1=0.05, optimizer="lion", engine="compiled").fit(*cancer)


def test_group_l1_has_a_gradient_where_steps_are_not_proximal(mlp, cancer):
    params = {"optimizer": K.Lion(0.002), "l2": 0.0, "epochs": 30}
    plain, grouped = (mlp(group_l1=s, **params).fit(*cancer) for s in (0.0, 1.0))
    norms = [np.linalg.norm(e.coefs_[0], axis=1).mean() for e in (plain, grouped)]
    assert norms[1] < 0.25 * norms[0]
    assert grouped.history_["penalty"][-1] < 0.3 * grouped.history_["penalty"][0]
