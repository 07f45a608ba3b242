"""Optimizers and other settings that are left to the Keras engine."""

import keras
import numpy as np
import pytest

K = keras.optimizers


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"optimizer": "adadelta"}, "this optimizer or its settings: Adadelta"),
        ({"optimizer": K.Lamb(0.01)}, "this optimizer or its settings: Lamb"),
        ({"optimizer": K.Adam(gradient_accumulation_steps=2)}, "its settings: Adam"),
        ({"optimizer": K.Adam(use_ema=True)}, "its settings: Adam"),
        ({"optimizer": K.Adam(loss_scale_factor=2.0)}, "its settings: Adam"),
        # All steps of Lion have the size of the learning rate; none is proximal.
        ({"optimizer": "lion", "l1": 0.05}, "l1 or group_l1.*Lion"),
        ({"callbacks": keras.callbacks.Callback()}, "Keras callbacks"),
    ],
)
def test_the_compiled_engine_refuses_settings_of_keras(mlp, cancer, params, reason):
    est = mlp(engine="compiled", **params)
    with pytest.raises(ValueError, match=f"engine='compiled' cannot.*{reason}"):
        est.fit(*cancer)
    assert est.set_params(engine="auto").fit(*cancer).n_iter_ == 2


@pytest.mark.parametrize("optimizer", [K.Lion(0.002), K.Adadelta(1.0)])
def test_without_step_sizes_l1_is_followed_by_its_subgradient(mlp, cancer, optimizer):
    est = mlp(l1=0.05, epochs=50, optimizer=optimizer)
    kernel = est.fit(*cancer).coefs_[0]
    assert (np.abs(kernel) < 0.03).mean() > 0.5
    assert (kernel != 0).all()


def test_group_l1_has_a_gradient_where_steps_are_not_proximal(mlp, cancer):
    params = {"optimizer": K.Lion(0.002), "l2": 0.0, "epochs": 30}
    plain, grouped = (mlp(group_l1=s, **params).fit(*cancer) for s in (0.0, 1.0))
    norms = [np.linalg.norm(e.coefs_[0], axis=1).mean() for e in (plain, grouped)]
    assert norms[1] < 0.25 * norms[0]
    assert grouped.history_["penalty"][-1] < 0.3 * grouped.history_["penalty"][0]
