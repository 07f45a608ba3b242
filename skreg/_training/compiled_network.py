"""A network that the compiled engine trains: its arrays, and the steps of a task."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._engine.hidden_layers import hidden_layer
from skreg._engine.losses import loss
from skreg._engine.penalties import proximal_step, smooth_part
from skreg._engine.steps import steps
from skreg._engine.update_rules import CLIPPINGS, Steps, UpdateRule, update
from skreg._training.initialization import initial_weights
from skreg._training.schedules import scheduled_rates
from skreg._training.task import (
    DROPOUT,
    OptimizerState,
    ResumePoint,
    Task,
    derived_seed,
)


@dataclass
class State:
    """What changes from step to step.

    Attributes
    ----------
    params : ndarray of shape (n_params,)
        Layer after layer, kernel before bias.
    average : ndarray of that shape, or empty
        The average of the weights, where there is one.
    slots : ndarray of shape (n_slots, n_params)
        As the update rule has them.
    mean_gradient : ndarray of the shape of the first kernel, or empty
        The average gradient that the penalty on the rows of the kernel carries.
    n_steps : int
        How many steps the optimizer has taken.
    rate_sum : float
        The sum of the learning rates, with the rule's momentum.
    """

    params: NDArray[Any]
    average: NDArray[Any]
    slots: NDArray[Any]
    mean_gradient: NDArray[Any]
    n_steps: int = 0
    rate_sum: float = 0.0

    @classmethod
    def start(cls, task: Task) -> State:
        """Fresh weights, or where an earlier run left off."""
        resume, rule = task.resume, _rule(task)
        if resume is None:
            params = _flat(*initial_weights(task))
        else:
            params = _flat(resume.kernels, resume.biases)
        first = task.architecture.kernel_shapes[0]
        state = cls(
            params=params,
            average=params.copy() if task.plan.ema_momentum else params[:0],
            slots=np.zeros((len(rule.slots), params.size), params.dtype),
            mean_gradient=np.zeros(
                first if task.regularization.group_l1 else (0, 0), params.dtype
            ),
        )
        for slot, name in zip(state.slots, rule.slots, strict=True):
            slot[:] = task.optimizer.hyper.get(f"initial_{name}", 0)
        if resume is not None:
            state._restore(resume, rule)
        return state

    def _restore(self, resume: ResumePoint, rule: UpdateRule) -> None:
        """Take what another run has accumulated, unless it is another rule's."""
        arrays = resume.arrays_for(rule.name)
        if arrays is None or (
            self.mean_gradient.size and "mean_gradient" not in arrays
        ):
            return
        if self.average.size and "iterate" in arrays:
            self.params = arrays["iterate"].copy()
        if self.mean_gradient.size:
            self.mean_gradient = arrays["mean_gradient"].copy()
        for slot, name in zip(self.slots, rule.slots, strict=True):
            slot[:] = arrays[name]
        self.n_steps = int(arrays["step"])
        self.rate_sum = float(arrays["rate_sum"])

    def optimizer_state(self, rule: UpdateRule) -> OptimizerState:
        """What `_restore` takes, as copies."""
        arrays = {
            "step": np.array(self.n_steps),
            "rate_sum": np.array(self.rate_sum),
            **dict(zip(rule.slots, self.slots.copy(), strict=True)),
        }
        if self.average.size:
            arrays["iterate"] = self.params.copy()
        if self.mean_gradient.size:
            arrays["mean_gradient"] = self.mean_gradient.copy()
        return OptimizerState(rule.name, arrays)

    def copy(self) -> State:
        """A copy that shares no memory."""
        return State(
            self.params.copy(),
            self.average.copy(),
            self.slots.copy(),
            self.mean_gradient.copy(),
            self.n_steps,
            self.rate_sum,
        )

    def layers(
        self, kernel_shapes: list[tuple[int, int]]
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Kernels and biases to predict with, as views: of the average, if any."""
        weights = self.average if self.average.size else self.params
        kernels, biases, start = [], [], 0
        for n_in, n_out in kernel_shapes:
            stop = start + n_in * n_out
            kernels.append(weights[start:stop].reshape(n_in, n_out))
            biases.append(weights[stop : stop + n_out])
            start = stop + n_out
        return kernels, biases


class CompiledNetwork:
    """Takes the steps of a task.

    Attributes
    ----------
    state : State
        Changed in place.
    """

    def __init__(self, task: Task) -> None:
        self.state = State.start(task)
        self._task = task
        dtype, r, rows = task.architecture.dtype, task.regularization, task.training
        # What all calls of the compiled steps share, in the order of their arguments.
        self._tables = _table(rows.table, dtype), _table(rows.targets, dtype)
        self._rows = _readonly(rows.numbers, np.int64), _readonly(rows.weight, dtype)
        shapes = task.architecture.kernel_shapes
        self._sizes = np.array([shapes[0][0], *(n for _, n in shapes)], np.int64)
        self._regularization = (
            np.array(r.l1, np.float64),
            np.array(r.l2, np.float64),
            r.group_l1,
            np.array(r.dropout, np.float64),
            r.input_dropout,
            task.plan.ema_momentum,
        )
        self._functions = (
            hidden_layer(task.architecture.activation, dtype),
            loss(task.loss.name, dtype),
            smooth_part(dtype),
            update(_rule(task).name, dtype),
            proximal_step(dtype),
        )
        self._noise_seed = np.uint32(derived_seed(task.seed, DROPOUT))

    def run(
        self, epoch: int, first: int, n_steps: int, figures: NDArray[np.float64]
    ) -> bool:
        """Take steps.

        Parameters
        ----------
        epoch : int
            The number of the epoch in this run, counted from 0.
        first : int
            The number of the first step in that epoch, counted from 0.
        n_steps : int
        figures : ndarray of shape (n_epochs, 3), float64
            Of as many epochs as the steps belong to. The numbers of rows are added to
            the first column, and data loss and penalty times those to the others.

        Returns
        -------
        bool
            Whether an epoch has left weights that are not finite. Then no more steps
            were taken; it is the last one with any rows in the figures.
        """
        task, state = self._task, self.state
        optimizer, dtype = task.optimizer, task.architecture.dtype
        epochs = range(epoch, epoch + len(figures))
        orders = np.stack([task.order(e) for e in epochs], dtype=np.int64)
        taken = self._next(n_steps)
        span = (
            first,
            task.plan.batch_size,
            state.n_steps,
            task.first_epoch + epoch,
            self._noise_seed,
            CLIPPINGS.index(optimizer.clipping),
            optimizer.hyper["clip"],
        )
        network = state.params, state.average, state.slots, state.mean_gradient
        done = steps(dtype)(
            *self._tables,
            (*self._rows, orders),
            (self._sizes, *network),
            self._regularization,
            _rule(task).table(optimizer.hyper, taken, dtype),
            span,
            figures,
            task.loss.parameter,
            *self._functions,
        )
        state.n_steps += n_steps
        state.rate_sum = float(taken.rate_sums[-1])
        return done < 0

    def _next(self, n_steps: int) -> Steps:
        """The next steps: their numbers and learning rates."""
        optimizer, state = self._task.optimizer, self.state
        if optimizer.schedule is None:
            rates = np.full(n_steps, optimizer.hyper["learning_rate"])
        else:
            rates = scheduled_rates(optimizer.schedule, state.n_steps, n_steps)
        momentum = optimizer.hyper.get("momentum", 0.0)
        rate_sums = rates
        if momentum and self._task.regularization.makes_zeros:
            sums = accumulate(
                rates,
                lambda total, rate: momentum * total + rate,
                initial=state.rate_sum,
            )
            rate_sums = np.array(list(sums)[1:])
        return Steps(state.n_steps + 1 + np.arange(n_steps), rates, rate_sums)


def _rule(task: Task) -> UpdateRule:
    rule = task.optimizer.rule
    assert rule is not None, "see `why_not_compiled`"
    return rule


def _flat(kernels: list[NDArray[Any]], biases: list[NDArray[Any]]) -> NDArray[Any]:
    """The parameters as the engine has them."""
    pairs = zip(kernels, biases, strict=True)
    return np.concatenate([array.ravel() for pair in pairs for array in pair])


def _table(matrix: Any, dtype: str) -> tuple[NDArray[Any], ...]:
    """A dense or CSR matrix as `skreg._engine.steps.table_type` has it."""
    dense, data, indices, starts = matrix, (), (), ()
    if sparse.issparse(matrix):
        dense = np.empty((0, matrix.shape[1]))
        data, indices, starts = matrix.data, matrix.indices, matrix.indptr
    return (
        _readonly(dense, dtype),
        _readonly(data, dtype),
        _readonly(indices, np.int32),
        _readonly(starts, np.int64),
    )


def _readonly(array: Any, dtype: Any) -> NDArray[Any]:
    """A read-only view, or a copy where the memory is not as machine code needs it."""
    view = np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"]).view()
    view.flags.writeable = False
    return view
