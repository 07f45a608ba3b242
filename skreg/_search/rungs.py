"""Networks that survive a rung of a halving search go on training in the next one."""

from dataclasses import replace

from skreg._search.candidates import common_seed, params_key


class LastRung:
    """What the networks of a halving search have learned so far.

    A network goes on where all that its training depends on, but the number of epochs,
    is what it was. Its random numbers depend on the seed and the epoch alone, so that
    it learns what it would learn from the start. It starts again where early stopping
    or callbacks look at how long it is to train, and where its rows are others, such as
    those of a transformer that draws random numbers without a seed.

    Parameters
    ----------
    resource : str
        Full name of the parameter that grows from rung to rung.
    factor : float
        By how much.
    max_epochs : int
        To how much at most.
    """

    def __init__(self, resource, factor, max_epochs):
        self._resource = resource
        self._factor = factor
        self._max_epochs = max_epochs
        self._trained = {}
        self._sizes = self._seed = None

    def sizes(self, n_workers, group_size, refit):
        """The `RungSizes` of all rungs."""
        from skreg._search.sizes import RungSizes  # imports TensorFlow

        if self._sizes is None:
            limits = self._factor, self._max_epochs
            self._sizes = RungSizes(n_workers, group_size, *limits, refit)
        return self._sizes

    def start_rung(self, candidates):
        """Forget the networks of those that are no longer among the candidates.

        Returns
        -------
        seed : int or None
            What replaces a ``random_state`` of None; the same in all rungs.
        """
        survivors = set(map(self._key, candidates))
        self._trained = {
            (key, fold): kept
            for (key, fold), kept in self._trained.items()
            if key in survivors
        }
        if self._seed is None:
            self._seed = common_seed(candidates)
        return self._seed

    def resume(self, candidate, fold, pending):
        """Where this was trained before, a `PendingFit` that goes on from there."""
        task = pending.task
        if task.early_stopping is not None or task.callbacks or task.hooks:
            return pending
        key = self._key(candidate), fold
        earlier = None
        if key in self._trained:
            signature, trained = self._trained[key]
            earlier = trained if signature == _signature(task) else None
        return replace(pending, earlier=earlier, resumable=True)

    def keep(self, candidate, fold, pending, trained):
        """Keep a network, with its whole training, for the next rung."""
        if pending.resumable:
            signature = _signature(pending.task)
            self._trained[self._key(candidate), fold] = signature, trained

    def _key(self, candidate):
        others = {k: v for k, v in candidate.params.items() if k != self._resource}
        return params_key(others)


def _signature(task):
    """Equal for trainings that differ in nothing but the number of their epochs."""
    of_rows = {"training": None, "validation": None, "output_scale": None}
    return replace(task, epochs=0, **of_rows), task.training.fingerprint
