"""Keras callbacks, which see the network that the user gets."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import keras
import numpy as np

from skreg._training.keras.network import assign_values, get_values
from skreg._training.task import OutputScale, Task

Layer: TypeAlias = list[keras.Variable]  # kernel and bias


class UserCallbacks:
    """The user's callbacks, and Keras' own that print.

    Their `model` is the plain network that the user gets, with the optimizer: they can
    save it, predict with it, and change its weights.
    """

    def __init__(
        self,
        task: Task,
        network: keras.Sequential,
        optimizer: keras.optimizers.Optimizer,
        n_steps: int,
    ) -> None:
        network.optimizer = optimizer
        network.stop_training = False
        self._list = keras.callbacks.CallbackList(
            copy.deepcopy(task.watchers.callbacks),
            add_history=True,
            add_progbar=task.watchers.verbose != 0,
            model=network,
            verbose=2 if task.watchers.verbose else 0,  # lines, not a bar
            epochs=task.plan.epochs,
            steps=n_steps,
        )
        self._scale = task.watchers.output_scale if task.watchers.callbacks else None
        self._layers = _output_layers(network, optimizer)

    def __call__(self, event: str, *arguments: Any) -> None:
        """Call such a method of all of them."""
        with _user_units(self._layers, self._scale):
            getattr(self._list, event)(*arguments)


def _output_layers(
    network: keras.Sequential, optimizer: keras.optimizers.Optimizer
) -> list[Layer]:
    """Kernel and bias of the output layer, and the running averages of both."""
    output = network.layers[-1]
    layers = [[output.kernel, output.bias]]
    if optimizer.use_ema:  # `keras.callbacks.SwapEMAWeights` puts them into the network
        ends = ("output_kernel_average", "output_bias_average")
        layers.append([v for v in optimizer.variables if v.path.endswith(ends)])
    return layers


@contextmanager
def _user_units(layers: list[Layer], scale: OutputScale | None) -> Iterator[None]:
    """Have the network predict in the user's units within the block.

    An exception ends the training, and with it the network's use: then there is no way
    back.
    """
    if scale is None:
        yield
        return
    for_training = [get_values(layer) for layer in layers]
    for_user = [scale.to_user_units(*values) for values in for_training]
    for layer, values in zip(layers, for_user, strict=True):
        assign_values(layer, values)
    yield
    for layer, given, before in zip(layers, for_user, for_training, strict=True):
        now = get_values(layer)
        # There and back again would round.
        same = all(map(np.array_equal, now, given))
        assign_values(layer, before if same else scale.to_network_units(*now))
