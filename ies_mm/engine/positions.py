"""Which image does a data set show at a position?

A sampler yields positions of the outermost data set. What its wrappers make
of them is read off wrappers that are known; whatever shows its images in a
way of its own is refused, since what is left out would be other images than
those that were chosen.
"""

from collections.abc import Callable
from typing import Any

from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    RepeatDataset,
)
from torch.utils.data import ConcatDataset

from ies_mm.engine.held import OPENMMLAB
from ies_mm.errors import ConfigError

Part = tuple[Any, list[int] | None]
"""A data set, and the indices of it that are shown; None for all in order."""

KEY = 'train_dataloader.dataset'


def parts_of(wrapper: Any) -> list[Part]:
    """What a wrapper shows, one part after the other.

    Args:
        wrapper (Dataset): ``ConcatDataset``, ``RepeatDataset``,
            ``ClassBalancedDataset``, mmpretrain's ``KFoldDataset``, or a
            subclass that keeps how they show their images.

    Raises:
        ConfigError: It is none of them.
        ConfigError: It overrides ``__getitem__`` or ``_get_ori_dataset_idx``.
    """
    for base in type(wrapper).__mro__:
        name = f'{base.__module__}.{base.__qualname__}'
        if name in _WRAPPERS:
            for method in ('__getitem__', '_get_ori_dataset_idx'):
                _check_kept(wrapper, method)
            return _WRAPPERS[name](wrapper)
    known = ', '.join(name.rpartition('.')[2] for name in _WRAPPERS)
    raise ConfigError(
        f'{KEY}: {type(wrapper).__name__} is neither an mmengine BaseDataset '
        f'nor a wrapper of one that is known ({known}), so its images cannot '
        'be told apart; derive it from mmengine.dataset.BaseDataset'
    )


def check_leaf(leaf: BaseDataset) -> None:
    """Refuse a data set that does not show its images one by one.

    Raises:
        ConfigError: It overrides ``__getitem__``.
        ConfigError: It says that it has more images, or fewer, than it has.
    """
    _check_kept(leaf, '__getitem__')
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


def _check_kept(dataset: Any, method: str) -> None:
    """Refuse a method that was overridden outside of OpenMMLab."""
    for base in type(dataset).__mro__:
        if method in vars(base):
            if base.__module__.partition('.')[0] in (*OPENMMLAB, 'torch'):
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


def _name(cls: type) -> str:
    return f'{cls.__module__}.{cls.__qualname__}'


_WRAPPERS: dict[str, Callable[[Any], list[Part]]] = {
    _name(ConcatDataset): _every_part,
    _name(RepeatDataset): _by_origin,
    _name(ClassBalancedDataset): _by_origin,
    # Its _get_ori_dataset_idx is of the whole set, and not of the fold.
    'mmpretrain.datasets.dataset_wrappers.KFoldDataset': _one_part,
}
