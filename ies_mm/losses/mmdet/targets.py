"""Image-by-image target assignment while outputs are traced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.models import dense_heads as heads

from ies_mm.losses.capture.patching import override
from ies_mm.losses.tracing.follow import own, untraced

_FROM_OUTPUTS: dict[type, int] = {
    heads.CondInstMaskHead: 0,
    heads.YOLOFHead: 6,
}
"""Position of a target made of outputs: masks, boxes of positives."""


@contextmanager
def owned_targets(head: Any, images: int) -> Iterator[None]:
    """Assign and sample untraced, at full speed; results are the image's.

    mmdet's heads call ``_get_targets_single`` image by image, some of them
    layer by layer, so nothing inside needs to be traced.

    Args:
        head (Any): A head.
        images (int): N.
    """
    places = [p for c, p in _FROM_OUTPUTS.items() if isinstance(head, c)]
    calls = 0

    def targets(original: Callable, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        image = calls % images
        calls += 1
        with untraced():
            result = original(*args, **kwargs)
        for place in places:
            own(result[place], image, images)
        return result

    if not hasattr(head, '_get_targets_single'):
        yield
        return
    with override(head, '_get_targets_single', targets):
        yield
