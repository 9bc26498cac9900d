"""Scheduling of RandAugment's magnitude."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ies_mm.training.data.mixing_transforms import transforms_of


class Augmentation:
    """The magnitude of a dataset's RandAugment transforms.

    Args:
        dataset (Dataset): The training dataset. Workers hold copies, so they
            must be started after a change.
    """

    def __init__(self, dataset: Any) -> None:
        self._parts = [
            part
            for _, transform in transforms_of(dataset)
            if _is_rand_augment(transform)
            # RandAugment hands its level to its policies only when it is
            # built.
            for part in (transform, *getattr(transform, 'transforms', ()))
            if hasattr(part, 'magnitude_level')
        ]

    def __len__(self) -> int:
        """Number of transforms with a magnitude."""
        return len(self._parts)

    def set(self, magnitude: float | None) -> bool:
        """Set the ``magnitude_level`` of all; None leaves them unchanged.

        Returns:
            bool: Whether anything changed.
        """
        if magnitude is None:
            return False
        others = [p for p in self._parts if p.magnitude_level != magnitude]
        for part in others:
            part.magnitude_level = magnitude
        return bool(others)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Restore the present magnitudes on exit."""
        before = [part.magnitude_level for part in self._parts]
        try:
            yield
        finally:
            for part, magnitude in zip(self._parts, before, strict=True):
                part.magnitude_level = magnitude


def _is_rand_augment(transform: Any) -> bool:
    # Compare names: mmpretrain may not be installed.
    return any(c.__name__ == 'RandAugment' for c in type(transform).__mro__)
