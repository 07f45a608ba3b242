"""An axis along the values of a parameter: scale, ticks and tick labels."""

from numbers import Real

import numpy as np

MAX_TICKS = 20  # more labels would not be legible
MAX_VALUE_TICKS = 8  # more values than that get matplotlib's own ticks
MAX_LABEL_LENGTH = 25
MAX_ROW_LENGTH = 60  # characters in all labels of an x axis that is not rotated


def finite_float(value):
    """The value as a float if it is a finite number, else None."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) else None


def value_labels(values):
    """A short label for each value; equal labels are numbered."""
    labels = list(map(_label, values))
    return [
        f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]


def _label(value):
    if isinstance(value, tuple | list):
        comma = "," if len(value) == 1 else ""
        return _truncate(f"({', '.join(map(_label, value))}{comma})")
    if finite_float(value) is not None and not float(value).is_integer():
        return f"{value:.4g}"
    text = str(value)
    if " at 0x" in text:  # a default repr, of which only the address is specific
        text = getattr(value, "__name__", type(value).__name__)
    return _truncate(text)


def _truncate(text):
    fits = len(text) <= MAX_LABEL_LENGTH
    return text if fits else text[: MAX_LABEL_LENGTH - 1] + "…"


def set_parameter_axis(ax, values):
    """Give the x axis a scale and ticks that suit the values.

    Returns
    -------
    ndarray of shape (n_values,)
        Positions of the values: the values themselves if all are finite numbers, else
        0, 1, 2 and so on.
    """
    positions = [finite_float(value) for value in values]
    if None in positions:
        set_categories(ax.xaxis, values)
        return np.arange(len(values))
    positions = np.array(positions)
    if _is_geometric(positions):
        positive = positions[positions > 0]
        if len(positive) == len(positions):
            ax.set_xscale("log")
        else:
            ax.set_xscale("symlog", linthresh=positive.min())
        if len(values) <= MAX_VALUE_TICKS:
            ax.set_xticks(positions, value_labels(values))
    return positions


def set_categories(axis, values):
    """Label the positions 0, 1, 2 and so on with the values, or with every n-th."""
    step = -(-len(values) // MAX_TICKS)
    labels = value_labels(values)[::step]
    row_length = len(labels) * (2 + max(map(len, labels)))
    style = {}
    if axis.axis_name == "x" and row_length > MAX_ROW_LENGTH:
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_ticks(range(0, len(values), step), labels, **style)


def _is_geometric(numbers):
    """Whether a log scale spaces the numbers more evenly than a linear one.

    They must also be non-negative and span a factor of 10.
    """
    if numbers.min() < 0 or not numbers.any():
        return False
    positive = numbers[numbers > 0]
    low, high = positive.min(), positive.max()
    # The median of geometric numbers, such as strengths, is near the geometric mean of
    # low and high; that of evenly spaced ones, such as dropout rates, near their
    # arithmetic mean.
    arithmetic_mean, geometric_mean = (low + high) / 2, (low * high) ** 0.5
    threshold = (arithmetic_mean * geometric_mean) ** 0.5
    spans_decade = high > 9.99 * low  # 1e-3 / 1e-4 may be rounded to less than 10
    return spans_decade and np.median(numbers) < threshold
