"""Training by Keras' own training step: slow, and able to use all that Keras has.

It serves every optimizer, callback and backend of Keras, and is the oracle of the
compiled engine. The loop over the steps is written out, as Keras' ``fit`` would
read the batches through a `tf.data` pipeline around a Python generator: that reads
ahead into the next epoch, leaves a thread behind when it is interrupted, and changes
settings of the process' memory allocator.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy import sparse

from skreg._training.initialization import initial_weights
from skreg._training.keras.after_step import AfterStep, is_proximal
from skreg._training.keras.callbacks import UserCallbacks
from skreg._training.keras.interrupts import interrupts_deferred
from skreg._training.keras.network import (
    assign_values,
    build_network,
    get_values,
    get_weights,
    set_weights,
)
from skreg._training.keras.precision import precision
from skreg._training.objectives import MULTICLASS
from skreg._training.task import (
    OptimizerState,
    Task,
    TrainedNetwork,
    non_finite_error,
)
from skreg._training.validating import EarlyStopper, validation_figures

# Tracing the step takes TensorFlow about as long as running that many steps untraced.
# It also warns where most calls of a function trace it, as in many short fits.
EAGER_STEPS = 20


def train(task: Task) -> TrainedNetwork:
    """Train one network; see `skreg._training.task` for what goes in and comes out."""
    with precision(task.architecture.dtype):
        return _train(task)


def _train(task: Task) -> TrainedNetwork:
    n_steps = math.ceil(len(task.training) / task.plan.batch_size)
    network, trainer, after_step = _set_up(task, n_steps)
    callbacks = UserCallbacks(task, network, trainer.optimizer, n_steps)
    callbacks("on_train_begin")
    # Set by `keras.callbacks.BackupAndRestore`, where an earlier process was cut off.
    first = getattr(network, "_initial_epoch", None) or 0
    recorder = _Recorder(task, network, trainer, after_step, first)
    logs: dict[str, float] = {}
    try:
        for epoch in range(first, task.plan.epochs):
            if task.watchers.hooks is not None:
                task.watchers.hooks.begin_epoch(epoch)
            callbacks("on_epoch_begin", epoch)
            logs = _train_epoch(task, network, trainer, after_step, epoch, callbacks)
            with after_step.averaged():
                logs = recorder.end_epoch(epoch, logs)
                if task.plan.ema_momentum:
                    callbacks("on_epoch_end", epoch, logs)
            # Keras' own average is shown to callbacks by its SwapEMAWeights only.
            if not task.plan.ema_momentum:
                callbacks("on_epoch_end", epoch, logs)
            if task.watchers.hooks is not None and task.watchers.hooks.end_epoch(
                epoch, lambda: recorder.trained
            ):
                network.stop_training = True
            if network.stop_training:
                break
        after_step.finish()
        callbacks("on_train_end", logs)
    except KeyboardInterrupt:
        if not (task.plan.resumable and recorder.trained.history["loss"]):
            raise
        return replace(recorder.trained, interrupted=True)
    if task.plan.early_stopping is not None:
        return recorder.trained
    # The optimizer or a callback may have changed the weights at the end.
    kernels, biases = get_weights(network)
    return replace(recorder.trained, kernels=kernels, biases=biases)


@interrupts_deferred()
def _set_up(task: Task, n_steps: int) -> tuple[keras.Sequential, _Trainer, AfterStep]:
    """The network to train, its trainer, and the part of a step after the optimizer."""
    network = build_network(task.architecture, task.regularization, task.seed)
    trainer = _Trainer(network, task)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    trainer.compile(
        optimizer=task.optimizer.build(),
        # On TensorFlow, XLA costs more to compile than a small network's training.
        jit_compile=False if on_tensorflow else "auto",
        run_eagerly=on_tensorflow and n_steps * _fewest_epochs(task) < EAGER_STEPS,
    )
    trainer.optimizer.build(network.trainable_variables)
    after_step = AfterStep(task, network, trainer.optimizer)
    _set_start(task, network, trainer.optimizer, after_step)
    return network, trainer, after_step


def _fewest_epochs(task: Task) -> int:
    """Epochs that are run if early stopping ends them as soon as it can."""
    if task.plan.early_stopping is None:
        return task.plan.epochs
    return min(task.plan.epochs, task.plan.early_stopping.patience + 1)


def _set_start(
    task: Task,
    network: keras.Sequential,
    optimizer: keras.optimizers.Optimizer,
    after_step: AfterStep,
) -> None:
    """Put in the weights to start from, and what another run has left."""
    arrays: dict[str, NDArray[Any]] = {}
    if task.resume is None:
        set_weights(network, *initial_weights(task))
    else:
        set_weights(network, task.resume.kernels, task.resume.biases)
        arrays = task.resume.arrays_for(_owner(task)) or {}
        _restore_state(optimizer, network, arrays)
    after_step.start(arrays)


def _owner(task: Task) -> str:
    """Whose the optimizer's state is: Keras', not an update rule's."""
    return f"Keras {task.optimizer.name}"


def _state_arrays(
    optimizer: keras.optimizers.Optimizer, network: keras.Sequential
) -> dict[str, NDArray[Any]]:
    """What changes in training beside the weights: slots, counters; dropout's seeds."""
    values = get_values(optimizer.variables)
    arrays = dict(zip(map(_name, optimizer.variables), values, strict=True))
    return {**arrays, **_seed_arrays(network)}


def _name(variable: keras.Variable) -> str:
    """The same in every fit, where Keras numbers variables that have no name."""
    return re.sub(r"_\d+$", "", variable.path)


def _seed_arrays(network: keras.Sequential) -> dict[str, NDArray[Any]]:
    """By number, as Keras numbers the seeds' paths from network to network."""
    seeds = get_values(network.non_trainable_variables)
    return {f"dropout seed {i}": seed for i, seed in enumerate(seeds)}


def _restore_state(
    optimizer: keras.optimizers.Optimizer,
    network: keras.Sequential,
    arrays: dict[str, NDArray[Any]],
) -> None:
    """Restore what another run left, but for the learning rate.

    An optimizer that is set in another way, and so has other variables, starts anew, as
    dropout does where another number of layers has it.
    """
    variables = [v for v in optimizer.variables if v.name != "learning_rate"]
    names = [_name(v) for v in variables]
    if all(
        name in arrays and arrays[name].shape == tuple(v.shape)
        for name, v in zip(names, variables, strict=True)
    ):
        assign_values(variables, [arrays[name] for name in names])
    seeds = network.non_trainable_variables
    seed_arrays = [a for name, a in arrays.items() if name.startswith("dropout seed")]
    if len(seeds) == len(seed_arrays):
        assign_values(seeds, seed_arrays)


def _train_epoch(
    task: Task,
    network: keras.Sequential,
    trainer: _Trainer,
    after_step: AfterStep,
    epoch: int,
    callbacks: UserCallbacks,
) -> dict[str, float]:
    """Take the steps of an epoch; the means of its figures over the rows."""
    rows, order = task.training, task.order(epoch)
    sums = {"data_loss": 0.0, "penalty": 0.0}
    n_seen = 0
    logs: dict[str, float] = {}
    for step, start in enumerate(range(0, len(rows), task.plan.batch_size)):
        batch = rows.take(order[start : start + task.plan.batch_size])
        callbacks("on_train_batch_begin", step)
        trainer.reset_metrics()  # as older versions of Keras do not
        with interrupts_deferred(), after_step.step():
            figures = trainer.train_on_batch(
                _dense(batch.features),
                _dense(batch.targets),
                batch.weight,
                return_dict=True,
            )
        n_seen += len(batch)
        for name in sums:
            sums[name] += len(batch) * float(figures[name])
        means = {name: total / n_seen for name, total in sums.items()}
        # Keras' own figure is in float32 whatever the network's dtype.
        logs = {"loss": means["data_loss"] + means["penalty"], **means}
        callbacks("on_train_batch_end", step, logs)
        if network.stop_training:
            break
    return logs


def _dense(rows: Any) -> NDArray[Any]:
    return rows.toarray() if sparse.issparse(rows) else rows


class _Trainer(keras.Model):
    """Shares a network's layers; gives logits, and our loss with its two parts."""

    def __init__(self, network: keras.Sequential, task: Task) -> None:
        dtype = task.architecture.dtype
        super().__init__(dtype=dtype, name="trainer")
        self._stack = network.layers
        self._row_losses = task.loss.per_row
        self._has_classes = task.loss is MULTICLASS  # whose targets are their numbers
        self._regularization = task.regularization
        self._proximal = is_proximal(task)
        self._data_loss = keras.metrics.Sum("data_loss", dtype=dtype)
        self._penalty = keras.metrics.Sum("penalty", dtype=dtype)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        for layer in self._stack[:-1]:
            if not isinstance(layer, keras.layers.Dropout):
                inputs = layer.activation(_linear(layer, inputs))
            elif training:
                inputs = _drop_out(layer, inputs)
        return _linear(self._stack[-1], inputs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        n_rows = ops.shape(y_pred)[0]
        targets = ops.convert_to_tensor(y)
        if not self._has_classes:
            targets = ops.cast(targets, y_pred.dtype)
        losses = self._row_losses(ops, targets, y_pred)
        weighted = ops.multiply(sample_weight, losses)
        data_loss = ops.sum(weighted) / ops.cast(n_rows, losses.dtype)
        penalty = ops.cast(self._penalty_value(), losses.dtype)
        self._data_loss.update_state(data_loss)
        self._penalty.update_state(penalty)
        return data_loss + penalty

    def _penalty_value(self) -> Any:
        """The penalty; where steps are proximal, L2 alone has a gradient."""
        r = self._regularization
        kernels = [x.kernel for x in self._stack if isinstance(x, keras.layers.Dense)]
        l2, rest = 0.0, 0.0
        for k, kernel in enumerate(kernels):
            if r.l2[k]:
                l2 += r.l2[k] * ops.sum(ops.square(kernel))
            if r.l1[k]:
                rest += r.l1[k] * ops.sum(ops.abs(kernel))
        if r.group_l1:
            squares = ops.sum(ops.square(kernels[0]), axis=1)
            # A root has no derivative at 0.
            rest += r.group_l1 * ops.sum(ops.sqrt(ops.maximum(squares, 1e-30)))
        return l2 + (ops.stop_gradient(rest) if self._proximal else rest)


def _linear(layer: keras.layers.Dense, inputs: Any) -> Any:
    """The layer before its activation."""
    # Not by `ops.matmul`: see the note on float64 in `skreg._training.objectives`.
    return inputs @ ops.convert_to_tensor(layer.kernel) + layer.bias


def _drop_out(layer: keras.layers.Dropout, units: Any) -> Any:
    """Keras' dropout, with the same noise for rows in float32 and in float64.

    Keras draws in the dtype of the units, and other numbers in each.
    """
    noise = keras.random.uniform(
        ops.shape(units), dtype="float32", seed=layer.seed_generator
    )
    return ops.where(noise >= layer.rate, units / (1 - layer.rate), 0)


class _Recorder:
    """Keeps what each epoch leaves, validates, stops early.

    Attributes
    ----------
    trained : TrainedNetwork
        Replaced as a whole at the end of an epoch, so that an interrupt finds weights,
        optimizer and history that belong together.
    """

    def __init__(
        self,
        task: Task,
        network: keras.Sequential,
        trainer: _Trainer,
        after_step: AfterStep,
        first: int,
    ) -> None:
        self._task = task
        self._after_step = after_step
        self._network = network
        self._trainer = trainer
        history = {
            name: [math.nan] * first for name in ("loss", "data_loss", "penalty")
        }
        wait = task.resume.wait if task.resume else 0
        best_loss = math.inf
        with after_step.averaged():
            if task.plan.early_stopping is not None and (task.resume or first):
                best_loss = self._validate()["val_loss"]
            self._stopper = EarlyStopper(task.plan.early_stopping, best_loss, wait)
            self.trained = TrainedNetwork(
                *get_weights(network),
                history,
                first,
                self._optimizer_state(),
                wait,
            )

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> dict[str, float]:
        """Take in an epoch; its figures, with those of the validation rows.

        Raises
        ------
        ValueError
            If the weights are not finite.
        """
        task, network = self._task, self._network
        kernels, biases = get_weights(network)
        if not all(np.isfinite(w).all() for w in kernels + biases):
            raise non_finite_error(task.first_epoch + epoch + 1)
        if task.validation is not None:
            logs = {**logs, **self._validate()}
        past = self.trained.history
        history = {
            name: [*past.get(name, [math.nan] * epoch), figure]
            for name, figure in logs.items()
        }
        best = self._stopper.is_best(logs.get("val_loss", math.nan))
        if self._stopper.ends:
            network.stop_training = True
        if best:
            state = self._optimizer_state()
            self.trained = TrainedNetwork(
                kernels, biases, history, epoch + 1, state, self._stopper.wait
            )
        else:
            state = self.trained.optimizer_state
            if state is not None:  # random streams go on, whatever is kept
                arrays = {**state.arrays, **_seed_arrays(network)}
                state = replace(state, arrays=arrays)
            self.trained = replace(self.trained, history=history, optimizer_state=state)
        return logs

    def _optimizer_state(self) -> OptimizerState | None:
        if not self._task.plan.resumable:
            return None
        arrays = _state_arrays(self._trainer.optimizer, self._network)
        arrays |= self._after_step.arrays()
        return OptimizerState(_owner(self._task), arrays)

    def _validate(self) -> dict[str, float]:
        def logits(X: Any) -> NDArray[Any]:
            with interrupts_deferred():
                outputs = self._trainer(_dense(X), training=False)
                return np.asarray(ops.convert_to_numpy(outputs))

        return validation_figures(self._task, logits)
