"""Which engine trains a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from skreg._training import stacking
from skreg._training.task import Task, TrainedNetwork


def check_engine(task: Task) -> None:
    """Raise a ValueError if no engine can train the task, or not the one it names."""
    # It computes in single precision, whatever the weights are in.
    is_muon = issubclass(task.optimizer.cls, keras.optimizers.Muon)
    if is_muon and task.architecture.dtype == "float64":
        raise ValueError(
            "optimizer must not be Keras' Muon where X is in double precision, in "
            "which it can't train; convert X to float32."
        )
    reason = stacking.why_not_compiled(task)
    if task.engine == "compiled" and reason is not None:
        raise ValueError(
            f"engine='compiled' cannot train with {reason}; "
            "engine='auto' or 'keras' can."
        )


def train(task: Task, check: Callable[[], None] | None = None) -> TrainedNetwork:
    """Train one network.

    Parameters
    ----------
    task : Task
    check : callable, default=None
        Called without arguments about once a second, or more often. What it raises ends
        the training.

    Raises
    ------
    ValueError
        If the network's weights become non-finite, or if the task asks for an engine
        that can't express it.
    """
    check_engine(task)
    if task.engine == "keras" or stacking.why_not_compiled(task) is not None:
        # Imports scikeras, and with it much of scikit-learn.
        from skreg._training import keras_loop

        return keras_loop.train(task, check)
    (trained,) = stacking.train_together(
        [task], _epoch_report(task), check, interruptible=task.resumable
    )
    if isinstance(trained, Exception):
        raise trained
    return trained


def _epoch_report(
    task: Task,
) -> Callable[[int, dict[str, np.ndarray]], None] | None:
    """What shows progress as the task asks: a bar, lines, or nothing."""
    if task.verbose == 0:
        return None
    bar = keras.utils.Progbar(
        task.epochs,
        unit_name="epoch",
        # Each figure is that of its epoch, not to be averaged over epochs.
        stateful_metrics=["loss", "data_loss", "penalty", "val_loss", "val_score"],
    )

    def report(epoch: int, log: dict[str, Any]) -> None:
        figures = [(name, float(values[0])) for name, values in log.items()]
        if task.verbose == 1:
            bar.update(epoch, figures)
        else:
            text = " - ".join(f"{name}: {value:.4f}" for name, value in figures)
            print(f"Epoch {epoch}/{task.epochs} - {text}")

    return report
