"""Where groups of networks are trained, and how many at the same time."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from warnings import catch_warnings, simplefilter

from joblib import Parallel, effective_n_jobs
from joblib.parallel import (
    MultiprocessingBackend,
    ThreadingBackend,
    get_active_backend,
)

from skreg._xla.interrupts import interrupts_deferred


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
        with_threads, _ = get_active_backend(prefer="threads")
        # joblib's own, whose calls return before the jobs are done.
        self._threads = type(with_threads) is ThreadingBackend
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
        with ExitStack() as stack:
            if self._threads:
                # An interrupt while they start, or end, would leave some behind.
                with interrupts_deferred():
                    stack.enter_context(_pool(self._parallel))
                    results = stack.enter_context(closing(self._parallel(jobs)))
            else:
                results = stack.enter_context(closing(self._parallel(jobs)))
            yield from results


@contextmanager
def _pool(parallel):
    """Keep joblib's threads within the block."""
    parallel.__enter__()
    try:
        yield
    finally:
        with interrupts_deferred():
            parallel.__exit__(None, None, None)


@contextmanager
def closing(results):
    """Close a generator at the end, so that joblib gives up what is still to do.

    At once, and not when the traceback of an error is freed that refers to it. Where
    joblib has no generator but a list, there is nothing to close.
    """
    try:
        yield results
    finally:
        with catch_warnings():
            simplefilter("ignore", UserWarning)  # joblib's, of jobs that it cancels
            if isinstance(results, Generator):
                results.close()


def return_as():
    """The value of `joblib.Parallel`'s parameter for which results come earliest."""
    backend, _ = get_active_backend()
    return "generator_unordered" if backend.supports_return_generator else "list"
