"""Single-process evaluation of an image's own loss.

Many of mmdet's losses average their counts over the processes of a training
(``reduce_mean``). That is right for the batch loss, but an image's own loss
uses its own counts only. Also, processes with unequal numbers of images to
score would wait for each other forever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed

from ies_mm.losses.capture.patching import override


@contextmanager
def one_process() -> Iterator[None]:
    """Make code inside the context see a single process.

    MMEngine's and mmdet's helpers all query ``torch.distributed`` first.
    """

    def is_initialized(original: Callable) -> bool:
        return False

    # Looked up in torch.distributed at every call, so one override is enough.
    with override(torch.distributed, 'is_initialized', is_initialized):
        yield
