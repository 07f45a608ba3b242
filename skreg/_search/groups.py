"""Networks trained in groups: which train together, and what a group gives."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import ceil
from threading import Thread
from time import perf_counter

from joblib import delayed

from skreg._search.callback_tasks import train_with_callbacks
from skreg._search.progress import SearchStopped
from skreg._search.sizes import stacks
from skreg._search.workers import closing
from skreg._training.dispatch import train
from skreg._training.stacking import (
    compile_ahead,
    stacking_key,
    train_together,
    used_terms,
)
from skreg._training.task import ProgramScope


def train_in_groups(tasks, workers, size_of, progress, raise_errors):
    """Train networks, as many at once as their engine can.

    Parameters
    ----------
    tasks : dict of object to Task
    workers : Workers
    size_of : callable
        ``size_of(task, n)`` gives the size of the groups that n such networks make.
    progress : Progress
    raise_errors : bool
        Whether a group may end as soon as a network has failed.

    Yields
    ------
    key : object
        Of `tasks`.
    outcome : TrainedNetwork or Exception
    seconds : float
        The network's share of the time that its group took.
    """
    groups = list(_groups(tasks, size_of))
    reports = [progress.report(len(keys)) for keys, _ in groups]
    jobs = (
        delayed(_train_group)(
            g, [tasks[key] for key in keys], size, report, raise_errors
        )
        for g, ((keys, size), report) in enumerate(zip(groups, reports, strict=True))
    )
    with closing(workers(jobs)) as results:
        for g, outcomes, seconds in results:
            keys, _ = groups[g]
            reports[g].close(sum(tasks[key].epochs for key in keys))
            for key, outcome in zip(keys, outcomes, strict=True):
                yield key, outcome, seconds


def _groups(tasks, size_of):
    """Decide which networks train together.

    A network that can't be stacked makes a group of its own.

    Yields
    ------
    keys : list
        Of `tasks`.
    size : int
        Of the group once it is padded, so that the last one, which may be smaller,
        needs no compiled program of its own.
    """
    for stacking, keys in stacks(tasks).items():
        size = 1 if stacking is None else size_of(tasks[keys[0]], len(keys))
        for start in range(0, len(keys), size):
            yield keys[start : start + size], size


def _train_group(g, tasks, size, report, stop_at_failure):
    """Train one group; its number, the outcomes, and the seconds that each took."""
    start = perf_counter()
    with report.lock:
        train_group = partial(
            _train_stacked, size=size, report=report, stop_at_failure=stop_at_failure
        )
        if stacking_key(tasks[0]) is None:
            train_group = partial(_train_alone, report=report)
        outcomes = train_with_callbacks(train_group, tasks)
    return g, outcomes, (perf_counter() - start) / len(tasks)


def _train_alone(tasks, report):
    """Train a group of one."""
    (task,) = tasks
    try:
        trained = train(task, report.check)
    except SearchStopped:
        raise
    except Exception as error:
        return [error]
    if trained.interrupted:  # which is to end the search, not this training alone
        raise KeyboardInterrupt
    return [trained]


def _train_stacked(tasks, size, report, stop_at_failure):
    """Train a group together, padded to a size; if the engine fails, by halves.

    What fails for many networks, for want of memory above all, may work for fewer; and
    if it is one network that fails, the others are not to share its error.
    """
    try:
        padding = [replace(tasks[0], hooks=None)] * (size - len(tasks))
        outcomes = train_together(
            tasks + padding, report, report.check, stop_at_failure=stop_at_failure
        )
        return outcomes[: len(tasks)]
    except SearchStopped:
        raise
    except Exception as error:
        if size == 1:
            return [error]
    # Only here is the memory free that the error's traceback refers to.
    half = ceil(len(tasks) / 2)
    outcomes = []
    for start in range(0, len(tasks), half):
        part = tasks[start : start + half]
        outcomes += _train_stacked(part, half, report, stop_at_failure)
    return outcomes


def compile_for_refit(tasks, splits, refit, n_workers):
    """Start to compile for the refit now, while the groups are compiled.

    Only if all candidates make the same kind of network, so that the guess about the
    best one is nearly sure to be right. If it is not, the refit compiles by itself.

    Parameters
    ----------
    tasks : dict of (int, int) to Task
        By the numbers of candidate and fold.
    splits : list of (train, test)
    refit : Refit
        Learns for what there is a program.
    n_workers : int
        Among which several networks will be divided.
    """
    shared = {stacking_key(task) for task in tasks.values()}
    if len(shared) != 1 or None in shared:
        return
    (_, fold), task = max(
        tasks.items(), key=lambda item: max(item[1].regularization.dropout, default=0)
    )
    if task.scope is not None:
        terms = {used_terms([t]) for t in tasks.values()}
        if task.resume is not None and (refit.n_networks > 1 or len(terms) > 1):
            return  # a first guess has been made, and the next would be no better
        task = replace(task, resume=None, epochs=task.scope.epochs)
    train_rows, test_rows = splits[fold]
    # Early stopping holds out a fraction, and rows of weight 0 are left out.
    used = len(task.training) / len(train_rows)
    n_rows = round(used * (len(train_rows) + len(test_rows)))
    if refit.n_networks > 1 and refit.scope is None:
        refit.scope = ProgramScope(
            task.epochs,
            used_terms(tasks.values()),
            most_rows=(0, 0),
            network_epochs=refit.n_networks * task.epochs,
        )
    size = ceil(refit.n_networks / n_workers)
    ahead = [replace(task, scope=refit.scope)] * size
    Thread(target=_try_to_compile, args=(ahead, n_rows)).start()


def _try_to_compile(tasks, n_rows):
    with suppress(Exception):  # the refit will meet it too, and raise it
        compile_ahead(tasks, n_rows)
