"""The constructor's parameters: what each may be, and what it stands for.

`resolve` turns an estimator's parameters, which scikit-learn wants stored as they
were given, into the plain values that a training run needs. Keras is not imported to
find out whether a parameter is one of its objects: then the user has imported it.
"""

import sys
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from skreg._training.activation_functions import activation_function
from skreg._training.task import EarlyStopping, OptimizerSpec, Regularization

ENGINES = ("auto", "compiled", "keras")
# Beyond it a number is infinite where X is in single precision, and in parts of Keras.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Settings:
    """Parameters after validation, with one value per layer where that is meant."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    regularization: Regularization
    optimizer: OptimizerSpec
    ema_momentum: float
    batch_size: int | str
    epochs: int
    shuffle: bool
    validation_fraction: float
    early_stopping: EarlyStopping | None
    warm_start: bool
    engine: str
    callbacks: tuple
    verbose: int


def resolve(estimator):
    """Validate an estimator's parameters.

    Returns
    -------
    Settings

    Raises
    ------
    TypeError, ValueError
        With a message that names the parameter, what it may be and what it was.
    """
    e = estimator
    sizes = _sizes(e.hidden_layer_sizes)
    optimizer = _optimizer(e.optimizer, e.learning_rate, linear=not sizes)
    early_stopping = _boolean(e.early_stopping, "early_stopping")
    fraction = check_open_interval(e.validation_fraction, "validation_fraction")
    stopping = EarlyStopping(_patience(e.n_iter_no_change), _magnitude(e.tol, "tol"))
    return Settings(
        hidden_layer_sizes=sizes,
        activation=_activation(e.activation),
        regularization=Regularization(
            l1=_strengths(e.l1, "l1", len(sizes)),
            l2=_strengths(e.l2, "l2", len(sizes)),
            group_l1=_magnitude(e.group_l1, "group_l1"),
            dropout=_rates(e.dropout, len(sizes)),
            input_dropout=_real(e.input_dropout, "input_dropout", 0, 1),
        ),
        optimizer=optimizer,
        ema_momentum=_ema_momentum(e.ema_momentum, optimizer),
        batch_size=_batch_size(e.batch_size),
        epochs=_integer(e.epochs, "epochs", 1),
        shuffle=_boolean(e.shuffle, "shuffle"),
        validation_fraction=fraction,
        early_stopping=stopping if early_stopping else None,
        warm_start=_boolean(e.warm_start, "warm_start"),
        engine=check_choice(e.engine, "engine", ENGINES),
        callbacks=_callbacks(e.callbacks),
        verbose=_integer(e.verbose, "verbose", 0),
    )


def _integer(value, name, least):
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    return int(check_scalar(value, name, Integral, min_val=least))


def _patience(value):
    name = "n_iter_no_change"
    if isinstance(value, Real) and value == np.inf:
        return int(np.iinfo(np.int32).max)  # epochs are counted in int32
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer or np.inf, got {value!r}.")
    return _integer(value, name, 1)


def _real(value, name, low, high=None, bounds="left"):
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    if not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}.")
    check_scalar(
        value, name, Real, min_val=low, max_val=high, include_boundaries=bounds
    )
    return float(value)


def check_open_interval(value, name):
    """A number between 0 and 1, which may be neither."""
    return _real(value, name, 0, 1, "neither")


def _magnitude(value, name):
    return _real(value, name, 0, LARGEST, "both")


def _boolean(value, name):
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def check_choice(value, name, choices):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")
    return value


def _sizes(value):
    name = "hidden_layer_sizes"
    if isinstance(value, Integral):
        value = (value,)
    if isinstance(value, str) or not np.iterable(value):
        raise TypeError(
            f"{name} must be an integer or a sequence of them, one per hidden layer, "
            f"got {value!r}."
        )
    return tuple(_integer(size, f"{name}[{i}]", 1) for i, size in enumerate(value))


def _per_layer(value, name, lengths, meaning):
    """A sequence of one of the allowed lengths as a list; None if a number."""
    if isinstance(value, Real):
        return None
    if isinstance(value, str) or not np.iterable(value):
        raise TypeError(
            f"{name} must be a number or a sequence of numbers, {meaning}, "
            f"got {value!r}."
        )
    value = list(value)
    if len(value) not in lengths:
        raise ValueError(
            f"{name} must have {' or '.join(map(str, lengths))} entries, {meaning}, "
            f"got {len(value)}: {value!r}."
        )
    return value


def _strengths(value, name, n_hidden):
    """One strength per kernel, the output layer's last."""
    if n_hidden:
        lengths = (n_hidden, n_hidden + 1)
        meaning = "one per hidden layer, and optionally one for the output layer"
    else:
        lengths, meaning = (1,), "one for the output layer"
    values = _per_layer(value, name, lengths, meaning)
    if values is None:
        strength = _magnitude(value, name)
        # A linear model has no other kernel to regularize than the output's.
        return (strength,) * n_hidden + (0.0,) if n_hidden else (strength,)
    strengths = [_magnitude(v, f"{name}[{i}]") for i, v in enumerate(values)]
    return tuple(strengths + [0.0] * (n_hidden + 1 - len(strengths)))


def _rates(value, n_hidden):
    """One dropout rate per hidden layer."""
    values = _per_layer(value, "dropout", (n_hidden,), "one per hidden layer")
    if values is None:
        return (_real(value, "dropout", 0, 1),) * n_hidden
    return tuple(_real(v, f"dropout[{i}]", 0, 1) for i, v in enumerate(values))


def _batch_size(value):
    if isinstance(value, str):
        return check_choice(value, "batch_size", ("auto",))
    return _integer(value, "batch_size", 1)


def _activation(value):
    if not isinstance(value, str):
        raise TypeError(
            f"activation must be the name of a Keras activation, got {value!r}."
        )
    if not _is_activation(value):
        raise ValueError(
            "activation must be a name that keras.activations.get knows, of a "
            "function that keeps the shape and needs no arguments, such as 'relu', "
            f"got {value!r}."
        )
    return value


def _is_activation(name):
    try:
        # "glu" halves the width, which a Dense layer of Keras can't be built with.
        return activation_function(name)(np.zeros((1, 2), np.float32)).shape == (1, 2)
    except (ValueError, TypeError):
        return False


def _optimizer(value, learning_rate, linear):
    # Numba, which the update rules need, is not imported to predict.
    from skreg._training.optimizers import is_optimizer, specify

    learning_rate = _learning_rate(learning_rate)
    if is_optimizer(value) and learning_rate is not None:
        raise ValueError(
            "learning_rate must be None beside an optimizer object, which has "
            f"its own, got {learning_rate!r} beside {type(value).__name__}."
        )
    return specify(value, learning_rate, linear=linear)


def _learning_rate(value):
    keras = sys.modules.get("keras")  # a schedule is an object of Keras
    if value is None or (
        keras is not None
        and isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    ):
        return value
    if not isinstance(value, Real):
        raise TypeError(
            "learning_rate must be None, a number or a keras.optimizers.schedules."
            f"LearningRateSchedule, got {value!r}."
        )
    return _real(value, "learning_rate", 0, None, "neither")


def _ema_momentum(value, optimizer):
    """The momentum, 0 for None."""
    if value is None:
        return 0.0
    if optimizer.config.get("use_ema"):
        raise ValueError(
            "ema_momentum must be None beside an optimizer object with use_ema=True, "
            f"which averages the weights itself, got {value!r}."
        )
    return _real(value, "ema_momentum", 0, 1)


def _callbacks(value):
    if value is None:
        return ()
    keras = sys.modules.get("keras")
    if not isinstance(value, list | tuple):
        value = (value,)
    for callback in value:
        if keras is None or not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "callbacks must be None or keras.callbacks.Callback objects (those of "
                f"scikit-learn are for set_callbacks), got {callback!r}."
            )
    return tuple(value)
