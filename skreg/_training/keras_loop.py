"""Training by Keras' own ``fit``: slow, and able to use all that Keras has.

It serves every optimizer, callback and backend of Keras, and is the oracle of the
compiled engine.
"""

import copy
import math
from functools import lru_cache

import keras
import numpy as np
from keras import ops
from scipy import sparse

from skreg._training.network import build_network, get_weights, set_weights
from skreg._training.task import Trained, non_finite_error

# Validation rows pushed through the network at once: bounds the memory.
_CHUNK = 1024


def train(task):
    """Train one network; see `skreg._training.task` for what goes in and comes out."""
    network = build_network(task.architecture, task.seed)
    trainer = _Trainer(network, task)
    trainer.compile(
        optimizer=task.optimizer.make(),
        # On TensorFlow, XLA costs more to compile than a small network's training.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    trainer.optimizer.build(network.trainable_variables)
    tag = f"Keras {task.optimizer.cls.__name__}"
    if task.start is not None:
        set_weights(network, task.start.kernels, task.start.biases)
        _resume(trainer.optimizer, network, task.start.optimizer_state(tag))
    watch = _Watch(task, network, trainer.optimizer)
    batches = _Batches(task)
    interrupted = False
    try:
        trainer.fit(
            batches,
            epochs=task.epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,  # the batches come shuffled
            callbacks=[watch, *copy.deepcopy(task.callbacks)],
            verbose=task.verbose,
        )
    except KeyboardInterrupt:
        if not (task.keeps_interrupted and watch.history):
            raise
        interrupted = True
    # A callback may have changed the weights at the end.
    last = not interrupted and task.stopping is None
    kernels, biases = get_weights(network) if last else watch.weights
    return Trained(
        kernels,
        biases,
        watch.history,
        watch.best_epoch,
        (tag, watch.state),
        interrupted,
    )


def _state(optimizer, network):
    """What changes in training beside the weights: slots, counters; dropout's seeds."""
    slots = {v.path: ops.convert_to_numpy(v) for v in optimizer.variables}
    # Keras numbers the seeds' paths, from network to network.
    return slots, [ops.convert_to_numpy(v) for v in network.non_trainable_variables]


def _resume(optimizer, network, state):
    """Put back what another run left, but for the learning rate.

    Of an optimizer that is set in another way, and has other variables, nothing; nor of
    dropout where there is another number of layers with it.
    """
    if state is None:
        return
    slots, seeds = state
    variables = [v for v in optimizer.variables if v.name != "learning_rate"]
    if all(
        v.path in slots and slots[v.path].shape == tuple(v.shape) for v in variables
    ):
        for variable in variables:
            variable.assign(slots[variable.path])
    if len(seeds) == len(network.non_trainable_variables):
        for variable, seed in zip(network.non_trainable_variables, seeds, strict=True):
            variable.assign(seed)


class _Batches(keras.utils.PyDataset):
    """All batches of all epochs, in the order that the task's seed gives.

    One endless sequence, each batch a function of its number alone: Keras reads
    ahead, and would read part of the next epoch in the order of the last.
    """

    def __init__(self, task):
        super().__init__()
        self._task = task
        self.steps_per_epoch = math.ceil(len(task.training) / task.batch_size)
        self._order = lru_cache(maxsize=2)(task.order)

    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        epoch, step = divmod(index, self.steps_per_epoch)
        start = step * self._task.batch_size
        chosen = self._order(epoch)[start : start + self._task.batch_size]
        rows = self._task.training
        return _dense(rows.X[chosen]), rows.targets[chosen], rows.weight[chosen]


def _dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows


class _Trainer(keras.Model):
    """Shares a network's layers; gives logits, and our loss with its two parts."""

    def __init__(self, network, task):
        dtype = task.architecture.dtype
        super().__init__(dtype=dtype, name="trainer")
        self._stack = network.layers
        self._row_losses = task.loss.per_row
        self._data_loss = keras.metrics.Mean("data_loss", dtype=dtype)
        self._penalty = keras.metrics.Mean("penalty", dtype=dtype)

    def call(self, inputs, training=None):
        for layer in self._stack[:-1]:
            inputs = layer(inputs, training=training)
        output = self._stack[-1]
        return ops.matmul(inputs, output.kernel) + output.bias

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        n_rows = ops.shape(y_pred)[0]
        losses = self._row_losses(y, y_pred)
        data_loss = ops.sum(sample_weight * losses) / ops.cast(n_rows, losses.dtype)
        # Keras adds the penalty to the validation loss as well; this does not.
        penalty = ops.cast(sum(self.losses) if training else 0.0, losses.dtype)
        self._data_loss.update_state(data_loss, sample_weight=n_rows)
        self._penalty.update_state(penalty, sample_weight=n_rows)
        return data_loss + penalty


class _Watch(keras.callbacks.Callback):
    """Keeps the history, validates, stops early; fails on non-finite weights.

    Comes first in the list of callbacks, so that the user's find ``val_loss``,
    without the penalty, and ``val_score`` among their logs.
    """

    def __init__(self, task, network, optimizer):
        super().__init__()
        self._task = task
        self._network = network
        self._optimizer = optimizer
        self._wait = 0
        self._best_loss = math.inf
        self.best_epoch = 0
        self.weights = None  # of the epoch to keep
        self.state = None  # of the optimizer, where the training may go on
        self.history = {}

    def on_epoch_end(self, epoch, logs=None):
        weights = get_weights(self._network)
        kernels, biases = weights
        if not all(np.isfinite(w).all() for w in kernels + biases):
            raise non_finite_error(epoch + 1)
        if self._task.validation is not None:
            logs.update(self._validate())
        for name in ("data_loss", "penalty", "val_loss", "val_score"):
            if name in logs:
                self.history.setdefault(name, []).append(float(logs[name]))
        # Keras' own figure is in float32 whatever the network's dtype.
        total = self.history["data_loss"][-1] + self.history["penalty"][-1]
        self.history.setdefault("loss", []).append(total)
        if self._task.keeps_interrupted:
            self.state = _state(self._optimizer, self._network)
        if self._task.stopping is None:
            self.best_epoch, self.weights = epoch + 1, weights
        else:
            self._consider_stopping(epoch, logs["val_loss"], weights)

    def _validate(self):
        rows, loss = self._task.validation, self._task.loss
        parts = [
            ops.convert_to_numpy(
                self.model(_dense(rows.X[i : i + _CHUNK]), training=False)
            )
            for i in range(0, len(rows), _CHUNK)
        ]
        logits = ops.convert_to_tensor(np.concatenate(parts))
        losses = ops.convert_to_numpy(loss.per_row(rows.targets, logits))
        shares = loss.score(rows.targets, logits, rows.score_weight)
        return {
            "val_loss": float(np.mean(rows.weight * losses)),
            "val_score": float(np.mean(ops.convert_to_numpy(shares))),
        }

    def _consider_stopping(self, epoch, val_loss, weights):
        # Two thresholds, as in scikit-learn's MLP: any improvement is kept, but only
        # one of at least tol counts as progress.
        stopping = self._task.stopping
        self._wait = 0 if val_loss <= self._best_loss - stopping.tol else self._wait + 1
        if val_loss < self._best_loss or epoch == 0:
            self._best_loss = val_loss
            self.best_epoch, self.weights = epoch + 1, weights
        if self._wait >= stopping.patience:
            self.model.stop_training = True
