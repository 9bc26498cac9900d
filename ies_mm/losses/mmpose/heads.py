"""Per-image losses of mmpose's top-down heads, re-evaluated by image.

``HeatmapHead`` (SimpleBaseline, HRNet) and ``RTMCCHead`` (RTMPose) pass
predictions, targets and weights of the batch to one loss module, batch axis
first. Only that module is re-evaluated, as the head's layers may include
BatchNorm. An image here is what mmpose trains on: the crop of one person.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmpose.models.heads import HeatmapHead, RTMCCHead
from torch import Tensor

from ies_mm.losses.capture.registry import Note, Wanted, register_adapter
from ies_mm.losses.generic.by_image import asked_by_image
from ies_mm.losses.generic.portions import Call, tensors_of
from ies_mm.losses.generic.slicing import image_of


@register_adapter(HeatmapHead, RTMCCHead, relies_on=('loss',))
@contextmanager
def keypoint_head(
    name: str, head: Any, want: Wanted, note: Note
) -> Iterator[None]:
    """Adapter for heads whose loss ``head.loss_module`` computes."""
    with asked_by_image(
        head.loss_module, 'forward', _slices, _read, want, note
    ):
        yield


def _slices(call: Call) -> list[Call]:
    args, kwargs = call
    images = len(tensors_of(args)[0])
    return [(image_of(args, i, images), kwargs) for i in range(images)]


def _read(result: Tensor) -> dict[str, Tensor]:
    return {'loss_kpt': result}
