"""Where groups of networks are trained, and how many at the same time."""

from joblib import Parallel, effective_n_jobs
from joblib.parallel import MultiprocessingBackend, get_active_backend


class Workers:
    """Run jobs as `joblib.parallel_config` asks for it, or else on threads.

    Parameters
    ----------
    n_jobs : int or None
        None means the number in `parallel_config`, or else all cores: TensorFlow would
        use them anyway.
    pre_dispatch : int or str
        See `joblib.Parallel`.

    Attributes
    ----------
    n_workers : int
        How many jobs run at the same time.
    """

    def __init__(self, n_jobs, pre_dispatch):
        backend, configured = get_active_backend()
        if n_jobs is None:
            n_jobs = -1 if configured is None else configured
        self.n_workers = effective_n_jobs(n_jobs)
        self._forks = type(backend) is MultiprocessingBackend and self.n_workers > 1
        self._parallel = Parallel(
            n_jobs,
            prefer="threads",
            pre_dispatch=pre_dispatch,
            return_as=return_as(),
        )

    def check_can_train(self):
        """Raise a ValueError if the workers are forks of this process."""
        if self._forks:
            raise ValueError(
                "joblib's backend 'multiprocessing' can't train networks: it forks "
                "this process, and TensorFlow does not work in a forked process. Use "
                "the backend 'loky' or 'threading', or n_jobs=1."
            )

    def __call__(self, jobs):
        """Iterate over the results of `joblib.delayed` calls, in any order."""
        return self._parallel(jobs)


def return_as():
    """The value of `joblib.Parallel`'s parameter for which results come earliest."""
    backend, _ = get_active_backend()
    return "generator_unordered" if backend.supports_return_generator else "list"
