"""A network in training: its parameters, what the optimizer carries, and the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._engine.activations import hidden_layer
from skreg._engine.losses import loss
from skreg._engine.penalties import proximal_step, smooth_part
from skreg._engine.steps import N_ROWS, steps
from skreg._engine.update_rules import CLIPPINGS, Steps, UpdateRule, update


@dataclass(frozen=True)
class Settings:
    """What is trained and how, beside the rows.

    Attributes
    ----------
    sizes : tuple of int
        Of the layers, from the columns of X to the outputs.
    dtype : str
    activation, loss : str
        Names in `skreg._engine.activations` and `skreg._engine.losses`.
    l1, l2 : tuple of float
        Strengths, one per kernel.
    group_l1 : float
        Strength for the rows of the first kernel.
    dropout : tuple of float
        Rates, one per hidden layer.
    rule : UpdateRule
    hyper : dict of str to float
        Its hyperparameters, with ``clip``, the limit of the clipping.
    clipping : str or None
        One of `CLIPPINGS`.
    rates : callable
        ``rates(first, n_steps)`` gives the learning rates of steps counted from 0.
    ema_momentum : float
        Of the average of the weights; 0 is none.
    batch_size : int
    noise_seed : int
        Of the dropout noise, below 2**32.
    """

    sizes: tuple[int, ...]
    dtype: str
    activation: str
    loss: str
    l1: tuple[float, ...]
    l2: tuple[float, ...]
    group_l1: float
    dropout: tuple[float, ...]
    rule: UpdateRule
    hyper: dict[str, float]
    clipping: str | None
    rates: Callable[[int, int], NDArray[np.float64]]
    ema_momentum: float
    batch_size: int
    noise_seed: int

    @property
    def is_proximal(self) -> bool:
        """Whether steps end with a proximal operator."""
        return any(self.l1) or self.group_l1 > 0


@dataclass(frozen=True)
class Data:
    """Rows to train on.

    Attributes
    ----------
    features : ndarray or CSR of shape (n_table, n_features)
    numbers : ndarray of shape (n_rows,), int64
        Which row of the features each row is.
    targets : ndarray or CSR of shape (n_rows, n)
        As `skreg._engine.losses.loss` takes them.
    weights : ndarray of shape (n_rows,)
        Weights in the loss, of mean 1.
    """

    features: Any
    numbers: NDArray[np.int64]
    targets: Any
    weights: NDArray[Any]

    def arguments(self, dtype: str) -> tuple[Any, ...]:
        """Features, targets, numbers and weights, as the compiled steps take them."""
        return (
            _table(self.features, dtype),
            _table(self.targets, dtype),
            _readonly(self.numbers, np.int64),
            _readonly(self.weights, dtype),
        )


def _table(matrix: Any, dtype: str) -> tuple[NDArray[Any], ...]:
    """A dense or CSR matrix as `skreg._engine.steps.table_type` has it."""
    if sparse.issparse(matrix):
        parts = np.empty((0, matrix.shape[1])), matrix.data, matrix.indices
        starts = matrix.indptr
    else:
        parts = matrix, np.empty(0), np.empty(0)
        starts = np.empty(0)
    dense, data, indices = parts
    return (
        _readonly(dense, dtype),
        _readonly(data, dtype),
        _readonly(indices, np.int32),
        _readonly(starts, np.int64),
    )


def _readonly(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A read-only view, or a copy where the memory is not as machine code needs it."""
    view = np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"]).view()
    view.flags.writeable = False
    return view


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
        Of the penalty on its rows.
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
    def start(cls, params: NDArray[Any], settings: Settings) -> State:
        """The state before the first step."""
        s, dtype = settings, params.dtype
        slots = np.zeros((len(s.rule.slots), params.size), dtype)
        for slot, name in zip(slots, s.rule.slots, strict=True):
            slot[:] = s.hyper.get(f"initial_{name}", 0)
        return cls(
            params=params,
            average=params.copy() if s.ema_momentum else np.empty(0, dtype),
            slots=slots,
            mean_gradient=np.zeros(s.sizes[:2] if s.group_l1 else (0, 0), dtype),
        )

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

    @property
    def weights(self) -> NDArray[Any]:
        """The parameters to predict with: the average, where there is one."""
        return self.average if self.average.size else self.params


@dataclass
class Training:
    """Takes steps of one training.

    Attributes
    ----------
    settings : Settings
    data : Data
    state : State
        Changed in place.
    """

    settings: Settings
    data: Data
    state: State
    _arguments: tuple[Any, ...] = field(init=False)
    _functions: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        self._arguments = self.data.arguments(s.dtype)
        self._functions = (
            hidden_layer(s.activation, s.dtype),
            loss(s.loss, s.dtype),
            smooth_part(s.dtype),
            update(s.rule.name, s.dtype),
            proximal_step(s.dtype),
        )

    def run(
        self,
        orders: NDArray[np.int64],
        first_epoch: int,
        first: int,
        n_steps: int,
        figures: NDArray[np.float64],
    ) -> bool:
        """Take steps.

        Parameters
        ----------
        orders : ndarray of shape (n_epochs, n_rows), int64
            The rows of each epoch, in the order of their visit.
        first_epoch : int
            The number of the first of these epochs, for the dropout noise.
        first : int
            The number of the first step, from the beginning of that epoch.
        n_steps : int
        figures : ndarray of shape (n_epochs, 3), float64
            The columns become the number of rows, and the sums of data loss and of
            penalty times that number. They are added to what is there.

        Returns
        -------
        bool
            Whether an epoch has left weights that are not finite. Then no more steps
            were taken; the last row of the figures with any rows is that epoch's.
        """
        s, state = self.settings, self.state
        features, targets, numbers, weights = self._arguments
        taken = self._steps(n_steps)
        constants = s.rule.table(s.hyper, taken, s.dtype)
        span = (
            first,
            s.batch_size,
            state.n_steps,
            first_epoch,
            np.uint32(s.noise_seed),
            CLIPPINGS.index(s.clipping),
            s.hyper["clip"],
        )
        done = steps(s.dtype)(
            features,
            targets,
            (numbers, weights, orders),
            (
                np.array(s.sizes, np.int64),
                state.params,
                state.average,
                state.slots,
                state.mean_gradient,
            ),
            (
                np.array(s.l1, np.float64),
                np.array(s.l2, np.float64),
                float(s.group_l1),
                np.array(s.dropout, np.float64),
                float(s.ema_momentum),
            ),
            constants,
            span,
            figures,
            *self._functions,
        )
        state.n_steps += n_steps
        state.rate_sum = float(taken.rate_sums[-1])
        return done < 0

    def _steps(self, n_steps: int) -> Steps:
        """The next steps: their numbers and learning rates."""
        s, state = self.settings, self.state
        rates = s.rates(state.n_steps, n_steps)
        momentum = s.hyper.get("momentum", 0.0)
        rate_sums = rates
        if momentum and s.is_proximal:
            sums = accumulate(
                rates,
                lambda total, rate: momentum * total + rate,
                initial=state.rate_sum,
            )
            rate_sums = np.array(list(sums)[1:])
        return Steps(state.n_steps + 1 + np.arange(n_steps), rates, rate_sums)


def means(figures: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Data loss and penalty of each epoch, from the figures of its steps."""
    n_rows = figures[:, N_ROWS]
    return {
        name: figures[:, column] / n_rows
        for column, name in enumerate(("data_loss", "penalty"), start=1)
    }
