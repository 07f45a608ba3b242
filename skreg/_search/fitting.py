"""Every candidate fitted on every fold: what a batched search does before it scores.

Networks are trained in groups of what the engine can stack, or else one by one; joblib
runs the groups, on threads, processes or other machines.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from math import ceil
from numbers import Integral
from threading import Thread
from time import perf_counter

import numpy as np
from joblib import delayed
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from skreg._search.folds import STACKED, Fold, Untrained, final_network
from skreg._search.progress import Progress
from skreg._training.dispatch import train
from skreg._training.stacking import (
    compile_ahead,
    max_group_size,
    stacking_key,
    train_together,
)


@dataclass(frozen=True)
class Fit:
    """One candidate on one fold.

    Attributes
    ----------
    outcome : estimator or Exception
        The fitted estimator, or what its fit raised.
    seconds : float
        Its share of the time that its group took.
    """

    outcome: BaseEstimator | Exception
    seconds: float


def fit_all(
    estimator,
    settings,
    X,
    y,
    splits,
    fit_params,
    *,
    parallel,
    n_workers,
    group_size,
    refit,
    visible,
):
    """Fit every candidate on every fold.

    Parameters
    ----------
    estimator : estimator
        A network, or a Pipeline that ends in one.
    settings : list of dict
        The candidates: parameters to set.
    X, y : array-like
    splits : list of (train, test)
        Row numbers of each fold.
    fit_params : dict
        For the estimator's ``fit``, under the names that `cross_validate` takes.
    parallel : joblib.Parallel
        Runs the groups; returns a generator.
    n_workers : int
        How many groups it runs at once.
    group_size : int or None
        Networks in a group at most.
    refit : bool
        Whether one of the candidates will be fitted on all rows then.
    visible : bool
        Whether to show progress.

    Returns
    -------
    list of Fit
        Candidate after candidate, and for each of them fold after fold.

    Raises
    ------
    ValueError
        If the estimator has no such parameter; before anything is fitted.
    """
    candidates = [
        clone(estimator).set_params(**clone(params, safe=False)) for params in settings
    ]
    seed = _common_seed(candidates)
    title = f"{len(settings)} candidates x {len(splits)} folds"
    n_epochs = len(splits) * sum(map(_epochs, candidates))
    fits = {}
    with Progress(visible, title, n_epochs) as progress:
        for numbers, kinds in _sharing_steps(estimator, settings):
            works = {}
            for fold, split in enumerate(splits):
                rows = Fold(X, y, split, fit_params, seed)
                for c in numbers:
                    start = perf_counter()
                    try:
                        made = rows.prepare(candidates[c], kinds[c])
                    except Exception as error:  # scored with error_score
                        made = _named(error, settings[c])
                    if isinstance(made, Untrained):
                        works[c, fold] = made
                    else:
                        fits[c, fold] = Fit(made, perf_counter() - start)
                        progress.advance(_epochs(candidates[c]))
            if refit:
                _compile_refit(works, splits)
            for (c, fold), outcome, seconds in _trained(
                works, parallel, n_workers, group_size, progress
            ):
                if isinstance(outcome, Exception):
                    fits[c, fold] = Fit(_named(outcome, settings[c]), seconds)
                else:
                    fits[c, fold] = Fit(works[c, fold].fitted(outcome), seconds)
    return [fits[key] for key in sorted(fits)]


def _common_seed(candidates):
    """What stands for a ``random_state`` of None; drawn only where there is one."""
    networks = map(final_network, candidates)
    if any(n is not None and n.random_state is None for n in networks):
        return check_random_state(None).randint(np.iinfo(np.int32).max)
    return None


def _epochs(candidate):
    """Epochs that a candidate is to be trained for, as far as the bar is concerned."""
    epochs = getattr(final_network(candidate), "epochs", 1)
    return epochs if isinstance(epochs, Integral) else 1


def _named(error, params):
    """The error, which says whose it is wherever it is shown."""
    error.add_note(f"Candidate: {params}")
    return error


def _sharing_steps(estimator, settings):
    """Candidates whose steps before the network are the same, together.

    Yields
    ------
    numbers : list of int
        Which candidates.
    kinds : dict of int to hashable
        What each sets in its network, but for `STACKED`.
    """
    last = estimator.steps[-1][0] if isinstance(estimator, Pipeline) else None
    stacked = {name if last is None else f"{last}__{name}" for name in STACKED}
    sharing = defaultdict(dict)
    for c, params in enumerate(settings):
        of_network, of_steps = {}, {}
        for name, value in params.items():
            if last is None or name.split("__")[0] == last:
                of_network[name] = value
            else:
                of_steps[name] = value
        of_network = {k: v for k, v in of_network.items() if k not in stacked}
        sharing[_identity(of_steps)][c] = _identity(of_network)
    for kinds in sharing.values():
        yield list(kinds), kinds


def _identity(params):
    """A key under which parameters agree: numbers by value, other objects as such."""
    plain = (int, float, str, bool, type(None))
    return frozenset(
        (name, type(value), value if isinstance(value, plain) else id(value))
        for name, value in params.items()
    )


def _compile_refit(works, splits):
    """Compile for the refit while the groups are compiled, not after all of them.

    Only where all candidates make the same kind of network, so that little can be
    wrong about the best one. What it does not foresee, the refit compiles itself.
    """
    kinds = {stacking_key(work.task) for work in works.values()}
    if len(kinds) != 1 or None in kinds:
        return
    (_, fold), work = max(
        works.items(),
        key=lambda item: max(item[1].task.regularization.dropout, default=0),
    )
    train, test = splits[fold]
    share = len(work.task.training) / len(train)
    n_rows = round(share * (len(train) + len(test)))
    Thread(target=compile_ahead, args=(work.task, n_rows)).start()


def _trained(works, parallel, n_workers, group_size, progress):
    """Train networks, in groups.

    Yields
    ------
    key : object
        Of an entry of `works`.
    outcome : Trained or Exception
    seconds : float
    """
    groups = list(_groups(works, n_workers, group_size))
    reports = [progress.report(len(keys)) for keys, _ in groups]
    results = parallel(
        delayed(_train_group)([works[key].task for key in keys], size, report)
        for (keys, size), report in zip(groups, reports, strict=True)
    )
    for (keys, _), report, (outcomes, seconds) in zip(
        groups, reports, results, strict=True
    ):
        report.close(sum(works[key].task.epochs for key in keys))
        for key, outcome in zip(keys, outcomes, strict=True):
            yield key, outcome, seconds


def _groups(works, n_workers, group_size):
    """Which networks train together.

    Networks that can't be stacked are alone. The others are dealt out in groups of
    equal size, and no worker is left without one.

    Yields
    ------
    keys : list
    size : int
        Of the group, with padding: so the last one shares the others' program.
    """
    stacks = defaultdict(list)
    for key, work in works.items():
        stacks[stacking_key(work.task)].append(key)
    for which, keys in stacks.items():
        bound = group_size or max_group_size(works[keys[0]].task) if which else 1
        n_groups = ceil(len(keys) / bound)
        n_groups = min(ceil(n_groups / n_workers) * n_workers, len(keys))
        size = ceil(len(keys) / n_groups)
        for start in range(0, len(keys), size):
            yield keys[start : start + size], size


def _train_group(tasks, size, report):
    """Train one group; the networks' outcomes, and the seconds that each took."""
    start = perf_counter()
    with report:
        if stacking_key(tasks[0]) is None:
            outcomes = [_train_alone(task) for task in tasks]
        else:
            padding = [tasks[0]] * (size - len(tasks))
            outcomes = train_together(tasks + padding, report)[: len(tasks)]
    return outcomes, (perf_counter() - start) / len(tasks)


def _train_alone(task):
    try:
        return train(replace(task, resumable=False))  # an interrupt ends it all
    except Exception as error:  # scored with error_score
        return error
