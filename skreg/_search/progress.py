"""Progress of a search: one live bar, and a way to stop the threads that train."""

from contextlib import nullcontext
from math import inf
from threading import Event, Lock, Thread
from time import time


class SearchStopped(Exception):  # noqa: N818
    """Raised inside a training thread once the search itself has been left."""


class OutOfTime(SearchStopped):
    """Raised where a search has a time limit, and it is reached."""


class Progress:
    """A bar over all epochs of all networks, with the time left.

    It shows on a terminal or in a notebook only, so that no log file is filled with
    it. If an exception leaves the ``with`` block, the networks that other threads
    still train stop within a second.

    Parameters
    ----------
    visible : bool
    title : str
    n_epochs : int
        Epochs of all networks together.
    deadline : float, default=inf
        As of `time.time`: after it, the networks stop, with `OutOfTime`.
    """

    def __init__(self, visible, title, n_epochs, deadline=inf):
        self._bar = _make_bar(title, n_epochs) if visible else None
        self._stopped = Event()
        self._group_locks = []
        self._deadline = deadline

    def __enter__(self):
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, error_type, error, traceback):
        if error_type is not None:
            self._stopped.set()
            # joblib's threads may be inside TensorFlow for another second, and if the
            # interpreter shut down meanwhile, the process would abort. Shutdown waits
            # for this thread, and this thread waits for them.
            Thread(target=self._wait_for_groups).start()
        if self._bar is not None:
            self._bar.stop()

    def _wait_for_groups(self):
        for lock in self._group_locks:
            with lock:
                pass

    def report(self, n_networks):
        """Return a `GroupReport` for another group of networks."""
        lock = Lock()
        self._group_locks.append(lock)
        return GroupReport(self, lock, n_networks, self._deadline)

    def raise_if_stopped(self):
        """Raise `SearchStopped` if the search has been left."""
        if self._stopped.is_set():
            raise SearchStopped

    def advance(self, n_epochs):
        """Move the bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], n_epochs)


class GroupReport:
    """Reports the epochs of a group of networks while they are trained.

    Pickled to another process, it reports nothing, but stops in time.

    Parameters
    ----------
    progress : Progress or None
    lock : context manager
        A lock, in whose ``with`` block the group is to be trained.
    n_networks : int
    deadline : float
    """

    def __init__(self, progress, lock, n_networks, deadline):
        self._progress = progress
        # Entered by no method of ours: an interrupt could come in between, and it would
        # be held for good.
        self.lock = lock
        self._n_networks = n_networks
        self._deadline = deadline
        self._n_reported = 0

    def __call__(self, epoch, log):
        """Called by the engine after every epoch."""
        self.check()
        if self._progress is None:
            return
        self._n_reported += self._n_networks
        self._progress.advance(self._n_networks)

    def check(self):
        """Called by an engine now and then; raises `SearchStopped`."""
        if self._progress is not None:
            self._progress.raise_if_stopped()
        if time() > self._deadline:
            raise OutOfTime

    def close(self, n_epochs):
        """Report the rest of the epochs, which ran in another process or not at all."""
        self._progress.advance(n_epochs - self._n_reported)

    def __reduce__(self):
        return GroupReport, (None, nullcontext(), self._n_networks, self._deadline)


def _make_bar(title, n_epochs):
    """A progress bar of rich, not yet started."""
    from rich import get_console  # only where a bar is wanted
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    # The one that scikit-learn's `ProgressBar` draws on: both can be shown together.
    console = get_console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal or console.is_jupyter),
    )
    bar.add_task(title, total=n_epochs)
    return bar
