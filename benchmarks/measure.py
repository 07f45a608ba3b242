"""How the benchmarks measure: versions, memory, new processes."""

import multiprocessing
import os
import platform
import re
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from skreg import RegularizedMLPClassifier


def machine(*packages):
    """What the figures depend on, in one line."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, {versions}"
    )


def first_fit(X, y, **settings):
    """Seconds of a fit of one epoch, which compiles, or loads compiled code."""
    mlp = RegularizedMLPClassifier((4,), epochs=1, random_state=0, **settings)
    start = time.perf_counter()
    mlp.fit(X[:100], y[:100])
    return time.perf_counter() - start


def peak_growth(action):
    """By how many MB an action raises the peak memory of this process; Linux only."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    (before,) = re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())
    reset.write_text("5")  # the peak is to be a new one
    action()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
    return (int(peak) - int(before)) * 1024 / 1e6


def in_new_process(function, *arguments):
    """What a function returns in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(function, *arguments).result()
