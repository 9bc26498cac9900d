"""The statistics by which images are scored, alike in all processes."""

from mmengine.dist import broadcast
from torch import nn

from ies_mm.losses.generic.parts import parts_of
from ies_mm.training.scoring.held_layers import is_held


def take_from_first(model: nn.Module) -> None:
    """Give the layers held in evaluation mode the first process's statistics.

    Without SyncBN each process has its own, and a checkpoint keeps the first
    one's: an image would have another loss in another process, or once the
    training is resumed. Call it on all processes, where buffers are restored.

    Args:
        model (nn.Module): Wrapped in DDP or not.
    """
    for part in parts_of(model):
        if isinstance(part, nn.Module) and is_held(part):
            for buffer in part.buffers(recurse=False):
                broadcast(buffer)
