"""What a search found, as a table: scores by one or two of its parameters."""

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError

from skreg._plotting.values_axis import number


def tabulate(search, x, hue, metric):
    """The scores of a search, as the parameters of `SearchDisplay`.

    Candidates without a finite score, or without a value of `x` or `hue`, are left out;
    of several with the same values, the best is taken.
    """
    results = _results(search)
    metric = _metric(search, results, metric)
    x, hue = _parameter(results, x, "x"), _parameter(results, hue, "hue")
    if x == hue:
        raise ValueError(f"hue must be another parameter than x, got {hue!r} for both.")
    means = results[f"mean_test_{metric}"]
    shown = _shown(results, means, {x, hue} - {None}, metric)
    x_values, columns = _levels(results, x, shown)
    hue_values, rows = _levels(results, hue, shown)
    cells = dict(zip(shown, zip(rows, columns, strict=True), strict=True))
    # The best is written last; of equals it is the first, as in scikit-learn's ranks.
    from_worst = sorted(shown, key=lambda i: (means[i], -i))

    def fold_scores(part):
        table = np.full((len(hue_values), len(x_values), search.n_splits_), np.nan)
        for k in range(search.n_splits_):
            scores = results[f"split{k}_{part}_{metric}"]
            for i in from_worst:
                table[(*cells[i], k)] = scores[i]
        return table

    best, best_name = _best(search, metric, means)
    trained = f"mean_train_{metric}" in results
    return {
        "x_name": x,
        "x_values": x_values,
        "hue_name": hue,
        "hue_values": None if hue is None else hue_values,
        "test_scores": fold_scores("test"),
        "train_scores": fold_scores("train") if trained else None,
        "score_name": _score_name(search, metric),
        "best": (*cells[best], float(means[best])) if best in cells else None,
        "best_name": best_name,
    }


def _results(search):
    results = getattr(search, "cv_results_", None)
    if results is None and hasattr(search, "refit"):
        raise NotFittedError(f"search must be fitted, got {search!r}.")
    if results is None or "params" not in results:
        raise TypeError(
            "search must be a search of scikit-learn's or skreg's, with its "
            f"cv_results_, got {search!r}."
        )
    return results


def _metric(search, results, metric):
    start = "mean_test_"
    there = [name.removeprefix(start) for name in results if name.startswith(start)]
    if metric is None and len(there) == 1:
        return there[0]
    if there == ["score"] and metric == _score_name(search, "score"):
        return "score"
    if metric is None and isinstance(search.refit, str):
        return search.refit
    if metric not in there:
        raise ValueError(f"metric must be one of {there}, got {metric!r}.")
    return metric


def _parameter(results, name, argument):
    """The full name of the parameter that is called so, or that ends so."""
    if name is None:
        return None
    there = list(dict.fromkeys(key for params in results["params"] for key in params))
    found = [full for full in there if full == name]
    found = found or [full for full in there if full.endswith(f"__{name}")]
    if len(found) != 1:
        raise ValueError(
            f"{argument} must name one parameter of the search, got {name!r}, which "
            f"{f'could be any of {found}' if found else f'is none of {there}'}."
        )
    return found[0]


def _shown(results, means, names, metric):
    """The candidates that have a score and all parameters of these names."""
    shown = [
        i
        for i, params in enumerate(results["params"])
        if names <= params.keys() and np.isfinite(means[i])
    ]
    if not shown:
        raise ValueError(
            f"search must have a candidate with {' and '.join(sorted(names))} and a "
            f"finite {metric!r}, got none among {len(means)}."
        )
    return shown


def _levels(results, name, shown):
    """The distinct values of a parameter, in order, and which of them each one has."""
    if name is None:
        return [None], [0] * len(shown)
    distinct, which = [], []
    for i in shown:
        value = results["params"][i][name]
        value = value.item() if isinstance(value, np.generic) else value
        same = [k for k, other in enumerate(distinct) if _equal(value, other)]
        which.append(same[0] if same else len(distinct))
        if not same:
            distinct.append(value)
    try:
        order = sorted(range(len(distinct)), key=distinct.__getitem__)
    except (TypeError, ValueError):  # numbers first, then the others as they came
        numbers = [number(value) for value in distinct]
        order = sorted(
            range(len(distinct)),
            key=lambda k: np.inf if numbers[k] is None else numbers[k],
        )
    return [distinct[k] for k in order], [order.index(k) for k in which]


def _equal(a, b):
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _best(search, metric, means):
    """The index of the candidate to mark, and what it is."""
    if not hasattr(search, "best_index_"):
        return np.nanargmax(means), "best candidate"
    if callable(search.refit):
        return search.best_index_, "candidate chosen by refit"
    if search.multimetric_ and search.refit != metric:
        return search.best_index_, f"best candidate by {search.refit}"
    return search.best_index_, "best candidate"


def _score_name(search, metric):
    if metric != "score":
        return metric
    if search.scoring is None and is_classifier(search.estimator):
        return "accuracy"
    if search.scoring is None and is_regressor(search.estimator):
        return "R2"
    if isinstance(search.scoring, str):
        return search.scoring
    return getattr(search.scoring, "__name__", "score")
