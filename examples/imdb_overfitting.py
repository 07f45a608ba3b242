"""A network for film reviews overfits; L2 and dropout make it overfit less.

Four networks of 16, 16 and 1 units learn from the words that reviews contain. Without
--reviews the IMDB reviews that Keras downloads are used, which takes several GB of
memory; --reviews takes two text files instead, one of positive and one of negative
reviews, with a review a line.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import train_test_split

from skreg import RegularizedMLPClassifier

N_WORDS = 10_000
NETWORKS = {
    "plain": {"l2": 0.0},
    "L2 0.001": {"l2": 0.001},
    "dropout 0.5": {"l2": 0.0, "dropout": 0.5},
    "both": {"l2": 0.001, "dropout": 0.5},
}
# What history_ calls it, and the heading, as wide as its column.
COLUMNS = {"data_loss": "  train", "penalty": "  penalty", "val_loss": "    val"}


def load_imdb():
    """Rows of 0 and 1 and labels, to train on and to validate on."""
    training, validation = keras.datasets.imdb.load_data(num_words=N_WORDS)
    return multi_hot(training[0]), training[1], multi_hot(validation[0]), validation[1]


def multi_hot(reviews):
    """A row a review, with 1 in the columns of the words that it has."""
    X = np.zeros((len(reviews), N_WORDS), dtype=np.float32)
    for row, words in zip(X, reviews, strict=True):
        row[words] = 1
    return X


def load_files(paths, encoding):
    """The same of two files, a quarter of their reviews being held out."""
    positive, negative = (read_lines(path, encoding) for path in paths)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    train, val, y_train, y_val = train_test_split(
        positive + negative, labels, test_size=0.25, stratify=labels, random_state=0
    )
    words = CountVectorizer(binary=True, max_features=N_WORDS, dtype=np.float32)
    X_train = words.fit_transform(train).toarray()
    return X_train, y_train, words.transform(val).toarray(), y_val


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


def print_table(histories):
    """A line an epoch; the penalty only of the networks that have one."""
    shown = {
        name: [key for key in COLUMNS if any(history[key])]
        for name, history in histories.items()
    }
    names, headings = "     ", "epoch"
    for name, keys in shown.items():
        heading = "".join(COLUMNS[key] for key in keys)
        names += f"{name:>{len(heading)}}"
        headings += heading
    print(
        "Loss on training rows (without the penalty), penalty, loss on validation rows"
    )
    print(names, headings, sep="\n")
    for epoch in range(len(histories["plain"]["loss"])):
        line = f"{epoch + 1:5}"
        for name, keys in shown.items():
            for key in keys:
                line += f"{histories[name][key][epoch]:{len(COLUMNS[key])}.3f}"
        print(line)


def save_figure(histories, path):
    """Training and validation loss side by side, on one scale."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    # Told apart without colour too: by dashes and by markers.
    styles = ["-o", "--s", ":^", "-.x"]
    for (name, history), style in zip(histories.items(), styles, strict=True):
        epochs = np.arange(1, len(history["loss"]) + 1)
        left.plot(epochs, history["data_loss"], style, label=name, markersize=4)
        right.plot(epochs, history["val_loss"], style, markersize=4)
    left.set(title="Training rows (without the penalty)", ylabel="loss (nats a review)")
    right.set(title="Validation rows")
    for axes in (left, right):
        axes.set(xlabel="training time (epochs)", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4)
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
    print_table(histories)
    if options.figure:
        save_figure(histories, options.figure)


if __name__ == "__main__":
    main()
