"""The dropout of the compiled engine, computed from the steps that it takes."""

import numpy as np
import pytest
from problems import arrays
from scipy.sparse import csr_array

from skreg._training import compiled

N_ROWS, N_UNITS = 100, 60


def dropout_factors(mlr, layer, rate, n_epochs=3, seed=0, sparse=False):
    """The factors of dropout for the units of a layer: (epoch, step, row, unit).

    The rows are those of a multiple of the identity matrix, in two batches. So a row of
    the first kernel moves in the one step that sees its row: by a constant, times the
    sign of the error, times ``f * (W @ (g * v))``, where f and g are the factors of the
    two hidden layers, W the kernel between them and v that of the output.
    """
    X = 0.1 * np.eye(N_ROWS)
    y = np.where(np.arange(N_ROWS) % 2, 1.0, -1.0)  # far from what is predicted
    rates = [0.0, 0.0]
    rates[layer] = rate
    est = mlr((N_UNITS, N_UNITS), activation="linear", loss="absolute_error")
    est.set_params(dropout=rates, optimizer="sgd", learning_rate=1e-30, l2=0.0)
    est.set_params(batch_size=N_ROWS // 2, shuffle=False, random_state=seed, epochs=1)
    X = csr_array(X) if sparse else X
    est.set_params(warm_start=True).fit(X, y)
    epochs = []
    for _ in range(n_epochs):
        first, W, v = (w.copy() for w in est.coefs_)
        # The rate is so small that W and v stay what they are.
        est.set_params(learning_rate=1e-7).fit(X, y)
        constant = 1e-7 * 0.1 / (N_ROWS // 2)
        moves = (est.coefs_[0] - first) * y[:, np.newaxis] / constant
        if layer == 0:
            factors = moves / (W @ v).T
        else:
            factors = np.linalg.solve(W, moves.T).T / v.T
        epochs.append(factors.reshape(2, -1, N_UNITS))
    factors = np.array(epochs)
    factors[np.abs(factors) < 1e-3] = 0
    return factors


@pytest.fixture(scope="module")
def kept(mlr):
    """0.5 where a unit is kept, else -0.5: (layer, epoch, step, row, unit)."""
    factors = np.array([dropout_factors(mlr, layer, 0.5) for layer in (0, 1)])
    return (factors != 0) - 0.5


def assert_independent(a, b):
    # Each product is +-1/4, with mean 0 where the two are independent.
    assert abs((a * b).mean()) < 5 * 0.25 / np.sqrt(a.size)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.75])
def test_units_are_dropped_at_the_rate_and_scaled_up_where_kept(mlr, layer, rate):
    factors = dropout_factors(mlr, layer, rate)
    kept = factors != 0
    np.testing.assert_allclose(factors[kept], 1 / (1 - rate), rtol=1e-3)
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) < 4 * deviation


AXES = ["layer", "epoch", "step", "row", "unit"]


@pytest.mark.parametrize("axis", range(5), ids=AXES)
def test_noise_is_independent_along(kept, axis):
    size = kept.shape[axis]
    for lag in range(1, min(size, 4)):
        a = np.take(kept, range(size - lag), axis)
        assert_independent(a, np.take(kept, range(lag, size), axis))


def test_noise_is_no_shifted_copy_of_other_noise(kept):
    one, *others = kept.reshape(-1, N_ROWS // 2 * N_UNITS)
    for other in others:
        correlations = np.fft.ifft(np.fft.fft(one) * np.fft.fft(other).conj()).real
        # Each of the 3,000 correlations has a deviation of 0.25 * sqrt(3,000).
        assert np.abs(correlations).max() < 5.5 * 0.25 * np.sqrt(one.size)


def test_noise_is_independent_between_seeds(mlr, kept):
    for seed in (1, 2):
        other = (dropout_factors(mlr, 0, 0.5, seed=seed) != 0) - 0.5
        assert_independent(kept[0], other)


def test_noise_is_the_same_for_sparse_rows(mlr, kept):
    other = (dropout_factors(mlr, 1, 0.5, sparse=True) != 0) - 0.5
    np.testing.assert_array_equal(other, kept[1])


@pytest.mark.parametrize("seconds", [0, 1e-4, 1e9])
@pytest.mark.parametrize("sparse", [False, True])
def test_how_epochs_are_cut_into_calls_does_not_matter(
    mlp, cancer, monkeypatch, seconds, sparse
):
    X = csr_array(cancer[0]) if sparse else cancer[0]
    est = mlp((8, 6), dropout=0.3, l1=2**-8, epochs=9, batch_size=10)
    for early_stopping in (False, True):
        est.set_params(early_stopping=early_stopping, ema_momentum=0.9)
        est.fit(X, cancer[1])
        expected, history = arrays(est), est.history_
        with monkeypatch.context() as patch:
            patch.setattr(compiled, "CALL_SECONDS", seconds)
            patch.setattr(compiled, "MAX_GROWTH", 3)
            est.fit(X, cancer[1])
        np.testing.assert_equal(arrays(est), expected)
        for name, figures in history.items():
            np.testing.assert_allclose(est.history_[name], figures, rtol=1e-12)
