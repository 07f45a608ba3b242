"""Halving searches, beside a search of all candidates to the end and scikit-learn's."""

from functools import partial
from statistics import median

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV

from measure import a_search, row, timed
from networks import OURS, SKLEARN, ours, scikit_learn
from skreg import BatchedGridSearchCV, BatchedHalvingGridSearchCV


def compare_halving(title, X, y, repeats, quick):
    n_folds, n, epochs = (2, 3, 9) if quick else (5, 27, 54)
    print(f"\nHalving, {title}: {n} candidates x {n_folds} folds, factor 3")
    strengths = np.geomspace(1e-5, 1e-2, n)
    mlp, theirs = (make(1e-4, (64, 64), 32, epochs) for make in (ours, scikit_learn))
    l2, alpha = {"l2": strengths}, {"alpha": 64 * strengths}
    mine = partial(a_search, model=mlp, grid=l2, X=X, y=y, n_folds=n_folds)
    of_mlp = partial(
        a_search,
        HalvingGridSearchCV,
        model=theirs,
        grid=alpha,
        X=X,
        y=y,
        n_folds=n_folds,
        resource="mlpclassifier__max_iter",
        max_resources=epochs,
    )
    runs = {
        OURS: mine(BatchedHalvingGridSearchCV),
        "from a ninth of the epochs": mine(
            BatchedHalvingGridSearchCV, min_resources=max(1, epochs // 9)
        ),
        "all candidates to the end": mine(BatchedGridSearchCV),
        f"{SKLEARN}, n_jobs=-1": of_mlp(n_jobs=-1),
        f"{SKLEARN}, one by one": of_mlp(),
        "skreg in HalvingGridSearchCV": mine(
            HalvingGridSearchCV,
            resource="regularizedmlpclassifier__epochs",
            max_resources=epochs,
        ),
    }
    times, scores = {name: [] for name in runs}, {}
    for name in list(runs) * repeats:
        if name == f"{SKLEARN}, n_jobs=-1":
            get_reusable_executor().shutdown()
        seconds, (scores[name], _) = timed(runs[name])
        times[name].append(seconds)
    get_reusable_executor().shutdown()
    for name, seconds in times.items():
        row(name, median(seconds), median(times[OURS]))
    print("  best scores:", *(f"{n} {score:.4f};" for n, score in scores.items()))
    assert abs(scores["skreg in HalvingGridSearchCV"] - scores[OURS]) < 0.01
