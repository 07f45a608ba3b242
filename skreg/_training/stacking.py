"""Tasks for the compiled engine: which can be stacked, and how."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._xla import engine
from skreg._xla.inputs import MAX_PADDED_BYTES
from skreg._xla.planning import xla_pays, xla_seconds
from skreg._xla.program import Program
from skreg._xla.stacked import Networks
from skreg._xla.update_rules import UpdateRule
from skreg._prediction.activations import keras_activation
from skreg._training.forking import check_fork
from skreg._training.initialization import initial_weights
from skreg._training.out_of_memory import memory_errors
from skreg._training.schedules import schedule_of
from skreg._training.stacked_rows import stack_rows
from skreg._training.task import (
    DROPOUT,
    OptimizerState,
    ProgramScope,
    ResumePoint,
    Rows,
    Task,
    TrainedNetwork,
    derived_seed,
    non_finite_error,
)
from skreg._training.validating import loss_to_beat

# What a program has code for only where a network of its group needs it.
OPTIONAL_TERMS = (
    "dropout",
    "l1",
    "group_l1",
    "averaging",
    "weight_decay",
    "scheduled",
)
# Bounds of a group of networks: see `max_group_size`.
GROUP_BYTES = 1 << 22
MAX_GROUP_SIZE = 16


def why_not_compiled(task: Task) -> str | None:
    """What it is in a task that the compiled engine has no way to do, or None."""
    if keras.backend.backend() != "tensorflow":
        return f"the Keras backend {keras.backend.backend()!r}"
    if task.callbacks:
        return "Keras callbacks"
    if task.optimizer.update_rule is None:
        return f"this optimizer or its settings: {task.optimizer.cls.__name__}"
    if task.regularization.makes_zeros and not task.optimizer.takes_proximal_steps:
        return f"l1 or group_l1 beside this optimizer: {task.optimizer.cls.__name__}"
    return None


def stacking_key(task: Task) -> Hashable:
    """What networks that train together have in common; None if it must train alone."""
    if task.engine == "keras" or why_not_compiled(task) is not None:
        return None
    return (
        task.architecture,
        task.loss,
        task.optimizer.update_rule,
        task.optimizer.clipping,
        task.batch_size,
        task.epochs,
        task.shuffle,
        task.constant_outputs,
        task.validation is None,
        task.early_stopping is None,
        sparse.issparse(task.training.table),
        sparse.issparse(task.training.targets),
        task.first_epoch,
        bool(_accumulated(task)),
    )


def _accumulated(task: Task) -> dict[str, NDArray[Any]]:
    """What the optimizer has accumulated where the task resumes, if it can use it."""
    resume = task.resume
    return {} if resume is None else resume.arrays_of(_rule(task).name) or {}


def _rule(task: Task) -> UpdateRule:
    rule = task.optimizer.update_rule
    assert rule is not None, "see `why_not_compiled`"
    return rule


def used_terms(tasks: Iterable[Task]) -> frozenset[str]:
    """Those of `OPTIONAL_TERMS` that some of the networks need."""
    used: set[str] = set()
    for task in tasks:
        r = task.regularization
        needs = (
            any(r.dropout),
            any(r.l1),
            bool(r.group_l1),
            bool(task.ema_momentum),
            bool(task.optimizer.hyper["weight_decay"]),
            task.optimizer.schedule is not None,
        )
        used.update(itertools.compress(OPTIONAL_TERMS, needs))
    return frozenset(used)


def max_group_size(task: Task) -> int:
    """How many such networks are best trained together.

    So many that their parameters, with gradients and slots, fit the processor's
    cache.
    """
    n_arrays = 2 + len(_rule(task).slots)  # parameters, gradients
    itemsize = np.dtype(task.architecture.dtype).itemsize
    n_params = sum(
        (n_in + 1) * n_out for n_in, n_out in task.architecture.kernel_shapes
    )
    return min(max(1, GROUP_BYTES // (n_params * n_arrays * itemsize)), MAX_GROUP_SIZE)


def uses_xla(task: Task, n_networks: int) -> bool:
    """Whether XLA compiles for a group of such tasks, anew for each size."""
    rows, scope = task.training, _scope([task] * n_networks)
    n_steps = _steps_per_epoch(task)
    return xla_pays(
        rows.table,
        rows.targets,
        task.architecture.kernel_shapes,
        task.batch_size,
        n_steps * scope.epochs,
        n_networks,
        n_steps * scope.network_epochs,
    )


def group_seconds(task: Task, epochs: int, n_networks: int) -> float:
    """About how long a group of such networks trains with XLA, once compiled."""
    a = task.architecture
    n_steps = epochs * _steps_per_epoch(task)
    return xla_seconds(a.kernel_shapes, a.dtype, task.batch_size, n_steps, n_networks)


def _steps_per_epoch(task: Task) -> int:
    return math.ceil(len(task.training) / task.batch_size)


def train_together(
    tasks: list[Task],
    report: Callable[[int, dict[str, np.ndarray]], None] | None = None,
    check: Callable[[], None] | None = None,
    interruptible: bool = False,
    stop_at_failure: bool = False,
) -> list[TrainedNetwork | ValueError]:
    """Train networks that differ in rows and regularization in one computation.

    Parameters
    ----------
    tasks : list of Task
        Of equal `stacking_key`, or a single one.
    report : callable, default=None
        ``report(epoch, log)`` after every epoch, see `skreg._xla.engine.train`.
    check : callable, default=None
        Called without arguments about once a second. What it raises ends the training.
    interruptible : bool, default=False
        Whether an interrupt leaves what was learned until then.
    stop_at_failure : bool, default=False
        Whether weights that become non-finite end the training of all networks.

    Returns
    -------
    list of TrainedNetwork or ValueError
        The error, not raised, for a network whose weights became non-finite.
    """
    results = _run(
        tasks,
        report=report,
        check=check,
        interruptible=interruptible,
        stop_at_failure=stop_at_failure,
    )
    return [_trained(t, result) for t, result in zip(tasks, results, strict=True)]


def compile_ahead(tasks: list[Task], n_rows: int) -> None:
    """Trace, or compile, what trains such tasks together, all with `n_rows` rows."""
    task = tasks[0]
    table, labels = task.training.table, task.training.targets
    # XLA never compiles for these. The fit traces by itself, which takes less time.
    if sparse.issparse(table) or sparse.issparse(labels):
        return
    # To compile several programs at once takes memory, and here gains little time.
    if table.nbytes > MAX_PADDED_BYTES:
        return
    a = task.architecture
    weight = np.zeros(n_rows, a.dtype)
    targets = np.zeros((n_rows, labels.shape[1]), labels.dtype)
    X = np.zeros((n_rows, a.n_features), a.dtype)
    score_weight = task.loss.score_weights(weight, targets)
    rows = Rows(X, np.arange(n_rows), targets, weight, score_weight)
    _run([replace(t, training=rows, hooks=None) for t in tasks], dry_run=True)


@memory_errors()
def _run(tasks: list[Task], **options: Any) -> list[engine.Result]:
    check_fork()
    task = tasks[0]
    a = task.architecture
    scope = _scope(tasks)
    program = Program(
        layers=tuple(a.kernel_shapes),
        activation=keras_activation(a.activation),
        row_losses=task.loss.per_row,
        loss_gradient=task.loss.gradient,
        score=task.loss.score,
        rule=_rule(task),
        dtype=a.dtype,
        clipping=task.optimizer.clipping,
        **{name: name in scope.terms for name in OPTIONAL_TERMS},
        early_stopping=task.early_stopping is not None,
        keeps_slots=task.early_stopping is not None and any(t.resumable for t in tasks),
    )
    return engine.train(
        program,
        _networks(tasks, program.scheduled),
        stack_rows(tasks),
        task.batch_size,
        task.epochs,
        first_epoch=task.first_epoch,
        hooks=_Hooks(tasks) if any(t.hooks is not None for t in tasks) else None,
        longest=scope.epochs,
        network_epochs=scope.network_epochs,
        most_rows=scope.most_rows,
        **options,
    )


def _scope(tasks: list[Task]) -> ProgramScope:
    scope = tasks[0].scope
    if scope is not None and len(tasks) > 1:
        return scope
    longest = tasks[0].epochs if scope is None else scope.epochs
    return ProgramScope(
        longest,
        used_terms(tasks),
        most_rows=(0, 0),
        network_epochs=len(tasks) * longest,
    )


class _Hooks:
    """The hooks of each task, for the engine."""

    def __init__(self, tasks: list[Task]) -> None:
        self._tasks = tasks

    def begin(self, epoch: int, active: NDArray[Any]) -> None:
        for k in np.flatnonzero(active):
            if (hooks := self._tasks[k].hooks) is not None:
                hooks.begin_epoch(epoch)

    def end(
        self,
        epoch: int,
        ran: NDArray[Any],
        results: Callable[[], list[engine.Result]],
    ) -> NDArray[Any]:
        results = cache(results)  # the same for all networks

        def trained(k: np.integer) -> TrainedNetwork:
            network = _trained(self._tasks[k], results()[k])
            assert isinstance(network, TrainedNetwork), "it did not diverge"
            return network

        stop = np.zeros(len(self._tasks), bool)
        for k in np.flatnonzero(ran):
            if (hooks := self._tasks[k].hooks) is not None:
                stop[k] = hooks.end_epoch(epoch, partial(trained, k))
        return stop


def _networks(tasks: list[Task], scheduled: bool) -> Networks:
    """Stack what is each network's own."""
    starts = _starting_weights(tasks)
    stopping = [t.early_stopping for t in tasks]
    hyper = [t.optimizer.hyper for t in tasks]
    return Networks(
        kernels=[
            np.stack(layer) for layer in zip(*(k for k, _ in starts), strict=True)
        ],
        biases=[np.stack(layer) for layer in zip(*(b for _, b in starts), strict=True)],
        l1=np.array([t.regularization.l1 for t in tasks]),
        l2=np.array([t.regularization.l2 for t in tasks]),
        group_l1=np.array([t.regularization.group_l1 for t in tasks]),
        dropout=np.array([t.regularization.dropout for t in tasks]),
        hyper={name: np.array([h[name] for h in hyper]) for name in hyper[0]},
        schedules=([schedule_of(t.optimizer) for t in tasks] if scheduled else None),
        ema_momentum=np.array([t.ema_momentum for t in tasks]),
        noise_keys=np.array([derived_seed(t.seed, DROPOUT) for t in tasks], np.uint32),
        patience=np.array([s.patience if s else 0 for s in stopping]),
        tol=np.array([s.tol if s else 0.0 for s in stopping]),
        best_loss=np.array([loss_to_beat(t) for t in tasks]),
        wait=np.array([t.resume.wait if t.resume else 0 for t in tasks]),
        optimizer_arrays=_optimizer_arrays(tasks),
    )


def _starting_weights(
    tasks: list[Task],
) -> list[tuple[list[NDArray[Any]], list[NDArray[Any]]]]:
    """Kernels and biases of each; fresh ones are the same for equal seeds."""
    starts = [t.resume for t in tasks if t.resume is not None]
    if not starts:
        of_seeds = {
            seed: initial_weights(t) for seed, t in {t.seed: t for t in tasks}.items()
        }
        return [of_seeds[t.seed] for t in tasks]
    return [(start.kernels, start.biases) for start in starts]


def _optimizer_arrays(tasks: list[Task]) -> dict[str, NDArray[Any]] | None:
    """What the optimizers have accumulated where the tasks resume, if they do."""
    starts = [t.resume for t in tasks if t.resume is not None and _accumulated(t)]
    if not starts:
        return None
    accumulated = [_accumulated(t) for t in tasks]
    names = {name for arrays in accumulated for name in arrays}
    return {
        name: np.concatenate(
            [
                # What was trained without an average has moved the weights themselves.
                arrays[name] if name in arrays else _flat_weights(start)
                for start, arrays in zip(starts, accumulated, strict=True)
            ]
        )
        for name in names
    }


def _flat_weights(start: ResumePoint) -> NDArray[Any]:
    """As the engine has them, of shape (1, n_parameters)."""
    pairs = zip(start.kernels, start.biases, strict=True)
    return np.concatenate([w.ravel() for pair in pairs for w in pair])[np.newaxis]


def _trained(task: Task, result: engine.Result) -> TrainedNetwork | ValueError:
    if result.failed_epoch:
        return non_finite_error(task.first_epoch + result.failed_epoch)
    arrays = result.optimizer_arrays
    return TrainedNetwork(
        result.kernels,
        result.biases,
        result.history,
        result.best_epoch,
        None if arrays is None else OptimizerState(_rule(task).name, arrays),
        result.wait,
        result.interrupted,
    )
