"""The rows of networks that train together, one below the other, shared ones once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg._xla.stacked import Data
from skreg._training.task import Rows, Task


def stack_rows(tasks: list[Task]) -> Data:
    """All rows of the tasks as `Data`."""
    blocks = _blocks(tasks)
    tables = _tables(blocks)
    first_row = _starts(blocks, [len(rows) for rows in blocks])
    first_in_X = _starts(tables, [table.shape[0] for table in tables])

    @lru_cache(maxsize=1)  # an epoch may be cut into many calls
    def order(epoch: int) -> list[np.ndarray]:
        orders: dict[tuple[int, int], np.ndarray] = {}
        for t in tasks:
            if (key := (id(t.training), t.seed)) not in orders:
                orders[key] = first_row[id(t.training)] + t.order(epoch)
        return [orders[id(t.training), t.seed] for t in tasks]

    validation: list[NDArray[Any]] | None = None
    if tasks[0].validation is not None:
        numbers = {
            id(rows): first_row[id(rows)] + np.arange(len(rows)) for rows in blocks
        }
        validation = [numbers[id(t.validation)] for t in tasks]
    return Data(
        _stack_blocks(tables),
        np.concatenate(
            [first_in_X[id(rows.table)] + rows.numbers for rows in blocks],
            dtype=np.int32,
        ),
        _stack_blocks([rows.targets for rows in blocks]),
        _stack_blocks([rows.weight for rows in blocks]),
        _stack_blocks([rows.score_weight for rows in blocks]),
        order,
        validation,
    )


def _starts(blocks: list[Any], lengths: list[int]) -> dict[int, int]:
    """Where each block starts, by its `id`, if one lies below the other."""
    starts = itertools.accumulate(lengths, initial=0)
    return dict(zip(map(id, blocks), starts, strict=False))


def _stack_blocks(blocks: list[Any]) -> Any:
    if len(blocks) == 1:
        return blocks[0]
    if sparse.issparse(blocks[0]):
        return sparse.vstack(blocks, format="csr")
    return np.concatenate(blocks)


def count_rows(tasks: Iterable[Task]) -> tuple[int, int]:
    """Rows of the tables, and of all tasks together; what is shared counts once."""
    blocks = _blocks(tasks)
    return sum(table.shape[0] for table in _tables(blocks)), sum(map(len, blocks))


def _blocks(tasks: Iterable[Task]) -> list[Rows]:
    """The rows of all tasks, those that are shared once."""
    held = (rows for t in tasks for rows in (t.training, t.validation))
    return list({id(rows): rows for rows in held if rows is not None}.values())


def _tables(blocks: list[Rows]) -> list[Any]:
    """The tables of all rows, those that are shared once."""
    return list({id(rows.table): rows.table for rows in blocks}.values())
