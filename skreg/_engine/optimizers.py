"""Update rules of the compiled engine, and which Keras optimizers they stand for.

A rule follows the Keras optimizer's own formula, in two parts, on all parameters of K
networks at once: ``accumulate(gradients, slots, hyper)`` gives the new slots, and
``move(slots, step, hyper)`` what to subtract from the parameters then. All but step
and the hyperparameters, of shape (K, 1), is of shape (K, P). Every operation is
elementwise, so that no network sees another.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Rule:
    """An update rule, the slots it carries, its hyperparameters out of a config.

    Where names are the same, so is what the slots mean.
    """

    name: str
    accumulate: Callable
    move: Callable
    n_slots: int
    hyper: Callable


def _values(*names):
    return lambda config: {name: float(config[name]) for name in names}


def _adam_hyper(config):
    beta_1, beta_2 = config["beta_1"], config["beta_2"]
    return {
        **_values("learning_rate", "epsilon")(config),
        "rest_1": 1 - beta_1,
        "rest_2": 1 - beta_2,
        # The powers alone are of the float32 values: Keras casts a Python float so.
        "base_1": float(np.float32(beta_1)),
        "base_2": float(np.float32(beta_2)),
    }


def _adam_slots(g, slots, hyper):
    m, v = slots
    m += (g - m) * hyper["rest_1"]
    v += (g * g - v) * hyper["rest_2"]
    return m, v


def _adam_move(slots, step, hyper):
    m, v = slots
    power_1, power_2 = hyper["base_1"] ** step, hyper["base_2"] ** step
    rate = hyper["learning_rate"] * tf.sqrt(1 - power_2) / (1 - power_1)
    return m * rate / (tf.sqrt(v) + hyper["epsilon"])


def _sgd_slots(g, slots, hyper):
    return (g,)


def _sgd_move(slots, step, hyper):
    return slots[0] * hyper["learning_rate"]


def _momentum_slots(g, slots, hyper):
    return (slots[0] * hyper["momentum"] - g * hyper["learning_rate"],)


def _momentum_move(slots, step, hyper):
    return -slots[0]


def _nesterov_slots(g, slots, hyper):
    return *_momentum_slots(g, slots, hyper), g


def _nesterov_move(slots, step, hyper):
    m, g = slots
    return g * hyper["learning_rate"] - m * hyper["momentum"]


def _rmsprop_slots(g, slots, hyper):
    v, m = slots
    v = hyper["rho"] * v + (1 - hyper["rho"]) * g * g
    move = hyper["learning_rate"] * g / tf.sqrt(v + hyper["epsilon"])
    return v, hyper["momentum"] * m + move


def _centered_slots(g, slots, hyper):
    v, m, mean = slots
    v = hyper["rho"] * v + (1 - hyper["rho"]) * g * g
    mean = hyper["rho"] * mean + (1 - hyper["rho"]) * g
    variance = v - mean * mean + hyper["epsilon"]
    m = hyper["momentum"] * m + hyper["learning_rate"] * g / tf.sqrt(variance)
    return v, m, mean


def _rmsprop_move(slots, step, hyper):
    return slots[1]


_ADAM = Rule("adam", _adam_slots, _adam_move, 2, _adam_hyper)
_SGD = Rule("sgd", _sgd_slots, _sgd_move, 1, _values("learning_rate"))
_SGD_HYPER = _values("learning_rate", "momentum")
_SGD_MOMENTUM = Rule("momentum", _momentum_slots, _momentum_move, 1, _SGD_HYPER)
_SGD_NESTEROV = Rule("nesterov", _nesterov_slots, _nesterov_move, 2, _SGD_HYPER)
_RMSPROP_HYPER = _values("learning_rate", "rho", "momentum", "epsilon")
_RMSPROP = Rule("rmsprop", _rmsprop_slots, _rmsprop_move, 2, _RMSPROP_HYPER)
_RMSPROP_CENTERED = Rule(
    "centered rmsprop", _centered_slots, _rmsprop_move, 3, _RMSPROP_HYPER
)


def _adam_rule(config):
    return None if config["amsgrad"] else _ADAM


def _sgd_rule(config):
    if not config["momentum"]:
        return _SGD
    return _SGD_NESTEROV if config["nesterov"] else _SGD_MOMENTUM


def _rmsprop_rule(config):
    return _RMSPROP_CENTERED if config["centered"] else _RMSPROP


_RULES = {
    keras.optimizers.Adam: _adam_rule,
    keras.optimizers.SGD: _sgd_rule,
    keras.optimizers.RMSprop: _rmsprop_rule,
}
# Settings that every Keras optimizer has, and for which there are no rules here.
_OFF = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


def find_rule(spec):
    """The rule that an optimizer follows, and its hyperparameters.

    Parameters
    ----------
    spec : OptimizerSpec

    Returns
    -------
    rule : Rule or None
        None if there is none for this optimizer.
    hyper : dict of str to float
        The values of the rule's hyperparameters.
    """
    if spec.cls not in _RULES:
        return None, {}
    config = spec.config
    plain = all(config.get(name, off) == off for name, off in _OFF.items())
    rule = _RULES[spec.cls](config) if plain else None
    if rule is None or not np.isscalar(config["learning_rate"]):
        return None, {}
    hyper = rule.hyper(config)
    # Keras keeps the learning rate in a float32 variable, whatever the dtype.
    with np.errstate(over="ignore"):  # an infinite rate is found out in training
        hyper["learning_rate"] = float(np.float32(hyper["learning_rate"]))
    return rule, hyper
