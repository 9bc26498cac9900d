"""Detection of heads that store whole-batch tensors as attributes.

A loss function that reads such an attribute would see the batch's value where
a single image should have its own.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError

# Every module has these; only what a head's own code sets is looked at.
_TORCHS_OWN = frozenset(vars(nn.Module()))


class BatchState:
    """Detects attributes set on a module since the last look.

    Args:
        owner (nn.Module): The module whose loss function is re-evaluated.
    """

    def __init__(self, owner: nn.Module) -> None:
        self._owner = owner
        self._before: dict[str, Any] = {}
        self.seen()

    def seen(self) -> None:
        """Snapshot the attributes; these do not stem from later batches."""
        self._before = dict(_attributes(self._owner))

    def check(self, method: str, images: int) -> None:
        """Refuse new attributes that hold data of the whole batch.

        Args:
            method (str): The loss function, for the message.
            images (int): Batch size; a batch of one always passes.

        Raises:
            UnsupportedModelError: There is one; names the attribute.
        """
        for name, value in _attributes(self._owner):
            # By identity: comparing values would wait for the device.
            is_new = self._before.get(name) is not value
            if is_new and images > 1 and _counts(value, images):
                raise UnsupportedModelError(
                    'no per-image losses for '
                    f'{type(self._owner).__name__}: before {method} it keeps '
                    f'{name!r} of all {images} images of the batch on '
                    'itself, where an image alone would have its own; hand '
                    f'it to {method} as an argument'
                )


def _attributes(owner: nn.Module) -> Iterator[tuple[str, Any]]:
    for path, module in owner.named_modules(prefix=''):
        for name, value in vars(module).items():
            if name not in _TORCHS_OWN:
                yield f'{path}.{name}'.lstrip('.'), value


def _counts(value: Any, images: int) -> bool:
    """Whether a value has one entry per image.

    A list of N tensors may hold levels (such as their points); a list of N
    dicts is meta information.
    """
    if isinstance(value, dict):
        return any(_counts(entry, images) for entry in value.values())
    if isinstance(value, list | tuple):
        samples = any(isinstance(entry, BaseDataElement) for entry in value)
        dicts = [entry for entry in value if isinstance(entry, dict)]
        return (
            samples
            or len(dicts) == images
            or any(_counts(entry, images) for entry in value)
        )
    is_array = isinstance(value, Tensor | np.ndarray)
    return is_array and value.shape[:1] == (images,)
