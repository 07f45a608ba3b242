"""Which candidates are chosen, after how many epochs, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skreg._cv.greedy import choose_ensemble
from skreg._cv.halving import Search, score_table
from skreg._cv.time_limit import Stopwatch


@dataclass(frozen=True)
class Chosen:
    """The candidates that are fitted on all rows.

    Attributes
    ----------
    best : int
        The best candidate's row of ``cv_results_``.
    rows : list of int
        The row of each network, in the order of the choices.
    params : list of dict
        The parameters of each network, ``epochs`` among them.
    scores : list of float
        Score of the mean of the out-of-fold predictions after each choice; NaN if it is
        not known.
    warnings : list of str
        What the user should know.
    """

    best: int
    rows: list[int]
    params: list[dict[str, Any]]
    scores: list[float]
    warnings: list[str]


def choose(found: Search, ensemble_size: int | None, stopwatch: Stopwatch) -> Chosen:
    """Choose from all rungs; there is one at least.

    Raises
    ------
    ValueError
        If no candidate has a score.
    """
    means = found.means
    if np.isnan(means).all():
        errors = [fold.error for candidate in found.rows for fold in candidate.folds]
        raise ValueError(
            "No candidate could be fitted and scored on any fold. The first error was: "
            f"{errors[0]}"
        )
    best = int(np.nanargmax(means))
    rows, scores, warnings = [best], [float("nan")], []
    if ensemble_size is not None:
        try:
            rows, scores = choose_ensemble(found, ensemble_size, stopwatch)
        except Exception as error:  # a scorer that wants more than predictions
            rows, scores = [best] * ensemble_size, scores * ensemble_size
            warnings.append(
                "The means of candidates could not be compared, and the ensemble has "
                f"networks of the best one only: {error!r}"
            )
    params = [found.rows[row].params_and_epochs for row in rows]
    return Chosen(best, rows, params, scores, warnings)


def left_out(found: Search) -> list[str]:
    """Say which folds and candidates were left out."""
    if not found.rungs:
        return []
    first = [c for rung in found.rungs if rung.number == 0 for c in rung.candidates]
    unused = np.isnan(score_table(first)).all(axis=0)
    messages = []
    if unused.any():
        error = first[0].folds[int(np.argmax(unused))].error
        messages.append(
            f"Folds {np.flatnonzero(unused).tolist()} of {len(unused)} are left out: "
            f"no candidate has a score there. The first error was: {error}"
        )
    settings = {id(candidate.params) for candidate in first}
    errors: dict[int, str] = {}
    for candidate in found.rows:
        for fold in np.flatnonzero(~unused):
            if candidate.folds[fold].error:
                errors.setdefault(id(candidate.params), candidate.folds[fold].error)
    if errors:
        messages.append(
            f"{len(errors)} of {len(settings)} candidates lack a score on some fold, "
            f"and are left out. The first error was: {next(iter(errors.values()))}"
        )
    return messages
