"""Transforms that make one sample of several images."""

from collections.abc import Iterator
from inspect import getattr_static
from typing import Any


def mixing_transforms(
    dataset: Any, key: str = 'train_dataloader.dataset'
) -> Iterator[str]:
    """Config keys of the transforms that make one sample of several images.

    Such a transform (Mosaic, MixUp, CopyPaste ...) asks its data set for
    further indices through ``get_indexes`` or ``get_indices``.
    """
    pipeline = getattr(dataset, 'pipeline', ())
    yield from _mixing(pipeline, f'{key}.pipeline')
    if hasattr(dataset, 'dataset'):
        yield from mixing_transforms(dataset.dataset, f'{key}.dataset')
    for i, part in enumerate(getattr(dataset, 'datasets', ())):
        yield from mixing_transforms(part, f'{key}.datasets[{i}]')


def _mixing(transforms: Any, key: str) -> Iterator[str]:
    for i, transform in enumerate(
        getattr(transforms, 'transforms', transforms)
    ):
        place = f'{key}[{i}]'
        if mixes(transform):
            yield f'{place} ({type(transform).__name__})'
        else:
            # RandomApply, RandomChoice and their like hold further ones.
            inner = getattr(transform, 'transforms', ())
            yield from _mixing(inner, f'{place}.transforms')


def mixes(transform: Any) -> bool:
    """Whether a transform, or its class, asks for further images."""
    # Static, because mmcv's cached methods cannot be read off a class.
    return any(
        getattr_static(transform, method, None) is not None
        for method in ('get_indexes', 'get_indices')
    )
