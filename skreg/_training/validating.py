"""Figures of the validation rows, and when they end a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skreg._prediction.forward import forward
from skreg._training.activation_functions import activation_function
from skreg._training.task import EarlyStopping, Task

# Rows that are validated at once: bounds the memory.
VALIDATION_BATCH = 1024


def validation_figures(task: Task, predict: Callable[[Any], Any]) -> dict[str, float]:
    """Mean loss, without the penalty, and score of the validation rows.

    Parameters
    ----------
    task : Task
        With validation rows.
    predict : callable
        ``predict(X)`` gives the logits of rows, dense or CSR, as a NumPy array.

    Returns
    -------
    dict of str to float
        ``val_loss`` and ``val_score``.
    """
    rows, loss = task.validation, task.loss
    assert rows is not None
    losses, scores = 0.0, 0.0
    for start in range(0, len(rows), VALIDATION_BATCH):
        batch = rows.take(np.arange(start, min(start + VALIDATION_BATCH, len(rows))))
        targets: Any = batch.targets
        if sparse.issparse(targets):
            targets = targets.toarray()
        logits = predict(batch.features)
        # A network that diverges is found out at the end of an epoch.
        with np.errstate(over="ignore", invalid="ignore"):
            row_losses = batch.weight * loss.per_row(np, targets, logits)
            losses += float(row_losses.sum())
            scores += float(loss.score(targets, logits, batch.score_weight).sum())
    return {"val_loss": losses / len(rows), "val_score": scores / len(rows)}


def loss_to_beat(task: Task) -> float:
    """The validation loss of the weights that early stopping has kept so far.

    The run resumes from these weights: the best epoch is the best of all runs. The loss
    is computed on this run's rows, which may be others than before. It is infinite
    where there are no such weights.
    """
    start = task.resume
    if start is None or task.plan.early_stopping is None or task.validation is None:
        return math.inf
    activation = activation_function(task.architecture.activation)
    return validation_figures(
        task, lambda X: forward(start.kernels, start.biases, activation, X)
    )["val_loss"]


class EarlyStopper:
    """Follows the validation loss.

    Parameters
    ----------
    stopping : EarlyStopping or None
        None never stops, and takes each epoch for the best.
    loss_to_beat : float
        Infinity where there are no weights that are kept already.
    wait : int
        Epochs in a row without progress that the run goes on from.

    Attributes
    ----------
    wait : int
        The same, now.
    """

    def __init__(
        self, stopping: EarlyStopping | None, loss_to_beat: float, wait: int
    ) -> None:
        self._stopping = stopping
        self._best_loss = loss_to_beat
        self.wait = wait

    def is_best(self, val_loss: float) -> bool:
        """Take in an epoch's loss; whether the epoch is the best so far."""
        if self._stopping is None:
            return True
        # Two thresholds, as in scikit-learn's MLP: any improvement is kept, but only
        # one of at least tol counts as progress.
        progress = val_loss <= self._best_loss - self._stopping.tol
        self.wait = 0 if progress else self.wait + 1
        better = val_loss < self._best_loss or not math.isfinite(self._best_loss)
        if better:
            self._best_loss = val_loss
        return better

    @property
    def ends(self) -> bool:
        """Whether the training has waited long enough for progress."""
        return self._stopping is not None and self.wait >= self._stopping.patience
