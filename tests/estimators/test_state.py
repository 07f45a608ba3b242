"""What a fit leaves behind: the same bits every time, nothing of an earlier fit."""

import copy
import io
import pickle

import joblib
import keras
import numpy as np
import pytest
from problems import assert_same, differ
from sklearn.base import clone

import skreg


def test_the_same_seed_gives_the_same_bits(mlp, cancer, engine):
    est = mlp(dropout=0.3, engine=engine, early_stopping=True).fit(*cancer)
    assert_same(clone(est).fit(*cancer), est, atol=0)
    assert differ(clone(est).set_params(random_state=1).fit(*cancer), est)


def test_fit_leaves_parameters_as_they_were(mlp, cancer):
    given = {"l2": [0.1], "class_weight": {1: 2}, "dropout": np.array([0.2])}
    est = mlp([8], **copy.deepcopy(given))
    before = est.get_params()
    after = est.fit(*cancer).get_params()
    assert all(after[name] is value for name, value in before.items())
    assert {name: after[name] for name in given} == given


def by_joblib(est):
    buffer = io.BytesIO()
    joblib.dump(est, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, copy.copy, by_joblib, lambda e: pickle.loads(pickle.dumps(e))],
)
def test_copies_predict_the_same(mlp, cancer, copied):
    X, y = cancer
    est = mlp(optimizer=keras.optimizers.SGD(0.1, momentum=0.5))
    unfitted = copied(est)
    est.fit(X, y)
    expected = est.predict_proba(X)
    assert est.model_.built  # copies leave it out
    np.testing.assert_array_equal(copied(est).predict_proba(X), expected)
    assert vars(copied(est)).keys() == vars(est).keys() - {"model_"}
    np.testing.assert_array_equal(unfitted.fit(X, y).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(est).fit(X, y).predict_proba(X), expected)
    again = keras.ops.convert_to_numpy(copied(est).model_(X))[:, 0]
    np.testing.assert_allclose(again, expected[:, 1], rtol=1e-6)


def test_a_refit_leaves_nothing_of_the_last_fit(mlp, cancer, iris):
    est = mlp(early_stopping=True).fit(*cancer)
    assert est.validation_scores_ == est.history_["val_score"]
    assert est.model_.output_shape == (None, 1)
    est.set_params(early_stopping=False).fit(*iris)
    assert est.validation_scores_ is None
    assert est.model_.output_shape == (None, 3)
    assert "val_loss" not in est.history_


def test_names_in_the_network_are_fixed(mlp, cancer):
    def names(est):
        return [w.path for w in est.model_.weights], [x.name for x in est.model_.layers]

    est = mlp((4, 3), dropout=0.2)
    first = names(est.fit(*cancer))
    assert names(est.fit(*cancer)) == first
    assert first[1] == ["hidden_1", "dropout_1", "hidden_2", "dropout_2", "output"]


def test_an_unknown_name_raises_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skreg' has no attribute 'MLP'"):
        _ = skreg.MLP


def test_verbose_prints_the_figures_of_every_epoch(mlp, cancer, capsys, engine):
    # One batch an epoch: Keras 3.10 prints means of what it is given.
    est = mlp(batch_size=200, engine=engine, verbose=1, early_stopping=True)
    est.fit(*cancer)
    printed = capsys.readouterr().out
    assert printed.count("Epoch ") == est.n_iter_
    for figure in ("data_loss", "penalty", "val_loss", "val_score"):
        assert f"{figure}: {est.history_[figure][-1]:.4f}"[:-2] in printed
