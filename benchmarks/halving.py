"""Halving searches, beside a search of all candidates to the end and scikit-learn's."""

from functools import partial

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV

from measure import ON_ALL_CORES, a_search, compare_by_time
from networks import OURS, SKLEARN, ours, scikit_learn
from skreg import BatchedGridSearchCV, BatchedHalvingGridSearchCV


def compare_halving(title, X, y, repeats, quick):
    n_folds, n, epochs = (2, 3, 3) if quick else (5, 27, 54)
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
        ON_ALL_CORES: of_mlp(n_jobs=-1),
        f"{SKLEARN}, one by one": of_mlp(),
        "skreg in HalvingGridSearchCV": mine(
            HalvingGridSearchCV,
            resource="regularizedmlpclassifier__epochs",
            max_resources=epochs,
        ),
    }
    scores = compare_by_time(runs, list(runs) * repeats, epochs)
    get_reusable_executor().shutdown()
    assert abs(scores["skreg in HalvingGridSearchCV"] - scores[OURS]) < 0.01
