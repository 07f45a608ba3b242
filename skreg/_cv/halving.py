"""The search: candidates are trained in rungs, the best third of each goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.model_selection._search import _yield_masked_array_for_each_param

from skreg._cv.front_end import FrontEnds
from skreg._cv.rungs import Candidate, CrossValidation, Prediction
from skreg._cv.time_limit import Step, Stopwatch

FACTOR = 3
# A first rung that is shorter favors weak regularization: overfitting shows late.
FIRST_EPOCHS = 6
# A round is begun if there is time for so many rungs.
PLANNED_RUNGS = 3
# The ensemble is chosen among so many, the best by their own score: more of them gain
# hardly anything, and this bounds the memory for what they predict.
POOL_SIZE = 30
# So many candidates, the best ones, are tried with every front end.
N_TRIED = 3


@dataclass(frozen=True)
class Rung:
    """Candidates that have been trained equally long, and compared.

    Attributes
    ----------
    number : int
        0 for the first rung.
    candidates : list of Candidate
        With their scores, and without their networks.
    """

    number: int
    candidates: list[Candidate]


@dataclass
class Search:
    """A search as far as it has come.

    Attributes
    ----------
    rungs : list of Rung
        In the order of training.
    predictions : dict of int to list of ndarray or None
        What the best candidates predict out of fold, by their rows of ``cv_results_``;
        an array per fold.
    cv : CrossValidation or None
        That of the last rung, with the front end that was chosen.
    """

    rungs: list[Rung] = field(default_factory=list)
    predictions: dict[int, list[Prediction]] = field(default_factory=dict)
    cv: CrossValidation | None = None

    @property
    def front_end(self) -> str | None:
        """The front end that was chosen."""
        return None if self.cv is None else self.cv.front_end

    @property
    def means(self) -> NDArray[np.floating]:
        """Mean score of each row; NaN for rows of another front end."""
        means = mean_scores(score_table(self.rows))
        return np.where(
            [row.front_end == self.front_end for row in self.rows], means, np.nan
        )

    @property
    def rows(self) -> list[Candidate]:
        """The rows of ``cv_results_``: a candidate has one for each of its rungs."""
        return [candidate for rung in self.rungs for candidate in rung.candidates]

    def add(self, rung: Rung, cv: CrossValidation) -> None:
        """Add a rung whose candidates have their networks."""
        first = len(self.rows)
        without = [
            replace(c, folds=[replace(fold, network=None) for fold in c.folds])
            for c in rung.candidates
        ]
        self.rungs.append(replace(rung, candidates=without))
        self.cv = cv
        means = self.means
        order = np.argsort(-means, kind="stable")  # NaN comes last
        pool = order[: np.count_nonzero(~np.isnan(means))][:POOL_SIZE].tolist()
        new = [row for row in pool if row >= first]
        predicted = cv.predict([rung.candidates[row - first] for row in new])
        known = self.predictions | dict(zip(new, predicted, strict=True))
        self.predictions = {row: known[row] for row in pool}


def rung_epochs(epochs: int) -> list[int]:
    """Number of epochs after each rung; the last rung has all of them."""
    goals = [epochs]
    while goals[0] // FACTOR >= FIRST_EPOCHS:
        goals.insert(0, goals[0] // FACTOR)
    return goals


def planned_epochs(epochs: int) -> int:
    """Number of epochs that a search plans for, before it knows what pays."""
    return rung_epochs(epochs)[:PLANNED_RUNGS][-1]


def search(
    cv: CrossValidation,
    settings: Sequence[dict[str, Any]],
    epochs: int,
    stopwatch: Stopwatch,
    step: Step,
    front_ends: FrontEnds | None = None,
) -> Search:
    """Train candidates in rungs while it pays, and while there is time.

    There is one round, of all candidates, if there is time for it. Else rounds begin
    with a few candidates, and grow as long as there is time for another round.

    Parameters
    ----------
    cv : CrossValidation
        The folds and the scorer.
    settings : list of dict
        The parameters of each candidate.
    epochs : int
        Number of epochs of the last rung.
    stopwatch : Stopwatch
        Says what there is time for.
    step : callable
        ``step(title)`` is a context manager around each rung.
    front_ends : FrontEnds, default=None
        Those that are compared after the first rung.

    Returns
    -------
    Search
        All rungs of all rounds; none if there was no time for one.
    """
    goals = rung_epochs(epochs)
    found = Search()
    for first, last in _rounds(cv, len(settings), goals, stopwatch):
        candidates = [cv.start(params) for params in settings[first:last]]
        earlier: list[Candidate] = []
        for number, goal in enumerate(goals):
            training = cv.work(candidates, goal)
            if not stopwatch.allows([training], goal):
                break
            title = (
                f"{len(candidates)} candidates x {len(cv.splits)} folds, {goal} epochs"
            )
            with step(title):
                start = perf_counter()
                candidates = cv.train(candidates, goal)
                share = training_share(candidates)
                stopwatch.measure(perf_counter() - start, *training, share)
                found.add(Rung(number, candidates), cv)
            if number > 0 and not pays(earlier, candidates):
                break
            earlier += candidates
            candidates = survivors(candidates)
            if number == 0 and front_ends is not None and last == len(settings):
                with step("the choice of the front end"):
                    chosen = choose_front_end(
                        cv, candidates, front_ends, goal, stopwatch
                    )
                if chosen is not None:
                    cv, candidates = chosen
                    found.add(Rung(number, candidates), cv)
                    earlier = list(candidates)
            if not candidates:
                break
    return found


def choose_front_end(
    cv: CrossValidation,
    best: list[Candidate],
    front_ends: FrontEnds,
    epochs: int,
    stopwatch: Stopwatch,
) -> tuple[CrossValidation, list[Candidate]] | None:
    """Try the best candidates with each other front end.

    Returns
    -------
    None if none is better, by more than the standard error over the folds. Else the
    cross-validation with the best one, and the best candidates with it.
    """
    tried, rest = best[-N_TRIED:], best[:-N_TRIED]
    before = score_table(tried)
    planned = cv.work([replace(c, epochs=0) for c in best], epochs)
    chosen, highest = None, 0.0
    for numbers in front_ends.others(cv.splits) if tried else []:
        if not stopwatch.allows([planned], epochs):
            continue
        other = replace(
            cv, X=front_ends.fold_rows(numbers, cv.splits), front_end=numbers
        )
        trained = other.train([other.start(c.params) for c in tried], epochs)
        gains = (score_table(trained) - before).mean(axis=0)
        gain = float(np.mean(gains[~np.isnan(gains)])) if is_gain(gains) else 0.0
        if gain > highest:
            chosen, highest = (other, trained), gain
    if chosen is None:
        return None
    other, trained = chosen
    rest = [other.start(c.params) for c in rest]
    training = other.work(rest, epochs)
    start = perf_counter()
    rest = other.train(rest, epochs)
    stopwatch.measure(perf_counter() - start, *training, training_share(rest))
    return other, [*rest, *trained]


def training_share(candidates: Sequence[Candidate]) -> float:
    """The part of the seconds of a rung that was training, not scoring."""
    folds = [fold for candidate in candidates for fold in candidate.folds]
    training = sum(fold.fit_time for fold in folds)
    seconds = training + sum(fold.score_time for fold in folds)
    return training / seconds if seconds else 1.0


def pays(earlier: Sequence[Candidate], candidates: Sequence[Candidate]) -> bool:
    """Whether the last rung was worth its while, so that a longer one may be.

    It was if its best score is higher than the best one before by more than the
    standard error, over the folds, of their difference.
    """
    scores = score_table([*earlier, *candidates])
    means = mean_scores(scores)
    before, now = np.split(np.nan_to_num(means, nan=-np.inf), [len(earlier)])
    return is_gain(scores[len(earlier) + now.argmax()] - scores[before.argmax()])


def is_gain(gains: NDArray[np.floating]) -> bool:
    """Whether the mean over the folds is larger than its standard error."""
    gains = gains[~np.isnan(gains)]
    if len(gains) < 2:
        return bool(gains.sum() > 0)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def _rounds(
    cv: CrossValidation, n_candidates: int, goals: list[int], stopwatch: Stopwatch
) -> Iterator[tuple[int, int]]:
    """The first candidate of each round, and the first one that is not in it."""
    goals = goals[:PLANNED_RUNGS]

    def allows(n: int) -> bool:
        return stopwatch.allows(_planned_work(cv, n, goals), goals[-1])

    if allows(n_candidates):
        yield 0, n_candidates
        return
    done, n = 0, min(FACTOR, n_candidates)
    while n:
        yield done, done + n
        done += n
        # Twice as many as all so far at most, so that what they take is known well.
        n = min(2 * done, n_candidates - done)
        while n and not allows(n):
            n -= 1


def _planned_work(
    cv: CrossValidation, n_candidates: int, goals: list[int]
) -> list[tuple[int, float]]:
    """Number of networks and work of each rung of a round."""
    n_rows = sum(len(train) for train, _ in cv.splits)
    planned = []
    for before, goal in zip([0, *goals], goals, strict=False):
        work = float(n_candidates * n_rows * (goal - before))
        planned.append((n_candidates * len(cv.splits), work))
        n_candidates = ceil(n_candidates / FACTOR)
    return planned


def mean_scores(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean score of each candidate, NaN for those that can't be compared.

    A fold on which no candidate has a score is left out. A candidate that lacks a score
    on one of the others has no mean, unless that holds for every candidate.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds), dtype float64
        Scores of candidates that were trained equally long; NaN where there is none.

    Returns
    -------
    ndarray of shape (n_candidates,), dtype float64
        The means.
    """
    known = ~np.isnan(scores)
    used = known.any(axis=0)
    if not used.any():
        return np.full(len(scores), np.nan)
    if known[:, used].all(axis=1).any():
        return scores[:, used].mean(axis=1)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def survivors(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best third, the best one last; never one without a mean score."""
    means = mean_scores(score_table(candidates))
    n_compared = int(np.count_nonzero(~np.isnan(means)))
    n_kept = min(ceil(len(candidates) / FACTOR), n_compared)
    order = np.argsort(np.nan_to_num(means, nan=-np.inf), kind="stable")
    return [candidates[c] for c in order[len(order) - n_kept :]]


def score_table(candidates: Sequence[Candidate]) -> NDArray[np.floating]:
    """Scores of shape (n_candidates, n_folds)."""
    return np.array([candidate.scores for candidate in candidates], dtype=np.float64)


def cv_results(rungs: Sequence[Rung], score_units: tuple[float, ...]) -> dict[str, Any]:
    """What scikit-learn's halving searches have in ``cv_results_``.

    The unit of the scores is the product of `score_units`.
    """
    candidates = [candidate for rung in rungs for candidate in rung.candidates]
    params = [candidate.params_and_epochs for candidate in candidates]
    numbers = np.array([rung.number for rung in rungs for _ in rung.candidates])
    scores = score_table(candidates)
    means = np.full(len(candidates), np.nan)
    for number in np.unique(numbers):
        means[numbers == number] = mean_scores(scores[numbers == number])
    results: dict[str, Any] = {
        "iter": numbers,
        "n_resources": np.array([candidate.epochs for candidate in candidates]),
    }
    for name in ("fit_time", "score_time"):
        times = np.array([[getattr(f, name) for f in c.folds] for c in candidates])
        results[f"mean_{name}"] = times.mean(axis=1)
        results[f"std_{name}"] = times.std(axis=1)
    results.update(_yield_masked_array_for_each_param(params))
    results["params"] = params
    if candidates[0].front_end is not None:
        results["numeric_preprocessing"] = [c.front_end for c in candidates]
    for fold, column in enumerate(scores.T):
        results[f"split{fold}_test_score"] = column
    results["mean_test_score"] = means
    known = np.ma.masked_array(scores, np.isnan(scores))
    deviations = known.std(axis=1).filled(np.nan)
    results["std_test_score"] = np.where(np.isnan(means), np.nan, deviations)
    with np.errstate(over="ignore"):  # The squares need not fit into floats.
        for name in results:
            if name.endswith("_test_score"):
                for unit in score_units:
                    results[name] = results[name] * unit
    ranked = np.nan_to_num(-means, nan=np.inf, posinf=np.inf, neginf=-np.inf)
    results["rank_test_score"] = rankdata(ranked, method="min").astype(np.int32)
    return results
