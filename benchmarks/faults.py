"""Faults injected into fits and searches, each followed by a fit that must work.

Interrupts at random moments, errors of the user's own code, killed worker processes, a
full disk. After each the estimator must be as it was, no thread or process be left, and
the next fit give the result of one that was not disturbed. `--quick` only tests that
the script runs; `--only interrupts` runs one section.
"""

import argparse
import pickle
import random
import signal
import threading
import time
import warnings
from dataclasses import dataclass

import keras
import numpy as np
import psutil
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale

from skreg import (
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
)

GRID = {"l2": [0.0, 1e-2], "dropout": [0.0, 0.3]}
HEARD_WITHIN = 2.0  # seconds
END_WITHIN = 5.0


def mlp(**params):
    params = {"epochs": 40, "random_state": 0, **params}
    return RegularizedMLPClassifier((8,), **params)


def grid(est, **options):
    return BatchedGridSearchCV(est, GRID, **{"cv": 2, "n_jobs": 2, **options})


def rows():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


@dataclass
class Section:
    """Faults of a kind, and what was lost by them."""

    title: str
    n_injected: int = 0
    lost: int = 0

    def record(self, *problems):
        """Count a fault; problems are printed where they are true."""
        self.n_injected += 1
        found = [problem for problem in problems if problem]
        self.lost += bool(found)
        for problem in found:
            print(f"  {self.title}: {problem}", flush=True)

    def close(self):
        print(f"{self.title}: {self.n_injected} injected, {self.lost} lost", flush=True)


def result(est, X, y):
    return est.fit(X, y).predict_proba(X)


def running():
    """The threads, and the child processes."""
    return {*threading.enumerate(), *psutil.Process().children()}


def left_behind(before):
    """What is running in addition, after a grace period."""
    deadline = time.perf_counter() + END_WITHIN
    while new := running() - before:
        if time.perf_counter() > deadline:
            return f"left {new}"
        time.sleep(0.01)
    return None


def changed(est, before):
    return vars(est) != before and f"{est} was left changed"


# Interrupts.


def interruptible():
    """Names of what is interrupted, with the estimator and its rows."""
    X, y = rows()
    few = load_iris(return_X_y=True)
    return {
        "compiled": (mlp(dropout=0.2, l1=1e-3, ema_momentum=0.9), X, y),
        "early stopping": (mlp(early_stopping=True, n_iter_no_change=99), X, y),
        "sparse": (mlp(), sparse.csr_array(np.maximum(X, 0)), y),
        "keras": (mlp(engine="keras", epochs=4), *few),
        "warm start": (mlp(warm_start=True, dropout=0.2), X, y),
        "one by one": (grid(mlp(), n_jobs=1), X, y),
        "threads": (grid(mlp(), group_size=3), X, y),
        "ensemble": (grid(mlp(), ensemble_size=3, scoring="neg_log_loss"), X, y),
        "halving": (
            BatchedHalvingGridSearchCV(mlp(), GRID, cv=2, n_jobs=2, factor=2),
            X,
            y,
        ),
        "built-in": (
            RegularizedMLPClassifierCV(
                (8,), n_candidates=4, ensemble_size=2, cv=2, epochs=9, random_state=0
            ),
            X,
            y,
        ),
    }


def interrupt(est, X, y, delay):
    """Fit with Ctrl-C after so many seconds; how late it was heard, or None."""
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        est.fit(X, y)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return time.perf_counter() - start - delay
    return None


def interrupts(n, rng):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    for name, (est, X, y) in interruptible().items():
        section = Section(f"Ctrl-C, {name}")
        expected = result(clone(est), X, y)
        start = time.perf_counter()
        result(clone(est), X, y)
        seconds = time.perf_counter() - start
        while section.n_injected < n:
            trial = clone(est)
            before, runs = vars(trial).copy(), running()
            late = interrupt(trial, X, y, rng.uniform(1e-4, seconds))
            if late is None:
                continue
            lost = changed(trial, before)
            if lost:  # not so if it has the result of a whole fit
                if getattr(trial, "warm_start", False) and trial.n_iter_ < trial.epochs:
                    trial.set_params(epochs=trial.epochs - trial.n_iter_).fit(X, y)
                lost = not np.allclose(trial.predict_proba(X), expected) and lost
            section.record(
                lost,
                late > HEARD_WITHIN and f"heard {late:.1f} s late",
                left_behind(runs),
                (result(clone(est), X, y) != expected).any() and "next fit differs",
            )
        section.close()


# Errors of the user's code.


class UserError(Exception):
    """Of the user's code."""


@dataclass
class Failing:
    """Raises when it is called for the n-th time."""

    error: type
    n: int

    def __call__(self):
        self.n -= 1
        if self.n == 0:
            raise self.error("injected")


class FailingTransformer(TransformerMixin, BaseEstimator):
    def __init__(self, fail=None):
        self.fail = fail

    def __sklearn_clone__(self):
        return self  # it counts its calls

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.fail()
        return X


class FailingCallback(keras.callbacks.Callback):
    def __init__(self, fail):
        super().__init__()
        self.fail = fail

    def __deepcopy__(self, memo):
        return self  # likewise

    def on_epoch_end(self, epoch, logs=None):
        self.fail()


class FailingSplitter(KFold):
    fail = None

    def split(self, X, y=None, groups=None):
        for split in super().split(X, y):
            self.fail()
            yield split


def with_faults(fail, **options):
    """What fails, how often it is called, and the search that calls it."""

    def scorer(est, X, y):
        fail()
        return est.score(X, y)

    quick, name = mlp(epochs=2), "regularizedmlpclassifier__l2"
    pipeline = make_pipeline(FailingTransformer(fail), quick)
    watched = mlp(epochs=2, callbacks=[FailingCallback(fail)])
    splitter = FailingSplitter(2)
    splitter.fail = fail
    yield "scorer", 8, grid(quick, scoring=scorer, **options)
    options = {"cv": 2, "n_jobs": 2, "refit": False, **options}
    yield "transformer", 2, BatchedGridSearchCV(pipeline, {name: [0.0, 0.1]}, **options)
    yield "callback", 8, BatchedGridSearchCV(watched, {"l2": [0.0, 0.1]}, **options)
    yield "splitter", 2, BatchedGridSearchCV(quick, GRID, **{**options, "cv": splitter})


def errors(quick):
    X, y = load_iris(return_X_y=True)
    expected = result(grid(mlp(epochs=2)), X, y)
    kinds = [
        UserError,
        ValueError,
        MemoryError,
        UserWarning,
        SystemExit,
        KeyboardInterrupt,
    ]
    for i, name in enumerate(["scorer", "transformer", "callback", "splitter"]):
        section = Section(f"Errors of a {name}")
        for kind in kinds[:1] if quick else kinds:
            for when in ("first", "middle", "last"):
                fail = Failing(kind, 1)
                _, n_calls, search = list(with_faults(fail, error_score="raise"))[i]
                fail.n = {"first": 1, "middle": n_calls // 2, "last": n_calls}[when]
                before, runs = vars(search).copy(), running()
                try:
                    search.fit(X, y)
                    problem = f"{kind.__name__} was not raised"
                except kind as error:
                    problem = str(error) != "injected" and f"another error: {error}"
                section.record(
                    problem,
                    changed(search, before),
                    left_behind(runs),
                    (result(grid(mlp(epochs=2)), X, y) != expected).any()
                    and "next fit differs",
                )
        section.close()


# Processes and files.


def workers():
    """Processes of joblib's, without the one that only cleans up."""
    return [
        process
        for process in psutil.Process().children()
        if "resource_tracker" not in " ".join(process.cmdline())
    ]


def killed_workers(n, rng):
    X, y = rows()
    searches = {
        "grid search": grid(mlp(epochs=200), group_size=2),
        "halving": BatchedHalvingGridSearchCV(
            mlp(epochs=200), GRID, cv=2, n_jobs=2, factor=2, group_size=2
        ),
    }
    for name, search in searches.items():
        section = Section(f"Killed workers, {name}")
        expected = result(clone(search), X, y)
        with parallel_config("loky"):
            while section.n_injected < n:
                clone(search).fit(X, y)  # starts the workers
                start = time.perf_counter()
                clone(search).fit(X, y)
                seconds = rng.uniform(0, time.perf_counter() - start)
                victim, trial = rng.choice(workers()), clone(search)
                before = vars(trial).copy()
                timer = threading.Timer(seconds, victim.kill)
                timer.start()
                try:
                    trial.fit(X, y)
                except TerminatedWorkerError:
                    lost = changed(trial, before)
                else:  # the worker had nothing left to do
                    timer.join()
                    # It may have died with a lock that the others wait for.
                    get_reusable_executor(kill_workers=True).shutdown(kill_workers=True)
                    continue
                proba = result(clone(search), X, y)
                differs = not np.allclose(proba, expected) and "next fit differs"
                section.record(lost, differs)
        section.close()


def full_disk():
    X, y = load_iris(return_X_y=True)
    section = Section("Full disk")
    for est in (mlp(), mlp(warm_start=True), grid(mlp())):
        proba, before = result(est, X, y), vars(est).copy()
        with open("/dev/full", "wb", buffering=0) as file:
            try:
                pickle.dump(est, file)
                problem = "no error"
            except OSError:
                problem = None
        differs = (est.predict_proba(X) != proba).any() and "predictions differ"
        section.record(problem, changed(est, before), differs)
    section.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only test that it runs")
    parser.add_argument("--only", help="a section: interrupts, errors, workers, disk")
    parser.add_argument("-n", type=int, default=40, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, n = random.Random(options.seed), 1 if options.quick else options.n
    sections = {
        "interrupts": lambda: interrupts(n, rng),
        "errors": lambda: errors(options.quick),
        "workers": lambda: killed_workers(min(n, 5), rng),
        "disk": full_disk,
    }
    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)  # joblib's
    for name, run in sections.items():
        if options.only in (None, name):
            run()


if __name__ == "__main__":
    main()
