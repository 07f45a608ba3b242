"""Training by the compiled engine: epochs, validation, early stopping, progress."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from skreg._engine.blas_threads import limited
from skreg._engine.hidden_layers import ACTIVATIONS
from skreg._prediction.forward import forward
from skreg._training.activation_functions import activation_function
from skreg._training.compiled_network import CompiledNetwork, State
from skreg._training.task import Task, TrainedNetwork, non_finite_error
from skreg._training.validating import (
    EarlyStopper,
    loss_to_beat,
    validation_figures,
)

# A call into machine code, which nothing interrupts, is to take about so long.
CALL_SECONDS = 0.25
# How many times as many steps as the last one a call takes at most.
MAX_GROWTH = 8


def why_not_compiled(task: Task) -> str | None:
    """What the compiled engine can't do of a task, or None."""
    if task.watchers.callbacks:
        return "Keras callbacks"
    if task.architecture.activation not in ACTIVATIONS:
        return f"the activation {task.architecture.activation!r}"
    if task.optimizer.rule is None:
        return f"this optimizer or its settings: {task.optimizer.name}"
    if task.regularization.makes_zeros and not task.optimizer.takes_proximal_steps:
        return f"l1 or group_l1 beside this optimizer: {task.optimizer.name}"
    return None


def train(task: Task) -> TrainedNetwork:
    """Train one network; see `skreg._training.task` for what goes in and comes out."""
    with limited(task.plan.batch_size, task.architecture.kernel_shapes):
        run = _Run(task)
        try:
            run.train()
        except KeyboardInterrupt:
            if not (task.plan.resumable and run.n_epochs):
                raise
            return replace(run.trained(), interrupted=True)
    return run.trained()


class _Run:
    """One training run, which early stopping or a hook may end early."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._network = CompiledNetwork(task)
        state = self._network.state
        self._steps_per_epoch = math.ceil(len(task.training) / task.plan.batch_size)
        self._figures = np.zeros((task.plan.epochs, 3))
        self._validation: dict[str, list[float]] = {}
        wait = task.resume.wait if task.resume else 0
        self._stopper = EarlyStopper(task.plan.early_stopping, loss_to_beat(task), wait)
        self._stopped = False
        # An interrupt may find the network in the middle of a step. So the result is a
        # copy that belongs to a number of epochs, and is replaced as a whole.
        self._copies = task.plan.early_stopping is not None or task.plan.resumable
        self._result = _Result(0, state.copy() if self._copies else state, 0, wait)

    @property
    def n_epochs(self) -> int:
        """Epochs that have ended."""
        return self._result.n_epochs

    def train(self) -> None:
        """Train to the end."""
        n_allowed, n_steps = 1, self._steps_per_epoch
        hooks, done = self._task.watchers.hooks, 0
        while self.n_epochs < self._task.plan.epochs and not self._stopped:
            epoch, first = divmod(done, n_steps)
            if hooks is not None and first == 0:
                hooks.begin_epoch(epoch)
            n = self._call_size(n_allowed, epoch, first)
            start = time.perf_counter()
            self._call(epoch, first, n)
            seconds = time.perf_counter() - start
            n_allowed = max(1, int(n * min(MAX_GROWTH, CALL_SECONDS / seconds)))
            done += n
            if done % n_steps == 0:
                self._end_epoch(done // n_steps)
                if self._task.watchers.verbose:
                    # Last, as an interrupt may well come while this prints.
                    print(self._line())

    def _call_size(self, n: int, epoch: int, first: int) -> int:
        """The number of steps of a call: whole epochs, or a part of one.

        Time allows `n` steps. A call is one epoch at most where epochs are validated,
        shown or told to hooks.
        """
        task, n_steps = self._task, self._steps_per_epoch
        hooks, verbose = task.watchers.hooks, task.watchers.verbose
        is_watched = task.validation is not None or hooks is not None or verbose
        if first > 0 or n < 2 * n_steps or is_watched:
            return min(n, n_steps - first)
        return n_steps * min(n // n_steps, task.plan.epochs - epoch)

    def _call(self, epoch: int, first: int, n: int) -> None:
        """Take n steps from that step of the epoch on."""
        task = self._task
        stop = epoch + math.ceil((first + n) / self._steps_per_epoch)
        diverged = self._network.run(epoch, first, n, self._figures[epoch:stop])
        if diverged:
            n_begun = int(np.count_nonzero(self._figures[:, 0]))
            raise non_finite_error(task.first_epoch + n_begun)

    def _end_epoch(self, n_epochs: int) -> None:
        """Validate, keep, perhaps stop."""
        task, state = self._task, self._network.state
        if task.validation is not None:
            kernels, biases = state.layers(task.architecture.kernel_shapes)
            activation = activation_function(task.architecture.activation)
            validation = validation_figures(
                task, lambda X: forward(kernels, biases, activation, X)
            )
            for name, figure in validation.items():
                self._validation.setdefault(name, []).append(figure)
        result = replace(self._result, n_epochs=n_epochs)
        if self._stopper.is_best(self._validation.get("val_loss", [math.nan])[-1]):
            kept = state.copy() if self._copies else state
            result = _Result(n_epochs, kept, n_epochs, self._stopper.wait)
        self._result = result
        self._stopped = self._stopper.ends
        if task.watchers.hooks is not None:
            self._stopped |= bool(
                task.watchers.hooks.end_epoch(n_epochs - 1, self.trained)
            )

    def _line(self) -> str:
        """The figures of the epoch that has ended."""
        last = self._history(self.n_epochs - 1)
        texts = [f"{name}: {figure:.4f}" for name, (figure,) in last.items()]
        return " - ".join([f"Epoch {self.n_epochs}/{self._task.plan.epochs}", *texts])

    def _history(self, first: int = 0) -> dict[str, list[float]]:
        """The figures of the epochs from that number on, counted from 0."""
        epochs = slice(first, self.n_epochs)
        n_rows, *sums = self._figures[epochs].T
        data_loss, penalty = (total / n_rows for total in sums)
        return {
            "loss": (data_loss + penalty).tolist(),
            "data_loss": data_loss.tolist(),
            "penalty": penalty.tolist(),
            **{name: figures[epochs] for name, figures in self._validation.items()},
        }

    def trained(self) -> TrainedNetwork:
        """The result, if the run ended now."""
        task, result = self._task, self._result
        rule = task.optimizer.rule if task.plan.resumable else None
        layers = result.state.copy().layers(task.architecture.kernel_shapes)
        return TrainedNetwork(
            *layers,
            self._history(),
            result.best_epoch,
            None if rule is None else result.state.optimizer_state(rule),
            result.wait,
        )


@dataclass(frozen=True)
class _Result:
    """The number of epochs that have ended, and the state after the best of them."""

    n_epochs: int
    state: State
    best_epoch: int
    wait: int
