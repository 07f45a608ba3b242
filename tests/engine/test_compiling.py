"""Which fits compile anything, and where machine code is kept."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import keras
import numba
import numpy as np
import pytest
from numba.core import event
from scipy.sparse import csr_array

import skreg


@contextmanager
def recorded_passes():
    """The compiler's passes within the block."""
    listener = event.RecordingListener()
    with event.install_listener("numba:run_pass", listener):
        yield listener.buffer


def test_passes_are_recorded():
    with recorded_passes() as passes:
        numba.njit(lambda x: x + 1)(1)
    assert passes


CHANGES = [
    {"hidden_layer_sizes": (), "l2": 0.1},
    {"hidden_layer_sizes": (3, 9, 4), "l1": [0.1, 0.0, 0.2], "dropout": [0.1, 0, 0.5]},
    {"l2": 0.3, "learning_rate": 0.1, "random_state": 7},
    {"group_l1": 0.1, "ema_momentum": 0.9},
    {"batch_size": 7, "shuffle": False, "epochs": 5},
    {"early_stopping": True, "class_weight": "balanced"},
    {"warm_start": True, "verbose": 2},
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_sizes_strengths_and_options_compile_nothing(mlp, cancer, dtype):
    X, y = cancer[0].astype(dtype), cancer[1]
    mlp().fit(X, y)
    with recorded_passes() as passes:
        for change in CHANGES:
            mlp(**change).fit(X, y)
        mlp(dropout=0.3).fit(X[:50, :9], y[:50])
        mlp().fit(np.asfortranarray(X), y, sample_weight=np.arange(len(y)))
        mlp().fit(csr_array(X), y).partial_fit(X, y)
    assert not passes


def test_other_settings_of_an_optimizer_compile_nothing(mlp, cancer):
    adam, schedules = keras.optimizers.Adam, keras.optimizers.schedules
    mlp().fit(*cancer)
    with recorded_passes() as passes:
        for optimizer in (
            adam(0.1, beta_1=0.5, epsilon=1e-3),
            adam(clipnorm=1.0),
            adam(clipvalue=1.0),
            adam(global_clipnorm=1.0),
            keras.optimizers.AdamW(weight_decay=0.1),
            adam(schedules.CosineDecay(0.1, 9)),
        ):
            mlp(optimizer=optimizer).fit(*cancer)
    assert not passes


FIT = """
import numpy as np
import skreg

est = skreg.RegularizedMLPRegressor((4,), epochs=2, random_state=0)
est.fit(np.arange(12.0).reshape(6, 2), np.arange(6))
print(skreg.__file__, est.coefs_[0].sum())
"""


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_machine_code_is_kept_elsewhere(variable, tmp_path, in_new_process):
    """The user names the folder, or the package is read-only and Numba chooses one."""
    here = Path(skreg.__file__).parent
    copied = shutil.copytree(
        here, tmp_path / "skreg", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in {path.parent for path in copied.rglob("*.py")}:
        # Not even root can make a folder where a file is.
        (folder / "__pycache__").touch()
    kept = tmp_path / "kept"
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    env |= {"PYTHONPATH": str(tmp_path), variable: str(kept)}
    counts = []
    for _ in range(2):
        printed = in_new_process(FIT, env=env, cwd=tmp_path)
        assert printed.startswith(str(copied))
        counts.append(len(list(kept.rglob("*.nbc"))))
    assert counts[0] == counts[1] > 3
