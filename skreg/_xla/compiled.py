"""The compiled function: segments of steps, each perhaps the end of an epoch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import tensorflow as tf

from skreg._xla.epoch_end import end_epoch
from skreg._xla.loops import single_threaded, while_loop
from skreg._xla.pieces import layer_slices
from skreg._xla.program import N_FIGURES, Program, State
from skreg._xla.steps import run_steps

# Functions without XLA that are kept; the least recently used goes first.
MAX_FUNCTIONS = 64
# Programs that XLA compiles in a process. TensorFlow never frees one, which takes some
# 10 MB. So their functions are all kept: for a new one XLA would compile again. Of long
# trainings, which are two or three times longer without, there may be more.
MAX_XLA_PROGRAMS = 32
MAX_XLA_PROGRAMS_OF_LONG_TRAININGS = 128
LONG_TRAINING_SECONDS = 1.0

_functions: OrderedDict[tuple[Any, ...], Callable[..., Any]] = OrderedDict()
_xla_programs: set[Hashable] = set()
_lock = threading.Lock()


def reserve_xla_program(
    program: Program,
    batch_size: int,
    n_slots: int,
    inputs: dict[str, Any],
    seconds: float,
) -> bool:
    """Whether XLA may compile for arrays of such sizes, or has done so before.

    Beside those of `inputs`, which all calls share, `batch_size` and `n_slots` give
    the sizes of a plan; `seconds` is about how long a training takes.
    """
    is_long = seconds >= LONG_TRAINING_SECONDS
    limit = MAX_XLA_PROGRAMS_OF_LONG_TRAININGS if is_long else MAX_XLA_PROGRAMS
    sizes = (tuple(array.shape) for array in tf.nest.flatten(inputs))
    compiled_for = (program, batch_size, n_slots, *sizes)
    with _lock:
        if len(_xla_programs) < limit:
            _xla_programs.add(compiled_for)
        return compiled_for in _xla_programs


def compiled_function(program: Program, *arguments: Any) -> Callable[..., Any]:
    """The compiled function for such arguments, from the cache or new.

    It is traced once for arrays of all sizes; XLA compiles it for each set of them.
    """
    specs = tf.nest.map_structure(
        lambda a: tf.TensorSpec([None] * a.ndim, a.dtype), arguments
    )
    # Without XLA the sizes of the layers are tensors, and only their number matters.
    layers: Any = program.layers if program.xla else len(program.layers)
    key = (replace(program, layers=layers), *tf.nest.flatten(specs))
    with _lock:
        if key not in _functions:
            _functions[key] = _compile(program, specs)
        _functions.move_to_end(key)
        plain = [kept for kept in _functions if not kept[0].xla]
        for oldest in plain[:-MAX_FUNCTIONS]:
            del _functions[oldest]
        return _functions[key]


def _compile(program: Program, specs: Any) -> Callable[..., Any]:
    function = partial(_run_segments, program)
    if program.single_threaded:
        return single_threaded(function, specs)
    options = {"jit_compile": program.xla, "autograph": False}
    traced = tf.function(function, input_signature=specs, **options)
    return traced.get_concrete_function()  # whose calls take a millisecond less


def _run_segments(
    program: Program, inputs: dict[str, Any], plan: dict[str, Any], state: State
) -> tuple[State, tf.Tensor]:
    """Train through the segments of a plan: this is what gets compiled.

    Returns the state and, for every segment, the figures (n_segments, K, columns).
    """
    # Not a tf.TensorArray, which can be no variable of a functional loop.
    figures_shape = tf.stack([tf.shape(state.step)[0], N_FIGURES])
    figures = tf.raw_ops.TensorListReserve(
        element_shape=figures_shape,
        num_elements=tf.shape(plan["bounds"])[0],
        element_dtype=program.dtype,
    )

    def one_segment(variables: Any, constants: Any) -> Any:
        i, state, figures = variables
        slices, inputs, plan = constants
        bounds = tf.gather(plan["bounds"], i)
        first, last, ends, epoch = tf.unstack(bounds, num=4)
        ran = state.active
        state, sums = run_steps(program, slices, inputs, plan, state, first, last)
        state, checks = end_epoch(program, slices, inputs, state, ends > 0, epoch)
        columns = tf.stack([tf.cast(ran, program.dtype), *sums, *checks], axis=-1)
        figures = tf.raw_ops.TensorListSetItem(
            input_handle=figures, index=i, item=columns
        )
        return i + 1, state, figures

    def any_left(variables: Any, constants: Any) -> tf.Tensor:
        i, state, _ = variables
        _, _, plan = constants
        return (i < plan["n_segments"]) & tf.reduce_any(state.active)

    _, state, figures = while_loop(
        any_left,
        one_segment,
        (tf.constant(0), state, figures),
        (layer_slices(program, inputs), inputs, plan),
        xla=program.xla,
    )
    figures = tf.raw_ops.TensorListStack(
        input_handle=figures,
        element_shape=figures_shape,
        element_dtype=program.dtype,
    )
    return state, figures
