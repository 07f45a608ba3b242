"""An axis along the values of a parameter: scale, ticks and tick labels."""

from numbers import Real

import numpy as np

MAX_TICKS = 20  # more labels would not be legible
MAX_VALUE_TICKS = 8  # more numbers than that get matplotlib's own ticks
MAX_LABEL_LENGTH = 25
MAX_ROW_LENGTH = 60  # characters in all labels of an x axis that is not rotated


def value_labels(values):
    """A short label for each value; equal labels are numbered."""
    labels = list(map(_label, values))
    return [
        f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]


def _label(value):
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    if " at 0x" in text:  # a default repr, of which only the address is specific
        text = getattr(value, "__name__", type(value).__name__)
    fits = len(text) <= MAX_LABEL_LENGTH
    return text if fits else text[: MAX_LABEL_LENGTH - 1] + "…"


def set_parameter_axis(ax, values):
    """Give the x axis a scale and ticks that suit the values; returns positions.

    These are the values themselves if all are finite numbers, else 0, 1, 2 and so on.
    """
    is_number = [isinstance(v, Real) and not isinstance(v, bool) for v in values]
    if not all(is_number) or not np.isfinite(values).all():
        set_categories(ax.xaxis, values)
        return np.arange(len(values))
    positions = np.array(values, dtype=float)
    if _is_geometric(positions):
        if 0 in positions:
            ax.set_xscale("symlog", linthresh=positions[positions > 0].min())
        else:
            ax.set_xscale("log")
        if len(values) <= MAX_VALUE_TICKS:
            ax.set_xticks(positions, value_labels(values))
    return positions


def set_categories(axis, values):
    """Label the positions 0, 1, 2 and so on with the values, or with every n-th."""
    step = -(-len(values) // MAX_TICKS)
    labels = value_labels(values)[::step]
    style = {}
    if axis.axis_name == "x" and len("  ".join(labels)) > MAX_ROW_LENGTH:
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_ticks(range(0, len(values), step), labels, **style)


def _is_geometric(numbers):
    """Whether a log scale spaces numbers >= 0 more evenly than a linear one."""
    every = np.unique(numbers)
    positive = every[every > 0]
    if every[0] < 0 or not len(positive):
        return False
    spans_decade = positive[-1] > 9.99 * positive[0]  # 1e-3 / 1e-4 may be below 10
    return bool(spans_decade and _unevenness(np.log(positive)) < _unevenness(every))


def _unevenness(positions):
    """Mean distance of sorted positions from evenly spaced ones."""
    shares = (positions - positions[0]) / (positions[-1] - positions[0])
    return np.abs(shares - np.linspace(0, 1, len(positions))).mean()
