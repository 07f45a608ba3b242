"""A user's program for the type checker: mypy reads it, and nothing runs it.

An ignored error is one that a user is to see; mypy complains where there is none.
"""

from typing import Any, assert_type

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.stats import loguniform
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from skreg import (
    MLPEnsembleRegressor,
    RegularizedMLPClassifier,
    RegularizedMLPClassifierCV,
    RegularizedMLPRegressor,
)

X = np.zeros((8, 2))
y = [0, 1] * 4

classifier = RegularizedMLPClassifier(
    (16, 8),
    l1=[0.0, 1e-3],
    dropout=0.5,
    optimizer=keras.optimizers.SGD(0.1),
    batch_size=4,
    class_weight={0: 1, 1: 2.5},
    callbacks=[keras.callbacks.TerminateOnNaN()],
    random_state=np.random.RandomState(0),
)
assert_type(classifier.fit(X, y, [1.0] * 8), RegularizedMLPClassifier)
assert_type(classifier.fit(X, y, X_val=X, y_val=y), RegularizedMLPClassifier)
assert_type(classifier.partial_fit(X, y, classes=[0, 1]), RegularizedMLPClassifier)
assert_type(classifier.predict(X), NDArray[Any])
assert_type(classifier.predict_proba([[0.0, 1.0]]), NDArray[np.floating])
assert_type(classifier.predict_log_proba(X), NDArray[np.floating])
assert_type(classifier.decision_function(X), NDArray[np.floating])
RegularizedMLPClassifier(class_weight="balanced", batch_size="auto", random_state=0)
RegularizedMLPClassifier(engine="kears")  # type: ignore[arg-type]
RegularizedMLPClassifier(l2="1e-3")  # type: ignore[arg-type]
RegularizedMLPClassifier(class_weight="even")  # type: ignore[arg-type]
RegularizedMLPClassifier(alpha=1e-3)  # type: ignore[call-arg]
RegularizedMLPClassifier((8,), "relu")  # type: ignore[call-arg]
classifier.fit(X)  # type: ignore[call-arg]

regressor = RegularizedMLPRegressor(
    loss="huber",
    l2=1e-2,
    learning_rate=keras.optimizers.schedules.CosineDecay(0.01, 100),
)
assert_type(regressor.fit(X, y), RegularizedMLPRegressor)
assert_type(regressor.predict(X), NDArray[np.floating])
RegularizedMLPRegressor(loss="hubber")  # type: ignore[arg-type]
RegularizedMLPRegressor(class_weight="balanced")  # type: ignore[call-arg]

chosen = RegularizedMLPClassifierCV((16,), scoring="accuracy", cv=StratifiedKFold(3))
assert_type(chosen.fit(X, y, groups=y), RegularizedMLPClassifierCV)
assert_type(chosen.predict_members(X), NDArray[np.floating])
RegularizedMLPClassifierCV(param_distributions=[{"l1": loguniform(1e-5, 1e-2)}])
RegularizedMLPClassifierCV(n_candidates="4")  # type: ignore[arg-type]

ensemble = MLPEnsembleRegressor(make_pipeline(regressor), [{}, {}], n_jobs=-1)
assert_type(ensemble.fit(X, y), MLPEnsembleRegressor)
MLPEnsembleRegressor(regressor)  # type: ignore[call-arg]
