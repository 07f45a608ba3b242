"""Networks as scikeras builds them."""

import tracemalloc

from skreg._training.keras.network import build_network
from skreg._training.task import Architecture, Regularization


def test_building_takes_little_memory_beside_the_weights():
    # scikeras learns the shape from rows: all columns times all labels would be 80 MB.
    architecture = Architecture(
        n_features=20_000,
        hidden_layer_sizes=(1,),
        n_outputs=1_000,
        activation="relu",
        output_activation="sigmoid",
        dtype="float32",
    )
    none = Regularization(l1=(0.0, 0.0), l2=(0.0, 0.0), group_l1=0.0, dropout=(0.0,))
    build_network(architecture, none, seed=0)  # what is imported stays
    tracemalloc.start()
    network = build_network(architecture, none, seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert network.input_shape == (None, 20_000)
    assert network.output_shape == (None, 1_000)
    assert peak < 2e6
