"""The progress bar of a fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Progress:
    """A bar over the trainings of a fit, on a terminal or in a notebook.

    Parameters
    ----------
    visible : bool
        Whether there is a bar.
    total : float or None
        Work in all, in any unit; None if that is not known beforehand.
    """

    def __init__(self, visible: bool, total: float | None) -> None:
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
        if self._bar is None:
            yield
            return
        task = self._bar.task_ids[0]
        self._bar.update(task, description=title)
        yield
        self._bar.advance(task, work)


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
