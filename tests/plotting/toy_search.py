"""An estimator that makes a search quick, and readers of what a display has drawn."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

STRENGTHS = [0.0, 1e-3, 1e-2]
RATES = [0.0, 0.5]


class Toy(ClassifierMixin, BaseEstimator):
    """An estimator whose score depends on parameters and rows alone."""

    def __init__(self, l1=0.0, l2=0.0, dropout=0.0, sizes=(8,), epochs=0):
        self.l1 = l1
        self.l2 = l2
        self.dropout = dropout
        self.sizes = sizes
        self.epochs = epochs

    def fit(self, X, y):
        if self.dropout == 1:
            raise ValueError("nothing is left")
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y):
        bent = -((np.log10(self.l2 + 1e-4) + 2.5) ** 2) - (self.dropout - 0.2) ** 2
        bent -= 100 * self.epochs  # the first rung has the best scores
        return bent / 10 - 100 * self.l1 + X.mean() / 20 + np.size(self.sizes)


def other_score(est, X, y):
    """A score that prefers the candidates that `score` does not."""
    return -est.score(X, y)


def column(search, name, **params):
    """A column of the results, for the candidates with these parameters."""
    chosen = [
        all(candidate.get(key) == value for key, value in params.items())
        for candidate in search.cv_results_["params"]
    ]
    return search.cv_results_[name][chosen]


def assert_lines_show(display, search, hue, values, metric="score"):
    """The lines and error bars are those of the results, one for each value of hue."""
    for i, value in enumerate(values):
        mean, std = (
            column(search, f"{part}_test_{metric}", **{hue: value})
            for part in ("mean", "std")
        )
        line = display.lines_[i]
        np.testing.assert_array_equal(line.get_xdata(), STRENGTHS)
        np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-12)
        bars = np.array(display.ax_.containers[i].lines[2][0].get_segments())
        np.testing.assert_array_equal(bars[:, 0, 0], STRENGTHS)
        np.testing.assert_allclose(bars[..., 1], np.c_[mean - std, mean + std])


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]
