"""One training run as data: what goes into an engine, and what comes out.

A `Task` holds validated arrays and numbers only, no estimator and no live network,
so that an engine can train one or many of them, and both engines the same ones.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skreg._training.losses import Loss

# The purposes for which a run draws random numbers. Each has its own stream,
# derived from the run's one seed, so that none shifts when another is not used.
INITIAL_WEIGHTS, SHUFFLE, DROPOUT, SPLIT = range(4)


def derived_seed(seed, *key):
    """An integer in [0, 2**31) that depends on the seed and the key alone."""
    state = np.random.SeedSequence([seed, *key]).generate_state(1)
    return int(state[0] >> 1)


@dataclass(frozen=True)
class Architecture:
    """All that describes a network but its weights.

    ``l1`` and ``l2`` have an entry a kernel, the output's included; ``dropout``
    has one a hidden layer.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: str
    output_activation: str
    l1: tuple[float, ...]
    l2: tuple[float, ...]
    dropout: tuple[float, ...]
    dtype: str

    @property
    def kernel_shapes(self):
        """(n_in, n_out) of each kernel, the output's last."""
        sizes = (self.n_features, *self.hidden_layer_sizes, self.n_outputs)
        return list(itertools.pairwise(sizes))


@dataclass(frozen=True)
class OptimizerSpec:
    """A Keras optimizer's class and configuration: what a fresh one is made of."""

    cls: type
    config: dict

    def make(self):
        """A new optimizer, whose slots no other run shares."""
        return self.cls.from_config(self.config)


@dataclass(frozen=True)
class Rows:
    """Rows of data: X (n, n_features), dense or CSR, and targets (n, n_outputs).

    ``weight``, of shape (n,), weighs the loss and has mean 1; ``score_weight``, of
    shape (n, m), is what the loss' score asks of a row, and leaves class weights out.
    """

    X: np.ndarray | sparse.csr_array | sparse.csr_matrix
    targets: np.ndarray
    weight: np.ndarray
    score_weight: np.ndarray

    def __len__(self):
        return self.X.shape[0]


@dataclass(frozen=True)
class Stopping:
    """Stop once ``patience`` epochs in a row did not lower val_loss by ``tol``."""

    patience: int
    tol: float


@dataclass(frozen=True)
class Start:
    """Where a run goes on that another left.

    ``optimizer`` is what that one left of its optimizer, as `Trained` has it, or None;
    ``epochs`` are those run before.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    optimizer: tuple | None
    epochs: int

    def optimizer_state(self, tag):
        """What is left of an optimizer of that tag, or None."""
        same = self.optimizer is not None and self.optimizer[0] == tag
        return self.optimizer[1] if same else None


@dataclass(frozen=True)
class Task:
    """A network to train; from fresh weights, or where `start` says.

    With ``keeps_interrupted``, an interrupt ends the training early, after an epoch at
    least, instead of making it void.
    """

    architecture: Architecture
    loss: Loss
    optimizer: OptimizerSpec
    training: Rows
    validation: Rows | None
    stopping: Stopping | None
    batch_size: int
    epochs: int
    shuffle: bool
    seed: int
    engine: str
    callbacks: tuple
    verbose: int
    start: Start | None = None
    keeps_interrupted: bool = False

    @property
    def first_epoch(self):
        """Epochs that earlier runs have used up of the random streams."""
        return 0 if self.start is None else self.start.epochs

    def order(self, epoch):
        """The rows of this run's epoch, counted from 0, in the order of their visit."""
        n_rows = len(self.training)
        if not self.shuffle:
            return np.arange(n_rows)
        stream = np.random.default_rng([self.seed, SHUFFLE, self.first_epoch + epoch])
        return stream.permutation(n_rows)


@dataclass(frozen=True)
class Trained:
    """What a run leaves: weights, one history entry an epoch, the epoch kept.

    Kernels are of shape (n_in, n_out), biases (n_out,); ``best_epoch`` counts from 1.
    ``optimizer`` is a tag, which says whose it is, and the optimizer's state.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    history: dict[str, list[float]]
    best_epoch: int
    optimizer: tuple
    interrupted: bool = False


def non_finite_error(epoch):
    """The error for weights that are no longer numbers; the epoch counts from 1."""
    return ValueError(
        f"The network's weights became non-finite (NaN or infinity) in epoch {epoch}. "
        "Scale the features, for instance with StandardScaler in a Pipeline, or lower "
        "learning_rate."
    )
