"""What Keras' optimizers have in common: clipping, weight decay, schedules.

They go around an update rule, which knows nothing of them: gradients are clipped before
it accumulates them, weights decay beside its update, and a schedule replaces its
learning rate.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from skreg._xla.pieces import LayerSlice
from skreg._xla.program import Pieces, Program
from skreg._xla.sums import totals
from skreg._xla.update_rules import Hyper


def hyper_of_step(
    program: Program, inputs: dict[str, Any], plan: dict[str, Any], t: tf.Tensor
) -> Hyper:
    """The hyperparameters of step t of a call, as from `of_networks`."""
    if not program.scheduled:
        return inputs["hyper"]
    rates = tf.gather(plan["rates"], t)
    if program.xla:
        rates = tf.expand_dims(rates, -1)
    rate, rate_sum = tf.unstack(rates, num=2)
    return {**inputs["hyper"], "learning_rate": rate, "rate_sum": rate_sum}


def clip(
    program: Program,
    slices: list[LayerSlice],
    hyper: Hyper,
    gradients: Pieces,
) -> Pieces:
    """Clip gradients as the optimizer is set, by a network's own norms."""
    if program.clipping is None:
        return gradients
    limit = hyper["clip"]
    if program.clipping == "clipvalue":
        return tuple(tf.clip_by_value(g, -limit, limit) for g in gradients)
    if program.clipping == "global_clipnorm":
        norms = tf.sqrt(tf.add_n([totals(g * g) for g in gradients]))
        return tuple(_shorten(g, norms, limit) for g in gradients)
    layers = [[s] for s in slices] if program.xla else [slices]
    return tuple(
        _clip_variables(program, of_piece, limit, gradient)
        for of_piece, gradient in zip(layers, gradients, strict=True)
    )


def _clip_variables(
    program: Program, layers: list[LayerSlice], limit: tf.Tensor, gradient: tf.Tensor
) -> tf.Tensor:
    """Clip a piece's gradient by the norms of weights and of biases."""
    sizes = [size for s in layers for size in (s.n_in * s.n_out, s.n_out)]
    if program.xla:
        sizes = [layers[0].n_in, 1]
    variables = tf.split(gradient, sizes, axis=1, num=len(sizes))
    norms = [tf.sqrt(totals(v * v)) for v in variables]
    pairs = zip(variables, norms, strict=True)
    return tf.concat([_shorten(*pair, limit) for pair in pairs], axis=1)


def _shorten(gradient: tf.Tensor, norm: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Shorten what has a norm above the limit."""
    return gradient * (limit / tf.maximum(norm, limit))


def decay(hyper: Hyper, params: tf.Tensor) -> tf.Tensor:
    """What weight decay subtracts from weights and biases, beside an update."""
    return params * hyper["weight_decay"] * hyper["learning_rate"]
