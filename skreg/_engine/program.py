"""The program of the compiled engine: the TensorFlow function that trains K networks.

Weights carry a leading axis K, and so do strengths, rates and learning rates. The
losses are summed over K, which leaves every gradient its network's own. What is
compiled depends on the kind of network, never on strengths, rates, seeds or data: see
`Program`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from skreg._engine.layers import backward, dropouts, forward
from skreg._engine.optimizers import Rule

# Compiled programs kept, the least recently used goes first.
PROGRAMS = 64
# Columns of what a segment of steps reports about a network.
RAN, ROWS, DATA, PENALTY, FINITE, VAL_LOSS, VAL_SCORE = range(7)


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
    score : callable
        ``score(targets, logits, weight)`` gives each row's share of a score, of
        shape (K, n_rows), whose mean over the rows is reported; `weight` is of shape
        (K, n_rows, n), and 0 for rows that do not count.
    rule : Rule
        Of the optimizer, see `skreg._engine.optimizers`: elementwise, so that
        networks do not meet in it.
    dtype : str
    dropout, stopping : bool
        Whether there is any.
    xla : bool
        Whether XLA compiles all of it.
    lone : bool
        Whether there is one network only, without XLA. It moves in every step, and
        needs no selection, which is an operation over all parameters; and its layers go
        without the axis K, with which TensorFlow takes several times as long for a
        product of small matrices, and copies every kernel to cut it out.
    """

    layers: tuple
    activation: Callable
    row_losses: Callable
    score: Callable
    rule: Rule
    dtype: str
    dropout: bool
    stopping: bool
    xla: bool = False
    lone: bool = False

    @property
    def n_params(self):
        """Parameters of a network."""
        return sum((n_in + 1) * n_out for n_in, n_out in self.layers)

    @property
    def n_units(self):
        """Units of all hidden layers, each of which takes a share in the noise."""
        return sum(n_out for _, n_out in self.layers[:-1])


class State(NamedTuple):
    """What training changes; all on the axis K."""

    params: tf.Tensor  # (K, P): kernels and biases, flattened, layer after layer
    slots: tuple
    step: tf.Tensor
    active: tf.Tensor
    best_params: tf.Tensor
    best_loss: tf.Tensor
    best_epoch: tf.Tensor
    wait: tf.Tensor


def compiled(program, *arguments):
    """The compiled function for such arguments, from the cache or new.

    It is traced once for arrays of all sizes; XLA compiles it for each set of them.
    """
    specs = tf.nest.map_structure(
        lambda a: tf.TensorSpec([None] * a.ndim, a.dtype), arguments
    )
    layers = program.layers if program.xla else len(program.layers)
    key = (replace(program, layers=layers), *tf.nest.flatten(specs))
    with _programs_lock:
        if key not in _programs:
            body = partial(_run, program)
            _programs[key] = tf.function(
                body, input_signature=specs, jit_compile=program.xla, autograph=False
            )
        _programs.move_to_end(key)
        if len(_programs) > PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


_programs: OrderedDict[tuple, Callable] = OrderedDict()
_programs_lock = threading.Lock()


def _run(program, inputs, plan, state):
    """Train through the segments of a plan: this is what gets compiled.

    Returns the state and, for every segment, the figures (n_segments, K, columns).
    """
    figures = tf.TensorArray(program.dtype, tf.shape(plan["bounds"])[0])
    layers = _layout(program, inputs)

    def one_segment(i, state, figures):
        bounds = tf.gather(plan["bounds"], i)
        first, last, ends, epoch = tf.unstack(bounds, num=4)
        ran = state.active
        state, sums = _steps(program, layers, inputs, plan, state, first, last)
        state, checks = _end_of_epoch(program, layers, inputs, state, ends > 0, epoch)
        columns = tf.stack([tf.cast(ran, program.dtype), *sums, *checks], axis=-1)
        return i + 1, state, figures.write(i, columns)

    def goes_on(i, state, figures):
        return (i < plan["n_segments"]) & tf.reduce_any(state.active)

    _, state, figures = tf.while_loop(
        goes_on, one_segment, (tf.constant(0), state, figures)
    )
    return state, figures.stack()


class _Layer(NamedTuple):
    """A layer's sizes, and where its kernel is among the parameters of a network.

    `begin`, `length` and `shape` are what `tf.slice` and `tf.reshape` take.
    """

    n_in: int | tf.Tensor
    n_out: int | tf.Tensor
    begin: list | tf.Tensor
    length: list | tf.Tensor
    shape: list | tf.Tensor


def _layout(program, inputs):
    """The layers, made of tensors without XLA, as one program serves all sizes then."""
    sizes = program.layers
    if not program.xla:
        rows = tf.unstack(inputs["layers"], len(sizes))
        sizes = [tf.unstack(row, 2) for row in rows]
    layers, start = [], 0
    for n_in, n_out in sizes:
        length = (n_in + 1) * n_out
        if program.lone:
            where = [start], [length], [n_in + 1, n_out]
        else:
            where = [0, start], [-1, length], [-1, n_in + 1, n_out]
        if not program.xla:  # once, not in every step
            where = map(tf.stack, where)
        layers.append(_Layer(n_in, n_out, *where))
        start += length
    return layers


def _steps(program, layers, inputs, plan, state, first, last):
    """Gradient steps from first to last; the sums of rows, data loss and penalty."""
    nothing = tf.zeros((tf.shape(state.step)[0], 3), program.dtype)
    move = partial(_move, program.rule, inputs["hyper"])

    def one_step(t, moved, state, sums):
        if program.xla:
            state = move(state, moved)
        count, x, targets, weight, _ = _gather(program, layers, inputs, plan, t)
        n = tf.cast(tf.maximum(count, 1), program.dtype)
        weight /= n if program.lone else n[:, tf.newaxis]
        kernels = _kernels(program, layers, state.params)
        drops = None
        if program.dropout:
            widths = [layer.n_out for layer in layers[:-1]]
            drops = dropouts(tf.gather(plan["noise"], t), widths, inputs)
        hidden, into, logits = forward(
            program.activation, kernels, x, drops, bare=not program.xla
        )
        with tf.GradientTape() as tape:
            tape.watch(logits)
            row_losses = program.row_losses(targets, logits)
        slope = tape.gradient(row_losses, logits, weight)
        gradients = backward(kernels, hidden, into, slope)
        moves = state.active & (count > 0)
        moved = None if program.lone else moves
        penalty, state = _absorb(program, inputs, state, kernels, gradients, moved)
        if not program.xla:
            state = move(state, moved)
        data_loss = tf.reduce_sum(weight * row_losses, axis=-1)
        terms = tf.stack([n, n * data_loss, n * penalty], axis=1)
        return t + 1, moves, state, sums + tf.where(moves[:, tf.newaxis], terms, 0)

    none = tf.zeros_like(state.active)
    _, moved, state, sums = tf.while_loop(
        lambda t, *_: t < last,
        one_step,
        (first, none, state, nothing),
        parallel_iterations=1,  # each needs what the last one made
    )
    if program.xla:
        state = move(state, moved)
    return state, tf.unstack(sums, num=3, axis=1)


def _gather(program, layers, inputs, plan, t):
    """How many rows a step has, and X, targets and both weights of these.

    X is of shape (K, B, n_in), or the step's sparse matrix; padded rows have weights of
    0. But for the counts, a lone network's arrays go without the axis K.
    """
    rows, counts = tf.gather(plan["rows"], t), tf.gather(plan["counts"], t)
    valid = tf.range(tf.shape(rows)[1]) < counts[:, tf.newaxis]
    if program.lone:
        rows, valid = tf.squeeze(rows, 0), tf.squeeze(valid, 0)
    n_outputs = layers[-1].n_out
    rest = tf.gather(inputs["rest"], rows)
    weights = tf.where(valid[..., tf.newaxis], rest[..., n_outputs:], 0)
    if "entries" in plan:
        n_columns = tf.size(counts) * layers[0].n_in
        x = _sparse_rows(plan["entries"], t, tf.size(rows), n_columns)
    else:
        x = tf.gather(inputs["X"], rows)
    return counts, x, rest[..., :n_outputs], weights[..., 0], weights[..., 1:]


def _sparse_rows(entries, t, n_rows, n_columns):
    """The matrix of a step, see `skreg._engine.batches.entries`."""
    start, stop = tf.unstack(entries["starts"][t : t + 2], num=2)
    shape = tf.cast(tf.stack([n_rows, n_columns]), tf.int64)
    return tf.SparseTensor(
        entries["at"][start:stop], entries["values"][start:stop], shape
    )


def _kernels(program, layers, params):
    """Kernels (K, n_in + 1, n_out), the biases as their last row, of params (K, P).

    Of a lone network, (n_in + 1, n_out).
    """
    if program.lone:
        params = tf.squeeze(params, 0)
    return [
        tf.reshape(tf.slice(params, layer.begin, layer.length), layer.shape)
        for layer in layers
    ]


def _flat(array):
    """Of shape (K, anything), as (K, n)."""
    return tf.reshape(array, (tf.shape(array)[0], -1))


def _layer_penalties(kernels, inputs):
    """``l1 * sum(|w|) + l2 * sum(w**2)``, of shape (K,), and its (sub)gradients.

    Layer by layer: a strength for each of all the parameters would be another array of
    their size to read, thrice a step. As a product, ``w * (l1 * sign(w) + l2 * w)``, of
    which the gradient is a part; XLA takes long to compile a sum.
    """
    penalty, gradients = 0, []
    for w, l1, l2 in zip(kernels, inputs["l1"], inputs["l2"], strict=True):
        half = l2 * w
        factor = l1 * tf.sign(w) + half
        product = _flat(w)[:, tf.newaxis] @ _flat(factor)[..., tf.newaxis]
        penalty += product[:, 0, 0]
        gradients.append(factor + half)
    return penalty, gradients


def _with_penalty(program, inputs, params, kernels, gradients):
    """The penalty, of shape (K,), and gradients (K, P) of the loss with it."""
    if program.xla:
        penalty, strain = _layer_penalties(kernels, inputs)
        parts = map(tf.add, gradients, strain)
        return penalty, tf.concat([_flat(part) for part in parts], axis=1)
    # The same at once: without XLA it is the number of operations that counts.
    half = inputs["l2"] * params
    factor = inputs["l1"] * tf.sign(params) + half
    shape = tf.stack([tf.shape(params)[0], -1])
    parts = [tf.reshape(part, shape) for part in gradients]
    gradients = tf.add_n([tf.concat(parts, axis=1), factor, half])
    return tf.reduce_sum(params * factor, axis=1), gradients


def _sum(terms, inputs):
    """Sums over the parameters: a long sum by other means is long to compile."""
    return tf.reshape(terms @ inputs["ones"], [-1])


def _absorb(program, inputs, state, kernels, gradients, moves):
    """Take gradients and penalty into the slots of the networks that move, or of all.

    Returns the penalty too.
    """
    penalty, gradients = _with_penalty(
        program, inputs, state.params, kernels, gradients
    )
    new = program.rule.accumulate(gradients, state.slots, inputs["hyper"])
    slots = tuple(_where(moves, *pair) for pair in zip(new, state.slots, strict=True))
    steps = 1 if moves is None else tf.cast(moves, state.step.dtype)
    return penalty, state._replace(slots=slots, step=state.step + steps)


def _move(rule, hyper, state, moved):
    """Move the networks whose slots a step has changed, or all.

    With XLA the next step does it, not that one itself: to update an array in its
    place, nothing may read it but what is computed before. It copied the slots else,
    and worked them out twice.
    """
    move = rule.move(state.slots, state.step[:, tf.newaxis], hyper)
    return state._replace(params=_where(moved, state.params - move, state.params))


def _where(moves, new, old):
    """What is new, of the networks that move.

    Not by a factor 0, which would turn an infinity into NaN.
    """
    return new if moves is None else tf.where(moves[:, tf.newaxis], new, old)


def _end_of_epoch(program, layers, inputs, state, ends, epoch):
    """Check, validate and perhaps stop, if the segment ends an epoch.

    Returns the state and the figures (finite, val_loss, val_score).
    """
    lost = tf.cast(~tf.math.is_finite(state.params), program.dtype)
    finite = _sum(lost, inputs) == 0
    val_loss = val_score = tf.zeros_like(state.step)
    if "validation" in inputs:
        val_loss, val_score = _validate(program, layers, inputs, state, ends)
    if program.stopping:
        state = _consider_stopping(inputs, state, val_loss, ends, epoch)
    # A network that is lost goes on to the end of its epoch, where it is reported.
    state = state._replace(active=state.active & (finite | ~ends))
    return state, (tf.cast(finite, program.dtype), val_loss, val_score)


def _validate(program, layers, inputs, state, ends):
    """Mean loss and score of each network over its validation rows."""
    validation = inputs["validation"]
    kernels = _kernels(program, layers, state.params)
    nothing = tf.zeros((tf.shape(state.step)[0], 2), program.dtype)

    def one_chunk(c, sums):
        _, x, targets, weight, score_weight = _gather(
            program, layers, inputs, validation, c
        )
        _, _, logits = forward(program.activation, kernels, x, bare=not program.xla)
        losses = weight * program.row_losses(targets, logits)
        scores = program.score(targets, logits, score_weight)
        return c + 1, sums + tf.reduce_sum(tf.stack([losses, scores], -1), axis=-2)

    n_chunks = tf.where(ends, tf.shape(validation["rows"])[0], 0)
    _, sums = tf.while_loop(
        lambda c, _: c < n_chunks, one_chunk, (tf.constant(0), nothing)
    )
    n = tf.cast(tf.reduce_sum(validation["counts"], axis=0), program.dtype)
    return tf.unstack(sums / n[:, tf.newaxis], num=2, axis=1)


def _consider_stopping(inputs, state, val_loss, ends, epoch):
    """Keep the best weights; two thresholds, as in the Keras loop."""
    counts = state.active & ends
    progress = val_loss <= state.best_loss - inputs["tol"]
    wait = tf.where(progress, 0, state.wait + 1)
    better = counts & ((val_loss < state.best_loss) | (state.best_epoch == 0))
    return state._replace(
        best_params=tf.where(better[:, tf.newaxis], state.params, state.best_params),
        best_loss=tf.where(better, val_loss, state.best_loss),
        best_epoch=tf.where(better, epoch, state.best_epoch),
        wait=tf.where(counts, wait, state.wait),
        active=state.active & ~(counts & (wait >= inputs["patience"])),
    )
