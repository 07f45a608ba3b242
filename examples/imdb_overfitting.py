"""A network for film reviews overfits; L2 and dropout make it overfit less.

Four networks of 16, 16 and 1 units learn which words a good review has: plain, with L2
of 0.001, with dropout of 0.5, and with both. They learn from the IMDB reviews, which
Keras downloads, or from two text files with a review a line: --reviews POS NEG.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier

N_WORDS = 10_000
NETWORKS = {
    "plain": {"l2": 0.0},
    "L2": {"l2": 0.001},
    "dropout": {"l2": 0.0, "dropout": 0.5},
    "both": {"l2": 0.001, "dropout": 0.5},
}
TABLES = {
    "data_loss": "Training loss, without the penalty",
    "penalty": "Penalty, added to the training loss",
    "val_loss": "Validation loss, without the penalty",
}


def load_imdb():
    """Rows of 0 and 1 and labels, to train on and to validate on."""
    training, validation = keras.datasets.imdb.load_data(num_words=N_WORDS)
    return multi_hot(training[0]), training[1], multi_hot(validation[0]), validation[1]


def multi_hot(reviews):
    """A sparse row a review, with 1 in the columns of the words that it has."""
    words = [np.unique(review) for review in reviews]
    starts = np.cumsum([0, *map(len, words)])
    columns = np.concatenate(words)
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_array((ones, columns, starts), shape=(len(words), N_WORDS))


def load_files(paths, encoding):
    """The same of two files, a quarter of their reviews being held out."""
    positive, negative = (read_lines(path, encoding) for path in paths)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    train, val, y_train, y_val = train_test_split(
        positive + negative, labels, test_size=0.25, stratify=labels, random_state=0
    )
    words = CountVectorizer(binary=True, max_features=N_WORDS, dtype=np.float32)
    return words.fit_transform(train), y_train, words.transform(val), y_val


def read_lines(path, encoding):
    """The lines of a file that are not empty."""
    # Not splitlines(), which also splits at characters that Latin-1 text may hold.
    return [line for line in path.read_text(encoding).split("\n") if line.strip()]


def train(X_train, y_train, X_val, y_val, epochs):
    """The history of each network."""
    histories = {}
    for name, regularization in NETWORKS.items():
        network = RegularizedMLPClassifier(
            (16, 16),
            optimizer="rmsprop",
            batch_size=512,
            epochs=epochs,
            random_state=0,
            **regularization,
        )
        network.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        histories[name] = network.history_
    return histories


def print_tables(histories):
    """A line an epoch, a column a network."""
    for key, title in TABLES.items():
        print(title)
        print("epoch", *(f"{name:>8}" for name in histories))
        columns = [history[key] for history in histories.values()]
        for epoch, values in enumerate(zip(*columns, strict=True), start=1):
            print(f"{epoch:5}", *(f"{value:8.4f}" for value in values))
        print()


def save_figure(histories, path):
    """Training and validation loss side by side, on one scale."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    # Told apart without colour too: by dashes and by markers.
    styles = ["-o", "--s", ":^", "-.x"]
    for axes, key in zip(panels, ["data_loss", "val_loss"], strict=True):
        for (name, history), style in zip(histories.items(), styles, strict=True):
            epochs = np.arange(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], style, label=name, markersize=4)
        axes.set(title=TABLES[key], xlabel="training time (epochs)", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss (nats a review)")
    lines = panels[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=150, format="png")


def main():
    """Read the options, train the four networks, show their losses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=Path, nargs=2, metavar=("POS", "NEG"))
    parser.add_argument("--encoding", default="latin-1", help="of those files")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--figure", type=Path, metavar="PATH", help="a PNG to write")
    options = parser.parse_args()
    if options.reviews:
        data = load_files(options.reviews, options.encoding)
    else:
        data = load_imdb()
    histories = train(*data, options.epochs)
    print_tables(histories)
    if options.figure:
        save_figure(histories, options.figure)


if __name__ == "__main__":
    main()
