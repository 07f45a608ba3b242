"""Training by Keras' own ``fit``: slow, and able to use all that Keras has.

It serves every optimizer, callback and backend of Keras, and is the oracle of the
compiled engine.
"""

from __future__ import annotations

import copy
import math
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy import sparse

from skreg._training.initialization import initial_weights
from skreg._training.network import build_network, get_weights, set_weights
from skreg._training.task import (
    EarlyStopping,
    OptimizerState,
    Rows,
    Task,
    TrainedNetwork,
    non_finite_error,
)

# Validation rows pushed through the network at once: bounds the memory.
VALIDATION_BATCH = 1024


def train(task: Task) -> TrainedNetwork:
    """Train one network; see `skreg._training.task` for what goes in and comes out."""
    network = build_network(task.architecture, task.regularization, task.seed)
    trainer = _Trainer(network, task)
    trainer.compile(
        optimizer=task.optimizer.build(),
        # On TensorFlow, XLA costs more to compile than a small network's training.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    trainer.optimizer.build(network.trainable_variables)
    if task.resume is None:
        set_weights(network, *initial_weights(task))
    else:
        set_weights(network, task.resume.kernels, task.resume.biases)
        arrays = task.resume.arrays_of(_owner(task))
        if arrays is not None:
            _restore_state(trainer.optimizer, network, arrays)
    recorder = _EpochRecorder(task, network, trainer.optimizer)
    batches = _Batches(task)
    interrupted = False
    try:
        trainer.fit(
            batches,
            epochs=task.epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,  # the batches come shuffled
            callbacks=[recorder, *copy.deepcopy(task.callbacks)],
            verbose=task.verbose,
        )
    except KeyboardInterrupt:
        if not (task.resumable and recorder.history):
            raise
        interrupted = True
    # A callback may have changed the weights at the end.
    last = not interrupted and task.early_stopping is None
    kernels, biases = get_weights(network) if last else recorder.weights
    return TrainedNetwork(
        kernels,
        biases,
        recorder.history,
        recorder.best_epoch,
        recorder.optimizer_state,
        interrupted,
    )


def _owner(task: Task) -> str:
    """Whose the optimizer's state is: Keras', not an update rule's."""
    return f"Keras {task.optimizer.cls.__name__}"


def _state_arrays(
    optimizer: keras.optimizers.Optimizer, network: keras.Sequential
) -> dict[str, NDArray[Any]]:
    """What changes in training beside the weights: slots, counters; dropout's seeds."""
    arrays = {v.path: ops.convert_to_numpy(v) for v in optimizer.variables}
    # Keras numbers the seeds' paths, from network to network.
    for i, seed in enumerate(network.non_trainable_variables):
        arrays[f"dropout seed {i}"] = ops.convert_to_numpy(seed)
    return arrays


def _restore_state(
    optimizer: keras.optimizers.Optimizer,
    network: keras.Sequential,
    arrays: dict[str, NDArray[Any]],
) -> None:
    """Restore what another run left, but for the learning rate.

    Of an optimizer that is set in another way, and has other variables, nothing; nor of
    dropout where there is another number of layers with it.
    """
    variables = [v for v in optimizer.variables if v.name != "learning_rate"]
    if all(
        v.path in arrays and arrays[v.path].shape == tuple(v.shape) for v in variables
    ):
        for variable in variables:
            variable.assign(arrays[variable.path])
    seeds = network.non_trainable_variables
    if len(seeds) == sum(name.startswith("dropout seed") for name in arrays):
        for i, variable in enumerate(seeds):
            variable.assign(arrays[f"dropout seed {i}"])


class _Batches(keras.utils.PyDataset):
    """All batches of all epochs, in the order that the task's seed gives.

    One endless sequence, each batch a function of its number alone: Keras reads
    ahead, and would read part of the next epoch in the order of the last.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task
        self.steps_per_epoch = math.ceil(len(task.training) / task.batch_size)
        self._order = lru_cache(maxsize=2)(task.order)

    @property
    def num_batches(self) -> None:
        return None

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        epoch, step = divmod(index, self.steps_per_epoch)
        start = step * self._task.batch_size
        chosen = self._order(epoch)[start : start + self._task.batch_size]
        rows = self._task.training
        X, targets = _dense(rows.X[chosen]), _dense(rows.targets[chosen])
        return X, targets, rows.weight[chosen]


def _dense(rows: Any) -> NDArray[Any]:
    return rows.toarray() if sparse.issparse(rows) else rows


class _Trainer(keras.Model):
    """Shares a network's layers; gives logits, and our loss with its two parts."""

    def __init__(self, network: keras.Sequential, task: Task) -> None:
        dtype = task.architecture.dtype
        super().__init__(dtype=dtype, name="trainer")
        self._stack = network.layers
        self._row_losses = task.loss.per_row
        self._data_loss = keras.metrics.Mean("data_loss", dtype=dtype)
        self._penalty = keras.metrics.Mean("penalty", dtype=dtype)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        for layer in self._stack[:-1]:
            if not isinstance(layer, keras.layers.Dropout):
                inputs = layer(inputs)
            elif training:
                inputs = _drop_out(layer, inputs)
        output = self._stack[-1]
        return ops.matmul(inputs, output.kernel) + output.bias

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        n_rows = ops.shape(y_pred)[0]
        losses = self._row_losses(y, y_pred)
        data_loss = ops.sum(sample_weight * losses) / ops.cast(n_rows, losses.dtype)
        # Keras adds the penalty to the validation loss as well; this does not.
        penalty = ops.cast(sum(self.losses) if training else 0.0, losses.dtype)
        self._data_loss.update_state(data_loss, sample_weight=n_rows)
        self._penalty.update_state(penalty, sample_weight=n_rows)
        return data_loss + penalty


def _drop_out(layer: keras.layers.Dropout, units: Any) -> Any:
    """Keras' dropout, with the same noise for rows in float32 and in float64.

    Keras draws in the dtype of the units, and other numbers in each.
    """
    noise = keras.random.uniform(
        ops.shape(units), dtype="float32", seed=layer.seed_generator
    )
    return ops.where(noise >= layer.rate, units / (1 - layer.rate), 0)


class _EpochRecorder(keras.callbacks.Callback):
    """Keeps the history, validates, stops early; fails on non-finite weights.

    Comes first in the list of callbacks, so that the user's find ``val_loss``,
    without the penalty, and ``val_score`` among their logs.
    """

    def __init__(
        self,
        task: Task,
        network: keras.Sequential,
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        super().__init__()
        self._task = task
        self._network = network
        self._optimizer = optimizer
        self._wait = 0
        self._best_loss = math.inf
        self.best_epoch = 0
        self.weights: Any = None  # of the epoch to keep
        self.optimizer_state: OptimizerState | None = None  # where task.resumable
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        weights = get_weights(self._network)
        kernels, biases = weights
        if not all(np.isfinite(w).all() for w in kernels + biases):
            raise non_finite_error(epoch + 1)
        if self._task.validation is not None:
            logs.update(self._validate(self._task.validation))
        for name in ("data_loss", "penalty", "val_loss", "val_score"):
            if name in logs:
                self.history.setdefault(name, []).append(float(logs[name]))
        # Keras' own figure is in float32 whatever the network's dtype.
        total = self.history["data_loss"][-1] + self.history["penalty"][-1]
        self.history.setdefault("loss", []).append(total)
        if self._task.resumable:
            self.optimizer_state = OptimizerState(
                _owner(self._task), _state_arrays(self._optimizer, self._network)
            )
        if self._task.early_stopping is None:
            self.best_epoch, self.weights = epoch + 1, weights
        else:
            self._consider_stopping(
                self._task.early_stopping, epoch, logs["val_loss"], weights
            )

    def _validate(self, rows: Rows) -> dict[str, float]:
        losses, shares = [], []
        for start in range(0, len(rows), VALIDATION_BATCH):
            chunk = rows.take(np.arange(len(rows))[start : start + VALIDATION_BATCH])
            targets = _dense(chunk.targets)
            logits = self.model(_dense(chunk.X), training=False)
            loss = ops.convert_to_numpy(self._task.loss.per_row(targets, logits))
            share = self._task.loss.score(targets, logits, chunk.score_weight)
            losses.append(chunk.weight * loss)
            shares.append(ops.convert_to_numpy(share))
        return {
            "val_loss": float(np.mean(np.concatenate(losses))),
            "val_score": float(np.mean(np.concatenate(shares))),
        }

    def _consider_stopping(
        self, stopping: EarlyStopping, epoch: int, val_loss: float, weights: Any
    ) -> None:
        # Two thresholds, as in scikit-learn's MLP: any improvement is kept, but only
        # one of at least tol counts as progress.
        self._wait = 0 if val_loss <= self._best_loss - stopping.tol else self._wait + 1
        if val_loss < self._best_loss or epoch == 0:
            self._best_loss = val_loss
            self.best_epoch, self.weights = epoch + 1, weights
        if self._wait >= stopping.patience:
            self.model.stop_training = True
