"""What a training shows of its epochs, as ``verbose`` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def epoch_report(
    verbose: int, n_epochs: int
) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Give a function of an epoch's number, from 1, and its figures that shows them.

    Parameters
    ----------
    verbose : int
        1 shows a bar, more a line per epoch, 0 nothing.
    n_epochs : int
    """
    if verbose == 0:
        yield lambda epoch, figures: None
    elif verbose == 1:
        with _bar(n_epochs) as report:
            yield report
    else:
        yield lambda epoch, figures: print(
            f"Epoch {epoch}/{n_epochs} - {_text(figures)}"
        )


def _text(figures: dict[str, float]) -> str:
    return " - ".join(f"{name}: {value:.4f}" for name, value in figures.items())


@contextmanager
def _bar(n_epochs: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    # All figures are to fit in a line of 80 characters: the loss is the sum of others.
    columns = BarColumn(8), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(*columns) as bar:
        shown = bar.add_task("", total=n_epochs)

        def report(epoch: int, figures: dict[str, float]) -> None:
            parts = {name: x for name, x in figures.items() if name != "loss"}
            bar.update(shown, completed=epoch, description=_text(parts))

        yield report
