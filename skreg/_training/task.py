"""One training run as data: what goes into an engine, and what comes out.

A `Task` holds validated arrays and numbers only, no estimator and no live network,
so that both engines can train the same ones.
Nothing here needs TensorFlow or Keras.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._prediction.forward import REMEDY

if TYPE_CHECKING:
    import keras

    from skreg._engine.update_rules import UpdateRule
    from skreg._training.objectives import Loss

# The purposes for which a run draws random numbers. Each has its own stream,
# derived from the run's one seed, so that none shifts when another is not used.
INITIAL_WEIGHTS, SHUFFLE, DROPOUT, SPLIT = range(4)


def derived_seed(seed: int, *key: int) -> int:
    """An integer in [0, 2**31) that depends on the seed and the key alone."""
    state = np.random.SeedSequence([seed, *key]).generate_state(1)
    return int(state[0] >> 1)


@dataclass(frozen=True)
class Architecture:
    """The shape of a network."""

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    output_activation: str
    dtype: str

    @property
    def kernel_shapes(self) -> list[tuple[int, int]]:
        """(n_in, n_out) of each kernel, the output layer's last."""
        sizes = (self.n_features, *self.hidden_layer_sizes, self.n_outputs)
        return list(itertools.pairwise(sizes))


@dataclass(frozen=True)
class Regularization:
    """Strengths of the penalties and dropout rates, layer by layer.

    ``l1`` and ``l2`` have one entry per kernel, the output layer's last; ``dropout``
    has one per hidden layer, and ``input_dropout`` is that of the columns of X.
    ``group_l1`` is that of the rows of the first kernel.
    """

    l1: tuple[float, ...]
    l2: tuple[float, ...]
    group_l1: float
    dropout: tuple[float, ...]
    input_dropout: float

    @property
    def makes_zeros(self) -> bool:
        """Whether there is a penalty that has a proximal operator, and no gradient."""
        return any(self.l1) or self.group_l1 > 0


@dataclass(frozen=True)
class OptimizerSpec:
    """A Keras optimizer's class and configuration, and what the engine makes of it.

    ``rule`` is None where the compiled engine has none for this optimizer, and ``cls``
    is None where Keras has not been imported: then the class is Keras' own of the
    ``name``. ``hyper`` are the values of the rule's hyperparameters, with
    ``weight_decay``, 0 without any, and ``clip``, the limit of the clipping whose name
    is ``clipping``. The ``learning_rate`` among them is NaN where there is a
    ``schedule``.
    """

    name: str
    cls: type[keras.optimizers.Optimizer] | None
    config: dict[str, Any]
    rule: UpdateRule | None
    hyper: dict[str, float]
    clipping: str | None
    schedule: keras.optimizers.schedules.LearningRateSchedule | None

    @property
    def takes_proximal_steps(self) -> bool:
        """Whether there is an update rule, and step sizes for proximal operators."""
        return self.rule is not None and self.rule.has_step_size

    def build(self) -> keras.optimizers.Optimizer:
        """A new Keras optimizer, whose slots no other run shares."""
        import keras

        cls = self.cls or getattr(keras.optimizers, self.name)
        # Keras keeps a rate in float32; an infinite one is found out in training.
        with np.errstate(over="ignore"):
            # TensorFlow keeps memory for every distinct name of a variable as long as
            # the process lives: one name for all.
            return cls.from_config({**self.config, "name": "optimizer"})


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer has accumulated.

    ``owner`` says which optimizer it is of: no other can go on from it. ``arrays`` are
    its slots and counters by name.
    """

    owner: str
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class OutputScale:
    """The user's units of a regressor's targets, in terms of the network's.

    ``scale`` and ``shift`` are of shape (n_outputs,): where the network's output is z
    before its activation, it is ``scale * z + shift`` in the user's units.
    """

    scale: NDArray[Any]
    shift: NDArray[Any]

    def to_user_units(
        self, kernel: NDArray[Any], bias: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The output layer of a network that predicts in the user's units."""
        new = kernel * self.scale, bias * self.scale + self.shift
        return new[0].astype(kernel.dtype), new[1].astype(bias.dtype)

    def to_network_units(
        self, kernel: NDArray[Any], bias: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The inverse of `to_user_units`."""
        new = kernel / self.scale, (bias - self.shift) / self.scale
        return new[0].astype(kernel.dtype), new[1].astype(bias.dtype)


@dataclass(frozen=True)
class Rows:
    """Rows of data: which rows of a table they are, and their targets.

    ``table`` is of shape (n_table, n_features), ``numbers``, of shape (n,), says which
    of its rows these are: a subset shares the table, which may be large. ``targets``
    are as the loss takes them. Table and targets are dense or CSR; no row is made dense
    before its batch is.

    ``weight``, of shape (n,), weighs the loss; ``score_weight``, of shape (n,) or
    (n, m), is what the loss' score asks of a row, and leaves class weights out. What an
    engine gets has ``weight`` of mean 1.
    """

    table: NDArray[Any] | sparse.csr_array | sparse.csr_matrix
    numbers: NDArray[np.integer]
    targets: NDArray[Any] | sparse.csr_array
    weight: NDArray[Any]
    score_weight: NDArray[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def features(self) -> Any:
        """A copy of these rows of the table."""
        return self.table[self.numbers]

    def take(self, rows: NDArray[Any]) -> Rows:
        """The rows of these numbers, or where a mask is True."""
        return Rows(
            self.table,
            self.numbers[rows],
            self.targets[rows],
            self.weight[rows],
            self.score_weight[rows],
        )


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``patience`` epochs in a row did not lower val_loss by ``tol``."""

    patience: int
    tol: float


@dataclass(frozen=True)
class ResumePoint:
    """Where an earlier run left off.

    The weights that it kept, the optimizer's state that belongs to them, the epochs
    that were run, and ``wait``: how many epochs in a row early stopping had seen no
    progress when it kept them.
    """

    kernels: list[NDArray[Any]]
    biases: list[NDArray[Any]]
    optimizer_state: OptimizerState | None
    epochs: int
    wait: int = 0

    def arrays_for(self, owner: str) -> dict[str, NDArray[Any]] | None:
        """The optimizer's arrays if they are that owner's, else None."""
        state = self.optimizer_state
        return None if state is None or state.owner != owner else state.arrays


class EpochHooks(Protocol):
    """What an engine calls before and after every epoch of a run, counted from 0."""

    def begin_epoch(self, epoch: int) -> None:
        """The epoch begins."""

    def end_epoch(self, epoch: int, trained: Callable[[], TrainedNetwork]) -> bool:
        """Whether the run is to stop here; `trained` gives what it would leave then."""


@dataclass(frozen=True)
class Plan:
    """How long a network is trained, and in which batches.

    ``ema_momentum`` is that of the average of the weights, 0 without one. With
    ``resumable``, the result has what is needed to go on, and an interrupt ends the
    training early, after one epoch at least, instead of making it void.
    """

    batch_size: int
    epochs: int
    shuffle: bool
    ema_momentum: float
    early_stopping: EarlyStopping | None
    resumable: bool


@dataclass(frozen=True)
class Watchers:
    """Who sees the epochs of a training.

    ``output_scale`` is for ``callbacks``, Keras', which see a network in the user's
    units; None where those are the network's.
    """

    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    verbose: int = 0
    output_scale: OutputScale | None = None
    hooks: EpochHooks | None = None


@dataclass(frozen=True)
class Task:
    """A network to train, from fresh weights or from where `resume` says.

    ``constant_outputs`` are numbers of outputs whose training targets are all 0: their
    weights start from 0, so that they are right from the first step and stay so.
    """

    architecture: Architecture
    regularization: Regularization
    loss: Loss
    optimizer: OptimizerSpec
    training: Rows
    validation: Rows | None
    plan: Plan
    watchers: Watchers
    engine: str
    seed: int
    constant_outputs: tuple[int, ...] = ()
    resume: ResumePoint | None = None

    @property
    def first_epoch(self) -> int:
        """Epochs that earlier runs have used up of the random streams."""
        return 0 if self.resume is None else self.resume.epochs

    def order(self, epoch: int) -> NDArray[np.integer]:
        """The rows of this run's epoch, counted from 0, in the order of their visit."""
        n_rows = len(self.training)
        if not self.plan.shuffle:
            return np.arange(n_rows)
        stream = np.random.default_rng([self.seed, SHUFFLE, self.first_epoch + epoch])
        return stream.permutation(n_rows)


@dataclass(frozen=True)
class TrainedNetwork:
    """What a run leaves: weights, one history entry per epoch, the epoch kept.

    Kernels are of shape (n_in, n_out), biases (n_out,); ``best_epoch`` counts from 1,
    and is 0 where no epoch was better than the weights that the run resumed from.
    ``optimizer_state`` and ``wait``, as of `ResumePoint`, are those of the epoch kept.
    """

    kernels: list[NDArray[Any]]
    biases: list[NDArray[Any]]
    history: dict[str, list[float]]
    best_epoch: int
    optimizer_state: OptimizerState | None
    wait: int = 0
    interrupted: bool = False


def non_finite_error(epoch: int) -> ValueError:
    """The error for weights that are no longer numbers.

    The epoch counts from 1, and from the first of all runs.
    """
    return ValueError(
        f"The network's weights became non-finite (NaN or infinity) in epoch {epoch}. "
        f"{REMEDY}."
    )
