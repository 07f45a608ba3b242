"""What follows a step of Keras' optimizer: proximal operators, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from skreg._training.keras.network import assign_values, get_values
from skreg._training.keras.proximal import (
    group_prox,
    l1_prox,
    step_size,
    zero_unless_pulled,
)
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
        self._mean_gradient = np.zeros(self._weights[0].shape, task.architecture.dtype)
        self._rate_sum = 0.0
        self._average: list[NDArray[Any]] | None = None
        if task.plan.ema_momentum:
            self._average = get_values(self._weights)
        # The weights that are trained, while the network has the average.
        self._iterate: list[NDArray[Any]] | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """Within the block the optimizer takes a step."""
        if self._proximal:
            before = get_values(self._weights)
            rate = float(np.asarray(self._optimizer.learning_rate))
        yield
        # The training ends with an error where weights are not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            if self._proximal:
                self._shrink(before, rate)
            if self._average is not None:
                self._update_average(self._average)

    def start(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the network's weights for the average, where there is one.

        Training goes on from `arrays`, which `arrays` has returned.
        """
        if self._average is not None:
            self._average = get_values(self._weights)
        if (self._average or self._optimizer.use_ema) and "iterate" in arrays:
            assign_values(self._weights, self._cut(arrays["iterate"]))
        self._mean_gradient = arrays.get("mean_gradient", self._mean_gradient)
        self._rate_sum = float(arrays.get("rate_sum", 0.0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What changes from step to step, beside weights and optimizer, by name."""
        named = {"rate_sum": np.array(self._rate_sum)}
        if self._task.regularization.group_l1:
            named["mean_gradient"] = self._mean_gradient
        if self._iterate is not None:
            named["iterate"] = np.concatenate([w.ravel() for w in self._iterate])
        return named

    def finish(self) -> None:
        """Leave the averaged weights in the network."""
        if self._average is not None:
            assign_values(self._weights, self._average)
        self._optimizer.finalize_variable_values(self._weights)

    def _update_average(self, averages: list[NDArray[Any]]) -> None:
        step = int(self._optimizer.iterations.numpy())
        momentum = min(self._task.plan.ema_momentum, (1 + step) / (10 + step))
        for average, w in zip(averages, get_values(self._weights), strict=True):
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
            average = get_values(self._variables("average"))
        if average is None:
            yield
            return
        before = get_values(self._weights)
        self._iterate = before
        assign_values(self._weights, average)
        yield
        now = get_values(self._weights)
        if all(map(np.array_equal, now, average)):
            assign_values(self._weights, before)
        elif self._average is not None:
            self._average = now
        self._iterate = None

    def _shrink(self, before: list[NDArray[Any]], rate: float) -> None:
        """Apply the proximal operators of L1, and of the groups in the first kernel."""
        optimizer, r = self._task.optimizer, self._task.regularization
        assert optimizer.rule is not None, "see `is_proximal`"
        momentum = optimizer.hyper.get("momentum", 0.0)
        self._rate_sum = momentum * self._rate_sum + rate
        t = int(self._optimizer.iterations.numpy())
        after = get_values(self._weights)
        # Without momentum, Keras has no variables for it.
        named = {name: self._variables(name) for name in optimizer.rule.slots}
        for k, strength in enumerate(r.l1):
            if not strength and not (r.group_l1 and k == 0):
                continue
            w = after[2 * k]
            slots = {name: v[2 * k].numpy() for name, v in named.items() if v}
            size, d = step_size(
                optimizer.rule.name, optimizer.config, slots, t, self._rate_sum
            )
            change = before[2 * k] - w
            if strength:
                w = l1_prox(w, strength * size / d)
            if r.group_l1 and k == 0:
                w = group_prox(w, before[0], d, r.group_l1 * size)
                inverse = d / size if size else 0.0
                w, self._mean_gradient = zero_unless_pulled(
                    w, change * inverse, self._mean_gradient, inverse, r.group_l1, t
                )
            after[2 * k] = w.astype(self._task.architecture.dtype)
        assign_values(self._weights, after)

    def _cut(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """Arrays of the weights' shapes, which lie one after the other in a vector."""
        sizes = [math.prod(w.shape) for w in self._weights]
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return [p.reshape(w.shape) for p, w in zip(parts, self._weights, strict=True)]

    def _variables(self, name: str) -> list[keras.Variable]:
        """The optimizer's variables of that name, one per weight variable."""
        return [v for v in self._optimizer.variables if v.path.endswith(f"_{name}")]


def is_proximal(task: Task) -> bool:
    """Whether steps end with a proximal operator, and not with a subgradient of L1."""
    return task.regularization.makes_zeros and task.optimizer.takes_proximal_steps
