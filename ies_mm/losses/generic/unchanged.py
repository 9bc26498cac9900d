"""Detection of loss functions that change their arguments in place.

Re-evaluation calls a loss function once more for each image, on slices that
are views of the batch's tensors: what the call for the batch changed, the
calls for the images would change again.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError


class Unchanged:
    """The tensors in the arguments of a call, as they are before it.

    Args:
        call (Any): Nested arguments, samples among them.
    """

    def __init__(self, call: Any) -> None:
        # Tensors count their in-place changes; values are not compared, which
        # would wait for the device.
        self._before = [(t, t._version) for t in _tensors_in(call)]

    def check(self, owner: nn.Module, method: str) -> None:
        """Refuse a method that changed its arguments.

        Args:
            owner (nn.Module): The method's owner, for the message.
            method (str): Name of the method.

        Raises:
            UnsupportedModelError: It did.
        """
        if any(tensor._version != before for tensor, before in self._before):
            raise UnsupportedModelError(
                f'no per-image losses for {type(owner).__name__}: {method} '
                'changes its arguments in place, and is called once more for '
                'each image; let it work on copies (x = x * 2, not x *= 2)'
            )


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        # Tensors of inference mode count no changes.
        if not value.is_inference():
            yield value
    elif isinstance(value, dict | BaseDataElement):
        for part in value.values():
            yield from _tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors_in(part)
    elif isinstance(getattr(value, 'tensor', None), Tensor):
        # mmdet's boxes.
        yield value.tensor
