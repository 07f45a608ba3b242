"""Step sizes of Keras' optimizers, and the proximal operators that they need.

Written by NumPy from the equations in `skreg._engine.penalties`, as an oracle of the
functions there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The momentum of the average over steps that decides which columns leave the network.
MEAN_MOMENTUM = 0.999


def step_size(
    rule: str, config: dict[str, Any], slots: dict[str, Any], t: int, rate: float
) -> tuple[float, Any]:
    """What a constant gradient is multiplied by in a step, as a rate and a denominator.

    Parameters
    ----------
    rule : str
        Name of the update rule.
    config : dict
        The optimizer's configuration.
    slots : dict of str to ndarray
        Its variables that belong to a weight, after the step.
    t : int
        Number of the step, from 1.
    rate : float
        The learning rate; with momentum, the sum of all rates until now, each as far as
        the momentum keeps it.

    Returns
    -------
    float, ndarray
        The denominator has the weight's shape.
    """
    epsilon = config.get("epsilon", 0.0)
    # Keras casts betas to float32 in the bias correction.
    beta_1, beta_2 = (
        float(np.float32(config.get(name, 0.0))) for name in ("beta_1", "beta_2")
    )
    match rule:
        case "adam" | "amsgrad":
            v = slots["velocity_hat" if rule == "amsgrad" else "velocity"]
            return rate * np.sqrt(1 - beta_2**t), np.sqrt(v) + epsilon
        case "nadam":
            v = slots["velocity"] / (1 - beta_2**t)
            return rate * _nadam_gain(config, beta_1, t), np.sqrt(v) + epsilon
        case "adamax":
            return rate, slots["norm"] + epsilon
        case "adagrad":
            return rate, np.sqrt(slots["accumulator"] + epsilon)
        case "rmsprop":
            return rate, np.sqrt(slots["velocity"] + epsilon)
        case "centered rmsprop":
            variance = slots["velocity"] - slots["average_gradient"] ** 2
            return rate, np.sqrt(variance + epsilon)
        case "sgd" | "momentum" | "nesterov":
            return rate, 1.0
    raise NotImplementedError(f"the step size of {rule!r}")


def _nadam_gain(config: dict[str, Any], beta_1: float, t: int) -> float:
    """The share of a constant gradient in Nadam's direction after t steps."""
    decay = float(np.float32(0.96))
    product = np.prod([config["beta_1"] * (1 - 0.5 * 0.96**i) for i in range(1, t + 1)])
    momentum, following = (beta_1 * (1 - 0.5 * decay**i) for i in (t, t + 1))
    mean_share = following / (1 - product * following)
    last_share = (1 - momentum) / (1 - product)
    return float(mean_share * (1 - beta_1**t) + last_share)


def l1_prox(w: NDArray[Any], threshold: Any) -> NDArray[Any]:
    """Soft thresholding."""
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def group_prox(
    w: NDArray[Any], before: NDArray[Any], d: Any, threshold: float
) -> NDArray[Any]:
    """Shorten the rows of a kernel, or make them zero.

    Solves ``sum((w * d / (r * d + threshold))**2) = 1`` for the norm r of each row by a
    Newton step for the power -1/2 of that sum, from the row's norm before the
    optimizer's step.
    """
    r = np.maximum(np.linalg.norm(before, axis=1, keepdims=True), 1e-10)
    inverse = d / (r * d + threshold)
    terms = (w * inverse) ** 2
    phi = terms.sum(axis=1, keepdims=True)
    slope = (terms * inverse).sum(axis=1, keepdims=True)
    newton = (phi - phi**1.5) / np.where(slope > 0, slope, 1)
    r = np.maximum(r - newton, 0)
    return w * r * d / (r * d + threshold)


def zero_unless_pulled(
    w: NDArray[Any],
    gradient: NDArray[Any],
    mean: NDArray[Any],
    inverse_step: Any,
    strength: float,
    t: int,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows that the penalty holds at zero are zero; and the mean of the gradient.

    `inverse_step` is one divided by the step size.
    """
    momentum = min((1 + t) / (3 + t), MEAN_MOMENTUM)
    mean = momentum * mean + (1 - momentum) * gradient
    pull = np.linalg.norm(
        w * inverse_step * (1 - momentum) - mean, axis=1, keepdims=True
    )
    return np.where(pull <= strength, 0, w), mean
