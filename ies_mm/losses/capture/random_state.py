"""Preservation of the random state."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Restore the random state of Python, NumPy and torch on exit."""
    python, numpy = random.getstate(), np.random.get_state()
    # All of them by number: left to its default, fork_rng warns about several.
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
