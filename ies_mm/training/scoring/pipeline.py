"""The pipeline by which images are scored where the training mixes them.

It is the training's without what mixes images or draws at random. Where the
size of an image came from a random crop or from the mixing, a plain resize
takes that place.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import TRANSFORMS

from ies_mm.errors import ConfigError
from ies_mm.training.data.mixing_transforms import mixes, unwrapped
from ies_mm.training.data.partners import plain
from ies_mm.training.data.positions import parts_of, pipeline_of

RANDOM = frozenset(
    {
        'Albu',
        'Albumentations',
        'AugMix',
        'AutoAugment',
        'BaseAugTransform',
        'BioMedicalGaussianBlur',
        'BioMedicalGaussianNoise',
        'ColorJitter',
        'ColorTransform',
        'Corrupt',
        'CutOut',
        'ElasticTransform',
        'Expand',
        'GaussianBlur',
        'GeomTransform',
        'InstaBoost',
        'Lighting',
        'PhotoMetricDistortion',
        'RandAugment',
        'TrivialAugmentWide',
    }
)
"""Transforms that draw at random and do not say so by name."""

PACKS_ONE_SIZE = 'PackInputs'
"""mmpretrain's; its images must be of one size."""


def scoring_pipelines(dataset: Any, given: Any = None) -> list[Compose]:
    """Pipelines that make one sample of one image, a leaf after the other.

    Args:
        dataset (Dataset): The training's.
        given (list of dict, optional): What the user wants for all of them.
            Defaults to None, made from the training's.

    Raises:
        ConfigError: What is given cannot be built, or mixes images.
    """
    leaves = dict[int, list]()
    for leaf, transforms in _by_leaf(dataset):
        # Once for each object, in the order in which InstanceMap numbers the
        # leaves: Unmixed pairs them up.
        leaves.setdefault(id(leaf), transforms)
    if given is None:
        return [Compose(without_mixing(found)) for found in leaves.values()]
    return [_built(given) for _ in leaves]


def without_mixing(transforms: Sequence[Callable]) -> list[Callable]:
    """A pipeline without what mixes images or draws at random.

    Args:
        transforms (sequence of callable): Of the training, from loading to
            packing.
    """
    kept: list[Callable] = []
    transforms = [plain(transform) for transform in transforms]
    resize, resized_at = _resize(transforms), None
    for transform in transforms:
        if not (mixes(transform) or is_random(transform)):
            kept.append(_copy_of(transform))
        elif resized_at is None and _size_of(transform):
            resized_at = len(kept)
    if resize is not None:
        kept.insert(resized_at or 0, resize)
    return kept


def is_random(transform: Any) -> bool:
    """Whether a transform draws at random, by its name."""
    names = {cls.__name__ for cls in type(unwrapped(transform)).__mro__}
    return bool(names & RANDOM) or any('Random' in name for name in names)


def described(pipeline: Compose) -> str:
    """A pipeline in a log line."""
    return ', '.join(map(_in_short, pipeline.transforms))


def _by_leaf(
    dataset: Any, behind: Sequence[Callable] = ()
) -> Iterator[tuple[BaseDataset, list[Callable]]]:
    """Every leaf, and what its images go through, wrappers' included."""
    pipeline = pipeline_of(dataset)
    path = [*getattr(pipeline, 'transforms', pipeline), *behind]
    if isinstance(dataset, BaseDataset):
        yield dataset, path
        return
    for part, _ in parts_of(dataset):
        yield from _by_leaf(part, path)


def _resize(transforms: Sequence[Callable]) -> Callable | None:
    """A plain resize, where what is dropped made the size."""
    dropped = [t for t in transforms if mixes(t) or is_random(t)]
    cropped = [t for t in dropped if 'Crop' in _name(t)]
    kept = [_name(t) for t in transforms if t not in dropped]
    if not cropped and any('Resize' in name for name in kept):
        return None
    # The last crop makes the size, else the first that gives one.
    for transform in (*reversed(cropped), *dropped):
        if size := _size_of(transform):
            return TRANSFORMS.build(_resize_to(size, transform, kept))
    return None


def _resize_to(
    size: tuple[int, int], dropped: Any, kept: Sequence[str]
) -> dict:
    """A plain resize of the images that a dropped transform was given."""
    if _library(dropped) == 'torchvision':
        return dict(type='torchvision/Resize', size=size[::-1])
    keep_ratio = PACKS_ONE_SIZE not in kept
    return dict(type='Resize', scale=size, keep_ratio=keep_ratio)


def _size_of(transform: Any) -> tuple[int, int] | None:
    """Width and height that a transform gives its images, if it does."""
    library = _library(transform)
    keys = ('crop_size', 'img_scale', 'scale')
    for name in ('size',) if library == 'torchvision' else keys:
        size = getattr(unwrapped(transform), name, None)
        if name == 'crop_size' and library == 'mmdet':
            # mmdet's other crop types give ranges or shares, not a size.
            absolute = getattr(transform, 'crop_type', 'absolute')
            size = size if absolute == 'absolute' else None
        if size is not None and _is_size(size):
            width, height = size
            # Only mmdet says the width first.
            swaps = library != 'mmdet' and name != 'scale'
            return (height, width) if swaps else (width, height)
    return None


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(isinstance(part, int) for part in size)
    )


def _library(transform: Any) -> str:
    return type(unwrapped(transform)).__module__.partition('.')[0]


def _name(transform: Any) -> str:
    return type(unwrapped(transform)).__name__


def _copy_of(transform: Callable) -> Callable:
    """A copy without what mixes or is random inside it.

    FilterAnnotations lets images of specks pass.
    """
    own: Any = copy.copy(transform)
    if hasattr(own, 'keep_empty'):
        own.keep_empty = False  # Its True means None, whatever it is called.
    # KeyMapper, ProposalBroadcaster and the like hold a pipeline.
    inner: Any = getattr(own, 'transforms', None)
    if hasattr(inner, 'transforms'):
        own.transforms = copy.copy(inner)
        own.transforms.transforms = without_mixing(inner.transforms)
    return own


def _built(given: Any) -> Compose:
    try:
        pipeline = Compose([*given])
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f'scoring.pipeline: {error}') from error
    for transform in pipeline.transforms:
        if mixes(transform):
            raise ConfigError(
                f'scoring.pipeline: {type(transform).__name__} mixes several '
                'images into one sample; leave it out'
            )
    return pipeline


def _in_short(transform: Any) -> str:
    transform = unwrapped(transform)
    name = type(transform).__name__
    scale = getattr(transform, 'scale', None) or getattr(
        transform, 'size', None
    )
    return f'{name}{scale}' if _is_size(scale) else name
