"""Scores of a search, from its `cv_results_`, by one or two of its parameters."""

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg._cv.base import RegularizedMLPCV


def scores_by_parameters(search, x, hue, metric):
    """The parameters of `SearchDisplay`, for the candidates that it shows."""
    while isinstance(search, Pipeline):
        search = search.steps[-1][1]
    check_is_fitted(search)
    if not hasattr(search, "cv_results_"):
        raise ValueError(
            "search must be a search or a CV estimator that compared candidates, in "
            f"cv_results_, got {search!r}."
        )
    results = search.cv_results_
    metric = _metric(search, results, metric)
    x, hue = _full_name(results, x, "x"), hue and _full_name(results, hue, "hue")
    means = results[f"mean_test_{metric}"]
    candidates = [
        i
        for i, params in enumerate(results["params"])
        if {x, hue or x} <= params.keys() and np.isfinite(means[i])
    ]
    if not candidates:
        raise ValueError(
            f"search must have a candidate with a finite {metric!r} and values of "
            f"x={x!r} and hue={hue!r}, got none among {len(means)}."
        )
    x_values, columns = _distinct_values(results, x, candidates)
    hue_values, rows = None, np.zeros(len(candidates), dtype=int)
    resource = getattr(search, "resource", "epochs")  # what grows from rung to rung
    if hue is not None:
        hue_values, rows = _distinct_values(results, hue, candidates)
    elif "iter" in results and not f"__{x}".endswith(f"__{resource}"):
        _, first, rows = np.unique(
            np.array(results["iter"])[candidates],
            return_index=True,
            return_inverse=True,
        )
        hue, hue_values = resource, results["n_resources"][candidates][first].tolist()
    # The last candidate of a cell stays: the best of the last rung or, as in
    # scikit-learn's ranking, the first of equal ones.
    cells = dict(zip(candidates, zip(rows, columns, strict=True), strict=True))
    rungs = results.get("iter", np.zeros(len(means)))
    from_worst = sorted(candidates, key=lambda i: (rungs[i], means[i], -i))
    best_in_cell = {cells[i]: i for i in from_worst}

    def fold_scores(part):
        shape = max(rows) + 1, len(x_values), search.n_splits_
        scores = np.full(shape, np.nan)
        for fold in range(search.n_splits_):
            for cell, i in best_in_cell.items():
                scores[(*cell, fold)] = results[f"split{fold}_{part}_{metric}"][i]
        return scores

    best = getattr(search, "best_index_", None)  # none of several scores without refit
    return {
        "x_name": x,
        "x_values": x_values,
        "hue_name": hue,
        "hue_values": hue_values,
        "test_scores": fold_scores("test"),
        "train_scores": (
            fold_scores("train") if f"mean_train_{metric}" in results else None
        ),
        "score_name": _score_name(search, metric),
        "best": (*cells[best], float(means[best])) if best in cells else None,
    }


def _metric(search, results, metric):
    """The metric as `cv_results_` names it."""
    prefix = "mean_test_"
    metrics = [key.removeprefix(prefix) for key in results if key.startswith(prefix)]
    if metric is None:
        metric = metrics[0] if len(metrics) == 1 else search.refit
    if metric not in metrics:
        raise ValueError(f"metric must be one of {metrics}, got {metric!r}.")
    return metric


def _full_name(results, name, argument):
    """The parameter of this name, or the only one whose last part this is."""
    names = sorted({key for params in results["params"] for key in params})
    if name in names:
        return name
    matches = [full for full in names if full.endswith(f"__{name}")]
    if len(matches) != 1:
        raise ValueError(
            f"{argument} must name one of the parameters {names}, got {name!r}."
        )
    return matches[0]


def _distinct_values(results, name, candidates):
    """Distinct values of a parameter, and for each candidate the index of its.

    They are sorted if they have an order.
    """
    values = [results["params"][i][name] for i in candidates]
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    keys = list(map(repr, values))  # Values may not be hashable.
    distinct = dict(zip(keys, values, strict=True))
    try:
        order = sorted(distinct, key=distinct.__getitem__)
    except (TypeError, ValueError):
        order = list(distinct)
    return [distinct[key] for key in order], list(map(order.index, keys))


def _score_name(search, metric):
    """The metric as the display names it: `cv_results_` calls a single one "score"."""
    if metric != "score":
        return metric
    scoring = search.scoring
    if scoring is None and isinstance(search, RegularizedMLPCV):
        scoring = search._default_scoring()
    elif scoring is None:
        names = {"accuracy": is_classifier, "R2": is_regressor}
        scoring = next((name for name in names if names[name](search)), None)
    return (
        scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    )
