"""Single-threaded sections for work that more threads would slow down."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch in the calling thread only; also a decorator.

    A decision makes many short passes over memory. After each, the threads
    wait for one another, which takes long if a data worker occupies the core
    of one of them (docs/performance.md has figures).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
