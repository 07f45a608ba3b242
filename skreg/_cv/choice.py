"""Which candidates are chosen, and what had to be left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg._cv.greedy import choose_ensemble
from skreg._cv.halving import Rung, mean_scores, score_table
from skreg._cv.rungs import Candidate, CrossValidation
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


def choose(
    rungs: Sequence[Rung],
    cv: CrossValidation,
    ensemble_size: int | None,
    epochs: int,
    stopwatch: Stopwatch,
) -> Chosen:
    """Choose from the last rung in which candidates could be compared.

    Raises
    ------
    ValueError
        If there is no such rung.
    """
    rows = [(rung, c) for rung in rungs for c in rung.candidates]
    pool, means = _last_compared(rows)
    candidates = [rows[i][1] for i in pool]
    best = int(np.nanargmax(means))
    numbers, scores, warnings = [best], [float("nan")], []
    if ensemble_size is not None:
        try:
            numbers, scores = choose_ensemble(candidates, means, cv, ensemble_size)
        except Exception as error:  # a scorer that wants more than predictions
            numbers, scores = [best] * ensemble_size, scores * ensemble_size
            warnings.append(
                "The means of candidates could not be compared, and the ensemble has "
                f"networks of the best one only: {error!r}"
            )
    last = rows[pool[0]][0]
    if last.number < max(rung.number for rung in rungs):  # which nobody has survived
        epochs = last.epochs
    epochs = max(1, int(epochs * stopwatch.share_of_final_work()))
    chosen = [pool[c] for c in numbers]
    params = [{**rows[i][1].params, "epochs": epochs} for i in chosen]
    return Chosen(pool[best], chosen, params, scores, warnings)


def _last_compared(
    rows: list[tuple[Rung, Candidate]],
) -> tuple[list[int], NDArray[np.floating]]:
    """Rows of the last rung that has a score, and their mean scores."""
    for number in sorted({rung.number for rung, _ in rows}, reverse=True):
        pool = [i for i, (rung, _) in enumerate(rows) if rung.number == number]
        means = mean_scores(score_table([rows[i][1] for i in pool]))
        if not np.isnan(means).all():
            return pool, means
    errors = [fold.error for _, candidate in rows for fold in candidate.folds]
    raise ValueError(
        "No candidate could be fitted and scored on any fold. The first error was: "
        f"{errors[0]}"
    )


def left_out(rungs: Sequence[Rung]) -> list[str]:
    """Say which folds and candidates were left out."""
    if not rungs:
        return []
    first = [c for rung in rungs if rung.number == 0 for c in rung.candidates]
    unused = np.isnan(score_table(first)).all(axis=0)
    messages = []
    if unused.any():
        error = first[0].folds[int(np.argmax(unused))].error
        messages.append(
            f"Folds {np.flatnonzero(unused).tolist()} of {len(unused)} are left out: "
            f"no candidate has a score there. The first error was: {error}"
        )
    errors: dict[int, str] = {}
    for candidate in (c for rung in rungs for c in rung.candidates):
        for fold in np.flatnonzero(~unused):
            if candidate.folds[fold].error:
                errors.setdefault(id(candidate.params), candidate.folds[fold].error)
    if errors:
        messages.append(
            f"{len(errors)} of {len(first)} candidates lack a score on some fold, and "
            f"are left out. The first error was: {next(iter(errors.values()))}"
        )
    return messages
