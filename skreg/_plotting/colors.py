"""Colours that can be told apart in greyscale and by colour-blind readers."""

import numpy as np

# From the palette by Okabe and Ito; LossCurveDisplay cites it.
BLUE, VERMILLION = "#0072B2", "#D55E00"


def sequential_colors(n):
    """Colours for n items that have an order, from dark to light.

    From viridis, whose lightness rises evenly. Its lightest part, which is faint on
    white, is left out.
    """
    import matplotlib as mpl

    return [mpl.colormaps["viridis"](0.85 * i / max(1, n - 1)) for i in range(n)]


def text_color(background):
    """Black or white, whichever can be read on an RGB or RGBA background."""
    luma = np.dot(background[:3], (0.299, 0.587, 0.114))  # ITU-R BT.601
    return "black" if luma > 0.5 else "white"
