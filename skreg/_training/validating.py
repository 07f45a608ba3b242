"""Figures of the validation rows, where the compiled engine does not compute them."""

import math
from typing import Any

import numpy as np
from keras import ops

from skreg._prediction.forward import forward
from skreg._training.task import Task


def validation_figures(task: Task, logits: Any) -> dict[str, float]:
    """Mean loss, without the penalty, and score of the validation rows.

    Parameters
    ----------
    task : Task
        With validation rows.
    logits : ndarray of shape (n_rows, n_outputs)
        Of these rows.

    Returns
    -------
    dict of str to float
        ``val_loss`` and ``val_score``.
    """
    rows, loss = task.validation, task.loss
    assert rows is not None
    logits = ops.convert_to_tensor(logits)
    losses = ops.convert_to_numpy(loss.per_row(rows.targets, logits))
    shares = loss.score(rows.targets, logits, rows.score_weight)
    return {
        "val_loss": float(np.mean(rows.weight * losses)),
        "val_score": float(np.mean(ops.convert_to_numpy(shares))),
    }


def loss_to_beat(task: Task) -> float:
    """The validation loss of the weights that early stopping has kept so far.

    They are those that the run resumes from: the best epoch is the best of all runs.
    Their loss is that of this run's rows, which need not be those of an earlier one.
    Infinity where there are none.
    """
    start = task.resume
    if start is None or task.early_stopping is None or task.validation is None:
        return math.inf
    logits = forward(
        start.kernels, start.biases, task.architecture.activation, task.validation.X
    )
    return validation_figures(task, logits)["val_loss"]
