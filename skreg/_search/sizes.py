"""How many networks train together."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from math import ceil, floor, log

from skreg._xla.planning import GROUP_SECONDS, XLA_COMPILE_SECONDS
from skreg._training.stacked_rows import count_rows
from skreg._training.stacking import (
    group_seconds,
    max_group_size,
    stacking_key,
    used_terms,
    uses_xla,
)
from skreg._training.task import ProgramScope


def stacks(tasks):
    """Keys of the tasks whose networks can train together, by their `stacking_key`.

    Parameters
    ----------
    tasks : dict of object to Task
    """
    keys = defaultdict(list)
    for key, task in tasks.items():
        keys[stacking_key(task)].append(key)
    return keys


class GroupSizes:
    """Groups of equal size, at least one per worker as far as they go.

    Parameters
    ----------
    n_workers : int
    group_size : int or None
        The most networks in a group.
    """

    def __init__(self, n_workers, group_size):
        self._n_workers = n_workers
        self._group_size = group_size

    def scoped(self, tasks):
        """The tasks, which say for what their programs are compiled."""
        return tasks

    def __call__(self, task, n):
        """The size of the groups that `n` networks make."""
        n_groups = ceil(n / (self._group_size or max_group_size(task)))
        n_groups = min(ceil(n_groups / self._n_workers) * self._n_workers, n)
        return ceil(n / n_groups)


class RungSizes(GroupSizes):
    """Groups of the rungs of a halving search, which share compiled programs.

    XLA compiles for each size of a group. For few networks, a group that is padded to a
    size that was compiled before may take less time than compiling for its own.

    Parameters
    ----------
    n_workers, group_size
        See `GroupSizes`.
    factor : float
        What the candidates are divided by, and their epochs multiplied, from rung to
        rung.
    max_epochs : int
        That no rung exceeds.
    refit : Refit
        A program for as many networks as this fits per worker is compiled anyway, and
        it learns of the scope of that program.
    """

    def __init__(self, n_workers, group_size, factor, max_epochs, refit):
        super().__init__(n_workers, group_size)
        self._refit = refit
        self._factor = factor
        self._max_epochs = max_epochs
        self._n_folds = 1
        self._scopes = {}
        self._compiled = defaultdict(set)

    def scoped(self, tasks):
        """The tasks, with the scope of a program that serves all rungs to come."""
        self._n_folds = len({fold for _, fold in tasks})
        scoped = dict(tasks)
        of_stacks = stacks(tasks)
        for stacking, keys in of_stacks.items():
            if stacking is None:
                continue
            kind = _kind(tasks[keys[0]])
            if kind not in self._scopes:
                of_kind = [tasks[key] for key in keys]
                self._scopes[kind] = self._scope(of_kind)
                if self._refit.n_networks and len(of_stacks) == 1:
                    self._refit.scope = self._scopes[kind]
                    task = replace(of_kind[0], scope=self._scopes[kind])
                    size = ceil(self._refit.n_networks / self._n_workers)
                    if uses_xla(task, size):
                        self._compiled[kind].add(size)
            for key in keys:
                scoped[key] = replace(tasks[key], scope=self._scopes[kind])
        return scoped

    def __call__(self, task, n):
        natural = super().__call__(task, n)
        if not uses_xla(task, natural):
            return natural
        compiled = self._compiled[_kind(task)]
        rungs = self._to_come(task, n)

        def seconds(size, n, epochs):
            n_groups = ceil(n / size)
            rounds = ceil(n_groups / self._n_workers)
            training = rounds * group_seconds(task, epochs, size)
            return training + n_groups * GROUP_SECONDS

        def of_all_rungs(new):
            sizes = compiled | {new}
            compiling = 0 if new in compiled else XLA_COMPILE_SECONDS
            return compiling + sum(
                min(seconds(size, n_left, epochs) for size in sizes)
                for n_left, epochs in rungs
            )

        with_xla = (size for size in range(1, natural + 1) if uses_xla(task, size))
        best = min({*with_xla, *compiled}, key=of_all_rungs)
        compiled.add(best)
        return min(compiled, key=lambda size: seconds(size, n, task.epochs))

    def _scope(self, tasks):
        """That of the program for these tasks, and for what they become later.

        As if all that go on, and are refitted, were of their kind.
        """
        rungs = self._to_come(tasks[0], len(tasks))
        longest = tasks[0].first_epoch + sum(epochs for _, epochs in rungs)
        of_rungs = sum(n_left * epochs for n_left, epochs in rungs)
        of_refit = self._refit.n_networks * longest
        return ProgramScope(
            longest, used_terms(tasks), count_rows(tasks), of_rungs + of_refit
        )

    def _to_come(self, task, n):
        """Numbers of networks, and their new epochs, of this rung and later ones."""
        epochs = task.first_epoch + task.epochs
        n_possible = 1 + floor(log(max(1, self._max_epochs // epochs), self._factor))
        n_required = 1 + floor(log(ceil(n / self._n_folds), self._factor))
        n_rungs = max(1, min(n_possible, n_required))
        totals = [int(epochs * self._factor**i) for i in range(n_rungs)]
        return [
            (ceil(n / self._factor**i), stop - start)
            for i, (start, stop) in enumerate(pairwise([task.first_epoch, *totals]))
        ]


def _kind(task):
    """Equal for tasks that differ in their epochs, or less."""
    return stacking_key(replace(task, epochs=0, resume=None))
