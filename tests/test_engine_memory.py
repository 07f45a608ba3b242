"""What the engines keep in memory after a fit, and while they train."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from skreg._xla import batches, compiled, inputs
from skreg._training.stacking import train_together


@pytest.fixture
def two_xla_programs(monkeypatch, use_xla):
    """XLA for every training, until it has compiled two programs."""
    use_xla()
    monkeypatch.setattr(compiled, "MAX_XLA_PROGRAMS", 2)
    monkeypatch.setattr(compiled, "MAX_FUNCTIONS", 1)  # beside XLA's
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


@pytest.mark.parametrize("sparse_targets", [False, True])
def test_networks_share_the_sparse_rows_that_they_validate_on(
    mlp, monkeypatch, sparse_targets
):
    X = sparse.random(60, 9, density=0.3, format="csr", random_state=0)
    y = (X.toarray()[:, :3] > 0).astype(int)
    y = sparse.csr_array(y) if sparse_targets else y[:, 0]
    tasks = []
    for n_rows in (60, 50):  # as in two folds
        est = mlp(early_stopping=True, epochs=3, validation_fraction=0.4, l1=0.0)
        task = est._prepare_task(X[:n_rows], y[:n_rows])
        task = replace(task, batch_size=8)
        strong = replace(task.regularization, l2=(0.1, 0.0))
        tasks += [task, replace(task, regularization=strong)]
    alone = [train_together([task])[0] for task in tasks]
    plans, original = [], batches.validation_batches

    def recorded(*args):
        plans.append(original(*args))
        return plans[-1]

    monkeypatch.setattr(batches, "MAX_VALIDATION_BATCH", 8)  # in several batches
    monkeypatch.setattr(inputs, "validation_batches", recorded)
    for ours, expected in zip(train_together(tasks), alone, strict=True):
        for a, b in zip(ours.kernels, expected.kernels, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
        np.testing.assert_allclose(
            ours.history["val_loss"], expected.history["val_loss"], atol=1e-9
        )
    held_out = [tasks[i].validation for i in (0, 2)]
    (plan,) = plans
    assert len(plan["entries"]["values"]) >= sum(rows.features.nnz for rows in held_out)
    # Beside them only padding, of at most a batch per fold.
    assert len(plan["entries"]["values"]) < 1.5 * sum(
        rows.features.nnz for rows in held_out
    )
