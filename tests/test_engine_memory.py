"""What the engines keep in memory after a fit, and while they train."""

from collections import OrderedDict

import numpy as np
import pytest

from skreg._engine import compiled, planning


@pytest.fixture
def two_xla_programs(monkeypatch):
    """XLA for every training, until it has compiled two programs."""
    monkeypatch.setattr(planning, "XLA_STEPS", 0)
    monkeypatch.setattr(compiled, "MAX_XLA_PROGRAMS", 2)
    monkeypatch.setattr(compiled, "MAX_FUNCTIONS", 1)  # beside XLA's
    monkeypatch.setattr(compiled, "_xla_programs", set())
    monkeypatch.setattr(compiled, "_functions", OrderedDict())


def test_xla_compiles_few_programs_and_other_sizes_train_without(
    mlp, cancer, two_xla_programs, monkeypatch
):
    ests = [
        mlp((3,), batch_size=40),
        mlp((3,), batch_size=30),  # another program of the same function
        mlp((4,), batch_size=40),
        mlp((3,), batch_size=40, l2=0.1),  # the first again
        mlp((3,), batch_size=20),
    ]
    used = []
    for est in ests:
        before = set(compiled._functions)
        est.fit(*cancer)
        used.append(compiled._functions.keys() - before)
    assert [key[0].xla for new in used for key in new] == [True, False]
    assert [len(new) for new in used] == [1, 0, 1, 0, 0]
    monkeypatch.setattr(compiled, "MAX_XLA_PROGRAMS", 0)
    monkeypatch.setattr(compiled, "_xla_programs", set())
    for est in ests:
        expected = est.coefs_
        for w, plain in zip(expected, est.fit(*cancer).coefs_, strict=True):
            np.testing.assert_allclose(w, plain, atol=1e-9)
