"""The Keras network, built through scikeras."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scikeras.wrappers import KerasRegressor

from skreg._training.activation_functions import keras_activation
from skreg._training.keras.interrupts import interrupts_deferred
from skreg._training.keras.precision import available_dtype
from skreg._training.task import (
    DROPOUT,
    INITIAL_WEIGHTS,
    Architecture,
    Regularization,
    derived_seed,
)


@interrupts_deferred()
def build_network(
    architecture: Architecture, regularization: Regularization, seed: int
) -> keras.Sequential:
    """A plain `keras.Sequential` for weights to be put in, built through scikeras.

    scikeras gets one row of zeros, since all it needs of the data is the shape; as a
    regressor, which takes one row whatever the number of outputs. Its ``random_state``
    stays None, because setting it switches global determinism on and off: what draws
    random numbers is seeded here instead.

    Parameters
    ----------
    architecture : Architecture
        Its shape.
    regularization : Regularization
        What its layers are regularized with.
    seed : int
        Seeds the dropout layers, and the initializers, of which nothing is used.

    Returns
    -------
    keras.Sequential
        Not compiled.
    """
    architecture = replace(architecture, dtype=available_dtype(architecture.dtype))
    wrapper = KerasRegressor(
        model=_stack_layers,
        loss="mse",  # not used: one of our engines trains the network
        model__architecture=architecture,
        model__regularization=regularization,
        model__seed=seed,
    )
    X = np.zeros((1, architecture.n_features), architecture.dtype)
    y = np.zeros((1, architecture.n_outputs), architecture.dtype)
    return wrapper.initialize(X, y).model_


def _stack_layers(
    architecture: Architecture, regularization: Regularization, seed: int
) -> keras.Sequential:
    """Dense and Dropout layers, one after the other; called by scikeras.

    Model and layers have fixed names: TensorFlow keeps some 35 kB for every
    distinct variable name, for as long as the process lives.
    """
    a, r = architecture, regularization
    last = len(a.hidden_layer_sizes)

    def dropout(rate: float, i: int, name: str) -> list[keras.layers.Dropout]:
        if rate == 0:
            return []
        noise_seed = derived_seed(seed, DROPOUT, i)
        return [keras.layers.Dropout(rate, seed=noise_seed, dtype=a.dtype, name=name)]

    layers = [keras.Input((a.n_features,), dtype=a.dtype, name="input")]
    layers += dropout(r.input_dropout, last, "input_dropout")
    for i, size in enumerate(a.hidden_layer_sizes):
        layers.append(_dense(a, r, i, size, a.activation, f"hidden_{i + 1}", seed))
        layers += dropout(r.dropout[i], i, f"dropout_{i + 1}")
    layers.append(
        _dense(a, r, last, a.n_outputs, a.output_activation, "output", seed),
    )
    return keras.Sequential(layers, name="network")


def _dense(
    architecture: Architecture,
    regularization: Regularization,
    i: int,
    size: int,
    activation: str,
    name: str,
    seed: int,
) -> keras.layers.Dense:
    l1, l2 = regularization.l1[i], regularization.l2[i]
    return keras.layers.Dense(
        size,
        activation=keras_activation(activation),
        kernel_initializer=keras.initializers.GlorotUniform(
            derived_seed(seed, INITIAL_WEIGHTS, i)
        ),
        kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
        dtype=architecture.dtype,
        name=name,
    )


@interrupts_deferred()
def average_network(
    networks: list[keras.Sequential], architecture: Architecture
) -> keras.Model:
    """A plain `keras.Model` that gives the mean of what networks give."""
    dtype = available_dtype(architecture.dtype)
    X = keras.Input((architecture.n_features,), dtype=dtype, name="input")
    outputs = [
        keras.Sequential(network.layers, name=f"member_{i}")(X)
        for i, network in enumerate(networks, start=1)
    ]
    mean = outputs[0]
    if len(outputs) > 1:
        mean = keras.layers.Average(dtype=dtype, name="mean")(outputs)
    return keras.Model(X, mean, name="ensemble")


def dense_layers(network: keras.Sequential) -> list[keras.layers.Dense]:
    """The layers that carry weights, first to last."""
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]


@interrupts_deferred()
def get_weights(
    network: keras.Sequential,
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Kernels and biases, as two lists of NumPy arrays."""
    pairs = [layer.get_weights() for layer in dense_layers(network)]
    return [kernel for kernel, _ in pairs], [bias for _, bias in pairs]


@interrupts_deferred()
def set_weights(
    network: keras.Sequential, kernels: list[NDArray[Any]], biases: list[NDArray[Any]]
) -> None:
    """Give a network its kernels and biases."""
    for layer, *pair in zip(dense_layers(network), kernels, biases, strict=True):
        layer.set_weights(pair)


@interrupts_deferred()
def get_values(variables: Iterable[keras.Variable]) -> list[NDArray[Any]]:
    """The values of Keras' variables, as NumPy arrays."""
    # Not by `keras.ops.convert_to_numpy`, which has NumPy 2 warn of an old protocol.
    return [variable.numpy() for variable in variables]


@interrupts_deferred()
def assign_values(
    variables: Iterable[keras.Variable], values: Iterable[NDArray[Any]]
) -> None:
    """Give Keras' variables their values."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
