"""Keras' optimizers in the compiled engine, held to Keras' own."""

import copy
import pickle

import keras
import numpy as np
import pytest
from problems import arrays, assert_same, the_problem
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skreg import BatchedGridSearchCV
from skreg._engine import compiled, planning
from skreg._engine.schedules import LearningRates

K = keras.optimizers
S = keras.optimizers.schedules

COSINE = S.CosineDecay(0.02, 70, alpha=0.05)
WARM = S.CosineDecay(1e-3, 50, warmup_target=0.02, warmup_steps=20)


class Sawtooth(S.LearningRateSchedule):
    """A user's own; its configuration can't be read."""

    def __call__(self, step):
        return 0.01 / (1 + keras.ops.cast(step % 7, "float32"))


OPTIMIZERS = {
    "amsgrad": K.Adam(0.01, amsgrad=True),
    "nadam": K.Nadam(0.01, beta_1=0.8),
    "adagrad": K.Adagrad(0.1, initial_accumulator_value=0.01),
    "adamax": K.Adamax(0.02),
    "lion": K.Lion(0.002),
    "adamw": K.AdamW(0.01, weight_decay=0.1),
    "adam with decay": K.Adam(0.01, weight_decay=0.1, amsgrad=True),
    "sgd with decay": K.SGD(0.1, momentum=0.8, weight_decay=0.1),
    "rmsprop with decay": K.RMSprop(0.01, momentum=0.3, weight_decay=0.1),
    "clipnorm": K.Adam(0.01, clipnorm=0.02),
    "clipvalue": K.SGD(0.1, clipvalue=0.01),
    "global_clipnorm": K.SGD(0.5, momentum=0.5, global_clipnorm=0.1),
    "clipnorm and decay": K.Adagrad(0.1, clipnorm=0.05, weight_decay=0.01),
    "cosine": K.AdamW(COSINE, weight_decay=0.1),
    "warm-up": K.SGD(WARM, momentum=0.9, nesterov=True),
    "restarts": K.RMSprop(S.CosineDecayRestarts(0.01, 10), momentum=0.5),
    "exponential": K.SGD(S.ExponentialDecay(0.2, 10, 0.8), momentum=0.9),
    "staircase": K.Lion(S.InverseTimeDecay(0.01, 5, 0.5, staircase=True)),
    "polynomial": K.Nadam(S.PolynomialDecay(0.02, 60, power=2.0), clipvalue=0.1),
    "piecewise": K.Adamax(S.PiecewiseConstantDecay([10, 40], [0.02, 0.01, 0.001])),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_engines_take_the_steps_of_the_optimizer(mlp, cancer, name):
    est = mlp((8, 6), epochs=20, optimizer=OPTIMIZERS[name], engine="compiled")
    ours = clone(est).fit(*cancer)
    theirs = clone(est).set_params(engine="keras").fit(*cancer)
    assert_same(ours, theirs, atol=1e-6)
