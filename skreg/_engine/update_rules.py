"""Update rules of the compiled engine: how gradients move the weights.

A rule follows the formula of a Keras optimizer, in two parts, on all parameters of K
networks at once: ``accumulate(gradients, slots, hyper)`` gives the new slots, and
``update(slots, step, hyper)`` what to subtract from the parameters then. Gradients
and slots are of shape (K, P), step and the hyperparameters (K, 1). Every operation is
elementwise, so that no network sees another. `skreg._training.optimizers` says which
optimizer follows which rule.

``step_size(slots, step, hyper)``, of shape (K, P) or (K, 1), is what a constant
gradient is multiplied by in a step, momentum included: the step sizes of the proximal
operators in `skreg._engine.penalties`. With momentum mu the gradients of t steps add up
to ``(1 - mu**t) / (1 - mu)`` times one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

Slots: TypeAlias = tuple[tf.Tensor, ...]
Hyper: TypeAlias = dict[str, tf.Tensor]


@dataclass(frozen=True)
class UpdateRule:
    """An update rule.

    Attributes
    ----------
    name : str
        Where names are the same, so is what the slots mean.
    slots : tuple of str
        Names of the arrays that it carries from step to step, zero at first; those of
        Keras, where it has them.
    accumulate, update, step_size : callable
        See above.
    hyper : callable
        ``hyper(config)`` gives the values of its hyperparameters, by name, out of a
        Keras optimizer's configuration.
    """

    name: str
    slots: tuple[str, ...]
    accumulate: Callable[[tf.Tensor, Slots, Hyper], Slots]
    update: Callable[[Slots, tf.Tensor, Hyper], tf.Tensor]
    step_size: Callable[[Slots, tf.Tensor, Hyper], tf.Tensor]
    hyper: Callable[[dict[str, Any]], dict[str, float]]


def _learning_rate(config: dict[str, Any]) -> float:
    # Keras keeps it in a float32 variable, whatever the dtype.
    with np.errstate(over="ignore"):  # an infinite rate is found out in training
        return float(np.float32(config["learning_rate"]))


def _values(*names: str) -> Callable[[dict[str, Any]], dict[str, float]]:
    def hyper(config: dict[str, Any]) -> dict[str, float]:
        values = {name: float(config[name]) for name in names}
        return {"learning_rate": _learning_rate(config), **values}

    return hyper


def _adam_hyper(config: dict[str, Any]) -> dict[str, float]:
    beta_1, beta_2 = config["beta_1"], config["beta_2"]
    return {
        "learning_rate": _learning_rate(config),
        "epsilon": float(config["epsilon"]),
        "one_minus_beta_1": 1 - beta_1,
        "one_minus_beta_2": 1 - beta_2,
        # In the bias correction Keras casts them to float32, and there alone.
        "float32_beta_1": float(np.float32(beta_1)),
        "float32_beta_2": float(np.float32(beta_2)),
    }


def _adam_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    m, v = slots
    m += (g - m) * hyper["one_minus_beta_1"]
    v += (g * g - v) * hyper["one_minus_beta_2"]
    return m, v


def _adam_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    m, v = slots
    power_1 = hyper["float32_beta_1"] ** step
    power_2 = hyper["float32_beta_2"] ** step
    rate = hyper["learning_rate"] * tf.sqrt(1 - power_2) / (1 - power_1)
    return m * rate / (tf.sqrt(v) + hyper["epsilon"])


def _adam_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    # The update divided by the average of the gradients, without its bias.
    rate = hyper["learning_rate"] * tf.sqrt(1 - hyper["float32_beta_2"] ** step)
    return rate / (tf.sqrt(slots[1]) + hyper["epsilon"])


def _sgd_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return (g,)


def _sgd_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return slots[0] * hyper["learning_rate"]


def _sgd_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return hyper["learning_rate"]


def _momentum_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return (slots[0] * hyper["momentum"] - g * hyper["learning_rate"],)


def _momentum_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return -slots[0]


def _momentum_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return hyper["learning_rate"] * _momentum_gain(step, hyper)


def _momentum_gain(step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    momentum = hyper["momentum"]
    return (1 - momentum**step) / (1 - momentum)


def _nesterov_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return *_momentum_accumulate(g, slots[:1], hyper), g


def _nesterov_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    momentum, g = slots
    return g * hyper["learning_rate"] - momentum * hyper["momentum"]


def _rmsprop_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    v, momentum = slots
    v = hyper["rho"] * v + (1 - hyper["rho"]) * g * g
    change = hyper["learning_rate"] * g / tf.sqrt(v + hyper["epsilon"])
    return v, hyper["momentum"] * momentum + change


def _centered_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    v, momentum, mean = slots
    v = hyper["rho"] * v + (1 - hyper["rho"]) * g * g
    mean = hyper["rho"] * mean + (1 - hyper["rho"]) * g
    variance = v - mean * mean + hyper["epsilon"]
    change = hyper["learning_rate"] * g / tf.sqrt(variance)
    return v, hyper["momentum"] * momentum + change, mean


def _rmsprop_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return slots[1]


def _rmsprop_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    rate = hyper["learning_rate"] * _momentum_gain(step, hyper)
    return rate / tf.sqrt(slots[0] + hyper["epsilon"])


def _centered_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    v, _, mean = slots
    rate = hyper["learning_rate"] * _momentum_gain(step, hyper)
    return rate / tf.sqrt(v - mean * mean + hyper["epsilon"])


ADAM = UpdateRule(
    "adam",
    ("momentum", "velocity"),
    _adam_accumulate,
    _adam_update,
    _adam_step_size,
    _adam_hyper,
)
SGD = UpdateRule(
    "sgd", ("gradient",), _sgd_accumulate, _sgd_update, _sgd_step_size, _values()
)
MOMENTUM = UpdateRule(
    "momentum",
    ("momentum",),
    _momentum_accumulate,
    _momentum_update,
    _momentum_step_size,
    _values("momentum"),
)
NESTEROV = UpdateRule(
    "nesterov",
    ("momentum", "gradient"),
    _nesterov_accumulate,
    _nesterov_update,
    _momentum_step_size,
    _values("momentum"),
)
RMSPROP = UpdateRule(
    "rmsprop",
    ("velocity", "momentum"),
    _rmsprop_accumulate,
    _rmsprop_update,
    _rmsprop_step_size,
    _values("rho", "momentum", "epsilon"),
)
RMSPROP_CENTERED = UpdateRule(
    "centered rmsprop",
    ("velocity", "momentum", "average_gradient"),
    _centered_accumulate,
    _rmsprop_update,
    _centered_step_size,
    _values("rho", "momentum", "epsilon"),
)
