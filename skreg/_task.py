"""One training run as data: what goes into an engine, and what comes out.

A `Task` holds validated arrays and numbers only, no estimator and no live network,
so that an engine can train one or many of them, and both engines the same ones.
"""

from dataclasses import dataclass

import numpy as np

from skreg._losses import Loss

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
    """Rows of data: X (n, n_features), targets (n, n_outputs), weights (n,).

    ``weight`` weighs the loss and has mean 1; ``score_weight`` weighs the reported
    score, has mean 1 too, and leaves class weights out.
    """

    X: np.ndarray
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
class Task:
    """A network to train."""

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

    def order(self, epoch):
        """The rows of an epoch, counted from 0, in the order they are visited."""
        n_rows = len(self.training)
        if not self.shuffle:
            return np.arange(n_rows)
        stream = np.random.default_rng([self.seed, SHUFFLE, epoch])
        return stream.permutation(n_rows)


@dataclass(frozen=True)
class Trained:
    """What a run leaves: weights, one history entry an epoch, the epoch kept.

    Kernels are of shape (n_in, n_out), biases (n_out,); ``best_epoch`` counts from 1.
    """

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    history: dict[str, list[float]]
    best_epoch: int


def non_finite_error(epoch):
    """The error for weights that are no longer numbers; the epoch counts from 1."""
    return ValueError(
        f"The network's weights became non-finite (NaN or infinity) in epoch {epoch}. "
        "Scale the features, for instance with StandardScaler in a Pipeline, or lower "
        "learning_rate."
    )
