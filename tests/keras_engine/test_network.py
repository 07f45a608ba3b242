"""Networks as scikeras builds them."""

import tracemalloc

import numpy as np


def test_building_takes_little_memory_beside_the_weights(mlp):
    # scikeras learns the shape from rows: all columns times all labels would be 80 MB.
    X, labels = np.zeros((2, 20_000), np.float32), np.eye(2, 1_000, dtype=int)
    est, first = (mlp((1,), epochs=1).fit(X, labels) for _ in range(2))
    assert first.model_.built  # this has imported Keras
    tracemalloc.start()
    network = est.model_
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert network.input_shape == (None, 20_000)
    assert network.output_shape == (None, 1_000)
    assert peak < 2e6
