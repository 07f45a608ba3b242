"""The same network in every library: functions (l2, sizes, batch_size, epochs)."""

import itertools
from functools import partial
from importlib.util import find_spec

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier
from sklearn.neural_network import MLPClassifier

from skreg import RegularizedMLPClassifier

OURS, SKLEARN, SCIKERAS = "skreg", "scikit-learn MLPClassifier", "scikeras"


def network(n_features, n_outputs, sizes, l2, loss):
    """The same network for the libraries that take a model function."""
    l2 = keras.regularizers.L2(l2)
    hidden = [keras.layers.Dense(n, "relu", kernel_regularizer=l2) for n in sizes]
    last = keras.layers.Dense(n_outputs, "sigmoid" if n_outputs == 1 else "softmax")
    model = keras.Sequential([keras.Input((n_features,)), *hidden, last])
    model.compile("adam", loss)
    return model


def scikeras_network(meta, sizes, l2):
    binary = meta["target_type_"] == "binary"
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    n_outputs = 1 if binary else meta["n_classes_"]
    return network(meta["n_features_in_"], n_outputs, sizes, l2, loss)


def keras_network(X, y, sizes, l2):
    # Keras' wrapper one-hot encodes two classes as well.
    n_classes = 2 if y.ndim == 1 else y.shape[1]
    return network(X.shape[1], n_classes, sizes, l2, "categorical_crossentropy")


class Scikeras:
    """scikeras' classifier, with fit and predict only.

    It cannot be searched since scikit-learn 1.6.
    """

    def __init__(self, l2, sizes, batch_size, epochs):
        self.model = KerasClassifier(
            model=scikeras_network,
            model__sizes=sizes,
            model__l2=l2,
            epochs=epochs,
            batch_size=batch_size,
            verbose=0,
        )

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X, verbose=0)

    def n_epochs(self):
        return len(self.model.history_["loss"])


class KerasWrapper:
    """Keras' own SKLearnClassifier, with fit and predict only."""

    def __init__(self, l2, sizes, batch_size, epochs):
        self.model = keras.wrappers.SKLearnClassifier(
            keras_network,
            model_kwargs={"sizes": sizes, "l2": l2},
            fit_kwargs={"epochs": epochs, "batch_size": batch_size, "verbose": 0},
        )

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X).ravel()

    def n_epochs(self):
        return len(self.model.history_.epoch)


def skorch(l2, sizes, batch_size, epochs, n_features, n_classes):
    """skorch's classifier; its L2 is the optimizer's weight decay, on all layers."""
    import torch
    from skorch import NeuralNetClassifier

    widths = [n_features, *sizes]
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    layers.append(torch.nn.Linear(widths[-1], n_classes))
    return NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__lr=1e-3,
        optimizer__weight_decay=2 * l2,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def ours(l2, sizes, batch_size, epochs, engine="auto"):
    return RegularizedMLPClassifier(
        sizes,
        l2=l2,
        batch_size=batch_size,
        epochs=epochs,
        engine=engine,
        random_state=0,
    )


def scikit_learn(l2, sizes, batch_size, epochs):
    return MLPClassifier(
        sizes,
        alpha=2 * l2 * batch_size,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
    )


def peers(X, y, only=None):
    """Map names to functions (l2, sizes, batch_size, epochs) that make a classifier.

    Only those that compute in the precision of X: in double precision, skreg and
    scikit-learn.
    """
    makers = {OURS: ours, SKLEARN: scikit_learn}
    if X.dtype == np.float32:
        makers["skreg, engine='keras'"] = partial(ours, engine="keras")
        makers[SCIKERAS] = Scikeras
        makers["Keras SKLearnClassifier"] = KerasWrapper
        if find_spec("skorch") and find_spec("torch"):
            shape = {"n_features": X.shape[1], "n_classes": len(np.unique(y))}
            makers["skorch"] = partial(skorch, **shape)
    return {k: v for k, v in makers.items() if only is None or k in {OURS, *only}}


def n_epochs(model):
    if hasattr(model, "n_iter_"):
        return model.n_iter_
    return len(model.history) if hasattr(model, "history") else model.n_epochs()
