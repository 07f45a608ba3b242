"""A network for film reviews overfits; L2 and dropout reduce the overfitting.

Four networks with layers of 16, 16 and 1 units classify reviews by their words: a plain
one, one with L2 of 0.001, one with dropout of 0.5, and one with both. The data are the
IMDB reviews, which Keras downloads, or two text files with one review per line:
--reviews POS NEG.
"""

import argparse
from pathlib import Path

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
    """Binary rows and labels, for training and for validation."""
    import keras

    training, validation = keras.datasets.imdb.load_data(num_words=N_WORDS)
    return multi_hot(training[0]), training[1], multi_hot(validation[0]), validation[1]


def multi_hot(reviews):
    """One sparse row per review, with 1 in the columns of its words."""
    words = [np.unique(review) for review in reviews]
    starts = np.cumsum([0, *map(len, words)])
    columns = np.concatenate(words)
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_array((ones, columns, starts), shape=(len(words), N_WORDS))


def load_files(paths, encoding):
    """The same from two text files, with a quarter of the reviews held out."""
    positive, negative = (read_lines(path, encoding) for path in paths)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    train, val, y_train, y_val = train_test_split(
        positive + negative, labels, test_size=0.25, stratify=labels, random_state=0
    )
    words = CountVectorizer(binary=True, max_features=N_WORDS, dtype=np.float32)
    return words.fit_transform(train), y_train, words.transform(val), y_val


def read_lines(path, encoding):
    """The non-empty lines of a file."""
    # Not splitlines(), which also splits at characters that Latin-1 text may contain.
    return [line for line in path.read_text(encoding).split("\n") if line.strip()]


def train(X_train, y_train, X_val, y_val, epochs):
    """Train each network and return the histories."""
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
    """Print one line per epoch, with one column per network."""
    for key, title in TABLES.items():
        print(title)
        print("epoch", *(f"{name:>8}" for name in histories))
        columns = [history[key] for history in histories.values()]
        for epoch, values in enumerate(zip(*columns, strict=True), start=1):
            print(f"{epoch:5}", *(f"{value:8.4f}" for value in values))
        print()


def save_figure(histories, path):
    """Plot training and validation loss side by side, on the same scale."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    # Dashes and markers make the lines distinguishable without color.
    styles = ["-o", "--s", ":^", "-.x"]
    for axes, key in zip(panels, ["data_loss", "val_loss"], strict=True):
        for (name, history), style in zip(histories.items(), styles, strict=True):
            epochs = np.arange(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], style, label=name, markersize=4)
        axes.set(title=TABLES[key], xlabel="training time (epochs)", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("loss (nats per review)")
    lines = panels[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=150, format="png")


def main():
    """Read the options, train the four networks and show their losses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=Path, nargs=2, metavar=("POS", "NEG"))
    parser.add_argument("--encoding", default="latin-1", help="encoding of the files")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--figure", type=Path, metavar="PATH", help="PNG file to write")
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
