"""Early stopping: when it stops, what it keeps, and which rows it watches."""

import keras
import numpy as np
import pytest
from sklearn import config_context
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def halves(cancer):
    """Training and validation rows, with wrong labels enough to overfit."""
    X, y = cancer
    wrong = np.random.default_rng(0).random(len(y)) < 0.25
    y = np.where(wrong, 1 - y, y)
    return X[:60], y[:60], {"X_val": X[60:], "y_val": y[60:]}


@pytest.fixture(scope="module")
def overfitting(mlp, engine):
    def make(**params):
        return mlp(engine=engine, learning_rate=0.02, epochs=40, **params)

    return make


@pytest.fixture(scope="module")
def val_loss(overfitting, halves):
    """The validation losses of all epochs, where nothing stops the training."""
    X, y, validation = halves
    est = overfitting().fit(X, y, **validation)
    assert est.n_iter_ == est.best_epoch_ == 40
    return est.history_["val_loss"]


def last_epoch(val_loss, patience, tol):
    """The first epoch that ends so many in a row without progress of tol."""
    patience = min(patience, len(val_loss))
    best = np.minimum.accumulate([np.inf, *val_loss])[:-1]
    stalled = np.asarray(val_loss) > best - tol
    runs = np.lib.stride_tricks.sliding_window_view(stalled, patience).all(axis=1)
    return int(runs.argmax()) + patience if runs.any() else len(val_loss)


@pytest.mark.parametrize(
    ("patience", "tol"),
    [(1, 0.0), (3, 0.0), (3, 0.02), (10, 1e-4), (40, 1e-4), (np.inf, 1e-4)],
)
def test_training_stops_after_epochs_without_progress_and_keeps_the_best(
    overfitting, halves, val_loss, patience, tol
):
    X, y, validation = halves
    est = overfitting(early_stopping=True, n_iter_no_change=patience, tol=tol)
    est.fit(X, y, **validation)
    assert est.n_iter_ == last_epoch(val_loss, patience, tol)
    assert est.best_epoch_ == 1 + np.argmin(val_loss[: est.n_iter_])
    seen = est.history_["val_loss"]
    np.testing.assert_allclose(seen, val_loss[: est.n_iter_], rtol=1e-9)
    assert len(est.loss_curve_) == len(est.validation_scores_) == est.n_iter_
    kept = log_loss(validation["y_val"], est.predict_proba(validation["X_val"]))
    np.testing.assert_allclose(kept, min(seen), rtol=1e-9)


def test_patience_and_tol_make_a_difference_on_these_rows(val_loss):
    assert 1 < 1 + np.argmin(val_loss) < 20
    impatient, picky, patient = (
        last_epoch(val_loss, *stopping) for stopping in [(1, 0), (3, 0.02), (10, 0)]
    )
    assert max(impatient, picky) < patient < 40


def test_the_penalty_does_not_count(overfitting, halves):
    X, y, validation = halves
    est = overfitting(early_stopping=True, l1=0.05).fit(X, y, **validation)
    val_loss = np.array(est.history_["val_loss"])
    assert est.best_epoch_ == 1 + np.argmin(val_loss)
    assert est.best_epoch_ != 1 + np.argmin(val_loss + est.history_["penalty"])


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_stratified_fraction_is_held_out(mlp, engine, seed):
    # All rows are alike but for their labels, 7 to 3. So are the rows held out, if
    # stratified, whichever they are: their loss is that of all rows. (One split in
    # five has 7 to 3 by chance, hence some seeds.) Momentum makes the loss swing.
    X, y = np.ones((100, 1)), np.repeat([0, 1], [70, 30])
    swinging = keras.optimizers.SGD(2.0, momentum=0.9)
    est = mlp((), optimizer=swinging, epochs=60, batch_size=80, random_state=seed)
    est.set_params(engine=engine, early_stopping=True, validation_fraction=0.2)
    est.fit(X, y)
    assert est.best_epoch_ < est.n_iter_ < 60
    loss = log_loss(y, est.predict_proba(X))
    np.testing.assert_allclose(loss, min(est.history_["val_loss"]), rtol=1e-9)


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_the_fraction_is_that_of_the_rows(mlp, cancer, fraction):
    X, y = cancer
    est = mlp(early_stopping=True, validation_fraction=fraction, epochs=5).fit(X, y)
    scores = np.array(est.validation_scores_)
    assert 0 < scores.min() < 1
    hits = scores * fraction * len(y)
    np.testing.assert_allclose(hits, hits.round(), atol=1e-9)


@pytest.mark.parametrize("y", [[0, 1, 1], [0, 0, 1, 1], [0, 1, 2, 2, 2]])
def test_few_rows_are_split_all_the_same(mlp, y):
    X = np.eye(len(y))
    est = mlp(early_stopping=True).fit(X, y)
    assert len(est.classes_) == len(set(y))
    assert np.isfinite(est.history_["val_loss"]).all()


def test_single_rows_of_every_class_cannot_be_split(mlp):
    with pytest.raises(ValueError, match="early_stopping needs two rows or more"):
        mlp(early_stopping=True).fit(np.eye(3), [0, 1, 2])


def test_a_pipeline_transforms_the_validation_rows(mlp, halves):
    X, y, validation = halves
    X, X_val, y_val = 5 * X + 3, 5 * validation["X_val"] + 3, validation["y_val"]
    est = mlp(early_stopping=True, learning_rate=0.02, epochs=40)
    with config_context(enable_metadata_routing=True):
        est.set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), est, transform_input=["X_val"])
        inside = pipe.fit(X, y, X_val=X_val, y_val=y_val)[-1]
    assert inside.best_epoch_ < inside.n_iter_ < 40
    loss = log_loss(y_val, pipe.predict_proba(X_val))
    np.testing.assert_allclose(loss, min(inside.history_["val_loss"]), rtol=1e-9)

    scaler = StandardScaler().fit(X)
    by_hand = mlp(early_stopping=True, learning_rate=0.02, epochs=40)
    by_hand.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    np.testing.assert_array_equal(inside.coefs_[0], by_hand.coefs_[0])
