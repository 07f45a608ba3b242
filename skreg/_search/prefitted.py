"""What scikit-learn's search runs over, once every candidate has been trained."""

from collections import deque

from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object


class StandIn:
    """Stands for the estimator in scikit-learn's search, which clones it for each fit.

    Once all candidates are trained, its clones are their fits, in the order in which
    scikit-learn makes them; when these are used up, the estimator itself.
    """

    def __init__(self, estimator, train):
        self._estimator = estimator
        self._train = train
        self._fits = None

    def train(self, candidates):
        """Train all candidates on all folds; return the seconds that each fit took."""
        fits = self._train(candidates)
        self._fits = deque(fit.outcome for fit in fits)
        return [fit.seconds for fit in fits]

    def __deepcopy__(self, memo):
        return self  # scikit-learn 1.8 copies it, and so the data, to route metadata

    def __sklearn_clone__(self):
        if self._fits is None:
            return self
        if not self._fits:
            return clone(self._estimator)
        return _Trained(self._estimator, self._fits.popleft())

    def fit(self, X, y=None):
        """What makes it an estimator; never called."""
        raise NotImplementedError

    def get_params(self, deep=True):
        """Those of the estimator."""
        return self._estimator.get_params(deep)

    def get_metadata_routing(self):
        """That of the estimator."""
        return get_routing_for_object(self._estimator)

    def __sklearn_tags__(self):
        return get_tags(self._estimator)


class _Trained(StandIn):
    """A candidate that has been fitted already, or has failed to."""

    def __init__(self, estimator, outcome):
        self._estimator = estimator
        self._outcome = outcome

    def set_params(self, **params):
        """Nothing is left to be set."""
        return self

    def fit(self, X, y=None, **params):
        """Become the fitted estimator, which is what scorers are to see."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        fitted = self._outcome
        self.__class__, self.__dict__ = type(fitted), vars(fitted)
        return self


class FixedSplits:
    """Splits made before: a splitter that shuffles would make others."""

    def __init__(self, cv, splits):
        self._cv = cv
        self._splits = splits

    def split(self, X=None, y=None, **params):
        """Row numbers of each fold."""
        return iter(self._splits)

    def get_n_splits(self, X=None, y=None, **params):
        """Return the number of folds."""
        return len(self._splits)

    def get_metadata_routing(self):
        """That of the splitter."""
        return get_routing_for_object(self._cv)
