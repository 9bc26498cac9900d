"""What is computed for an image alone concerns no other process.

Many of mmdet's losses average their counts over the processes of a training
(``reduce_mean``). That is right for the loss of the batch. An image alone is
counted alone; and processes with unequal numbers of images to score would
wait for each other for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.distributed

from ies_mm.losses.capture.patching import override


@contextmanager
def one_process() -> Iterator[None]:
    """Have what runs inside believe that there is one process.

    MMEngine's and mmdet's helpers all ask ``torch.distributed`` first.
    """

    def is_initialized(original: Callable) -> bool:
        return False

    with override(torch.distributed, 'is_initialized', is_initialized):
        yield
