"""The progress bar of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

Step: TypeAlias = Callable[[str, float], AbstractContextManager[None]]


class Progress:
    """Shows the parts of a fit: in a bar, and to scikit-learn's callbacks.

    Parameters
    ----------
    visible : bool
        Whether there is a bar, on a terminal or in a notebook.
    total : float or None
        Work in all, in any unit; None if that is not known beforehand.
    subtask : callable
        ``subtask(name)`` is a context manager that tells the callbacks.
    """

    def __init__(
        self,
        visible: bool,
        total: float | None,
        subtask: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._subtask = subtask
        self._bar: Any = _make_bar(total) if visible else None

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @contextmanager
    def step(self, title: str, work: float) -> Iterator[None]:
        """Name what the block does, and move the bar once that is done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=title)
        with self._subtask(title):
            yield
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], work)


def _make_bar(total: float | None) -> Any:
    """A progress bar of rich, not yet started."""
    from rich import get_console  # only where a bar is wanted
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    # scikit-learn's `ProgressBar` draws on the same console: both can be shown at once.
    console = get_console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not (console.is_terminal or console.is_jupyter),
    )
    bar.add_task("", total=total)
    return bar
