"""The figures of a training, one entry per epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._xla.batches import Segment
from skreg._xla.program import (
    FINITE,
    PENALTY,
    RAN,
    ROWS,
    VAL_LOSS,
    VAL_SCORE,
)


class History:
    """The figures of K networks.

    Parameters
    ----------
    n_networks : int
    validates : bool
        Whether there are validation figures.
    """

    def __init__(self, n_networks: int, validates: bool) -> None:
        self._validates = validates
        self._sums = np.zeros((n_networks, 3))  # over the steps of an epoch
        self._logs: list[dict[str, NDArray[Any]]] = []
        self._ran: list[NDArray[np.bool_]] = []
        self._finite: list[NDArray[np.bool_]] = []

    def extend(
        self, segments: list[Segment], figures: NDArray[Any], n_steps: int
    ) -> list[dict[str, NDArray[Any]]]:
        """Take in the figures of a call; segments that it did not run are 0.

        Returns
        -------
        list of dict of str to ndarray of shape (K,)
            The figures of each epoch that the call has ended.
        """
        n_before = len(self)
        for (_, _, last), columns in zip(segments, figures, strict=False):
            self._sums += columns[:, ROWS : PENALTY + 1]
            if last < n_steps or not columns[:, RAN].any():
                continue
            self._end_epoch(columns)
        return self._logs[n_before:]

    @property
    def has_failures(self) -> bool:
        """Whether weights have become non-finite."""
        return bool(np.any(np.array(self._ran) & ~np.array(self._finite)))

    def __len__(self) -> int:
        """How many epochs have ended."""
        return len(self._logs)

    @property
    def last_ran(self) -> NDArray[np.bool_]:
        """Which networks ran the last epoch, and did not diverge."""
        return self._ran[-1] & self._finite[-1]

    def _end_epoch(self, columns: NDArray[Any]) -> None:
        n_rows = np.maximum(self._sums[:, 0], 1)
        log = {
            "data_loss": self._sums[:, 1] / n_rows,
            "penalty": self._sums[:, 2] / n_rows,
        }
        log = {"loss": log["data_loss"] + log["penalty"], **log}
        if self._validates:
            log["val_loss"] = columns[:, VAL_LOSS]
            log["val_score"] = columns[:, VAL_SCORE]
        self._sums = np.zeros_like(self._sums)
        self._logs.append(log)
        self._ran.append(columns[:, RAN] > 0)
        self._finite.append(columns[:, FINITE] > 0)

    def of(self, k: int, n_epochs: int) -> tuple[dict[str, list[float]], int]:
        """First epochs of network k, and the one of non-finite weights or 0."""
        epochs = [e for e, ran in enumerate(self._ran[:n_epochs]) if ran[k]]
        history = {
            name: [float(self._logs[e][name][k]) for e in epochs]
            for name in self._logs[0]
        }
        failed = [e + 1 for e in epochs if not self._finite[e][k]]
        return history, failed[0] if failed else 0
