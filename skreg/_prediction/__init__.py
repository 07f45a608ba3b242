"""The forward pass of a fitted network, by NumPy alone."""
