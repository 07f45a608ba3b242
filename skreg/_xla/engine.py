"""Trains K networks of one architecture at once, arrays in, arrays out.

All epochs run inside one compiled function, see `skreg._xla.program`, called again
only so that no call lasts longer than about a second, and an interrupt is noticed; or
once per epoch, where something wants to see the networks after each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from skreg._xla.batches import calls, training_batches
from skreg._xla.compiled import compiled_function, reserve_xla_program
from skreg._xla.history import History
from skreg._xla.inputs import as_tensor, fixed_inputs, initial_state
from skreg._xla.interrupts import interrupts_deferred
from skreg._xla.noise import noise_of_networks, random_bits
from skreg._xla.pieces import flat_of
from skreg._xla.planning import (
    SINGLE_THREADED_PARAMS,
    Calling,
    Pace,
    plan_calls,
    xla_pays,
    xla_seconds,
)
from skreg._xla.program import Kept, Program, State, carried_of, weights_of
from skreg._xla.schedules import LearningRates
from skreg._xla.stacked import Data, Networks


@dataclass(frozen=True)
class Result:
    """One trained network.

    `best_epoch` counts from 1, and is 0 where early stopping kept the weights from
    before the training; `failed_epoch` is that of non-finite weights, or 0.
    `optimizer_arrays` is what `Networks` takes under this name, of this network alone,
    and `wait` likewise; both are those of the epoch that was kept. Early stopping
    forgets the arrays where the program does not keep them: then they are None.
    """

    kernels: list
    biases: list
    history: dict[str, list[float]]
    best_epoch: int
    failed_epoch: int
    optimizer_arrays: dict[str, Any] | None
    wait: int
    interrupted: bool


class EpochHooks(Protocol):
    """What is called before and after every epoch, counted from 0."""

    def begin(self, epoch: int, active: NDArray[Any]) -> None:
        """`active`, of shape (K,): which networks are to train."""

    def end(
        self, epoch: int, ran: NDArray[Any], results: Callable[[], list[Result]]
    ) -> NDArray[Any]:
        """Which networks are to stop, as bools of shape (K,).

        `ran`, of that shape: which have trained, and not diverged; `results` gives
        what `train` would return if all stopped here.
        """


def train(
    program: Program,
    networks: Networks,
    data: Data,
    batch_size: int,
    epochs: int,
    *,
    first_epoch: int = 0,
    longest: int | None = None,
    network_epochs: int | None = None,
    most_rows: tuple[int, int] = (0, 0),
    report: Callable[[int, dict[str, Any]], None] | None = None,
    hooks: EpochHooks | None = None,
    check: Callable[[], None] | None = None,
    interruptible: bool = False,
    stop_at_failure: bool = False,
    dry_run: bool = False,
) -> list[Result]:
    """Train K networks.

    Parameters
    ----------
    program : Program
    networks : Networks
    data : Data
    batch_size : int
        Of all networks.
    epochs : int
        Fewer are run where all networks have stopped.
    first_epoch : int, default=0
        Epochs that were run before, and used up their share of the noise.
    longest : int, default=None
        Epochs of the longest training that is to share the compiled program; None means
        that there is none but this one.
    network_epochs : int, default=None
        Epochs of all networks that are to share it; None as for `longest`.
    most_rows : (int, int), default=(0, 0)
        The most rows that X, and the data, of such a training have.
    report : callable, default=None
        ``report(epoch, log)`` after every epoch, counted from 1, with a dict of
        arrays of shape (K,).
    hooks : EpochHooks, default=None
        Called while the networks are as an epoch finds and leaves them: each epoch
        then takes a call of the compiled function of its own.
    check : callable, default=None
        Called without arguments about once a second. What it raises ends the training.
    interruptible : bool, default=False
        Whether a `KeyboardInterrupt` ends the training, with what was learned until
        then, once there is an epoch.
    stop_at_failure : bool, default=False
        Whether weights that become non-finite end the training of all networks.
    dry_run : bool, default=False
        Trace, or compile, only, so that the next call on arrays of such sizes starts at
        once.

    Returns
    -------
    list of Result
        Empty after a dry run.
    """
    n_steps = max(math.ceil(len(rows) / batch_size) for rows in data.order(0))
    longest = longest or epochs
    together = longest if hooks is None else 1
    network_steps = n_steps * (network_epochs or len(networks) * longest)
    program, calling, inputs = _choose_variant(
        program,
        networks,
        data,
        batch_size,
        n_steps,
        longest,
        network_steps,
        together,
        most_rows,
    )
    with interrupts_deferred():
        state = initial_state(networks, program, active=not dry_run)
        active = state.active.numpy()
    rates = _scheduled_rates(networks, program)
    history = History(len(networks), data.validation is not None)
    interrupted = False
    pace = Pace(calling)

    def steps_per_call() -> int:
        return pace.n_steps if hooks is None else min(pace.n_steps, n_steps)

    snapshot = state, 0  # where an epoch has ended: the state, and how many have
    try:
        for segments in calls(epochs, n_steps, steps_per_call):
            if check is not None:
                check()
            epoch, first, _ = segments[0]
            if hooks is not None and first == 0:
                hooks.begin(epoch, active)
            n_taken = sum(last - first for _, first, last in segments)
            n_slots = calling.n_slots if program.xla else n_taken
            with interrupts_deferred():
                plan = training_batches(
                    segments,
                    data,
                    batch_size,
                    n_steps,
                    n_slots,
                    unbatched=program.unbatched,
                )
                if program.dropout:
                    shape = batch_size, program.n_hidden_units
                    of_noise = [(first_epoch + e, a, b) for e, a, b in segments]
                    plan["noise"] = random_bits(of_noise, shape, n_slots)
                    if not program.xla:
                        keys = networks.noise_keys
                        plan["noise"] = noise_of_networks(plan["noise"], keys)
                if rates is not None:
                    moves = plan["n_rows"] > 0
                    plan["rates"] = rates.of_steps(state.step.numpy(), moves)
                plan = tf.nest.map_structure(as_tensor, plan)
                run = compiled_function(program, inputs, plan, state)
                start = time.perf_counter()
                state, figures = run(inputs, plan, state)
                del plan  # before the next one is made
                logs = history.extend(segments, figures.numpy(), n_steps)
                pace.timed(n_taken, time.perf_counter() - start)
                active = state.active.numpy()
                if segments[-1][-1] == n_steps:
                    snapshot = state, len(history)
            # Last, as an interrupt may well come while this prints.
            if report is not None:
                for n, log in enumerate(logs, start=len(history) - len(logs) + 1):
                    report(n, log)
            if hooks is not None and logs:
                results = partial(_results, program, *snapshot, history, False)
                stop = hooks.end(epoch, history.last_ran, results)
                if stop.any():
                    active &= ~stop
                    with interrupts_deferred():
                        state = state._replace(active=as_tensor(active))
            if stop_at_failure and history.has_failures:
                break
            if not active.any():
                break
    except KeyboardInterrupt:
        if not (interruptible and snapshot[1]):
            raise
        interrupted = True
    return [] if dry_run else _results(program, *snapshot, history, interrupted)


@interrupts_deferred()
def _choose_variant(
    program: Program,
    networks: Networks,
    data: Data,
    batch_size: int,
    n_steps: int,
    epochs: int,
    network_steps: int,
    together: int,
    most_rows: tuple[int, int],
) -> tuple[Program, Calling, dict[str, Any]]:
    """The program's variant, how it is called, and what all calls share.

    A call takes as many epochs as `together` at most.
    """

    def choose(xla: bool) -> tuple[Program, Calling, dict[str, Any]]:
        n = len(networks)
        chosen = replace(
            program,
            xla=xla,
            unbatched=n == 1 and not xla,
            single_threaded=not xla and n * program.n_params <= SINGLE_THREADED_PARAMS,
        )
        n_noises = 1 if xla else len(np.unique(networks.noise_keys))
        calling = plan_calls(chosen, data, batch_size, n_steps, together, n, n_noises)
        return chosen, calling, fixed_inputs(networks, data, chosen, most_rows)

    size = program.layers, batch_size, n_steps * epochs, len(networks)
    if xla_pays(data.X, data.targets, *size, network_steps):
        chosen, calling, inputs = choose(xla=True)
        layers, *others = size
        seconds = xla_seconds(layers, program.dtype, *others)
        if reserve_xla_program(chosen, batch_size, calling.n_slots, inputs, seconds):
            return chosen, calling, inputs
    return choose(xla=False)


def _scheduled_rates(networks: Networks, program: Program) -> LearningRates | None:
    """What gives the learning rates of each call; None where they do not change."""
    if networks.schedules is None:
        return None
    momentum = networks.hyper.get("momentum", np.zeros(len(networks)))
    return LearningRates(networks.schedules, momentum, program.dtype)


@interrupts_deferred()
def _results(
    program: Program, state: State, n_epochs: int, history: History, interrupted: bool
) -> list[Result]:
    """Weights out of the state, one `Result` per network."""
    if program.early_stopping:
        left = state.kept
    else:
        carried = carried_of(program, state)
        left = Kept(weights_of(program, state), carried, state.step, state.wait)
    params, wait = flat_of(left.weights), left.wait.numpy()
    arrays = None
    if program.keeps_slots or not program.early_stopping:
        named = zip(program.carried, left.carried, strict=True)
        # Not cut by TensorFlow, for which each network's part is an operation.
        arrays = {"step": left.step.numpy()}
        arrays |= {name: flat_of(pieces) for name, pieces in named}
    results = []
    for k in range(len(params)):
        past, failed_epoch = history.of(k, n_epochs)
        kernels, biases, start = [], [], 0
        for n_in, n_out in program.layers:
            stop = start + n_in * n_out
            kernels.append(params[k, start:stop].reshape(n_in, n_out).copy())
            biases.append(params[k, stop : stop + n_out].copy())
            start = stop + n_out
        results.append(
            Result(
                kernels=kernels,
                biases=biases,
                history=past,
                best_epoch=(
                    int(state.best_epoch[k])
                    if program.early_stopping
                    else len(past["loss"])
                ),
                failed_epoch=failed_epoch,
                optimizer_arrays=(
                    None
                    if arrays is None
                    else {name: a[k : k + 1].copy() for name, a in arrays.items()}
                ),
                wait=int(wait[k]),
                interrupted=interrupted,
            )
        )
    return results
