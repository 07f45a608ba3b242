"""Keras' optimizers as data: their settings, and the update rule that each follows.

Keras is imported for an optimizer object, and for a name that is not in `DEFAULTS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from math import inf, nan
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from skreg._engine.update_rules import CLIPPINGS, RULES
from skreg._training.task import OptimizerSpec

if TYPE_CHECKING:
    import keras

_ADAM = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
# The optimizers that the compiled engine knows, with Keras' defaults.
DEFAULTS: dict[str, dict[str, Any]] = {
    "Adam": {**_ADAM, "amsgrad": False},
    "AdamW": {**_ADAM, "amsgrad": False, "weight_decay": 0.004},
    "Nadam": _ADAM,
    "Adamax": _ADAM,
    "Adagrad": {
        "learning_rate": 1e-3,
        "initial_accumulator_value": 0.1,
        "epsilon": 1e-7,
    },
    "Lion": {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.99},
    "SGD": {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
    "RMSprop": {
        "learning_rate": 1e-3,
        "rho": 0.9,
        "momentum": 0.0,
        "epsilon": 1e-7,
        "centered": False,
    },
}
# Class names by their lower-case form: Keras ignores the case of these.
_CLASS_NAMES = {name.lower(): name for name in DEFAULTS}
# Factor on the default learning rate of a linear model. Its loss is convex, and at
# Keras' own rates 100 epochs are far too few.
LINEAR_FACTOR = 10
# Settings that every Keras optimizer has, and that the compiled engine does not know.
_UNSUPPORTED_UNLESS = {
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


def _adam(config: dict[str, Any]) -> str:
    return "amsgrad" if config["amsgrad"] else "adam"


def _sgd(config: dict[str, Any]) -> str:
    if not config["momentum"]:
        return "sgd"
    return "nesterov" if config["nesterov"] else "momentum"


def _rmsprop(config: dict[str, Any]) -> str:
    return "centered rmsprop" if config["centered"] else "rmsprop"


# The update rule by the configuration, for optimizers that have several rules. The
# rule of any other has the optimizer's name, in lower case.
_RULE_NAMES: dict[str, Callable[[dict[str, Any]], str]] = {
    "Adam": _adam,
    "AdamW": _adam,
    "SGD": _sgd,
    "RMSprop": _rmsprop,
}


def specify(optimizer: Any, learning_rate: Any, *, linear: bool) -> OptimizerSpec:
    """An optimizer as data, resolved once for both engines.

    Parameters
    ----------
    optimizer : str or keras.optimizers.Optimizer
        An object is not changed.
    learning_rate : float, keras LearningRateSchedule or None
        Takes the place of the optimizer's own.
    linear : bool
        Whether an optimizer given by name trains a linear model: then its own learning
        rate is larger, see `LINEAR_FACTOR`.

    Raises
    ------
    TypeError, ValueError
        If it is no optimizer, or none that Keras knows.
    """
    known, cls, config = _class_and_config(optimizer)
    name = known or cls.__name__
    if learning_rate is not None:
        config["learning_rate"] = learning_rate
    elif linear and isinstance(optimizer, str):
        config["learning_rate"] *= LINEAR_FACTOR
    rate = config["learning_rate"]
    schedule = rate if _is_schedule(rate) else None
    clipping = next(
        (name for name in CLIPPINGS if name and (config.get(name) or 0) > 0), None
    )
    supported = known and all(
        config.get(key, off) == off for key, off in _UNSUPPORTED_UNLESS.items()
    )
    # Keras takes any function for a rate.
    if not supported or not (isinstance(rate, Real) or schedule is not None):
        return OptimizerSpec(name, cls, config, None, {}, clipping, schedule)
    rule = RULES[_RULE_NAMES.get(name, lambda config: name.lower())(config)]
    hyper = {key: float(x) for key, x in config.items() if isinstance(x, Real)}
    with np.errstate(over="ignore"):  # an infinite rate is found out in training
        # Keras keeps both in float32, whatever the dtype of the weights.
        hyper["learning_rate"] = nan if schedule else float(np.float32(rate))
        hyper["weight_decay"] = float(np.float32(config.get("weight_decay") or 0))
    hyper["initial_accumulator"] = hyper.get("initial_accumulator_value", 0.0)
    hyper["clip"] = float(config[clipping]) if clipping else inf
    return OptimizerSpec(name, cls, config, rule, hyper, clipping, schedule)


def _class_and_config(optimizer: Any) -> tuple[str | None, Any, dict[str, Any]]:
    """The name in `DEFAULTS` or None, the class, and a configuration to be changed.

    Where the name says which class it is, the class is None.
    """
    if isinstance(optimizer, str):
        name = _CLASS_NAMES.get(optimizer.lower())
        if name is not None:
            return name, None, dict(DEFAULTS[name])
        optimizer = _named_optimizer(optimizer)
    elif not is_optimizer(optimizer):
        raise TypeError(
            "optimizer must be a name or a keras.optimizers.Optimizer object, "
            f"got {optimizer!r}."
        )
    import keras

    config = optimizer.get_config()
    if isinstance(config["learning_rate"], dict):  # not a number, but serialized
        config["learning_rate"] = keras.saving.deserialize_keras_object(
            config["learning_rate"]
        )
    cls = type(optimizer)
    name = cls.__name__ if cls.__name__ in DEFAULTS else None
    # On some backends an object is of a private subclass, which Keras made instead.
    if name and cls is not type(getattr(keras.optimizers, name)()):
        name = None
    return name, cls, config


def is_optimizer(value: Any) -> bool:
    """Whether it is an object of Keras, which is not imported to find out."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.optimizers.Optimizer)


def _is_schedule(value: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(
        value, keras.optimizers.schedules.LearningRateSchedule
    )


@cache
def _named_optimizer(name: str) -> keras.optimizers.Optimizer:
    """Keras' optimizer of that name, at its defaults; only to be looked at."""
    import keras

    try:
        return keras.optimizers.get({"class_name": name, "config": {}})
    except (ValueError, TypeError, KeyError):
        raise ValueError(
            "optimizer must be a name that keras.optimizers.get knows, such as "
            f"'adam' or 'sgd', got {name!r}."
        ) from None
