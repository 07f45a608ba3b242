"""A process that loads a fitted estimator and predicts imports no Keras."""

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PREDICT = """
import sys

import joblib

path, method = sys.argv[1:]
model, X = joblib.load(path)
joblib.dump(getattr(model, method)(X), path)
print({"keras", "scikeras", "tensorflow"} & set(sys.modules))
"""


@pytest.mark.parametrize(
    ("make", "data", "method"),
    [("mlp", "cancer", "predict_proba"), ("mlr", "diabetes", "predict")],
)
def test_predicting_imports_no_keras(
    make, data, method, request, tmp_path, in_new_process
):
    X, y = request.getfixturevalue(data)
    estimator = request.getfixturevalue(make)(activation="gelu")
    model = make_pipeline(StandardScaler(), estimator).fit(X, y)
    path = tmp_path / "model.joblib"
    joblib.dump((model, X), path)
    assert in_new_process(PREDICT, str(path), method) == "set()\n"
    np.testing.assert_allclose(joblib.load(path), getattr(model, method)(X), rtol=1e-12)
