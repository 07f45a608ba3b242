"""scikit-learn's own checks, over the ways in which the estimator can be set."""

import pytest
from problems import DROPOUT_FAILURES
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skreg import (
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
    RegularizedMLPRegressorCV,
)

# The defaults, with their 100 epochs, are checked below. These learn as much in fewer.
VARIANTS = [
    estimator.set_params(epochs=40, learning_rate=0.05)
    for estimator in [
        RegularizedMLPClassifier(
            (20, 10), l1=[1e-4, 0.0], l2=[0.0, 1e-3], group_l1=1e-3, ema_momentum=0.9
        ),
        RegularizedMLPClassifier(
            (20,), l1=1e-4, l2=1e-3, dropout=0.2, early_stopping=True
        ),
        RegularizedMLPClassifier((), class_weight="balanced"),
        RegularizedMLPRegressor((20, 10), loss="huber", l1=1e-4, dropout=0.2),
        RegularizedMLPRegressor((), loss="absolute_error"),
        RegularizedMLPRegressor((20,), loss="poisson"),
    ]
]
# There are few candidates, one of which alone is in two rungs and the ensemble.
SPACE = {"l2": [1e-4, 1e-3], "learning_rate": [0.05]}
CV_VARIANTS = [
    estimator(
        (20,),
        param_distributions=SPACE,
        n_candidates=2,
        ensemble_size=2,
        cv=ShuffleSplit(1, test_size=0.5, random_state=0),
        epochs=20,
        batch_size=128,
        preprocessing=None,  # Rows of weight 0 count where columns are scaled.
    )
    for estimator in (RegularizedMLPClassifierCV, RegularizedMLPRegressorCV)
]
# The checks do not set the seeds of estimators within others.
LEARNING = {"epochs": 30, "learning_rate": 0.05, "random_state": 0}
ENSEMBLES = [
    MLPEnsembleClassifier(RegularizedMLPClassifier((20,), **LEARNING), [{}, {"l2": 0}]),
    MLPEnsembleRegressor(RegularizedMLPRegressor((20,), **LEARNING), [{}, {"l2": 0}]),
]
ALL = [*VARIANTS, *CV_VARIANTS, *ENSEMBLES]


def expected_failures(estimator):
    if estimator in [*CV_VARIANTS, *ENSEMBLES]:
        return {}
    if getattr(estimator, "loss", None) == "poisson":
        # This check ignores the tag for positive targets.
        return {"check_regressor_multioutput": "its targets are negative"}
    return DROPOUT_FAILURES if estimator.dropout else {}


# The reason for each expected failure is above, or in `problems.DROPOUT_FAILURES`.
@parametrize_with_checks(ALL, expected_failed_checks=expected_failures)
def test_variant_conforms(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "estimator", [RegularizedMLPClassifier(), RegularizedMLPRegressor()]
)
def test_nothing_fails_and_nothing_but_the_array_api_is_skipped(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    passed = [r["check_name"] for r in results if r["status"] == "passed"]
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    assert len(passed) > 50
    assert others <= {"check_array_api_input"}


@pytest.mark.parametrize("variant", ALL)
def test_tags_claim_no_exemption(variant):
    tags = get_tags(variant)
    assert not (tags.classifier_tags or tags.regressor_tags).poor_score
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags._skip_test
