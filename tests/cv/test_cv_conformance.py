"""scikit-learn's checks of the CV estimators, with the regularization built in."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

SMALL = {"n_candidates": 2, "epochs": 20, "ensemble_size": 2}
ESTIMATORS = [RegularizedMLPClassifierCV(**SMALL), RegularizedMLPRegressorCV(**SMALL)]


# Two checks compare rows that are repeated or removed with rows of weight 2 or 0.
WEIGHTS = {
    f"check_sample_weight_equivalence_on_{kind}_data": (
        "numbers are scaled, and rows drawn into batches, whatever their weights"
    )
    for kind in ("dense", "sparse")
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: WEIGHTS)
def test_a_cv_estimator_conforms(estimator, check):
    check(estimator)
