"""The displays of one network: what they draw, and for which estimators."""

import copy
import inspect
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toy_search import legend_texts

from skreg import (
    LossCurveDisplay,
    MLPEnsembleClassifier,
    RegularizedMLPClassifierCV,
    SearchDisplay,
    WeightDisplay,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_are_those_of_the_history(mlp, cancer, ax, dtype):
    X, y = cancer[0].astype(dtype), cancer[1]
    est = mlp(l2=1e-2, epochs=4).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    display = LossCurveDisplay.from_estimator(est, ax=ax)
    assert list(display.lines_) == ["loss", "data_loss", "val_loss"]
    for name, line in display.lines_.items():
        assert line.axes is ax
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(line.get_ydata(), est.history_[name])
    # They differ in more than their color.
    assert len({line.get_linestyle() for line in display.lines_.values()}) == 3
    assert ax.get_xlabel() == "epoch"
    assert ax.get_ylabel() == "loss (nats)"
    assert legend_texts(display) == [
        "training loss + penalty",
        "training loss",
        "validation loss",
    ]
    assert display.best_ is None
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_without_a_penalty_there_is_one_training_loss(mlp, cancer, ax, engine):
    est = mlp(l2=0.0, engine=engine).fit(*cancer)
    display = LossCurveDisplay.from_estimator(est, ax=ax)
    assert list(display.lines_) == ["data_loss"]
    assert legend_texts(display) == ["training loss"]


def test_the_epoch_kept_is_marked(mlp, cancer, ax):
    X, y = cancer
    # With the labels swapped, fitting the training rows raises the validation loss.
    est = mlp(early_stopping=True, n_iter_no_change=2, learning_rate=0.1, epochs=20)
    est.fit(X, y, X_val=X, y_val=1 - y)
    assert est.best_epoch_ < est.n_iter_
    display = LossCurveDisplay.from_estimator(est, ax=ax)
    assert list(display.best_.get_xdata()) == [est.best_epoch_] * 2
    assert legend_texts(display)[-1] == f"epoch kept ({est.best_epoch_})"
    est.set_params(early_stopping=False)  # the parameters of the fit count
    display = LossCurveDisplay.from_estimator(est, ax=Figure().subplots())
    assert list(display.best_.get_xdata()) == [est.best_epoch_] * 2


@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_last_epoch_is_not_marked(mlp, cancer, ax, early_stopping):
    X, y = cancer
    est = mlp(early_stopping=early_stopping).fit(X, y, X_val=X, y_val=y)
    assert est.best_epoch_ == est.n_iter_
    est.set_params(early_stopping=True)
    assert LossCurveDisplay.from_estimator(est, ax=ax).best_ is None


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        ("squared_error", "squared error (variances of y)"),
        ("absolute_error", "absolute error (standard deviations of y)"),
        ("huber", "Huber loss (errors in standard deviations of y)"),
        ("poisson", "half Poisson deviance (means of y)"),
    ],
)
def test_the_axis_names_the_loss_of_the_regressor_and_its_units(
    mlr, diabetes, ax, loss, label
):
    X, y = diabetes
    est, scaled = (mlr(loss=loss, l2=0.0).fit(X, y * scale) for scale in (1, 1000))
    display = LossCurveDisplay.from_estimator(est, ax=ax)
    assert ax.get_ylabel() == label
    # In these units, the losses do not depend on the scale of y.
    drawn = display.lines_["data_loss"].get_ydata()
    np.testing.assert_allclose(scaled.history_["data_loss"], drawn, rtol=1e-6)


def test_epochs_without_validation_are_gaps_and_isolated_ones_have_markers(
    mlp, cancer, ax
):
    X, y = cancer
    est = mlp(epochs=2, warm_start=True).fit(X, y)
    est.set_params(epochs=1).fit(X, y, X_val=X, y_val=y)
    est.set_params(epochs=2).fit(X, y)
    est.fit(X, y, X_val=X, y_val=y)
    display = LossCurveDisplay.from_estimator(est, ax=ax)
    line = display.lines_["val_loss"]
    np.testing.assert_array_equal(line.get_ydata(), est.history_["val_loss"])
    finite = [False, False, True, False, False, True, True]
    np.testing.assert_array_equal(np.isfinite(line.get_ydata()), finite)
    assert line.get_marker() != "None"
    assert np.flatnonzero(line.get_markevery()).tolist() == [2]
    assert display.lines_["data_loss"].get_marker() == "None"


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 7, 150])
def test_the_ticks_are_whole_epochs(ax, n_epochs):
    losses = np.linspace(1, 0.5, n_epochs)
    display = LossCurveDisplay(loss=losses + 0.1, data_loss=losses).plot(ax)
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) for tick in ticks)
    has_marker = display.lines_["loss"].get_marker() != "None"
    assert has_marker == (n_epochs == 1)  # one point makes no line


@pytest.fixture(scope="module")
def searched(mlp, cancer):
    """A search over Pipelines."""
    model = make_pipeline(StandardScaler(), mlp((8, 4)))
    grid = {"regularizedmlpclassifier__l2": [0.01, 0.1]}
    return GridSearchCV(model, grid, cv=2).fit(*cancer)


@pytest.mark.parametrize("display", [LossCurveDisplay, WeightDisplay])
def test_the_network_may_be_the_last_step_of_a_pipeline_or_search(searched, display):
    model = searched.best_estimator_
    estimators = [searched, model, model[-1], make_pipeline("passthrough", searched)]
    first, *others = [
        display.from_estimator(est, ax=Figure().subplots()).ax_.lines[0].get_ydata()
        for est in estimators
    ]
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("display", [LossCurveDisplay, WeightDisplay])
def test_estimator_must_end_in_a_fitted_network(mlp, cancer, display):
    search = GridSearchCV(mlp(), {"l2": [0.0]}, cv=2, refit=False)
    ensemble, chosen = MLPEnsembleClassifier(mlp(), [{}]), RegularizedMLPClassifierCV()
    for est in (make_pipeline(StandardScaler(), mlp()), search, ensemble, chosen):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            display.from_estimator(est)
    for est in (search, LogisticRegression()):
        with pytest.raises(TypeError, match="estimator must be a skreg estimator"):
            display.from_estimator(est.fit(*cancer))


@pytest.mark.parametrize("sizes", [(), (8,), (8, 4, 4, 4)])
def test_shares_of_weights_are_those_of_the_kernels(mlp, cancer, ax, sizes):
    est = mlp(sizes, l1=1e-2).fit(cancer[0].astype(np.float32), cancer[1])
    display = WeightDisplay.from_estimator(est, ax=ax)
    magnitudes = display.magnitudes
    largest = max(abs(w).max() for w in est.coefs_)
    assert magnitudes[-1] == largest
    assert magnitudes[0] == pytest.approx(1e-6 * largest)
    for line, kernel in zip(display.lines_, est.coefs_, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), magnitudes)
        shares = [(abs(kernel) <= m).mean() for m in magnitudes]
        np.testing.assert_allclose(line.get_ydata(), shares)
        assert line.get_ydata()[-1] == 1
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "magnitude |w|"
    assert ax.get_ylabel() == "share of weights up to that magnitude"
    hidden = [f"hidden layer {i}" for i in range(1, len(sizes) + 1)]
    assert legend_texts(display) == [
        f"{name} ({kernel.size}, {(kernel == 0).mean():.0%} zero)"
        for name, kernel in zip([*hidden, "output layer"], est.coefs_, strict=True)
    ]
    styles = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(styles) == len(est.coefs_)


def test_a_line_begins_at_the_share_of_zero_weights(fitted, ax):
    est = copy.deepcopy(fitted)
    est.coefs_[0][:15] = 0  # of 30 rows
    est.coefs_[1][:] = 0
    hidden, output = WeightDisplay.from_estimator(est, ax=ax).lines_
    assert hidden.get_ydata()[0] == 0.5
    assert set(output.get_ydata()) == {1}
    est.coefs_[0][:] = 0
    for line in WeightDisplay.from_estimator(est, ax=ax).lines_:
        assert set(line.get_ydata()) == {1}


@pytest.mark.parametrize("display", [LossCurveDisplay, WeightDisplay])
def test_without_axes_a_figure_is_made(fitted, display, request):
    plt.close("all")
    request.addfinalizer(lambda: plt.close("all"))
    plt.get_backend()  # selects one, which changes rcParams
    before = plt.rcParams.copy()
    drawn = display.from_estimator(fitted)
    assert plt.gcf() is drawn.figure_
    assert drawn.figure_.get_layout_engine() is not None
    assert drawn.plot() is drawn
    assert plt.gcf() is drawn.figure_
    assert len(plt.get_fignums()) == 2
    assert plt.rcParams == before


@pytest.mark.parametrize("display", [LossCurveDisplay, SearchDisplay, WeightDisplay])
def test_parameters_are_stored_as_given(display):
    given = {name: object() for name in inspect.signature(display).parameters}
    assert vars(display(**given)) == given


@pytest.mark.parametrize(
    "display",
    [
        LossCurveDisplay(loss=[1.0], data_loss=[1.0]),
        WeightDisplay(magnitudes=[1.0], shares=[[1.0]], n_weights=[1], n_zeros=[0]),
        SearchDisplay(x_name="l2", x_values=[1.0], test_scores=[[[0.5]]]),
    ],
    ids=lambda display: type(display).__name__,
)
def test_without_matplotlib_the_error_says_what_to_install(display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    name = type(display).__name__
    with pytest.raises(ImportError, match=rf"^{name} needs .* install matplotlib"):
        display.plot()
