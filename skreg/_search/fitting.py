"""Every candidate fitted on every fold: what a batched search does before it scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from traceback import clear_frames
from typing import Any

from joblib import Parallel
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import delayed

from skreg._xla.pages import give_back_free_memory
from skreg._search.callback_tasks import fit_with_callbacks
from skreg._search.candidates import by_steps, common_seed, make_candidate
from skreg._search.folds import AllRows, Fold, PendingFit, fit_on_fold
from skreg._search.progress import Progress
from skreg._search.refit import Refit
from skreg._search.rungs import LastRung
from skreg._search.time_limit import TimeBudget
from skreg._search.workers import Workers, closing
from skreg._training.task import ProgramScope, TrainedNetwork

# Bytes of the rows of folds that are prepared together, beside those of one per worker.
FOLDS_BYTES = 1 << 24


@dataclass(frozen=True)
class Fit:
    """One candidate on one fold.

    Attributes
    ----------
    outcome : estimator or Exception
        The fitted estimator, or the error that its fit raised.
    seconds : float
        What it took; for a network its share of the time that its group took.
    """

    outcome: BaseEstimator | Exception
    seconds: float


@dataclass(frozen=True)
class CandidateFitter:
    """What all fits of a search have in common.

    Attributes
    ----------
    X, y : array-like
        All rows.
    fit_params : dict
        For the estimator's ``fit``.
    cv : splitter
    split_params : dict
        For the splitter's ``split``.
    parallel : sklearn.utils.parallel.Parallel
        Runs the fits of estimators as a whole, as in scikit-learn's search.
    workers : Workers
        Run the groups of networks.
    group_size : int or None
        The most networks in a group.
    refit : Refit
        What will be fitted on all rows afterwards.
    raise_errors : bool
        Whether to raise the first error of a fit instead of returning it.
    check_refit : callable or None
        ``check_refit(estimator, X_test, y_test)`` is called with a network that is not
        trained yet, and may raise; see `skreg._search.scoring`.
    visible : bool
        Whether to show progress.
    scope : ProgramScope or None
        What a program serves that was compiled for these fits in advance.
    last_rung : LastRung or None
        What a halving search goes on from.
    budget : TimeBudget or None
        Says when to give up.
    """

    X: Any
    y: Any
    fit_params: dict[str, Any]
    cv: Any
    split_params: dict[str, Any]
    parallel: Parallel
    workers: Workers
    group_size: int | None
    refit: Refit
    raise_errors: bool
    check_refit: Callable[[BaseEstimator, Any, Any], None] | None
    visible: bool
    scope: ProgramScope | None = None
    last_rung: LastRung | None = None
    budget: TimeBudget | None = None

    @property
    def n_splits(self):
        """The number of folds that the splitter promises."""
        return self.cv.get_n_splits(self.X, self.y, **self.split_params)

    def split(self, cv=None):
        """Row numbers of each fold, as a list of (train, test), by `cv` if given."""
        return list((cv or self.cv).split(self.X, self.y, **self.split_params))

    def fit_all(self, estimator, settings, splits, search_task):
        """Fit every candidate on every fold.

        Parameters
        ----------
        estimator : estimator
        settings : list of dict
            The candidates: parameters to set.
        splits : list of (train, test)
        search_task : SearchTask
            Of which the fits are subtasks.

        Returns
        -------
        list of Fit
            Candidate after candidate, and for each of them fold after fold.

        Raises
        ------
        ValueError
            If the estimator has no such parameter; before anything is fitted.
        """
        candidates = [make_candidate(estimator, params) for params in settings]
        title = f"{len(settings)} candidates x {len(splits)} folds"
        n_epochs = len(splits) * sum(c.n_epochs for c in candidates)
        deadline = inf if self.budget is None else self.budget.deadline
        progress = Progress(self.visible, title, n_epochs, deadline)
        evaluations = search_task.evaluations(
            estimator, settings, splits, X=self.X, y=self.y, fit_params=self.fit_params
        )
        done = {}
        fits = self._fits(candidates, splits, evaluations, progress)
        with closing(fits), progress:
            for (c, fold), fit in fits:
                if isinstance(fit.outcome, Exception):
                    fit.outcome.add_note(f"Candidate: {settings[c]}")
                    if self.raise_errors:
                        raise fit.outcome
                    clear_frames(fit.outcome.__traceback__)  # which hold its rows
                done[c, fold] = fit
        return [done[key] for key in sorted(done)]

    def _fits(self, candidates, splits, evaluations, progress):
        """Fits by the numbers of candidate and fold, as they are made."""
        shared = by_steps(candidates)
        if self.last_rung is None:
            seed = common_seed(candidates)
        else:
            seed = self.last_rung.start_rung(candidates)
        make_fold = partial(
            Fold, self.X, self.y, self.fit_params, seed, AllRows(self.X)
        )
        if shared:
            self.workers.check_can_train()
        if shared and self.check_refit is not None:
            self._check_refit_early(candidates, shared[0][:1], make_fold, splits[0])
        if self.raise_errors:
            yield from self._early_errors(candidates, shared, make_fold, splits[0])
        yield from self._fit_whole(candidates, splits, evaluations, progress)
        for numbers in shared:
            compile_for = splits if self.refit.n_networks else None
            for prepared in self._prepare(
                candidates, numbers, make_fold, splits, evaluations
            ):
                yield from self._train(candidates, prepared, compile_for, progress)
                compile_for = None

    def _check_refit_early(self, candidates, numbers, make_fold, split):
        """Check `refit` by the scores of networks that are not trained yet."""
        fold = make_fold(split)
        for prepared in self._prepare_on(0, fold, candidates, numbers, {}).values():
            if isinstance(prepared, PendingFit):
                _, test = split
                rows = _safe_indexing(self.X, test), _safe_indexing(self.y, test)
                self.check_refit(prepared.untrained(), *rows)

    def _early_errors(self, candidates, shared, make_fold, split):
        """Errors that are known before anything is trained.

        If all candidates share their steps, they are all prepared before that anyway.
        """
        if len(shared) == 1 and len(shared[0]) == len(candidates):
            return
        for numbers in shared:
            prepared = self._prepare_on(0, make_fold(split), candidates, numbers, {})
            for key, fit in prepared.items():
                if isinstance(fit, Fit):
                    yield key, fit

    def _fit_whole(self, candidates, splits, evaluations, progress):
        """Fit the candidates that do not end in a network."""
        jobs = [
            delayed(_fit)(
                *((c, fold), whole, self.X, self.y, split, self.fit_params),
                evaluations.get((c, fold)),
            )
            for c, whole in enumerate(candidates)
            if whole.network is None
            for fold, split in enumerate(splits)
        ]
        if not jobs:  # for which joblib would start processes nonetheless
            return
        with closing(self.parallel(jobs)) as fits:
            for key, fit in fits:
                progress.advance(candidates[key[0]].n_epochs)
                yield key, fit

    def _prepare(self, candidates, numbers, make_fold, splits, evaluations):
        """Fit the steps before the network, which these candidates have in common.

        On several folds at a time while their rows are few, or there would be fewer
        networks than workers: so networks of several folds train together, and workers
        need not wait for each other after every fold.

        Yields
        ------
        prepared : dict
            As from `_prepare_on`. Emptied before the next is made, so that the rows are
            not held any longer.
        """
        prepared, n_bytes = {}, 0
        for f, split in enumerate(splits):
            fold = make_fold(split)
            prepared |= self._prepare_on(f, fold, candidates, numbers, evaluations)
            n_bytes += fold.n_bytes
            is_full = (
                n_bytes + fold.n_bytes > FOLDS_BYTES
                and len(prepared) >= self.workers.n_workers
            )
            del fold  # and with it the rows as they were given to the network
            if is_full or f == len(splits) - 1:
                yield prepared
                prepared.clear()
                n_bytes = 0
                give_back_free_memory()

    def _prepare_on(self, f, fold, candidates, numbers, evaluations):
        """Prepare candidates on the fold of number `f`.

        Returns
        -------
        dict of (int, int) to PendingFit or Fit
            By the numbers of candidate and fold; a `Fit` with an error.
        """
        prepared = {}
        for c in numbers:
            start = perf_counter()
            evaluation = evaluations.get((c, f))
            try:
                pending = fold.prepare(candidates[c], evaluation)
                if self.last_rung is not None:
                    pending = self.last_rung.resume(candidates[c], f, pending)
                prepared[c, f] = pending
            except Exception as error:
                seconds = perf_counter() - start
                fail = partial(_raise, error)
                estimator = candidates[c].new_estimator()
                outcome = fit_with_callbacks(fail, estimator, evaluation)
                prepared[c, f] = Fit(outcome, seconds)
        return prepared

    def _train(self, candidates, prepared, compile_for, progress):
        """Train the networks of what is prepared.

        Meanwhile compile for the refit, on all rows of the splits `compile_for`.
        """
        # Imports TensorFlow, which a process that loads a search and predicts, and so
        # imports this file, has no need of.
        from skreg._search.groups import compile_for_refit, train_in_groups
        from skreg._search.sizes import GroupSizes

        n_workers = self.workers.n_workers
        if self.last_rung is None:
            sizes = GroupSizes(n_workers, self.group_size)
        else:
            sizes = self.last_rung.sizes(n_workers, self.group_size, self.refit)
        pending, tasks = {}, {}
        for key, fit in prepared.items():
            if isinstance(fit, Fit):
                progress.advance(candidates[key[0]].n_epochs)
                yield key, fit
                continue
            progress.advance(fit.n_done)
            task = fit.remaining
            if task.epochs:
                pending[key], tasks[key] = fit, task
            else:
                yield key, Fit(fit.fitted(fit.earlier), 0.0)
        tasks = sizes.scoped(tasks)
        if self.scope is not None:
            tasks = {key: replace(t, scope=self.scope) for key, t in tasks.items()}
        if compile_for is not None:
            compile_for_refit(tasks, compile_for, self.refit, n_workers)
        for key, outcome, seconds in train_in_groups(
            tasks, self.workers, sizes, progress, self.raise_errors
        ):
            if isinstance(outcome, TrainedNetwork):
                fit, outcome = pending[key], pending[key].whole(outcome)
                if self.last_rung is not None:
                    c, fold = key
                    self.last_rung.keep(candidates[c], fold, fit, outcome)
                outcome = fit.fitted(outcome)
            yield key, Fit(outcome, seconds)


def _raise(error):
    raise error


def _fit(key, candidate, X, y, split, fit_params, evaluation):
    """Fit a candidate as a whole on a fold."""
    start = perf_counter()
    estimator = candidate.new_estimator()
    fit = partial(fit_on_fold, estimator, X, y, split, fit_params)
    outcome = fit_with_callbacks(fit, estimator, evaluation)
    return key, Fit(outcome, perf_counter() - start)
