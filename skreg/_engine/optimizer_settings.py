"""What Keras' optimizers have in common: clipping, weight decay, schedules.

They go around an update rule, which knows nothing of them: gradients are clipped before
it accumulates them, weights decay beside its update, and a schedule replaces its
learning rate.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from skreg._engine.program import LayerSlice, Program
from skreg._engine.update_rules import Hyper


def hyper_of_step(
    program: Program, inputs: dict[str, Any], plan: dict[str, Any], t: tf.Tensor
) -> Hyper:
    """The hyperparameters, each (K, 1), of step t of a call."""
    if not program.scheduled:
        return inputs["hyper"]
    rate, rate_sum = tf.unstack(tf.gather(plan["rates"], t), num=2)
    return {**inputs["hyper"], "learning_rate": rate, "rate_sum": rate_sum}


def clip(
    program: Program, slices: list[LayerSlice], hyper: Hyper, gradients: tf.Tensor
) -> tf.Tensor:
    """Clip gradients (K, P) as the optimizer is set, each network's by its own norm."""
    if program.clipping is None:
        return gradients
    limit = hyper["clip"]
    if program.clipping == "clipvalue":
        return tf.clip_by_value(gradients, -limit, limit)
    if program.clipping == "global_clipnorm":
        return _clip_norms(gradients, limit)
    sizes = [size for s in slices for size in (s.n_in * s.n_out, s.n_out)]
    variables = tf.split(gradients, sizes, axis=1, num=len(sizes))
    return tf.concat([_clip_norms(v, limit) for v in variables], axis=1)


def _clip_norms(gradients: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Shorten rows (K, n) of a norm above the limits (K, 1)."""
    # As products, since XLA takes long for a sum.
    squares = gradients[:, tf.newaxis] @ gradients[:, :, tf.newaxis]
    norms = tf.sqrt(tf.squeeze(squares, axis=2))
    return gradients * (limit / tf.maximum(norms, limit))


def decay(hyper: Hyper, params: tf.Tensor) -> tf.Tensor:
    """What weight decay subtracts from weights and biases (K, P), beside an update."""
    return params * hyper["weight_decay"] * hyper["learning_rate"]
