"""A process that loads fitted estimators and predicts imports no Keras."""

import pickle

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PREDICT = """
import pickle
import sys
from pathlib import Path

path = Path(sys.argv[1])
calls = pickle.loads(path.read_bytes())
path.write_bytes(pickle.dumps([predict(X) for predict, X in calls]))
slow_to_import = {"keras", "scikeras", "tensorflow", "skreg._cv.base"}
print(slow_to_import & set(sys.modules))
"""


def test_pickles_predict_in_another_process_without_keras(
    mlp, mlr, cancer, diabetes, tmp_path, in_new_process
):
    X, y = cancer
    alone = mlp().fit(X, y)
    classifier = make_pipeline(StandardScaler(), mlp(activation="gelu")).fit(X, y)
    regressor = make_pipeline(StandardScaler(), mlr(activation="gelu")).fit(*diabetes)
    calls = [
        (alone.predict_proba, X),
        (classifier.predict_proba, X),
        (regressor.predict, diabetes[0]),
    ]
    path = tmp_path / "calls.pickle"
    path.write_bytes(pickle.dumps(calls))
    assert in_new_process(PREDICT, str(path)) == "set()\n"
    got = pickle.loads(path.read_bytes())
    np.testing.assert_array_equal(got[0], alone.predict_proba(X))
    for predicted, (predict, rows) in zip(got, calls, strict=True):
        np.testing.assert_allclose(predicted, predict(rows), rtol=1e-12)
