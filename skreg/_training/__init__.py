"""One training run as data, and who carries it out."""
