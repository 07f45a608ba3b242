"""What importing skreg, and fitting, change and print in a new process.

`test_new_processes` runs it as a script, whose last line of output is a report in JSON.
"""

import json
import os
import random
import socket
import sys

import joblib
import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_iris

# TensorFlow's public names can only switch it on.
from tensorflow.python.framework.config import is_op_determinism_enabled


def state_after(action):
    """Global settings, and what each global generator draws, after an action."""
    keras.utils.clear_session()  # Keras 3.10 does not start its generator anew
    keras.utils.set_random_seed(7)
    action()
    return {
        "environment": dict(os.environ),
        "float type": keras.config.floatx(),
        "dtype policy": keras.config.dtype_policy().name,
        "determinism": is_op_determinism_enabled(),
        "random": random.random(),
        "numpy": np.random.rand(),
        "tensorflow": float(tf.random.uniform(())),
        "keras": float(keras.random.uniform(())),
    }


def changed_by(action):
    """The names of the settings and generators that an action changes."""
    expected, got = state_after(lambda: None), state_after(action)
    return [name for name, value in got.items() if value != expected[name]]


def import_all():
    """Import skreg, and what it imports only when asked for."""
    import skreg

    for name in skreg.__all__:
        getattr(skreg, name)


def seeded_digests():
    """Fit in several ways, with a seed, and predict; returns a hash of each fit."""
    from skreg import RegularizedMLPClassifier

    X, y = load_iris(return_X_y=True)
    digests = []
    for engine, epochs in (("compiled", 3), ("compiled", 100), ("keras", 3)):
        est = RegularizedMLPClassifier((8,), dropout=0.3, early_stopping=True)
        est.set_params(engine=engine, epochs=epochs, random_state=5).fit(X, y)
        est.predict(X)
        digests.append(joblib.hash(est.coefs_))
    return digests


def main():
    sys.modules["matplotlib"] = None  # only drawing needs it
    socket.socket = None  # nothing needs a network
    digests = []
    report = {
        "changed by importing": changed_by(import_all),
        "changed by fitting": changed_by(lambda: digests.extend(seeded_digests())),
        "digests": digests,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
