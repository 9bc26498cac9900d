"""Which image does a data set show at a position?

A sampler yields positions of the outermost data set. What its wrappers make
of them is read off wrappers that are known, here or by
:func:`register_wrapper`; whatever shows its images in a way of its own is
refused, since what is left out would be other images than those that were
chosen.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    RepeatDataset,
)
from torch.utils.data import ConcatDataset

from ies_mm.errors import ConfigError

Part = tuple[Any, Sequence[int] | None]
"""A data set, and the indices of it that are shown; None for all in order."""

Parts = Callable[[Any], list[Part]]
"""What a wrapper shows, one part after the other."""

KEY = 'train_dataloader.dataset'

OPENMMLAB = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg')


def register_wrapper(cls: type, parts: Parts) -> None:
    """Say which images a data set wrapper shows at its positions.

    Position 0 of the wrapper is the first of the first part. It is for
    wrappers each of whose samples is one image; a pipeline of their own, if
    they have one, is an attribute ``pipeline``.

    Args:
        cls (type): The wrapper's class; subclasses that keep its
            ``__getitem__`` are known too.
        parts (callable): Given such a wrapper, a list of (data set, indices),
            where None stands for all of its images in order.
    """
    _WRAPPERS[_name(cls)] = parts


def parts_of(wrapper: Any) -> list[Part]:
    """What a wrapper shows, one part after the other.

    Args:
        wrapper (Dataset): One of a known class, or a subclass that keeps how
            it shows its images.

    Raises:
        ConfigError: It is none of them.
        ConfigError: It overrides ``__getitem__`` or ``_get_ori_dataset_idx``.
        ConfigError: ``num_batch_per_epoch`` asks for more than there is.
    """
    for base in type(wrapper).__mro__:
        if _name(base) in _WRAPPERS:
            for method in ('__getitem__', '_get_ori_dataset_idx'):
                _check_kept(wrapper, method, base)
            return _WRAPPERS[_name(base)](wrapper)
    names = [name.rpartition('.')[2] for name in _WRAPPERS]
    known = ', '.join(n for n in dict.fromkeys(names) if n[0] != '_')
    raise ConfigError(
        f'{KEY}: {type(wrapper).__name__} is neither an mmengine BaseDataset '
        f'nor a wrapper of one that is known ({known}), so its images cannot '
        'be told apart; derive it from mmengine.dataset.BaseDataset, or say '
        'by ies_mm.engine.register_wrapper which images it shows'
    )


def check_leaf(leaf: BaseDataset) -> None:
    """Refuse a data set that does not show its images one by one.

    Raises:
        ConfigError: It overrides ``__getitem__``.
        ConfigError: It says that it has more images, or fewer, than it has.
    """
    _check_kept(leaf, '__getitem__', BaseDataset)
    check_length(leaf, BaseDataset.__len__(leaf))


def check_length(dataset: Any, images: int) -> None:
    """Compare a data set's own length with what it is made of.

    Args:
        dataset (Dataset): The data set.
        images (int): What it shows, as far as is known.

    Raises:
        ConfigError: They differ.
    """
    if len(dataset) != images:
        raise ConfigError(
            f'{KEY}: {type(dataset).__name__} says that its length is '
            f'{len(dataset)}, and has {images} samples; which image it shows '
            'at a position is not known then. Do not override __len__'
        )


def _check_kept(dataset: Any, method: str, known: type) -> None:
    """Refuse a method that neither OpenMMLab nor the known class has."""
    for base in type(dataset).__mro__:
        if method in vars(base):
            package = base.__module__.partition('.')[0]
            if package in (*OPENMMLAB, 'torch') or base in known.__mro__:
                return
            raise ConfigError(
                f'{KEY}: {base.__name__} overrides {method}, so which image '
                'it shows at a position is not known; do what it does in a '
                'transform of the pipeline, in prepare_data or when the '
                'annotations are loaded'
            )


def _every_part(wrapper: Any) -> list[Part]:
    return [(part, None) for part in wrapper.datasets]


def _by_origin(wrapper: Any) -> list[Part]:
    positions = range(len(wrapper))
    origin = [wrapper._get_ori_dataset_idx(position) for position in positions]
    return [(wrapper.dataset, origin)]


def _one_part(wrapper: Any) -> list[Part]:
    return [(wrapper.dataset, None)]


def _first_ones(wrapper: Any) -> list[Part]:
    """MMEngine's wrapper for ``num_batch_per_epoch``.

    Raises:
        ConfigError: It asks for more than there is.
    """
    whole, asked = wrapper._dataset, len(wrapper)
    if asked > len(whole):
        raise ConfigError(
            f'train_dataloader.num_batch_per_epoch asks for {asked} images '
            f'an epoch, and the data set shows {len(whole)}; lower it, or '
            'leave it out'
        )
    return [(whole, range(asked))]


def _name(cls: type) -> str:
    return f'{cls.__module__}.{cls.__qualname__}'


_WRAPPERS: dict[str, Parts] = {
    _name(ConcatDataset): _every_part,
    _name(RepeatDataset): _by_origin,
    _name(ClassBalancedDataset): _by_origin,
    # By their names: not every task has these libraries.
    # KFoldDataset._get_ori_dataset_idx is of the whole set, not of the fold.
    'mmpretrain.datasets.dataset_wrappers.KFoldDataset': _one_part,
    # Transforms that mix are refused by themselves.
    'mmdet.datasets.dataset_wrappers.MultiImageMixDataset': _one_part,
    'mmseg.datasets.dataset_wrappers.MultiImageMixDataset': _one_part,
    'mmengine.runner.runner._SlicedDataset': _first_ones,
}
