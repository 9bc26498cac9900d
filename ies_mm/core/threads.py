"""Work that several threads would only slow down."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute in the calling thread alone; also a decorator.

    A decision makes short passes over memory. Threads wait for each other at
    the end of every one, which is long where another process, a data worker,
    has the core of one of them (docs/performance.md has figures).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
