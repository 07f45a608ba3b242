"""Keras' learning-rate schedules, for many steps at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from skreg._engine.schedules import Schedule
from skreg._training.task import OptimizerSpec


def schedule_of(optimizer: OptimizerSpec) -> Schedule:
    """The learning rate as a function of arrays of steps; perhaps a constant one."""
    if optimizer.schedule is not None:
        return partial(_evaluate, optimizer.schedule)
    rate = optimizer.hyper["learning_rate"]
    return lambda steps: np.full(steps.shape, rate)


def _evaluate(
    schedule: keras.optimizers.schedules.LearningRateSchedule, steps: NDArray[np.int64]
) -> NDArray[Any]:
    """The rates of steps (n,), in the precision that Keras computes them in."""
    given = ops.convert_to_tensor(steps, dtype="int")  # as optimizers count them
    try:
        rates = schedule(given)
    except Exception:
        # It is written for one step, as one with a warm-up, which chooses by the step.
        rates = _one_by_one(schedule, given)
    return np.broadcast_to(ops.convert_to_numpy(rates), steps.shape)


def _one_by_one(
    schedule: keras.optimizers.schedules.LearningRateSchedule, steps: Any
) -> Any:
    backend = keras.backend.backend()
    if backend == "torch":  # whose `vmap` has no conditions
        return [float(ops.convert_to_numpy(schedule(step))) for step in steps]
    if backend != "tensorflow":
        return ops.vectorized_map(schedule, steps)
    # Not called eagerly: `tf.vectorized_map` warns of functions that it has traced.
    each = tf.function(partial(tf.vectorized_map, schedule), autograph=False)
    return each.get_concrete_function(steps)(steps)
