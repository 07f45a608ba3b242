"""Learning rates that change from step to step, computed outside the compiled function.

They reach it as an array, so that other schedules compile nothing anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Schedule: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.floating]]

# Schedules are evaluated for as many steps at once, which start at a multiple: so the
# rounding of a rate depends on its step alone, not on where a call or a fit starts.
BLOCK = 1 << 13
# What momentum has shrunk below that is forgotten.
FORGOTTEN = 2.0**-60


class LearningRates:
    """Learning rates of K networks.

    Parameters
    ----------
    schedules : sequence of K callable
        ``schedule(steps)`` gives the rates of steps, both of shape (n,). Steps are
        counted from 0.
    momentum : ndarray of shape (K,)
        With which an optimizer sums up its updates.
    dtype : str
        Of the rates.
    """

    def __init__(
        self, schedules: Sequence[Schedule], momentum: NDArray[Any], dtype: str
    ) -> None:
        self._schedules = schedules
        self._momentum = momentum
        self._dtype = dtype
        # Of each network the block where a call starts, and the one where it ends.
        self._block = lru_cache(maxsize=2 * len(schedules))(self._evaluate)

    def of_steps(self, done: NDArray[Any], moves: NDArray[np.bool_]) -> NDArray[Any]:
        """Rates of a call's steps.

        Parameters
        ----------
        done : ndarray of shape (K,)
            Steps that each network has taken before.
        moves : ndarray of shape (n_steps, K)
            Which networks take a step.

        Returns
        -------
        ndarray of shape (n_steps, 2, K, 1)
            The learning rates, and their sums with momentum: ``sum(momentum**(t - i) *
            rate_i)`` over the steps i until t.
        """
        numbers = done.astype(np.int64) + np.cumsum(moves, axis=0) - moves
        rates = np.empty((len(moves), 2, moves.shape[1], 1), self._dtype)
        for k, of_network in enumerate(numbers.T):
            first, stop = of_network[0], of_network[-1] + 1
            memory = _memory(self._momentum[k], stop)
            start = max(0, first - memory)
            known = self._between(k, start, stop)
            powers = self._momentum[k] ** np.arange(min(memory + 1, len(known)))
            sums = np.convolve(known, powers)
            rates[:, 0, k, 0] = known[of_network - start]
            rates[:, 1, k, 0] = sums[of_network - start]
        return rates

    def _between(self, k: int, start: int, stop: int) -> NDArray[Any]:
        first = start // BLOCK
        blocks = [self._block(k, i) for i in range(first, math.ceil(stop / BLOCK))]
        return np.concatenate(blocks)[start - first * BLOCK : stop - first * BLOCK]

    def _evaluate(self, k: int, block: int) -> NDArray[Any]:
        return self._schedules[k](np.arange(block * BLOCK, (block + 1) * BLOCK))


def _memory(momentum: float, n_steps: int) -> int:
    """How many of n steps that went before count in a sum with momentum."""
    if momentum <= 0 or momentum >= 1:
        return n_steps if momentum else 0
    return min(n_steps, int(math.log(FORGOTTEN) / math.log(momentum)))
