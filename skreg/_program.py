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
        shape (K, n_rows), whose mean over the rows is reported.
    update : callable
        ``update(params, gradients, slots, step, hyper)`` gives new params and slots;
        elementwise, so that networks do not meet in it.
    n_slots : int
        Arrays of the shape of the parameters that `update` carries along.
    dtype : str
    dropout, stopping : bool
        Whether there is any.
    """

    layers: tuple
    activation: Callable
    row_losses: Callable
    score: Callable
    update: Callable
    n_slots: int
    dtype: str
    dropout: bool
    stopping: bool


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


def compiled(program, xla, *arguments):
    """The compiled function for such arguments, from the cache or new."""
    specs = tf.nest.map_structure(
        lambda a: tf.TensorSpec(a.shape if xla else [None] * a.ndim, a.dtype),
        arguments,
    )
    layers = program.layers if xla else len(program.layers)
    key = (replace(program, layers=layers), *tf.nest.flatten(specs))
    with _programs_lock:
        if key not in _programs:
            body = partial(_run, program, xla)
            _programs[key] = tf.function(
                body, input_signature=specs, jit_compile=xla, autograph=False
            )
        _programs.move_to_end(key)
        if len(_programs) > PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


_programs = OrderedDict()
_programs_lock = threading.Lock()


def _run(program, xla, inputs, plan, state):
    """Train through the segments of a plan: this is what gets compiled.

    Returns the state and, for every segment, the figures (n_segments, K, columns).
    """
    figures = tf.TensorArray(program.dtype, tf.shape(plan["bounds"])[0])

    def one_segment(i, state, figures):
        first, last, ends, epoch = tf.unstack(plan["bounds"][i], num=4)
        ran = state.active
        state, sums = _steps(program, xla, inputs, plan, state, first, last)
        state, checks = _end_of_epoch(program, xla, inputs, state, ends > 0, epoch)
        columns = tf.stack([tf.cast(ran, program.dtype), *sums, *checks], axis=-1)
        return i + 1, state, figures.write(i, columns)

    def goes_on(i, state, figures):
        return (i < plan["n_segments"]) & tf.reduce_any(state.active)

    _, state, figures = tf.while_loop(
        goes_on, one_segment, (tf.constant(0), state, figures)
    )
    return state, figures.stack()


def _steps(program, xla, inputs, plan, state, first, last):
    """Gradient steps from first to last; the sums of rows, data loss and penalty."""
    nothing = tf.zeros_like(state.step)

    def one_step(t, state, sums):
        rows, count = plan["rows"][t], plan["counts"][t]
        x, targets, weight = (
            tf.gather(inputs[name], rows) for name in ("X", "targets", "weight")
        )
        weight = _valid(weight, count)
        n = tf.cast(tf.maximum(count, 1), program.dtype)
        kernels, biases = _unflatten(program, xla, inputs, state.params)
        layers = _forward(program, kernels, biases, x, inputs, plan["keys"][t])
        with tf.GradientTape() as tape:
            tape.watch(layers.logits)
            row_losses = program.row_losses(targets, layers.logits)
            data_loss = tf.reduce_sum(weight * row_losses, axis=-1) / n
        slope = tape.gradient(data_loss, layers.logits)
        gradients = _backward(kernels, layers, slope, inputs)
        penalty = _penalty(kernels, inputs)
        moves = state.active & (count > 0)
        state = _update(program, inputs["hyper"], state, gradients, moves)
        n = tf.where(moves, n, 0)
        return t + 1, state, _add(sums, (n, n * data_loss, n * penalty))

    _, state, (n, data_loss, penalty) = tf.while_loop(
        lambda t, *_: t < last, one_step, (first, state, (nothing,) * 3)
    )
    return state, (n, data_loss, penalty)


def _add(sums, terms):
    return tuple(a + b for a, b in zip(sums, terms, strict=True))


def _valid(weight, count):
    """Weights (K, B) with those of padded rows at 0."""
    return tf.where(tf.range(tf.shape(weight)[1]) < count[:, tf.newaxis], weight, 0)


def _unflatten(program, xla, inputs, params):
    """Kernels (K, n_in, n_out) and biases (K, 1, n_out) out of params (K, P)."""
    layers = program.layers
    if not xla:  # one program serves all sizes
        layers = [
            tf.unstack(layer, 2) for layer in tf.unstack(inputs["layers"], len(layers))
        ]
    shapes = [shape for n_in, n_out in layers for shape in ((n_in, n_out), (1, n_out))]
    parts = tf.split(params, [a * b for a, b in shapes], axis=1, num=len(shapes))
    parts = [
        tf.reshape(part, (-1, *shape))
        for part, shape in zip(parts, shapes, strict=True)
    ]
    return parts[::2], parts[1::2]


class _Layers(NamedTuple):
    """A forward pass: what goes into each layer, and how to get back from there."""

    inputs: list  # (K, B, n_in) of each layer
    tapes: list  # of the hidden layers, from before the activation to after dropout
    before: list
    logits: tf.Tensor  # (K, B, n_outputs)


def _forward(program, kernels, biases, h, inputs, noise_key=None):
    """Push rows forward; with a key for the noise, dropout is on."""
    layers = _Layers([h], [], [], None)
    for i, (kernel, bias) in enumerate(zip(kernels[:-1], biases[:-1], strict=True)):
        z = h @ kernel + bias
        with tf.GradientTape() as tape:
            tape.watch(z)
            h = program.activation(z)
            if program.dropout and noise_key is not None:
                rate = inputs["rates"][:, i, tf.newaxis, tf.newaxis]
                noise = _noise(tf.shape(h)[1:], inputs["noise_seed"], noise_key + i)
                kept = tf.cast(noise, program.dtype) >= rate * 2**32
                h = tf.where(kept, h / (1 - rate), 0)
        layers.inputs.append(h)
        layers.tapes.append(tape)
        layers.before.append(z)
    return layers._replace(logits=h @ kernels[-1] + biases[-1])


def _noise(shape, seed, key):
    """One noise for all networks, each of which has its own rate.

    Integers, since only they are the same with XLA and without.
    """
    return tf.random.stateless_uniform(
        shape, (seed, key), minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )


def _backward(kernels, layers, slope, inputs):
    """Gradients (K, P) of data loss and penalty, from the slope of the logits."""
    parts = []
    for i in reversed(range(len(kernels))):
        kernel, h = kernels[i], layers.inputs[i]
        gradient = tf.matmul(h, slope, transpose_a=True)
        gradient += _penalty_slope(kernel, inputs, i)
        n = tf.shape(kernel)[0]
        parts = [
            tf.reshape(gradient, (n, -1)),
            tf.reduce_sum(slope, axis=1),
            *parts,
        ]
        if i:
            slope = layers.tapes[i - 1].gradient(
                h, layers.before[i - 1], tf.matmul(slope, kernel, transpose_b=True)
            )
    return tf.concat(parts, axis=1)


def _penalty(kernels, inputs):
    """``l1 * sum(|w|) + l2 * sum(w**2)`` over the kernels, of shape (K,)."""
    parts = []
    for i, w in enumerate(kernels):
        l1, l2 = _strengths(inputs, i)
        parts.append(tf.reduce_sum(l1 * tf.abs(w) + l2 * tf.square(w), (1, 2)))
    return tf.add_n(parts)


def _penalty_slope(kernel, inputs, i):
    """The penalty's (sub)gradient for the kernel of a layer."""
    l1, l2 = _strengths(inputs, i)
    return l1 * tf.sign(kernel) + l2 * (kernel + kernel)


def _strengths(inputs, i):
    """l1 and l2 of a layer, of shape (K, 1, 1)."""
    return (inputs[name][:, i, tf.newaxis, tf.newaxis] for name in ("l1", "l2"))


def _update(program, hyper, state, gradients, moves):
    """One optimizer step of the networks that move; the others stay as they are.

    By `where`, not by a factor 0, which would turn an infinity into NaN.
    """
    step = state.step + 1
    params, slots = program.update(
        state.params, gradients, state.slots, step[:, tf.newaxis], hyper
    )
    column = moves[:, tf.newaxis]
    return state._replace(
        params=tf.where(column, params, state.params),
        slots=tuple(
            tf.where(column, new, old)
            for new, old in zip(slots, state.slots, strict=True)
        ),
        step=tf.where(moves, step, state.step),
    )


def _end_of_epoch(program, xla, inputs, state, ends, epoch):
    """Check, validate and perhaps stop, if the segment ends an epoch.

    Returns the state and the figures (finite, val_loss, val_score).
    """
    finite = tf.reduce_all(tf.math.is_finite(state.params), axis=1)
    val_loss = val_score = tf.zeros_like(state.step)
    if "validation" in inputs:
        val_loss, val_score = _validate(program, xla, inputs, state, ends)
    if program.stopping:
        state = _consider_stopping(inputs, state, val_loss, ends, epoch)
    # A network that is lost goes on to the end of its epoch, where it is reported.
    state = state._replace(active=state.active & (finite | ~ends))
    return state, (tf.cast(finite, program.dtype), val_loss, val_score)


def _validate(program, xla, inputs, state, ends):
    """Mean loss and score of each network over its validation rows."""
    validation = inputs["validation"]
    kernels, biases = _unflatten(program, xla, inputs, state.params)
    nothing = tf.zeros_like(state.step)

    def one_chunk(c, sums):
        rows, count = validation["rows"][c], validation["counts"][c]
        x, targets, weight, score_weight = (
            tf.gather(inputs[name], rows)
            for name in ("X", "targets", "weight", "score_weight")
        )
        logits = _forward(program, kernels, biases, x, inputs).logits
        losses = _valid(weight, count) * program.row_losses(targets, logits)
        scores = program.score(targets, logits, _valid(score_weight, count))
        terms = (tf.reduce_sum(losses, axis=-1), tf.reduce_sum(scores, axis=-1))
        return c + 1, _add(sums, terms)

    n_chunks = tf.where(ends, tf.shape(validation["rows"])[0], 0)
    _, (loss, score) = tf.while_loop(
        lambda c, _: c < n_chunks, one_chunk, (tf.constant(0), (nothing, nothing))
    )
    n = tf.cast(tf.reduce_sum(validation["counts"], axis=0), program.dtype)
    return loss / n, score / n


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
