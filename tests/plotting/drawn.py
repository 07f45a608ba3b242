"""Read from a figure what it shows."""


def legend_texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]
