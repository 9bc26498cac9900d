"""Transforms whose samples show more than one image or view."""

from collections.abc import Iterator, Sequence
from inspect import getattr_static
from typing import Any

from mmengine.dataset import BaseDataset

from ies_mm.training.data.partners import DRAWS, plain
from ies_mm.training.data.positions import inside, pipeline_of


def transforms_of(
    dataset: Any, key: str = 'train_dataloader.dataset'
) -> Iterator[tuple[str, Any]]:
    """The transforms of a dataset, including nested ones.

    Those that mmdet's and mmseg's ``MultiImageMixDataset`` skips are omitted.

    Args:
        dataset (Dataset): A dataset or a wrapper.
        key (str): Its config key.

    Yields:
        tuple: The place of a transform in the config, and the transform.
    """
    types = getattr(dataset, 'pipeline_types', ())
    skipped = getattr(dataset, '_skip_type_keys', None) or ()
    leave_out = [i for i, kind in enumerate(types) if kind in skipped]
    pipeline = pipeline_of(dataset)
    yield from _transforms(pipeline, f'{key}.pipeline', leave_out)
    for name, part in inside(dataset):
        yield from transforms_of(part, f'{key}.{name}')


def own_transforms(
    dataset: Any, key: str = 'train_dataloader.dataset'
) -> Iterator[tuple[str, Any]]:
    """As :func:`transforms_of`, without the wrappers' transforms."""
    if isinstance(dataset, BaseDataset):
        yield from transforms_of(dataset, key)
        return
    for name, part in inside(dataset):
        yield from own_transforms(part, f'{key}.{name}')


def _transforms(
    transforms: Any, key: str, leave_out: Sequence[int] = ()
) -> Iterator[tuple[str, Any]]:
    for i, transform in enumerate(
        getattr(transforms, 'transforms', transforms)
    ):
        if i in leave_out:
            continue
        transform = unwrapped(plain(transform))
        place = f'{key}[{i}]'
        yield f'{place} ({type(transform).__name__})', transform
        # RandomApply, RandomChoice etc. contain further transforms.
        inner = getattr(transform, 'transforms', ())
        yield from _transforms(inner, f'{place}.transforms')


def unwrapped(transform: Any) -> Any:
    """The transform of torchvision that mmpretrain wraps, or the same."""
    # Spelled so by mmpretrain, which need not be installed.
    wrapped = type(transform).__name__ == 'TorchVisonTransformWrapper'
    return transform.t if wrapped else transform


def makes_views(transform: Any) -> bool:
    """Whether a transform, or its class, makes a dict of several samples."""
    cls = transform if isinstance(transform, type) else type(transform)
    # By name, since mmdet need not be installed.
    return any(parent.__name__ == 'MultiBranch' for parent in cls.__mro__)


def mixes(transform: Any) -> bool:
    """Whether a transform, or its class, mixes several images into a sample.

    Such a transform (Mosaic, MixUp, CopyPaste ...) draws further indices of
    its dataset by ``get_indexes`` or ``get_indices``.
    """
    # Static, because mmcv's cached methods cannot be read from a class.
    return any(
        getattr_static(transform, method, None) is not None for method in DRAWS
    )


def pipeline_mixes(pipeline: Any) -> bool:
    """Whether any transform of a pipeline, even a nested one, mixes images."""
    return any(mixes(transform) for _, transform in _transforms(pipeline, ''))
