"""Keras' optimizers: looked up by name, and the update rule that each one follows."""

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np

from skreg._engine.update_rules import (
    ADAM,
    MOMENTUM,
    NESTEROV,
    RMSPROP,
    RMSPROP_CENTERED,
    SGD,
    UpdateRule,
)
from skreg._training.task import OptimizerSpec

# TensorFlow keeps memory for every distinct variable name as long as the process
# lives: one name for all.
OPTIMIZER_NAME = "optimizer"


def _adam(config: dict[str, Any]) -> UpdateRule | None:
    return None if config["amsgrad"] else ADAM


def _sgd(config: dict[str, Any]) -> UpdateRule:
    if not config["momentum"]:
        return SGD
    return NESTEROV if config["nesterov"] else MOMENTUM


def _rmsprop(config: dict[str, Any]) -> UpdateRule:
    return RMSPROP_CENTERED if config["centered"] else RMSPROP


# The rule that an optimizer of Keras follows, from its configuration.
_RULES: dict[type, Callable[[dict[str, Any]], UpdateRule | None]] = {
    keras.optimizers.Adam: _adam,
    keras.optimizers.SGD: _sgd,
    keras.optimizers.RMSprop: _rmsprop,
}
# Settings that every Keras optimizer has, and that the rules do not know.
_UNSUPPORTED_UNLESS = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


@cache
def named_optimizer(name: str) -> keras.optimizers.Optimizer:
    """Keras' optimizer of that name, at its defaults; only to be looked at.

    Keras has no way to look up a class and its defaults without making one.

    Raises
    ------
    ValueError, TypeError
        If Keras knows none.
    """
    return keras.optimizers.get(
        {"class_name": name, "config": {"name": OPTIMIZER_NAME}}
    )


def specify(
    optimizer: keras.optimizers.Optimizer, learning_rate: float | None
) -> OptimizerSpec:
    """An optimizer as data, resolved once for both engines.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Is not changed.
    learning_rate : float or None
        Takes the place of its own.
    """
    config = {**optimizer.get_config(), "name": OPTIMIZER_NAME}
    if learning_rate is not None:
        config["learning_rate"] = learning_rate
    rule = _update_rule(type(optimizer), config)
    hyper = {} if rule is None else rule.hyper(config)
    return OptimizerSpec(type(optimizer), config, rule, hyper)


def _update_rule(cls: type, config: dict[str, Any]) -> UpdateRule | None:
    supported = (
        cls in _RULES
        and np.isscalar(config["learning_rate"])  # else it is a schedule
        and all(
            config.get(name, off) == off for name, off in _UNSUPPORTED_UNLESS.items()
        )
    )
    return _RULES[cls](config) if supported else None
