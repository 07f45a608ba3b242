"""Keras' learning-rate schedules, for consecutive steps at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def scheduled_rates(
    schedule: keras.optimizers.schedules.LearningRateSchedule, first: int, n_steps: int
) -> NDArray[np.float64]:
    """The rates of steps, counted from 0, as Keras computes them.

    A schedule is asked for steps that are taken, and for no others: it may know no
    more.
    """
    from keras import ops

    def rates(steps: Any) -> Any:
        # Optimizers count their steps in an integer variable.
        given = ops.convert_to_tensor(steps, dtype="int")
        return ops.convert_to_numpy(schedule(given))

    steps = np.arange(first, first + n_steps)
    try:
        result = np.broadcast_to(rates(steps), steps.shape)
    except Exception:
        # It is written for one step, such as one with a warm-up that chooses by it.
        result = np.array([rates(step) for step in steps]).reshape(steps.shape)
    return result.astype(np.float64)
