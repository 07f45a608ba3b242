"""Networks trained in groups: which train together, and what a group gives."""

from collections import defaultdict
from contextlib import suppress
from math import ceil
from threading import Thread
from time import perf_counter

from joblib import delayed

from skreg._search.progress import SearchStopped
from skreg._training.dispatch import train
from skreg._training.stacking import (
    compile_ahead,
    max_group_size,
    stacking_key,
    train_together,
)


def train_in_groups(tasks, workers, group_size, progress):
    """Train networks, as many at once as their engine can.

    Parameters
    ----------
    tasks : dict of object to Task
    workers : Workers
    group_size : int or None
        The most networks in a group.
    progress : Progress

    Yields
    ------
    key : object
        Of `tasks`.
    outcome : TrainedNetwork or Exception
    seconds : float
        The network's share of the time that its group took.
    """
    groups = list(_groups(tasks, workers.n_workers, group_size))
    reports = [progress.report(len(keys)) for keys, _ in groups]
    results = workers(
        delayed(_train_group)(g, [tasks[key] for key in keys], size, report)
        for g, ((keys, size), report) in enumerate(zip(groups, reports, strict=True))
    )
    for g, outcomes, seconds in results:
        keys, _ = groups[g]
        reports[g].close(sum(tasks[key].epochs for key in keys))
        for key, outcome in zip(keys, outcomes, strict=True):
            yield key, outcome, seconds


def _groups(tasks, n_workers, group_size):
    """Decide which networks train together.

    A network that can't be stacked makes a group of its own. The others are divided
    into groups of equal size, at least one per worker as far as they go.

    Yields
    ------
    keys : list
        Of `tasks`.
    size : int
        Of the group once it is padded, so that the last one, which may be smaller,
        needs no compiled program of its own.
    """
    stacks = defaultdict(list)
    for key, task in tasks.items():
        stacks[stacking_key(task)].append(key)
    for shared, keys in stacks.items():
        largest = 1
        if shared is not None:
            largest = group_size or max_group_size(tasks[keys[0]])
        n_groups = ceil(len(keys) / largest)
        n_groups = min(ceil(n_groups / n_workers) * n_workers, len(keys))
        size = ceil(len(keys) / n_groups)
        for start in range(0, len(keys), size):
            yield keys[start : start + size], size


def _train_group(g, tasks, size, report):
    """Train one group; its number, the outcomes, and the seconds that each took."""
    start = perf_counter()
    with report:
        if stacking_key(tasks[0]) is None:
            outcomes = [_train_alone(task) for task in tasks]
        else:
            outcomes = _train_stacked(tasks, size, report)
    return g, outcomes, (perf_counter() - start) / len(tasks)


def _train_alone(task):
    try:
        trained = train(task)
    except Exception as error:
        return error
    if trained.interrupted:  # which is to end the search, not this training alone
        raise KeyboardInterrupt
    return trained


def _train_stacked(tasks, size, report):
    """Train a group together, padded to a size; if the engine fails, by halves.

    What fails for many networks, for want of memory above all, may work for fewer; and
    if it is one network that fails, the others are not to share its error.
    """
    try:
        padding = [tasks[0]] * (size - len(tasks))
        return train_together(tasks + padding, report)[: len(tasks)]
    except SearchStopped:
        raise
    except Exception as error:
        if size == 1:
            return [error]
    # Only here is the memory free that the error's traceback refers to.
    half = ceil(len(tasks) / 2)
    outcomes = []
    for start in range(0, len(tasks), half):
        outcomes += _train_stacked(tasks[start : start + half], half, report)
    return outcomes


def compile_for_refit(tasks, splits):
    """Start to compile for the refit now, while the groups are compiled.

    Only if all candidates make the same kind of network, so that the guess about the
    best one is nearly sure to be right. If it is not, the refit compiles by itself.

    Parameters
    ----------
    tasks : dict of (int, int) to Task
        By the numbers of candidate and fold.
    splits : list of (train, test)
    """
    shared = {stacking_key(task) for task in tasks.values()}
    if len(shared) != 1 or None in shared:
        return
    (_, fold), task = max(
        tasks.items(), key=lambda item: max(item[1].regularization.dropout, default=0)
    )
    train_rows, test_rows = splits[fold]
    # Early stopping holds out a fraction, and rows of weight 0 are left out.
    used = len(task.training) / len(train_rows)
    n_rows = round(used * (len(train_rows) + len(test_rows)))
    Thread(target=_try_to_compile, args=(task, n_rows)).start()


def _try_to_compile(task, n_rows):
    with suppress(Exception):  # the refit will meet it too, and raise it
        compile_ahead(task, n_rows)
