"""Read from a figure what it shows."""

import numpy as np


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def bars(container):
    """x, low and high of the error bars."""
    segments = np.array(container.lines[2][0].get_segments())
    return segments[:, 0, 0], segments[:, 0, 1], segments[:, 1, 1]
