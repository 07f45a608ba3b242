"""An axis along the values of a parameter: its scale and its ticks."""

from numbers import Real

import numpy as np

MAX_TICKS = 20  # more labels would not be legible
MAX_CHARACTERS = 25  # of a label


def number(value):
    """The value as a float if it is a finite number, else None."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number and np.isfinite(value) else None


def value_labels(values):
    """A label of few characters for each value; numbered where they would be equal."""
    labels = list(map(_label, values))
    return [
        f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label
        for i, label in enumerate(labels)
    ]


def _label(value):
    if isinstance(value, tuple | list):
        comma = "," if len(value) == 1 else ""
        return _short(f"({', '.join(map(_label, value))}{comma})")
    if number(value) is not None and not float(value).is_integer():
        return f"{value:.4g}"
    text = str(value)
    if " at 0x" in text:  # an address, of an object that says nothing else of itself
        text = getattr(value, "__name__", type(value).__name__)
    return _short(text)


def _short(text):
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def set_value_axis(ax, values):
    """Give the x axis the scale and the ticks that the values ask for.

    Returns
    -------
    ndarray of shape (n_values,)
        Where the values are: themselves, if all are numbers, else 0, 1, 2 and so on.
    """
    positions = [number(value) for value in values]
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
        if len(values) <= 8:  # and powers of 10 else
            ax.set_xticks(positions, value_labels(values))
    return positions


def set_categories(axis, values):
    """Label the places 0, 1, 2 and so on with the values, or with every n-th."""
    step = -(-len(values) // MAX_TICKS)
    labels = value_labels(values)[::step]
    style = {}
    if axis.axis_name == "x" and len(labels) * (2 + max(map(len, labels))) > 60:
        style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_ticks(range(0, len(values), step), labels, **style)


def _is_geometric(numbers):
    """Whether numbers are spread over a factor of 10, and more evenly in their logs."""
    if numbers.min() < 0 or not numbers.any():
        return False
    positive = numbers[numbers > 0]
    low, high = positive.min(), positive.max()
    middle, middle_of_logs = (low + high) / 2, (low * high) ** 0.5
    # Strengths have their median near the second, rates of dropout near the first. Of
    # decades, rounding may make a factor just short of 10.
    return high > 9.99 * low and np.median(numbers) < (middle * middle_of_logs) ** 0.5
