"""Targets of one image after the other, while outputs are traced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ies_mm.losses.patching import override
from ies_mm.losses.tracing import own, untraced


@contextmanager
def owned_targets(head: Any, images: int) -> Iterator[None]:
    """Assign and sample at full speed; what comes back is the image's.

    mmdet's heads call ``_get_targets_single`` for one image after the other,
    in some of them layer by layer. Nothing needs to be followed inside. What
    it returns of the outputs (YOLOF: boxes of the positive anchors) belongs
    to the image that it was called for.

    Args:
        head (Any): A head.
        images (int): N.
    """
    calls = 0

    def targets(original: Callable, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        image = calls % images
        calls += 1
        with untraced():
            result = original(*args, **kwargs)
        for value in result:
            if isinstance(value, Tensor) and (
                value.requires_grad or not value.numel()
            ):
                own(value, image, images)
        return result

    if not hasattr(head, '_get_targets_single'):
        yield
        return
    with override(head, '_get_targets_single', targets):
        yield
