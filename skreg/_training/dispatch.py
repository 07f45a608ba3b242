"""Which engine trains a task."""

from __future__ import annotations

from skreg._training import compiled
from skreg._training.task import Task, TrainedNetwork


def train(task: Task) -> TrainedNetwork:
    """Train one network.

    Raises
    ------
    ValueError
        If the network's weights become non-finite, or if no engine can train the task,
        or not the one that it names.
    """
    # It computes in single precision, whatever the weights are in.
    if task.optimizer.name == "Muon" and task.architecture.dtype == "float64":
        raise ValueError(
            "optimizer must not be Keras' Muon where X is in double precision, in "
            "which it can't train; convert X to float32."
        )
    reason = compiled.why_not_compiled(task)
    if task.engine == "compiled" and reason is not None:
        raise ValueError(
            f"engine='compiled' cannot train with {reason}; "
            "engine='auto' or 'keras' can."
        )
    if task.engine == "keras" or reason is not None:
        # Imports Keras, and with it TensorFlow.
        from skreg._training.keras import loop

        return loop.train(task)
    return compiled.train(task)
