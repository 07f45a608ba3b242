"""Training by Keras, and the Keras networks that users get."""
