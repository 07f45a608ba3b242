"""What regularization is chosen from, unless the user says otherwise."""

from __future__ import annotations

from typing import Any

from scipy.stats import loguniform, uniform


def default_distributions() -> list[dict[str, Any]]:
    """Distributions of the candidates' parameters.

    Each candidate is drawn from one of the dicts: with or without the penalties that
    make weights or whole columns exactly zero.
    """
    common = {
        "l2": loguniform(1e-5, 1e-1),
        "dropout": uniform(0.0, 0.5),
        "learning_rate": loguniform(1e-3, 2e-2),
    }
    l1 = {"l1": loguniform(1e-6, 1e-3)}
    group_l1 = {"group_l1": loguniform(1e-4, 3e-2)}
    return [common, common | l1, common | group_l1, common | l1 | group_l1]
