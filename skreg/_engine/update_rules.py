"""Update rules: how gradients move the weights, each as a Keras optimizer does it.

A rule has two parts. ``constants(hyper, steps)`` computes what is the same for all
weights, for many steps at once, by NumPy: first the rate of the step sizes, then at
most five constants k. ``move(g, slots, k, f) -> change, slots, denominator`` is
compiled: for the gradient g of a weight and its slots, always three, it returns the
change to subtract from the weight, its new slots, and the denominator of its step size;
``f`` is the dtype. To add a rule, write both parts and enter it in `RULES`, and give
its step size to the Keras engine, in `skreg._training.keras.proximal`.

The *step size* of a weight is what a constant gradient is multiplied by in a step,
momentum included; `skreg._engine.penalties` needs it. It is a rate, the same for all
weights, divided by a denominator. An average of gradients is then the gradient times
the share that it has taken in by step t, such as ``1 - beta**t``; a sum with momentum
mu is the gradient times ``sum(mu**(t - i) * rate_i)``, here ``rate_sums``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numba import float64, int64, void
from numba.extending import register_jitable
from numpy.typing import NDArray

from skreg._engine.compiling import FLOATS, Pointer, matrix, once, vector

Hyper: TypeAlias = dict[str, float]
Column: TypeAlias = NDArray[np.float64] | float

# Names of clippings, in the order in which Keras looks for them; 0 stands for none.
CLIPPINGS = (None, "clipnorm", "global_clipnorm", "clipvalue")
# A step's constants: weight decay, the rate of the step sizes, and those of the rule.
N_CONSTANTS = 7
# Numbers that decay towards zero would end as denormal ones, with which a processor
# takes ten times longer. Far above those they are replaced by zero.
NEGLIGIBLE = {"float32": 1e-30, "float64": 1e-290}


@dataclass(frozen=True)
class Steps:
    """Consecutive steps: their numbers from 1, and learning rates; all of shape (n,).

    ``rate_sums`` are the sums of the rates until each step, with the rule's momentum.
    """

    numbers: NDArray[np.int64]
    rates: NDArray[np.float64]
    rate_sums: NDArray[np.float64]


@dataclass(frozen=True)
class UpdateRule:
    """An update rule.

    Attributes
    ----------
    name : str
        Rules of one name understand each other's slots.
    slots : tuple of str
        Names of the numbers that a weight carries from step to step, three at most; as
        Keras names them. They start at zero, or at the hyperparameter ``initial_NAME``.
    constants : callable
        See above; each constant is a number or an array of shape (n_steps,).
    move : callable
        See above.
    has_step_size : bool
        Whether a step is a gradient, or an average of gradients, times a step size that
        is known after the step. Where it is not, there is no proximal operator.
    """

    name: str
    slots: tuple[str, ...]
    constants: Callable[[Hyper, Steps], tuple[Column, ...]]
    move: Callable[..., Any]
    has_step_size: bool = True

    def table(self, hyper: Hyper, steps: Steps, dtype: str) -> NDArray[Any]:
        """The constants of each step, of shape (n_steps, `N_CONSTANTS`)."""
        table = np.zeros((len(steps.numbers), N_CONSTANTS))
        # The training ends with an error where weights are not finite.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            table[:, 0] = hyper["weight_decay"] * steps.rates
            for i, column in enumerate(self.constants(hyper, steps), start=1):
                table[:, i] = column
            return table.astype(dtype)


def _adam_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    t = steps.numbers
    # Keras casts the betas to float32 in the bias correction, and only there.
    root = np.sqrt(1 - np.float32(hyper["beta_2"]).astype(float) ** t)
    rates = steps.rates * root / (1 - np.float32(hyper["beta_1"]).astype(float) ** t)
    return (
        steps.rates * root,
        1 - hyper["beta_1"],
        1 - hyper["beta_2"],
        rates,
        hyper["epsilon"],
    )


@register_jitable
def _adam(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] + (g - slots[0]) * k[0]
    v = slots[1] + (g * g - slots[1]) * k[1]
    denominator = np.sqrt(v) + k[3]
    return m * k[2] / denominator, (m, v, slots[2]), denominator


@register_jitable
def _amsgrad(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] + (g - slots[0]) * k[0]
    v = slots[1] + (g * g - slots[1]) * k[1]
    largest = max(slots[2], v)
    denominator = np.sqrt(largest) + k[3]
    return m * k[2] / denominator, (m, v, largest), denominator


def _nadam_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    t = steps.numbers
    # Keras takes the averages, too, with the betas in float32.
    beta_1, beta_2 = (float(np.float32(hyper[name])) for name in ("beta_1", "beta_2"))
    decay = float(np.float32(0.96))
    # The momentum changes from step to step: beta_1 * (1 - 0.96**t / 2). Its product
    # over the steps until t changes no more after a thousand steps.
    decays = np.cumprod(1 - 0.5 * 0.96 ** np.arange(1, 1024))
    product = hyper["beta_1"] ** t * decays[np.minimum(t, len(decays)) - 1]
    momentum = beta_1 * (1 - 0.5 * decay**t)
    following = beta_1 * (1 - 0.5 * decay ** (t + 1))
    mean_share = following / (1 - product * following)
    last_share = (1 - momentum) / (1 - product)
    gain = mean_share * (1 - beta_1**t) + last_share
    # The denominator is sqrt(v / (1 - beta_2**t)) + epsilon, here times that root.
    root = np.sqrt(1 - beta_2**t)
    return (
        gain * steps.rates * root,
        1 - beta_1,
        1 - beta_2,
        mean_share * steps.rates * root,
        last_share * steps.rates * root,
        hyper["epsilon"] * root,
    )


@register_jitable
def _nadam(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] + (g - slots[0]) * k[0]
    v = slots[1] + (g * g - slots[1]) * k[1]
    denominator = np.sqrt(v) + k[4]
    return (k[2] * m + k[3] * g) / denominator, (m, v, slots[2]), denominator


def _adamax_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    bias = 1 - np.float32(hyper["beta_1"]).astype(float) ** steps.numbers
    return (
        steps.rates,
        1 - hyper["beta_1"],
        hyper["beta_2"],
        steps.rates / bias,
        hyper["epsilon"],
    )


@register_jitable
def _adamax(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] + (g - slots[0]) * k[0]
    norm = max(k[1] * slots[1], abs(g))
    denominator = norm + k[3]
    return m * k[2] / denominator, (m, norm, slots[2]), denominator


def _adagrad_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    return steps.rates, steps.rates, hyper["epsilon"]


@register_jitable
def _adagrad(g: Any, slots: Any, k: Any, f: Any) -> Any:
    squares = slots[0] + g * g
    denominator = np.sqrt(squares + k[1])
    return g * k[0] / denominator, (squares, slots[1], slots[2]), denominator


def _lion_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    beta_1, beta_2 = (float(np.float32(hyper[name])) for name in ("beta_1", "beta_2"))
    return steps.rates, steps.rates, beta_1, beta_2


@register_jitable
def _lion(g: Any, slots: Any, k: Any, f: Any) -> Any:
    direction = slots[0] * k[1] + g * (f(1) - k[1])
    sign = direction  # 0 or NaN stay
    if direction > f(0):
        sign = f(1)
    elif direction < f(0):
        sign = f(-1)
    m = slots[0] * k[2] + g * (f(1) - k[2])
    return k[0] * sign, (m, slots[1], slots[2]), f(1)


def _sgd_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    return steps.rates, steps.rates


@register_jitable
def _sgd(g: Any, slots: Any, k: Any, f: Any) -> Any:
    return g * k[0], slots, f(1)


def _momentum_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    return steps.rate_sums, steps.rates, hyper["momentum"]


@register_jitable
def _momentum(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] * k[1] - g * k[0]
    return -m, (m, slots[1], slots[2]), f(1)


@register_jitable
def _nesterov(g: Any, slots: Any, k: Any, f: Any) -> Any:
    m = slots[0] * k[1] - g * k[0]
    return g * k[0] - m * k[1], (m, slots[1], slots[2]), f(1)


def _rmsprop_constants(hyper: Hyper, steps: Steps) -> tuple[Column, ...]:
    rho = hyper["rho"]
    return steps.rate_sums, steps.rates, rho, hyper["momentum"], hyper["epsilon"]


@register_jitable
def _rmsprop(g: Any, slots: Any, k: Any, f: Any) -> Any:
    v = k[1] * slots[0] + (f(1) - k[1]) * g * g
    denominator = np.sqrt(v + k[3])
    momentum = k[2] * slots[1] + k[0] * g / denominator
    return momentum, (v, momentum, slots[2]), denominator


@register_jitable
def _centered_rmsprop(g: Any, slots: Any, k: Any, f: Any) -> Any:
    v = k[1] * slots[0] + (f(1) - k[1]) * g * g
    mean = k[1] * slots[2] + (f(1) - k[1]) * g
    denominator = np.sqrt(v - mean * mean + k[3])
    momentum = k[2] * slots[1] + k[0] * g / denominator
    return momentum, (v, momentum, mean), denominator


RULES = {
    rule.name: rule
    for rule in (
        UpdateRule("adam", ("momentum", "velocity"), _adam_constants, _adam),
        UpdateRule(
            "amsgrad",
            ("momentum", "velocity", "velocity_hat"),
            _adam_constants,
            _amsgrad,
        ),
        UpdateRule("nadam", ("momentum", "velocity"), _nadam_constants, _nadam),
        UpdateRule("adamax", ("momentum", "norm"), _adamax_constants, _adamax),
        UpdateRule("adagrad", ("accumulator",), _adagrad_constants, _adagrad),
        # Its step is as long for small gradients: no step size stays bounded.
        UpdateRule("lion", ("momentum",), _lion_constants, _lion, has_step_size=False),
        UpdateRule("sgd", (), _sgd_constants, _sgd),
        UpdateRule("momentum", ("momentum",), _momentum_constants, _momentum),
        UpdateRule("nesterov", ("momentum",), _momentum_constants, _nesterov),
        UpdateRule("rmsprop", ("velocity", "momentum"), _rmsprop_constants, _rmsprop),
        UpdateRule(
            "centered rmsprop",
            ("velocity", "momentum", "average_gradient"),
            _rmsprop_constants,
            _centered_rmsprop,
        ),
    )
}


@register_jitable
def _shorten(gradients: NDArray[Any], limit: Any) -> None:
    """Scale gradients down to a norm of the limit, where theirs is above it."""
    squares = gradients[:0].sum()
    for g in gradients:
        squares += g * g
    norm = np.sqrt(squares)
    if norm > limit:
        factor = gradients.dtype.type(limit / norm)
        for i in range(gradients.size):
            gradients[i] *= factor


@register_jitable
def _clip(
    gradients: NDArray[Any], bounds: NDArray[Any], clipping: Any, limit: Any
) -> None:
    """Clip by the norm of each kernel and bias, by the norm of all, or by value."""
    if clipping == 1:
        for i in range(bounds.size - 1):
            _shorten(gradients[bounds[i] : bounds[i + 1]], limit)
    elif clipping == 2:
        _shorten(gradients, limit)
    elif clipping == 3:
        largest = gradients.dtype.type(limit)
        for i in range(gradients.size):
            gradients[i] = min(max(gradients[i], -largest), largest)


def update_type(f: Any) -> Any:
    """The signature of the function that `update` compiles, for the dtype f."""
    return void(
        vector(f),
        vector(f),
        vector(f),
        matrix(f),
        vector(int64),
        int64,
        float64,
        vector(f, readonly=True),
    )


@once
def update(rule_name: str, dtype: str) -> Pointer:
    """Compile the update of all weights by a rule.

    Parameters
    ----------
    rule_name : str
        One of `RULES`.
    dtype : str

    Returns
    -------
    Pointer
        ``update(params, gradients, denominators, slots, bounds, clipping, limit,
        constants)``. The arrays have an entry for each of the parameters, `slots` a row
        for each slot; kernels and biases are those between the `bounds`. Gradients are
        clipped first, by the clipping of that number in `CLIPPINGS`. Unless
        `denominators` is empty, it becomes the denominators of the step sizes, and
        `gradients` what has been subtracted.
    """
    f, rule = FLOATS[dtype], RULES[rule_name]
    move, n_slots = rule.move, len(rule.slots)
    negligible = f(NEGLIGIBLE[dtype])

    def update(
        params: NDArray[Any],
        gradients: NDArray[Any],
        denominators: NDArray[Any],
        slots: NDArray[Any],
        bounds: NDArray[Any],
        clipping: Any,
        limit: Any,
        constants: NDArray[Any],
    ) -> None:
        _clip(gradients, bounds, clipping, limit)
        decay = constants[0]
        k = constants[2], constants[3], constants[4], constants[5], constants[6]
        records = denominators.size > 0
        a, b, c = f(0), f(0), f(0)
        for i in range(params.size):
            if n_slots > 0:
                a = slots[0, i]
            if n_slots > 1:
                b = slots[1, i]
            if n_slots > 2:
                c = slots[2, i]
            change, (a, b, c), denominator = move(gradients[i], (a, b, c), k, f)
            change += decay * params[i]
            if n_slots > 0:
                slots[0, i] = a if abs(a) > negligible else f(0) * a
            if n_slots > 1:
                slots[1, i] = b if abs(b) > negligible else f(0) * b
            if n_slots > 2:
                slots[2, i] = c if abs(c) > negligible else f(0) * c
            w = params[i] - change
            params[i] = w if abs(w) > negligible else f(0) * w
            if records:
                gradients[i] = change
                denominators[i] = denominator

    return Pointer(update_type(f), update)
