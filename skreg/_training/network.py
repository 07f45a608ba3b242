"""The Keras network, built through scikeras, and its plain forward pass."""

import keras
import numpy as np
import scikeras  # noqa: F401 (lets optimizers be pickled)
from scipy.sparse import issparse
from scipy.special import expit

from skreg._training.task import DROPOUT, INITIAL_WEIGHTS, derived_seed

# Rows pushed forward at once: bounds the memory of the layers between.
CHUNK = 2048


def build_network(architecture, seed):
    """A plain `keras.Sequential` with fresh weights, built through scikeras.

    scikeras gets a token batch, a row of zeros a class, since all it needs of the
    data is the shape; its ``random_state`` stays None, because setting it switches
    global determinism on and off: every initializer is seeded here instead.

    Parameters
    ----------
    architecture : Architecture
        The network to build.
    seed : int
        Seeds the initial kernels and the dropout layers.

    Returns
    -------
    keras.Sequential
        Not compiled.
    """
    # Imports much of scikit-learn, of which loading a model has no need.
    from scikeras.wrappers import KerasClassifier

    n_classes = max(architecture.n_outputs, 2)
    token_X = np.zeros((n_classes, architecture.n_features), architecture.dtype)
    wrapper = KerasClassifier(
        model=_stack,
        # None of these is used: the network is trained by one of our engines.
        # scikeras wants to know them to encode the token labels.
        loss="sparse_categorical_crossentropy",
        model__architecture=architecture,
        model__seed=seed,
    )
    return wrapper.initialize(token_X, np.arange(n_classes)).model_


def _stack(meta, architecture, seed):
    """Dense and Dropout layers one on the other; called by scikeras.

    Model and layers have fixed names: TensorFlow keeps some 35 kB for every
    distinct variable name, for as long as the process lives.
    """
    a = architecture
    layers = [keras.Input((meta["n_features_in_"],), dtype=a.dtype, name="input")]
    for i, size in enumerate(a.hidden_layer_sizes):
        layers.append(_dense(a, i, size, a.activation, f"hidden_{i + 1}", seed))
        if a.dropout[i] > 0:
            layers.append(
                keras.layers.Dropout(
                    a.dropout[i],
                    seed=derived_seed(seed, DROPOUT, i),
                    dtype=a.dtype,
                    name=f"dropout_{i + 1}",
                )
            )
    last = len(a.hidden_layer_sizes)
    layers.append(
        _dense(a, last, a.n_outputs, a.output_activation, "output", seed),
    )
    return keras.Sequential(layers, name="network")


def _dense(architecture, i, size, activation, name, seed):
    l1, l2 = architecture.l1[i], architecture.l2[i]
    return keras.layers.Dense(
        size,
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(
            derived_seed(seed, INITIAL_WEIGHTS, i)
        ),
        kernel_regularizer=keras.regularizers.L1L2(l1, l2) if l1 or l2 else None,
        dtype=architecture.dtype,
        name=name,
    )


def dense_layers(network):
    """The layers that carry weights, first to last."""
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]


def get_weights(network):
    """Kernels and biases, as two lists of NumPy arrays."""
    pairs = [layer.get_weights() for layer in dense_layers(network)]
    return [kernel for kernel, _ in pairs], [bias for _, bias in pairs]


def set_weights(network, kernels, biases):
    """Hand a network its kernels and biases."""
    for layer, *pair in zip(dense_layers(network), kernels, biases, strict=True):
        layer.set_weights(pair)


def _relu(z):
    np.maximum(z, 0, out=z)


def _tanh(z):
    np.tanh(z, out=z)


def _sigmoid(z):
    expit(z, out=z)


def _linear(z):
    pass


_IN_PLACE = {"relu": _relu, "tanh": _tanh, "sigmoid": _sigmoid, "linear": _linear}


def _activate(name, z):
    """Apply an activation, overwriting z where NumPy has the function."""
    if name in _IN_PLACE:
        _IN_PLACE[name](z)
        return z
    activation = keras.activations.get(name)
    return keras.ops.convert_to_numpy(activation(keras.ops.convert_to_tensor(z)))


def forward(kernels, biases, activation, X):
    """Logits of a network, by NumPy: a call into Keras costs milliseconds.

    Parameters
    ----------
    kernels, biases : list of ndarray
        Of shapes (n_in, n_out) and (n_out,).
    activation : str
        Keras name of the hidden layers' activation.
    X : ndarray or SciPy CSR of shape (n_rows, n_features)
        In the dtype of the weights.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
    """
    logits = np.empty((X.shape[0], biases[-1].shape[0]), kernels[0].dtype)
    for start in range(0, X.shape[0], CHUNK):
        h = X[start : start + CHUNK]
        for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
            z = h @ kernel
            z += bias
            h = _activate(activation, z)
        out = logits[start : start + CHUNK]
        if issparse(h):
            out[...] = h @ kernels[-1]
        else:
            np.matmul(h, kernels[-1], out=out)
        out += biases[-1]
    return logits
