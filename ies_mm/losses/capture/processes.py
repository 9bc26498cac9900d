"""Single-process evaluation of an image's own loss.

Many of mmdet's losses average their counts over the processes of a training
(``reduce_mean``). That is right for the batch loss, but an image's own loss
uses its own counts only. Also, processes with unequal numbers of images to
score would wait for each other forever.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch.distributed

from ies_mm.losses.capture.patching import override


def _answer(value: Any) -> Callable[..., Any]:
    def answer(original: Callable, *args: Any, **kwargs: Any) -> Any:
        return value

    return answer


_ALONE = {
    'is_initialized': _answer(False),
    'get_world_size': _answer(1),
    'get_rank': _answer(0),
    # In place: with one process the tensor stays as it is.
    'all_reduce': _answer(None),
    'reduce': _answer(None),
    'broadcast': _answer(None),
    'barrier': _answer(None),
}
"""What a single process gets from ``torch.distributed``."""


@contextmanager
def one_process() -> Iterator[None]:
    """Make code inside the context see a single process.

    MMEngine's and mmdet's helpers all query ``is_initialized`` first. Losses
    of one's own may not, and call ``torch.distributed`` directly.
    """
    with ExitStack() as stack:
        # All are looked up in torch.distributed at every call.
        for name, answer in _ALONE.items():
            stack.enter_context(override(torch.distributed, name, answer))
        yield
