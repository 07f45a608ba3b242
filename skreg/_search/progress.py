"""How far a search is: one live bar, and word to the threads that all is off."""

from threading import Event, Lock, Thread


class Progress:
    """A bar over all epochs of all networks, with the time left.

    It shows on a terminal or in a notebook only, so that no log file is filled with
    it. If the ``with`` block is left by an exception, networks that other threads
    still train are given up at their next report.

    Parameters
    ----------
    visible : bool
    title : str
    n_epochs : int
        Epochs of all networks together.
    """

    def __init__(self, visible, title, n_epochs):
        self._bar = _bar(title, n_epochs) if visible else None
        self._given_up = Event()
        self._running = []

    def __enter__(self):
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            self._given_up.set()
            # joblib's threads may be inside TensorFlow for another second. If the
            # interpreter went meanwhile, the process would abort; so it has to wait
            # for a thread that waits for them.
            Thread(target=self._wait).start()
        if self._bar is not None:
            self._bar.stop()

    def _wait(self):
        for group in self._running:
            with group:
                pass

    def report(self, n_networks):
        """Return the report of another group."""
        group = Lock()
        self._running.append(group)
        return GroupReport(self, group, n_networks)

    def check(self):
        """Raise where all is off."""
        if self._given_up.is_set():
            raise RuntimeError("The search was given up.")

    def advance(self, n_epochs):
        """Move the bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], n_epochs)


class GroupReport:
    """Epochs of a group of networks, told as they end; nothing in another process.

    Networks are trained inside its ``with`` block.

    Parameters
    ----------
    progress : Progress or None
    running : Lock or None
        Held while the group trains.
    n_networks : int
    """

    def __init__(self, progress, running, n_networks):
        self._progress = progress
        self._running = running
        self._n_networks = n_networks
        self._told = 0

    def __enter__(self):
        if self._progress is not None:
            self._running.acquire()
        return self

    def __exit__(self, kind, error, traceback):
        if self._progress is not None:
            self._running.release()

    def __call__(self, epoch, log):
        """What the engine calls after every epoch."""
        if self._progress is None:
            return
        self._progress.check()
        self._told += self._n_networks
        self._progress.advance(self._n_networks)

    def close(self, n_epochs):
        """Tell the epochs that were not: of other processes, or not run at all."""
        self._progress.advance(n_epochs - self._told)

    def __reduce__(self):
        return GroupReport, (None, None, self._n_networks)


def _bar(title, n_epochs):
    """A started-later bar of rich, which Keras brings."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console()
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
