"""Which image does a dataset show at a position?

A sampler yields positions of the outermost dataset. How wrappers map them to
images is known for the wrappers listed here or given to
:func:`register_wrapper`. Anything else is rejected, since the wrong images
could be pruned.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    RepeatDataset,
)
from torch.utils.data import ConcatDataset

from ies_mm.errors import ConfigError

Part = tuple[Any, Sequence[int] | None]
"""A dataset and the indices of it that are shown; None for all in order."""

Parts = Callable[[Any], list[Part]]
"""The parts that a wrapper shows, in order."""

KEY = 'train_dataloader.dataset'

OPENMMLAB = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg')


def register_wrapper(cls: type, parts: Parts) -> None:
    """Register which images a dataset wrapper shows at its positions.

    Position 0 of the wrapper is the first image of the first part. Each
    sample of the wrapper must show one image; its own pipeline, if any, must
    be its attribute ``pipeline``.

    Args:
        cls (type): The wrapper's class; subclasses that keep its
            ``__getitem__`` are covered too.
        parts (callable): Maps a wrapper to a list of (dataset, indices),
            where None stands for all images in order.
    """
    _WRAPPERS[_name(cls)] = parts


def parts_of(wrapper: Any) -> list[Part]:
    """The parts that a wrapper shows, in order.

    Args:
        wrapper (Dataset): An instance of a known class, or of a subclass that
            does not change how its images are shown.

    Raises:
        ConfigError: Its class is unknown.
        ConfigError: It overrides ``__getitem__`` or ``_get_ori_dataset_idx``.
        ConfigError: ``num_batch_per_epoch`` exceeds the dataset.
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
        'be told apart; derive it from mmengine.dataset.BaseDataset, or '
        'register which images it shows with ies_mm.engine.register_wrapper'
    )


def inside(dataset: Any) -> Iterator[tuple[str, Any]]:
    """The datasets inside a wrapper; none in a dataset of images.

    Args:
        dataset (Dataset): Also of a class that is not registered.

    Yields:
        tuple: The attribute, or the number of the part, and the dataset.
    """
    own = vars(dataset)
    found = [(key, own[key]) for key in ('dataset', '_dataset') if key in own]
    for i, part in enumerate(own.get('datasets', ())):
        found.append((f'datasets[{i}]', part))
    known = any(_name(base) in _WRAPPERS for base in type(dataset).__mro__)
    if known and not found:
        parts = parts_of(dataset)
        found = [(f'parts[{i}]', part) for i, (part, _) in enumerate(parts)]
    yield from found


def pipeline_of(dataset: Any) -> Any:
    """The transforms of a dataset itself, not of one inside it.

    MMEngine's ``_SlicedDataset`` passes on the attributes of the dataset
    inside.
    """
    if isinstance(dataset, BaseDataset):
        return getattr(dataset, 'pipeline', ())
    return vars(dataset).get('pipeline', ())


def check_leaf(leaf: BaseDataset) -> None:
    """Check that a dataset shows its images one by one.

    Raises:
        ConfigError: It overrides ``__getitem__``.
        ConfigError: It reports more or fewer images than it has.
    """
    _check_kept(leaf, '__getitem__', BaseDataset)
    # By the class: how many images there are, whatever a subclass says.
    check_length(leaf, BaseDataset.__len__(leaf))


def check_length(dataset: Any, images: int) -> None:
    """Compare a dataset's reported length with the samples it shows.

    Args:
        dataset (Dataset): The dataset.
        images (int): The number of samples it is known to show.

    Raises:
        ConfigError: They differ.
    """
    if len(dataset) != images:
        raise ConfigError(
            f'{KEY}: {type(dataset).__name__} says that its length is '
            f'{len(dataset)}, and has {images} samples, so which image it '
            'shows at a position is not known; do not override __len__'
        )


def _check_kept(dataset: Any, method: str, known: type) -> None:
    """Reject a method not defined by OpenMMLab, torch or the known class."""
    for base in type(dataset).__mro__:
        if method in vars(base):
            package = base.__module__.partition('.')[0]
            if package in (*OPENMMLAB, 'torch') or base in known.__mro__:
                return
            raise ConfigError(
                f'{KEY}: {base.__name__} overrides {method}, so which image '
                'it shows at a position is not known; move that code to a '
                'transform of the pipeline, to prepare_data or to where the '
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
        ConfigError: It asks for more than the dataset has.
    """
    whole, asked = wrapper._dataset, len(wrapper)
    if asked > len(whole):
        raise ConfigError(
            f'train_dataloader.num_batch_per_epoch asks for {asked} images '
            f'per epoch, but the dataset shows {len(whole)}; lower it, or '
            'remove it'
        )
    return [(whole, range(asked))]


def _name(cls: type) -> str:
    return f'{cls.__module__}.{cls.__qualname__}'


_WRAPPERS: dict[str, Parts] = {
    _name(ConcatDataset): _every_part,
    _name(RepeatDataset): _by_origin,
    _name(ClassBalancedDataset): _by_origin,
    # By name, since these libraries need not be installed.
    # KFoldDataset._get_ori_dataset_idx refers to the whole set, not the fold.
    'mmpretrain.datasets.dataset_wrappers.KFoldDataset': _one_part,
    # Mixing transforms are checked separately.
    'mmdet.datasets.dataset_wrappers.MultiImageMixDataset': _one_part,
    'mmseg.datasets.dataset_wrappers.MultiImageMixDataset': _one_part,
    'mmengine.runner.runner._SlicedDataset': _first_ones,
}
