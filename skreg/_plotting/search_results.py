"""Scores of a search, from its `cv_results_`, by one or two of its parameters."""

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._cv.base import RegularizedMLPCV
from skreg._plotting.parameter_axis import finite_float


def scores_by_parameters(search, x, hue, metric):
    """The scores of a search as the constructor's parameters of `SearchDisplay`.

    Candidates without a finite score, or without a value of `x` or `hue`, are left out.
    Where several have the same values, the best is taken; in a halving search, the best
    that reached the last rung among them. There, a hue of None stands for the rungs.
    """
    while isinstance(search, Pipeline):
        search = search.steps[-1][1]
    results = _results(search)
    metric = _metric(search, results, metric)
    x, hue = _full_name(results, x, "x"), _full_name(results, hue, "hue")
    if x == hue:
        raise ValueError(f"hue must be another parameter than x, got {hue!r} for both.")
    means = results[f"mean_test_{metric}"]
    candidates = _candidates(results, means, {x, hue} - {None}, metric)
    x_values, columns = _distinct_values(results, x, candidates)
    if hue is None and "iter" in results and not _is_resource(search, x):
        hue, hue_values, rows = _rungs(search, results, candidates)
    else:
        hue_values, rows = _distinct_values(results, hue, candidates)
    cells = dict(zip(candidates, zip(rows, columns, strict=True), strict=True))
    # The last candidate of a cell stays: the best or, as in scikit-learn's ranking, the
    # first of equal ones.
    rungs = results.get("iter", np.zeros(len(means)))
    from_worst = sorted(candidates, key=lambda i: (rungs[i], means[i], -i))
    best_in_cell = {cells[i]: i for i in from_worst}

    def fold_scores(part):
        scores = np.full((len(hue_values), len(x_values), search.n_splits_), np.nan)
        for fold in range(search.n_splits_):
            column = results[f"split{fold}_{part}_{metric}"]
            for cell, i in best_in_cell.items():
                scores[(*cell, fold)] = column[i]
        return scores

    best, best_name = _best_candidate(search, metric, means)
    has_train_scores = f"mean_train_{metric}" in results
    return {
        "x_name": x,
        "x_values": x_values,
        "hue_name": hue,
        "hue_values": None if hue is None else hue_values,
        "test_scores": fold_scores("test"),
        "train_scores": fold_scores("train") if has_train_scores else None,
        "score_name": _score_name(search, metric),
        "best": (*cells[best], float(means[best])) if best in cells else None,
        "best_name": best_name,
    }


def _results(search):
    results = getattr(search, "cv_results_", None)
    if isinstance(search, RegularizedMLPCV):
        check_is_fitted(search)
        if results is None:
            raise ValueError(
                "search must have compared candidates, for which time_limit="
                f"{search.time_limit!r} left no time, got {search!r}."
            )
    if results is None and hasattr(search, "refit"):
        raise NotFittedError(f"search must be fitted, got {search!r}.")
    if results is None or "params" not in results:
        raise TypeError(
            "search must be a search of scikit-learn's or a CV estimator of skreg's, "
            f"with its cv_results_, got {search!r}."
        )
    return results


def _metric(search, results, metric):
    """The metric as `cv_results_` names it."""
    prefix = "mean_test_"
    metrics = [key.removeprefix(prefix) for key in results if key.startswith(prefix)]
    if metric is None and len(metrics) == 1:
        return metrics[0]
    if metrics == ["score"] and metric == _score_name(search, "score"):
        return "score"
    if metric is None and isinstance(search.refit, str):
        return search.refit
    if metric not in metrics:
        raise ValueError(f"metric must be one of {metrics}, got {metric!r}.")
    return metric


def _full_name(results, name, argument):
    """The parameter of this name, or the only one whose last part this is."""
    if name is None:
        return None
    names = list(dict.fromkeys(key for params in results["params"] for key in params))
    if name in names:
        return name
    matches = [full for full in names if full.endswith(f"__{name}")]
    if len(matches) != 1:
        problem = f"could be any of {matches}" if matches else f"is none of {names}"
        raise ValueError(
            f"{argument} must name one parameter of the search, got {name!r}, which "
            f"{problem}."
        )
    return matches[0]


def _candidates(results, means, names, metric):
    """Indices of the candidates that have a finite score and all these parameters."""
    candidates = [
        i
        for i, params in enumerate(results["params"])
        if names <= params.keys() and np.isfinite(means[i])
    ]
    if not candidates:
        raise ValueError(
            f"search must have a candidate with {' and '.join(sorted(names))} and a "
            f"finite {metric!r}, got none among {len(means)}."
        )
    return candidates


def _distinct_values(results, name, candidates):
    """Sorted distinct values of a parameter, and for each candidate the index of its.

    Like `numpy.unique` with ``return_inverse=True``, but for values of any type.
    """
    if name is None:
        return [None], [0] * len(candidates)
    values, inverse = [], []
    for i in candidates:
        value = results["params"][i][name]
        value = value.item() if isinstance(value, np.generic) else value
        k = next((k for k, other in enumerate(values) if _equal(value, other)), None)
        if k is None:
            k = len(values)
            values.append(value)
        inverse.append(k)
    order = _sorted_indices(values)
    return [values[k] for k in order], [order.index(k) for k in inverse]


def _resource(search):
    """What grows from rung to rung."""
    return "epochs" if isinstance(search, RegularizedMLPCV) else search.resource


def _is_resource(search, name):
    """Whether the parameter is the resource of a halving search."""
    resource = _resource(search)
    return name == resource or name.endswith(f"__{resource}")


def _rungs(search, results, candidates):
    """Name and values of a halving search's resource, and each candidate's rung."""
    iterations = [results["iter"][i] for i in candidates]
    numbers = sorted(set(iterations))
    resources = dict(zip(iterations, results["n_resources"][candidates], strict=True))
    rows = list(map(numbers.index, iterations))
    return _resource(search), [int(resources[number]) for number in numbers], rows


def _equal(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _sorted_indices(values):
    """Indices that sort the values; if they have no order, numbers come first."""
    try:
        return sorted(range(len(values)), key=values.__getitem__)
    except (TypeError, ValueError):
        numbers = [finite_float(value) for value in values]
        keys = [np.inf if number is None else number for number in numbers]
        return sorted(range(len(values)), key=keys.__getitem__)


def _best_candidate(search, metric, means):
    """Index of the candidate to mark, and what to call it."""
    if not hasattr(search, "best_index_"):
        return np.nanargmax(means), "best candidate"
    if isinstance(search, RegularizedMLPCV):
        return search.best_index_, "best candidate"
    if callable(search.refit):
        return search.best_index_, "candidate chosen by refit"
    if search.multimetric_ and search.refit != metric:
        return search.best_index_, f"best candidate by {search.refit}"
    return search.best_index_, "best candidate"


def _score_name(search, metric):
    """The metric as the display names it: `cv_results_` calls a single one "score"."""
    if metric != "score":
        return metric
    if isinstance(search, RegularizedMLPCV):
        return _scoring_name(search.scoring or search._default_scoring())
    if search.scoring is None and is_classifier(search.estimator):
        return "accuracy"
    if search.scoring is None and is_regressor(search.estimator):
        return "R2"
    return _scoring_name(search.scoring)


def _scoring_name(scoring):
    return (
        scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    )
