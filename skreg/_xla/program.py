"""What the compiled function is made from, and what it works on.

Weights carry a leading axis K, one entry per network, and so do strengths, dropout
rates and hyperparameters. The loss is summed over K, which leaves every gradient its
network's own. What is compiled depends on a `Program`, never on strengths, rates,
seeds or data.

There are three variants of the compiled function:

XLA (``Program.xla``)
    XLA compiles all steps of a call into one piece of machine code. A step is faster,
    but compiling takes half a second or more, and is done anew for every set of shapes:
    so it pays where there are many steps. Sizes are Python integers. A column of ones
    is appended to a layer's input, so that the product with the kernel adds the bias.
batched (neither)
    K networks without XLA: for few steps, and for sparse rows. Sizes are tensors, so
    that one traced function serves networks of all sizes. What counts is the number of
    operations; the biases are added apart from the product, since a column more
    makes products of large matrices up to twice as slow (a width of 257, not 256).
unbatched (``Program.unbatched``)
    The same for a single network, without the axis K within a step: TensorFlow takes
    several times as long for a batched product of small matrices, and copies every
    kernel to cut it out. Nor does it select which networks a step moves.

In all of them the backward pass is written out, with `tf.GradientTape` only for the
derivative of the activation: a tape over the whole forward pass
records more operations, among them a padded array of all parameters for the gradient
of every kernel, and takes longer to trace and to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from skreg._xla.update_rules import UpdateRule

# Columns of what is reported about a network after a segment of steps.
N_FIGURES = 7
RAN, ROWS, DATA_LOSS, PENALTY, FINITE, VAL_LOSS, VAL_SCORE = range(N_FIGURES)


@dataclass(frozen=True)
class Program:
    """All that the compiled code depends on.

    Attributes
    ----------
    layers : tuple of (n_in, n_out)
        Shapes of the kernels.
    activation : callable
        Of the hidden layers, on tensors.
    row_losses : callable
        ``row_losses(targets, logits)``, of shapes (K, n_rows, n_outputs), gives the
        losses, of shape (K, n_rows).
    loss_gradient : callable
        ``loss_gradient(targets, logits)`` gives their derivatives in the logits.
    score : callable
        ``score(targets, logits, weight)`` gives each row's share of a score, of
        shape (K, n_rows), whose mean over the rows is reported; `weight` is of shape
        (K, n_rows, n), and 0 for rows that only pad the batch.
    rule : UpdateRule
        Of the optimizer: elementwise, so that no network sees another.
    dtype : str
    dropout, l1, group_l1, averaging, early_stopping : bool
        Whether there is any; `averaging` of the weights.
    clipping : {"clipnorm", "clipvalue", "global_clipnorm"} or None
        How gradients are clipped, by Keras' names.
    weight_decay, scheduled : bool
        Whether there is any; `scheduled` are learning rates, that come with a call.
    keeps_slots : bool
        Whether early stopping keeps, with the weights of the best epoch, what the
        optimizer had accumulated by then: for a training that goes on from there.
    xla, unbatched : bool
        The variant, see above.
    single_threaded : bool
        Whether a single thread runs it, see `skreg._xla.loops`.
    """

    layers: tuple[tuple[int, int], ...]
    activation: Callable[[Any], Any]
    row_losses: Callable[[Any, Any], Any]
    loss_gradient: Callable[[Any, Any], Any]
    score: Callable[[Any, Any, Any], Any]
    rule: UpdateRule
    dtype: str
    dropout: bool
    l1: bool
    group_l1: bool
    averaging: bool
    early_stopping: bool
    clipping: str | None = None
    weight_decay: bool = False
    scheduled: bool = False
    keeps_slots: bool = False
    xla: bool = False
    unbatched: bool = False
    single_threaded: bool = False

    @property
    def proximal(self) -> bool:
        """Whether a step ends with the proximal operator of a penalty."""
        return self.l1 or self.group_l1

    @property
    def carried(self) -> tuple[str, ...]:
        """Names of what a training that goes on takes over, beside the weights."""
        names = {"mean_gradient": self.group_l1, "iterate": self.averaging}
        return (*self.rule.slots, *(name for name, used in names.items() if used))

    @property
    def n_params(self) -> int:
        """Parameters of a network."""
        return sum((n_in + 1) * n_out for n_in, n_out in self.layers)

    @property
    def n_hidden_units(self) -> int:
        """Units of all hidden layers."""
        return sum(n_out for _, n_out in self.layers[:-1])


# A network's parameters, or what has their shape, in the pieces that are updated one by
# one, see `skreg._xla.pieces`.
Pieces: TypeAlias = tuple[tf.Tensor, ...]


class Kept(NamedTuple):
    """What early stopping keeps of the best epoch; all with the leading axis K."""

    weights: Pieces  # none without early stopping
    carried: tuple[Any, ...]  # none but where `Program.keeps_slots`
    step: tf.Tensor
    wait: tf.Tensor


class State(NamedTuple):
    """What training changes; all with the leading axis K."""

    params: Pieces
    average: Pieces  # of them over the steps; none without averaging
    slots: tuple[Pieces, ...]  # of the optimizer
    mean_gradient: Pieces  # with `group_l1` one array, of the first layer as with XLA
    step: tf.Tensor  # of the optimizer, (K,)
    active: tf.Tensor
    wait: tf.Tensor  # epochs in a row without progress, (K,)
    best_loss: tf.Tensor
    best_epoch: tf.Tensor  # counted from 1; 0 is what training starts from
    kept: Kept


def weights_of(program: Program, state: State) -> Pieces:
    """The weights that are validated and kept."""
    return state.average if program.averaging else state.params


def carried_of(program: Program, state: State) -> tuple[Pieces, ...]:
    """What `Program.carried` names."""
    values = {"mean_gradient": state.mean_gradient, "iterate": state.params}
    n_slots = len(state.slots)
    return (*state.slots, *(values[name] for name in program.carried[n_slots:]))
