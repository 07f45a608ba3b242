"""Loops of the compiled function, and how it is run where networks are small.

A step is a hundred small operations. TensorFlow's usual executor passes them from
thread to thread, which takes longer than most of them where a network is small; its
single-threaded executor runs one after the other in the thread that calls. It knows
functional loops only, which `tf.while_loop` does not make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def while_loop(
    condition: Callable[[Any, Any], tf.Tensor],
    body: Callable[[Any, Any], Any],
    variables: Any,
    constants: Any,
    *,
    xla: bool,
) -> Any:
    """Repeat ``variables = body(variables, constants)`` while the condition holds.

    Parameters
    ----------
    condition : callable
        ``condition(variables, constants)`` gives a bool.
    body : callable
        Without XLA it may use no other tensors than these.
    variables, constants : nested structure of tensors
        Without XLA; with it, constants may be anything.
    xla : bool
        Whether the function around it is compiled by XLA.

    Returns
    -------
    nested structure of tensors
        The variables in the end.
    """
    if xla:
        return tf.while_loop(
            lambda *v: condition(v, constants),
            lambda *v: body(v, constants),
            variables,
            parallel_iterations=1,  # each iteration needs what the last one made
        )
    of_variables, of_constants = map(tf.nest.flatten, (variables, constants))
    flat = [*of_variables, *of_constants]
    n_variables = len(of_variables)
    specs = [
        *(tf.TensorSpec([None] * t.shape.rank, t.dtype) for t in of_variables),
        *(tf.TensorSpec(t.shape, t.dtype) for t in of_constants),
    ]

    def packed(flat: tuple[tf.Tensor, ...]) -> tuple[Any, Any]:
        return (
            tf.nest.pack_sequence_as(variables, flat[:n_variables]),
            tf.nest.pack_sequence_as(constants, flat[n_variables:]),
        )

    def flat_condition(*flat: tf.Tensor) -> tf.Tensor:
        return condition(*packed(flat))

    def flat_body(*flat: tf.Tensor) -> list[tf.Tensor]:
        return [*tf.nest.flatten(body(*packed(flat))), *flat[n_variables:]]

    results = tf.raw_ops.StatelessWhile(
        input=flat,
        cond=_traced(flat_condition, specs),
        body=_traced(flat_body, specs),
        output_shapes=[spec.shape for spec in specs],
        parallel_iterations=1,
    )
    return tf.nest.pack_sequence_as(variables, results[:n_variables])


def single_threaded(function: Callable[..., Any], specs: Any) -> Callable[..., Any]:
    """A function of tensors of these specs, run by the single-threaded executor.

    Without TensorFlow's graph optimizer, which takes a quarter of the time until the
    first step and gains nothing for small networks.
    """
    traced = _traced(function, specs)
    dtypes = [tensor.dtype for tensor in traced.outputs]
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True

    def run(*arguments: Any) -> Any:
        outputs = tf.raw_ops.PartitionedCall(
            args=[*tf.nest.flatten(arguments), *traced.captured_inputs],
            Tout=dtypes,
            f=traced,
            config_proto=config.SerializeToString(),
            executor_type="SINGLE_THREADED_EXECUTOR",
        )
        return tf.nest.pack_sequence_as(traced.structured_outputs, outputs)

    return run


def _traced(function: Callable[..., Any], specs: Any) -> Any:
    """The graph of a function of tensors of these specs.

    Not by `tf.function`, which adds an operation per result, to keep an order that
    only side effects need: tracing takes half as long again, and a step is longer.
    """
    return tf.compat.v1.wrap_function(function, specs)
