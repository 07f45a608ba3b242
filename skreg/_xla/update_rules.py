"""Update rules of the compiled engine: how gradients move the weights.

A rule follows the formula of a Keras optimizer, in two parts, on all parameters of K
networks at once: ``accumulate(gradients, slots, hyper)`` gives the new slots, and
``update(slots, step, hyper)`` what to subtract from the parameters then. Gradients
and slots are of shape (K, P), step and the hyperparameters (K, 1). Every operation is
elementwise, so that no network sees another. `skreg._training.optimizers` says which
optimizer follows which rule.

``step_size(slots, step, hyper)`` is what a constant gradient is multiplied by in a
step, momentum included: the step sizes of the proximal operators in
`skreg._xla.penalties`, as a rate (K, 1) and by what it is divided, (K, P) or 1.
Averages of the gradients are then the gradient times the share that they have taken in
by step t, such as ``1 - beta**t``; the sums of a momentum mu multiply it by
``sum(mu**(t - i) * learning_rate_i)``, see `_rate_sum`.

`skreg._xla.optimizer_settings` has what is common to all optimizers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

Slots: TypeAlias = tuple[tf.Tensor, ...]
Hyper: TypeAlias = dict[str, tf.Tensor]
StepSize: TypeAlias = tuple[tf.Tensor, tf.Tensor | float]


@dataclass(frozen=True)
class UpdateRule:
    """An update rule.

    Attributes
    ----------
    name : str
        Where names are the same, so is what the slots mean.
    slots : tuple of str
        Names of the arrays that it carries from step to step; those of Keras, where it
        has them. At first they are zero, or what the hyperparameter ``initial_NAME``
        says.
    accumulate, update : callable
        See above.
    step_size : callable or None
        See above. None if steps are not proportional to gradients: then there is no
        proximal operator, and penalties that need one are left to the Keras engine.
    hyper : callable
        ``hyper(config)`` gives the values of its hyperparameters, by name, out of a
        Keras optimizer's configuration.
    """

    name: str
    slots: tuple[str, ...]
    accumulate: Callable[[tf.Tensor, Slots, Hyper], Slots]
    update: Callable[[Slots, tf.Tensor, Hyper], tf.Tensor]
    step_size: Callable[[Slots, tf.Tensor, Hyper], StepSize] | None
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
        # In the bias correction Keras casts them to float32.
        "float32_beta_1": float(np.float32(beta_1)),
        "float32_beta_2": float(np.float32(beta_2)),
    }


def _nadam_hyper(config: dict[str, Any]) -> dict[str, float]:
    # Keras takes the averages, too, with them in float32.
    hyper = _adam_hyper(config)
    return {
        **hyper,
        "one_minus_beta_1": 1 - hyper["float32_beta_1"],
        "one_minus_beta_2": 1 - hyper["float32_beta_2"],
        "beta_1": float(config["beta_1"]),
    }


def _adamax_hyper(config: dict[str, Any]) -> dict[str, float]:
    return {**_adam_hyper(config), "beta_2": float(config["beta_2"])}


def _adagrad_hyper(config: dict[str, Any]) -> dict[str, float]:
    initial = float(config["initial_accumulator_value"])
    return {**_values("epsilon")(config), "initial_accumulator": initial}


def _lion_hyper(config: dict[str, Any]) -> dict[str, float]:
    betas = {name: float(np.float32(config[name])) for name in ("beta_1", "beta_2")}
    return {**_values()(config), **betas}


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


def _adam_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    # The update divided by the average of the gradients, without its bias.
    rate = hyper["learning_rate"] * tf.sqrt(1 - hyper["float32_beta_2"] ** step)
    return rate, tf.sqrt(slots[1]) + hyper["epsilon"]


def _amsgrad_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    m, v = _adam_accumulate(g, slots[:2], hyper)
    return m, v, tf.maximum(slots[2], v)


def _amsgrad_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return _adam_update(slots[::2], step, hyper)


def _amsgrad_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return _adam_step_size(slots[::2], step, hyper)


# Nadam's momentum u_t = beta_1 * (1 - 0.96**t / 2) changes from step to step. These are
# the products u_1 * ... * u_t / beta_1**t, for t = 0, 1, ...; after the last one they
# no longer change, in double precision.
_NADAM_DECAY = 0.96
_NADAM_PRODUCTS = np.cumprod(
    [1.0, *(1 - 0.5 * _NADAM_DECAY**t for t in range(1, 1024))]
)


def _nadam_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return *_adam_accumulate(g, slots[:2], hyper), g


def _nadam_shares(step: tf.Tensor, hyper: Hyper) -> tuple[tf.Tensor, tf.Tensor]:
    """By what an update multiplies the average of the gradients, and the last one."""

    def momentum(step: tf.Tensor) -> tf.Tensor:
        decay = float(np.float32(_NADAM_DECAY))
        return hyper["float32_beta_1"] * (1 - 0.5 * decay**step)

    last = len(_NADAM_PRODUCTS) - 1
    decays = tf.gather(
        tf.constant(_NADAM_PRODUCTS, step.dtype),
        tf.minimum(tf.cast(step, tf.int32), last),
    )
    product = hyper["beta_1"] ** step * decays
    following = momentum(step + 1)
    return following / (1 - product * following), (1 - momentum(step)) / (1 - product)


def _nadam_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    m, v, g = slots
    of_average, of_last = _nadam_shares(step, hyper)
    direction = of_average * m + of_last * g
    return direction * hyper["learning_rate"] / _nadam_denominators(v, step, hyper)


def _nadam_denominators(v: tf.Tensor, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    unbiased = v / (1 - hyper["float32_beta_2"] ** step)
    return tf.sqrt(unbiased) + hyper["epsilon"]


def _nadam_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    of_average, of_last = _nadam_shares(step, hyper)
    gain = of_average * (1 - hyper["float32_beta_1"] ** step) + of_last
    rate = gain * hyper["learning_rate"]
    return rate, _nadam_denominators(slots[1], step, hyper)


def _adamax_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    m, norm = slots
    m += (g - m) * hyper["one_minus_beta_1"]
    return m, tf.maximum(hyper["beta_2"] * norm, tf.abs(g))


def _adamax_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    bias = 1 - hyper["float32_beta_1"] ** step
    rate, norm = _adamax_step_size(slots, step, hyper)
    return slots[0] / bias * (rate / norm)


def _adamax_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return hyper["learning_rate"], slots[1] + hyper["epsilon"]


def _adagrad_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return slots[0] + g * g, g


def _adagrad_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    rate, root = _adagrad_step_size(slots, step, hyper)
    return slots[1] * (rate / root)


def _adagrad_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return hyper["learning_rate"], tf.sqrt(slots[0] + hyper["epsilon"])


def _lion_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    m, _ = slots
    direction = m * hyper["beta_1"] + g * (1 - hyper["beta_1"])
    return m * hyper["beta_2"] + g * (1 - hyper["beta_2"]), direction


def _lion_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return hyper["learning_rate"] * tf.sign(slots[1])


def _sgd_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return (g,)


def _sgd_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return slots[0] * hyper["learning_rate"]


def _sgd_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return hyper["learning_rate"], 1.0


def _momentum_accumulate(g: tf.Tensor, slots: Slots, hyper: Hyper) -> Slots:
    return (slots[0] * hyper["momentum"] - g * hyper["learning_rate"],)


def _momentum_update(slots: Slots, step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    return -slots[0]


def _momentum_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return _rate_sum(step, hyper), 1.0


def _rate_sum(step: tf.Tensor, hyper: Hyper) -> tf.Tensor:
    """The learning rates of all steps until now, each as far as momentum keeps it.

    A schedule brings it along: where rates fall, the last one alone would be too small
    a step size, and weights that are zero would not stay so.
    """
    if "rate_sum" in hyper:
        return hyper["rate_sum"]
    momentum = hyper["momentum"]
    return hyper["learning_rate"] * (1 - momentum**step) / (1 - momentum)


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


def _rmsprop_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    return _rate_sum(step, hyper), tf.sqrt(slots[0] + hyper["epsilon"])


def _centered_step_size(slots: Slots, step: tf.Tensor, hyper: Hyper) -> StepSize:
    v, _, mean = slots
    return _rate_sum(step, hyper), tf.sqrt(v - mean * mean + hyper["epsilon"])


ADAM = UpdateRule(
    "adam",
    ("momentum", "velocity"),
    _adam_accumulate,
    _adam_update,
    _adam_step_size,
    _adam_hyper,
)
AMSGRAD = UpdateRule(
    "amsgrad",
    ("momentum", "velocity", "velocity_hat"),
    _amsgrad_accumulate,
    _amsgrad_update,
    _amsgrad_step_size,
    _adam_hyper,
)
NADAM = UpdateRule(
    "nadam",
    ("momentum", "velocity", "gradient"),
    _nadam_accumulate,
    _nadam_update,
    _nadam_step_size,
    _nadam_hyper,
)
ADAMAX = UpdateRule(
    "adamax",
    ("momentum", "norm"),
    _adamax_accumulate,
    _adamax_update,
    _adamax_step_size,
    _adamax_hyper,
)
ADAGRAD = UpdateRule(
    "adagrad",
    ("accumulator", "gradient"),
    _adagrad_accumulate,
    _adagrad_update,
    _adagrad_step_size,
    _adagrad_hyper,
)
# Its step is the learning rate, however small the gradient: no step size stays bounded.
LION = UpdateRule(
    "lion", ("momentum", "direction"), _lion_accumulate, _lion_update, None, _lion_hyper
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
