"""Keras' optimizers: looked up by name, and the update rule that each one follows."""

from collections.abc import Callable
from functools import cache
from math import inf, nan
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from skreg._engine.interrupts import interrupts_deferred
from skreg._engine.update_rules import (
    ADAGRAD,
    ADAM,
    ADAMAX,
    AMSGRAD,
    LION,
    MOMENTUM,
    NADAM,
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


def _adam(config: dict[str, Any]) -> UpdateRule:
    return AMSGRAD if config["amsgrad"] else ADAM


def _sgd(config: dict[str, Any]) -> UpdateRule:
    if not config["momentum"]:
        return SGD
    return NESTEROV if config["nesterov"] else MOMENTUM


def _rmsprop(config: dict[str, Any]) -> UpdateRule:
    return RMSPROP_CENTERED if config["centered"] else RMSPROP


# The rule that an optimizer of Keras follows, from its configuration.
_RULES: dict[type, Callable[[dict[str, Any]], UpdateRule]] = {
    keras.optimizers.Adam: _adam,
    keras.optimizers.AdamW: _adam,
    keras.optimizers.Nadam: lambda config: NADAM,
    keras.optimizers.Adamax: lambda config: ADAMAX,
    keras.optimizers.Adagrad: lambda config: ADAGRAD,
    keras.optimizers.Lion: lambda config: LION,
    keras.optimizers.SGD: _sgd,
    keras.optimizers.RMSprop: _rmsprop,
}
# Settings that every Keras optimizer has, and that the compiled engine does not know.
_UNSUPPORTED_UNLESS = {
    "use_ema": False,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
# Keras uses the first one that is a positive number.
_CLIPPINGS = ("clipnorm", "global_clipnorm", "clipvalue")


@cache
@interrupts_deferred()
def named_optimizer(name: str) -> keras.optimizers.Optimizer:
    """Keras' optimizer of that name, at its defaults; only to be looked at.

    Keras has no way to look up a class and its defaults without making one.

    Raises
    ------
    ValueError, TypeError, KeyError
        If Keras knows none, or has one that needs more than a name.
    """
    return keras.optimizers.get(
        {"class_name": name, "config": {"name": OPTIMIZER_NAME}}
    )


@interrupts_deferred()
def specify(
    optimizer: keras.optimizers.Optimizer,
    learning_rate: float | LearningRateSchedule | None,
) -> OptimizerSpec:
    """An optimizer as data, resolved once for both engines.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Is not changed.
    learning_rate : float, LearningRateSchedule or None
        Takes the place of its own.
    """
    cls, config = type(optimizer), {**optimizer.get_config(), "name": OPTIMIZER_NAME}
    if learning_rate is not None:
        config["learning_rate"] = learning_rate
    elif isinstance(config["learning_rate"], dict):  # not a number, but serialized
        config["learning_rate"] = keras.saving.deserialize_keras_object(
            config["learning_rate"]
        )
    rate = config["learning_rate"]
    schedule = rate if isinstance(rate, LearningRateSchedule) else None
    clipping = next((name for name in _CLIPPINGS if (config.get(name) or 0) > 0), None)
    rule_of = _RULES.get(_public_class(cls))
    if rule_of is None or not _is_supported(config):
        return OptimizerSpec(cls, config, None, {}, clipping, schedule)
    rule = rule_of(config)
    hyper = {
        **rule.hyper(config if schedule is None else {**config, "learning_rate": nan}),
        # In float32, as in Keras.
        "weight_decay": float(np.float32(config["weight_decay"] or 0)),
        "clip": float(config[clipping]) if clipping else inf,
    }
    return OptimizerSpec(cls, config, rule, hyper, clipping, schedule)


def _public_class(cls: type) -> type:
    """The class that was asked for, where Keras made one for its backend instead.

    ``keras.optimizers.Adam()`` is of a private subclass on PyTorch.
    """
    public = getattr(keras.optimizers, cls.__name__, None)
    if public in _RULES and type(named_optimizer(cls.__name__)) is cls:
        return public
    return cls


def _is_supported(config: dict[str, Any]) -> bool:
    rate = config["learning_rate"]
    # Keras takes any function for a rate.
    return isinstance(rate, Real | LearningRateSchedule) and all(
        config.get(name, off) == off for name, off in _UNSUPPORTED_UNLESS.items()
    )
