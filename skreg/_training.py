"""From tasks to trained networks: chooses the engine."""

from skreg import _keras_loop


def train(tasks):
    """Train each task's network.

    Parameters
    ----------
    tasks : list of Task

    Returns
    -------
    list of Trained
    """
    return [_keras_loop.train(task) for task in tasks]
