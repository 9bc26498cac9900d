"""RandAugment, from weak to strong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ies_mm.training.data.mixing import transforms_of


class Augmentation:
    """The strength of the RandAugment transforms of a data set.

    Args:
        dataset (Dataset): The training's. Workers have copies of it, so they
            must start after a change.
    """

    def __init__(self, dataset: Any) -> None:
        self._parts = [
            part
            for _, transform in transforms_of(dataset)
            if _is_rand_augment(transform)
            for part in (transform, *transform.transforms)
            if hasattr(part, 'magnitude_level')
        ]

    def __len__(self) -> int:
        """How many transforms have a strength."""
        return len(self._parts)

    def set(self, magnitude: float | None) -> bool:
        """Set the ``magnitude_level`` of all; None leaves them.

        Returns:
            bool: Whether that changed something.
        """
        if magnitude is None:
            return False
        others = [p for p in self._parts if p.magnitude_level != magnitude]
        for part in others:
            part.magnitude_level = magnitude
        return bool(others)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have the config's strength again afterwards."""
        before = [part.magnitude_level for part in self._parts]
        try:
            yield
        finally:
            for part, magnitude in zip(self._parts, before, strict=True):
                part.magnitude_level = magnitude


def _is_rand_augment(transform: Any) -> bool:
    # By its name: not every task has mmpretrain.
    return any(c.__name__ == 'RandAugment' for c in type(transform).__mro__)
