"""What a search fits on all rows once it is done."""

from dataclasses import dataclass

from skreg._training.task import ProgramScope


@dataclass
class Refit:
    """What is to be fitted on all rows once a search is done.

    Attributes
    ----------
    n_networks : int
        0 where there is no refit.
    scope : ProgramScope or None
        What a program serves that was compiled for several networks in advance.
    """

    n_networks: int
    scope: ProgramScope | None = None
