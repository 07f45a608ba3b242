"""scikit-learn's checks of the CV estimators, with the regularization built in."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

SMALL = {"n_candidates": 2, "epochs": 20, "ensemble_size": 2}
ESTIMATORS = [RegularizedMLPClassifierCV(**SMALL), RegularizedMLPRegressorCV(**SMALL)]


def expected_failures(estimator):
    # The checks compare rows repeated or removed with rows weighted 2 or 0.
    reason = "dropout noise is drawn by the position of a row in its batch"
    check = "check_sample_weight_equivalence_on_{}_data"
    return {check.format(kind): reason for kind in ("dense", "sparse")}


# The reason for each expected failure is in `expected_failures`, right above.
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_a_cv_estimator_conforms(estimator, check):
    check(estimator)
