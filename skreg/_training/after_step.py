"""What follows a step of Keras' optimizer: proximal operators, averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skreg._engine.inputs import of_params, of_rows
from skreg._engine.penalties import L1, GroupL1
from skreg._engine.pieces import LayerSlice, first_kernel
from skreg._engine.schedules import LearningRates
from skreg._engine.sums import row_norms
from skreg._engine.updates import shrink_first_kernel
from skreg._training.network import assign_values, values_of
from skreg._training.schedules import schedule_of
from skreg._training.task import Task


class AfterStep:
    """Takes the proximal steps, and keeps the average, of a network that Keras trains.

    Parameters
    ----------
    task : Task
    network : keras.Sequential
    optimizer : keras.optimizers.Optimizer
        Built for the network's variables.
    """

    def __init__(
        self,
        task: Task,
        network: keras.Sequential,
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        self._task = task
        self._weights = network.trainable_variables
        self._optimizer = optimizer
        self._proximal = is_proximal(task)
        self._penalties = _penalties(task) if self._proximal else None
        self._mean_gradient: NDArray[Any] | None = None
        self._rates: LearningRates | None = None
        if self._proximal and task.optimizer.schedule is not None:
            momentum = np.array([task.optimizer.hyper.get("momentum", 0.0)])
            self._rates = LearningRates(
                [schedule_of(task.optimizer)], momentum, task.architecture.dtype
            )
        self._average: list[NDArray[Any]] | None = None
        if task.ema_momentum:
            self._average = values_of(self._weights)
        self._iterate: NDArray[Any] | None = None  # while the network has the average

    @contextmanager
    def step(self) -> Iterator[None]:
        """Within the block the optimizer takes a step."""
        before = _flat(values_of(self._weights)) if self._proximal else None
        yield
        # The training ends with an error where weights are not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            if before is not None:
                self._shrink(before)
            if self._average is not None:
                self._update_average(self._average)

    def start(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the network's weights for the average, where there is one.

        Training goes on from `arrays`, which `arrays` has returned.
        """
        if self._average is not None:
            self._average = values_of(self._weights)
        if "iterate" in arrays and (self._average or self._optimizer.use_ema):
            assign_values(self._weights, _cut(arrays["iterate"], self._weights))
        if "mean_gradient" in arrays:
            self._mean_gradient = arrays["mean_gradient"]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What changes from step to step, beside weights and optimizer, by name."""
        named = {"iterate": self._iterate, "mean_gradient": self._mean_gradient}
        return {name: array for name, array in named.items() if array is not None}

    def finish(self) -> None:
        """Leave the averaged weights in the network."""
        if self._average is not None:
            assign_values(self._weights, self._average)
        self._optimizer.finalize_variable_values(self._weights)

    def _update_average(self, averages: list[NDArray[Any]]) -> None:
        step = int(self._optimizer.iterations.numpy())
        momentum = min(self._task.ema_momentum, (1 + step) / (10 + step))
        for average, w in zip(averages, values_of(self._weights), strict=True):
            average[...] = w + momentum * (average - w)
            if self._proximal:
                average[w == 0] = 0

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network has the averaged weights within the block, if there are any.

        Where the block changes them, training goes on from what it leaves.
        """
        average = self._average
        if self._optimizer.use_ema:
            average = values_of(_of_optimizer(self._optimizer, "average"))
        if average is None:
            yield
            return
        before = values_of(self._weights)
        self._iterate = _flat(before)
        assign_values(self._weights, average)
        yield
        now = values_of(self._weights)
        if all(map(np.array_equal, now, average)):
            assign_values(self._weights, before)
        elif self._average is not None:
            self._average = now
        self._iterate = None

    def _shrink(self, before: NDArray[Any]) -> None:
        """The same proximal operators as in the compiled engine, with Keras' slots."""
        rule, hyper = self._task.optimizer.update_rule, self._task.optimizer.hyper
        assert rule is not None
        assert self._penalties is not None
        dtype = self._task.architecture.dtype
        values = {name: np.full((1, 1), value, dtype) for name, value in hyper.items()}
        n_steps = int(self._optimizer.iterations.numpy())
        if self._rates is None:  # callbacks may change it
            values["learning_rate"][...] = self._optimizer.learning_rate.numpy()
        else:
            rates = self._rates.of_steps(np.array([n_steps - 1]), np.ones((1, 1), bool))
            values["learning_rate"], values["rate_sum"] = rates[0]
        step = np.full((1, 1), n_steps, dtype)
        slots = tuple(
            tf.constant(_flat(values_of(_of_optimizer(self._optimizer, name))))
            for name in rule.slots
        )
        params = _flat(values_of(self._weights))
        assert rule.step_size is not None, "see `takes_proximal_steps`"
        rate, denominators = rule.step_size(slots, tf.constant(step), values)
        l1, group_l1 = self._penalties
        shrunk = l1.prox(params, (rate, denominators))
        if group_l1 is not None:
            layer = LayerSlice(*self._task.architecture.kernel_shapes[0], [])
            kernel = first_kernel(layer, tf.constant(before))
            mean_gradient = np.zeros(kernel.shape, dtype)
            if self._mean_gradient is not None:
                mean_gradient = self._mean_gradient.reshape(kernel.shape)
            shrunk, mean_gradient = shrink_first_kernel(
                layer,
                group_l1,
                row_norms(kernel),
                tf.constant(before - params),
                shrunk,
                (rate, denominators),
                step[..., np.newaxis],
                mean_gradient,
            )
            self._mean_gradient = mean_gradient.numpy()
        assign_values(self._weights, _cut(shrunk.numpy(), self._weights))


def is_proximal(task: Task) -> bool:
    """Whether steps end with a proximal operator, and not with a subgradient of L1."""
    return task.regularization.makes_zeros and task.optimizer.takes_proximal_steps


def _penalties(task: Task) -> tuple[L1, GroupL1 | None]:
    """Those whose proximal operators a step ends with."""
    r, dtype = task.regularization, task.architecture.dtype
    layers = task.architecture.kernel_shapes
    group_l1 = None
    if r.group_l1:
        group_l1 = GroupL1(of_rows(np.array([r.group_l1]), layers[0][0], dtype))
    return L1(of_params(np.array([r.l1]), layers, dtype)), group_l1


def _of_optimizer(
    optimizer: keras.optimizers.Optimizer, name: str
) -> list[keras.Variable]:
    """The optimizer's variables of that name, one per weight variable."""
    return [v for v in optimizer.variables if v.path.endswith(f"_{name}")]


def _flat(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    if not arrays:  # a slot that only the compiled engine has
        return np.zeros((1, 0))
    return np.concatenate([array.ravel() for array in arrays])[np.newaxis]


def _cut(flat: NDArray[Any], like: list[keras.Variable]) -> list[NDArray[Any]]:
    sizes = [int(np.prod(v.shape)) for v in like]
    parts = np.split(flat[0], np.cumsum(sizes)[:-1])
    return [p.reshape(v.shape) for p, v in zip(parts, like, strict=True)]
