"""From tasks to trained networks: chooses the engine, and stacks what goes into it."""

from dataclasses import replace
from functools import lru_cache

import keras
import numpy as np
from scipy import sparse

from skreg._engine import engine
from skreg._engine.optimizers import find_rule
from skreg._engine.program import Program
from skreg._training import keras_loop
from skreg._training.network import build_network, get_weights
from skreg._training.task import DROPOUT, Rows, Trained, derived_seed, non_finite_error

# Bounds of a group of networks: see `group_bound`.
GROUP_BYTES = 1 << 22
MOST_IN_GROUP = 16


def train(task):
    """Train one network.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If the network's weights become non-finite, or if the task asks for the
        compiled engine and that can't express it.
    """
    reason = why_not_compiled(task)
    if task.engine == "compiled" and reason is not None:
        raise ValueError(
            f"engine='compiled' cannot train with {reason}; "
            "engine='auto' or 'keras' can."
        )
    if task.engine == "keras" or reason is not None:
        return keras_loop.train(task)
    (trained,) = train_together([task], _epoch_report(task), task.keeps_interrupted)
    if isinstance(trained, Exception):
        raise trained
    return trained


def why_not_compiled(task):
    """What it is in a task that the compiled engine has no way to do, or None."""
    if keras.backend.backend() != "tensorflow":
        return f"the Keras backend {keras.backend.backend()!r}"
    if task.callbacks:
        return "Keras callbacks"
    rule, _ = find_rule(task.optimizer)
    if rule is None:
        return f"this optimizer or its settings: {task.optimizer.cls.__name__}"
    return None


def kind(task):
    """What networks that train together have in common; None if it must train alone."""
    alone = task.engine == "keras" or task.start is not None
    if alone or why_not_compiled(task) is not None:
        return None
    rule, _ = find_rule(task.optimizer)
    return (
        _unregularized(task.architecture),
        task.loss,
        rule,
        task.batch_size,
        task.epochs,
        task.shuffle,
        task.seed,
        task.validation is None,
        task.stopping is None,
        sparse.issparse(task.training.X),
    )


def group_bound(task):
    """How many such networks are best trained together.

    So many that their parameters, with gradients and slots, fit the processor's
    cache.
    """
    a = task.architecture
    n_params = sum((n_in + 1) * n_out for n_in, n_out in a.kernel_shapes)
    rule, _ = find_rule(task.optimizer)
    n_bytes = n_params * (2 + rule.n_slots) * np.dtype(a.dtype).itemsize
    return min(max(1, GROUP_BYTES // n_bytes), MOST_IN_GROUP)


def train_together(tasks, report=None, interruptible=False):
    """Train networks that differ in rows, strengths and rates, in one computation.

    Parameters
    ----------
    tasks : list of Task
        Alike in shapes, loss, kind of optimizer, batch size, epochs and seed, and in
        whether they validate and stop early.
    report : callable, default=None
        ``report(epoch, log)`` after every epoch, see `skreg._engine.engine.train`.
    interruptible : bool, default=False
        Whether an interrupt leaves what was learned until then.

    Returns
    -------
    list of Trained or ValueError
        The error, not raised, for a network whose weights became non-finite.
    """
    rule, _ = find_rule(tasks[0].optimizer)
    results = _run(tasks, report=report, interruptible=interruptible)
    return [_trained(result, rule.name) for result in results]


def compile_ahead(task, n_rows):
    """Compile what `train` needs for such a task with `n_rows` training rows."""
    if sparse.issparse(task.training.X):  # then nothing depends on the number of rows
        return
    a = task.architecture
    none = np.zeros(n_rows, a.dtype)
    n_columns = a.n_features, a.n_outputs
    rows = Rows(
        *(np.zeros((n_rows, n), a.dtype) for n in n_columns),
        none,
        task.loss.score_weights(none, np.zeros((n_rows, a.n_outputs), a.dtype)),
    )
    _run([replace(task, training=rows)], dry=True)


def _run(tasks, **options):
    task = tasks[0]
    rule, _ = find_rule(task.optimizer)
    if task.start is None:
        start = _start(_unregularized(task.architecture), task.seed)
    else:
        start = task.start.kernels, task.start.biases
    kernels, _ = start
    program = Program(
        layers=tuple(kernel.shape for kernel in kernels),
        activation=keras.activations.get(task.architecture.activation),
        row_losses=task.loss.per_row,
        score=task.loss.score,
        rule=rule,
        dtype=task.architecture.dtype,
        dropout=any(any(t.architecture.dropout) for t in tasks),
        stopping=task.stopping is not None,
    )
    return engine.train(
        program,
        _networks(tasks, start),
        _data(tasks),
        task.batch_size,
        task.epochs,
        derived_seed(task.seed, DROPOUT),
        first_epoch=task.first_epoch,
        **options,
    )


@lru_cache(maxsize=1)  # all candidates of a search start alike
def _start(architecture, seed):
    """Kernels and biases before training."""
    return get_weights(build_network(architecture, seed))


def _unregularized(architecture):
    """The architecture that networks share whose strengths and rates differ."""
    n_hidden = len(architecture.hidden_layer_sizes)
    none = (0.0,) * (n_hidden + 1)
    return replace(architecture, l1=none, l2=none, dropout=none[1:])


def _networks(tasks, start):
    """Stack what is each network's own; all start from the same weights."""
    n = len(tasks)
    kernels, biases = start
    resumed = None
    if tasks[0].start is not None:  # which trains alone
        rule, _ = find_rule(tasks[0].optimizer)
        resumed = tasks[0].start.optimizer_state(rule.name)
    stopping = [t.stopping for t in tasks]
    hyper = [find_rule(t.optimizer)[1] for t in tasks]
    return engine.Networks(
        kernels=[np.repeat(kernel[np.newaxis], n, axis=0) for kernel in kernels],
        biases=[np.repeat(bias[np.newaxis], n, axis=0) for bias in biases],
        l1=np.array([t.architecture.l1 for t in tasks]),
        l2=np.array([t.architecture.l2 for t in tasks]),
        rates=np.array([t.architecture.dropout for t in tasks]),
        hyper={name: np.array([h[name] for h in hyper]) for name in hyper[0]},
        patience=np.array([s.patience if s else 0 for s in stopping]),
        tol=np.array([s.tol if s else 0.0 for s in stopping]),
        resumed=resumed,
    )


def _data(tasks):
    """Lay the rows of all tasks one below the other, those that are shared once."""
    blocks, first_row, n_rows = [], {}, 0
    for task in tasks:
        for rows in (task.training, task.validation):
            if rows is not None and id(rows) not in first_row:
                first_row[id(rows)] = n_rows
                blocks.append(rows)
                n_rows += len(rows)

    @lru_cache(maxsize=1)  # an epoch may be cut into many calls
    def order(epoch):
        by_rows = {}
        for t in tasks:
            if id(t.training) not in by_rows:
                start = first_row[id(t.training)]
                by_rows[id(t.training)] = start + t.order(epoch)
        return [by_rows[id(t.training)] for t in tasks]

    def stacked(name):
        parts = [getattr(rows, name) for rows in blocks]
        if len(parts) == 1:
            return parts[0]
        if sparse.issparse(parts[0]):
            return sparse.vstack(parts, format="csr")
        return np.concatenate(parts)

    validation = None
    if tasks[0].validation is not None:
        validation = [
            first_row[id(t.validation)] + np.arange(len(t.validation)) for t in tasks
        ]
    return engine.Data(
        stacked("X"),
        stacked("targets"),
        stacked("weight"),
        stacked("score_weight"),
        order,
        validation,
    )


def _trained(result, tag):
    if result.failed_epoch:
        return non_finite_error(result.failed_epoch)
    return Trained(
        result.kernels,
        result.biases,
        result.history,
        result.best_epoch,
        (tag, result.resume),
        result.interrupted,
    )


def _epoch_report(task):
    """Show progress as the task asks: a bar over the epochs, lines, or nothing."""
    if task.verbose == 0:
        return None
    bar = keras.utils.Progbar(
        task.epochs,
        unit_name="epoch",
        # Each figure is that of its epoch, not to be averaged over epochs.
        stateful_metrics=["loss", "data_loss", "penalty", "val_loss", "val_score"],
    )

    def show(epoch, log):
        figures = [(name, float(values[0])) for name, values in log.items()]
        if task.verbose == 1:
            bar.update(epoch, figures)
        else:
            text = " - ".join(f"{name}: {value:.4f}" for name, value in figures)
            print(f"Epoch {epoch}/{task.epochs} - {text}")

    return show
