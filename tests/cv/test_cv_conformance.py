"""scikit-learn's checks of the CV estimators, with the regularization built in."""

import pytest
from problems import DROPOUT_FAILURES
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import RegularizedMLPClassifierCV, RegularizedMLPRegressorCV

SMALL = {"n_candidates": 2, "epochs": 20, "ensemble_size": 2}
ESTIMATORS = [RegularizedMLPClassifierCV(**SMALL), RegularizedMLPRegressorCV(**SMALL)]


# The reason for each expected failure is in `problems.DROPOUT_FAILURES`.
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=lambda estimator: DROPOUT_FAILURES
)
def test_a_cv_estimator_conforms(estimator, check):
    check(estimator)
