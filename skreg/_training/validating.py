"""Figures of the validation rows, where the compiled engine does not compute them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from scipy import sparse

from skreg._engine.interrupts import interrupts_deferred
from skreg._prediction.forward import forward
from skreg._training.task import Task

# Rows that are validated at once: bounds the memory.
VALIDATION_BATCH = 1024


def validation_figures(task: Task, predict: Callable[[Any], Any]) -> dict[str, float]:
    """Mean loss, without the penalty, and score of the validation rows.

    Parameters
    ----------
    task : Task
        With validation rows.
    predict : callable
        ``predict(X)`` gives the logits of rows, dense or CSR.

    Returns
    -------
    dict of str to float
        ``val_loss`` and ``val_score``.
    """
    rows, loss = task.validation, task.loss
    assert rows is not None
    losses, shares = [], []
    for start in range(0, len(rows), VALIDATION_BATCH):
        batch = rows.take(np.arange(start, min(start + VALIDATION_BATCH, len(rows))))
        targets: Any = batch.targets
        if sparse.issparse(targets):
            targets = targets.toarray()
        with interrupts_deferred():
            logits = ops.convert_to_tensor(predict(batch.features))
            targets = ops.convert_to_tensor(targets)
            row_losses = ops.convert_to_numpy(loss.per_row(targets, logits))
            score_weight = ops.convert_to_tensor(batch.score_weight)
            score = loss.score(targets, logits, score_weight)
            losses.append(batch.weight * row_losses)
            shares.append(ops.convert_to_numpy(score))
    return {
        "val_loss": float(np.mean(np.concatenate(losses))),
        "val_score": float(np.mean(np.concatenate(shares))),
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
    activation = task.architecture.activation
    return validation_figures(
        task, lambda X: forward(start.kernels, start.biases, activation, X)
    )["val_loss"]
