"""Regularization as ordinary hyperparameters: Keras networks for scikit-learn."""

from skreg._classifier import RegularizedMLPClassifier

__version__ = "0.1.0"

__all__ = ["RegularizedMLPClassifier"]
