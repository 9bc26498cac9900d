"""Instance numbers in samples: which image each one actually shows.

``tagged_datasets.py`` has every dataset call :func:`tag`; ``identity.py``
gives the numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from ies_mm.errors import ConfigError

TAG = 'ies_instance'
"""Meta information key of a sample's instance number.

If it is not known, the value is the reason why.
"""

INSTEAD = 'ies_fetched_instead'
"""Meta information key of the instances that a sample replaces.

Their numbers, tuple of int: the pipeline returned None for them.
"""

PARTNERS = 'ies_partners'
"""Meta information key of the partners mixed into a sample.

Their numbers without that of ``TAG``, tuple of int.
"""


def tag(item: Any, number: int | str, more: Mapping[str, Any] = {}) -> Any:
    """Write the number of its instance into an item of a dataset.

    Args:
        item (Any): Item of a dataset. In a dict without a data sample, which
            a wrapper has yet to pack, the number gets its own key.
        number (int or str): See ``TAG``.
        more (mapping): Further meta information. Defaults to none.

    Returns:
        Any: The same item.
    """
    sample = item.get('data_samples') if isinstance(item, Mapping) else None
    if isinstance(sample, BaseDataElement):
        sample.set_metainfo({TAG: number, **more})
    elif isinstance(item, dict):
        item.update({TAG: number, **more})
    return item


def instances_of(samples: Sequence[Any] | None) -> Tensor:
    """The instance numbers of data samples.

    Returns:
        Tensor: int64 (B,).

    Raises:
        ConfigError: A sample carries no number.
        ConfigError: It is not known which image a dataset's ``prepare_data``
            loads.
        ConfigError: They are a dict, such as several views of the images.
    """
    if isinstance(samples, Mapping):
        raise ConfigError(
            "the batch's data_samples are a dict of "
            f'{", ".join(map(str, samples))}, not one sample per image; '
            f'{_of_a_dict(samples)}'
        )
    numbers = [getattr(sample, TAG, None) for sample in samples or []]
    for reason in numbers:
        if isinstance(reason, str):
            raise ConfigError(reason)
    if not numbers or None in numbers:
        raise ConfigError(
            "the batch's data_samples do not say which image they show; "
            f'{_of_untagged(samples or [])}'
        )
    return torch.tensor(numbers, dtype=torch.long)


def missed_of(samples: Sequence[Any]) -> set[int]:
    """The instances that data samples replaced."""
    return {
        number for sample in samples for number in getattr(sample, INSTEAD, ())
    }


def partners_in(item: Any) -> tuple[int, ...]:
    """The partners in a data sample or in an item of a dataset."""
    if isinstance(item, Mapping):
        item = item.get('data_samples', item)
    if isinstance(item, Mapping):
        return tuple(item.get(PARTNERS, ()))
    return tuple(getattr(item, PARTNERS, ()))


def _of_a_dict(samples: Mapping[Any, Any]) -> str:
    """Advice for data samples that came as a dict."""
    if any(_is_sample(part) for part in samples.values()):
        return (
            'the views of an image (MultiBranch) have no losses of their '
            'own: train without a selection hook, or without the views'
        )
    return (
        'a train_dataloader.collate_fn that makes tensors of them (as '
        "yolov5_collate does) drops their numbers; use MMEngine's "
        'pseudo_collate'
    )


def _of_untagged(samples: Sequence[Any]) -> str:
    """Advice for data samples without a number."""
    if samples and all(_is_sample(sample) for sample in samples):
        return (
            'they were made anew after the dataset had made them (by a '
            'wrapper or collate_fn), or by a dataset or workers that were not '
            'there when the training began: in an iteration-based loop '
            'mmengine up to 0.10.7 starts the workers before any hook runs; '
            "update it, or use the sampler 'IESSampler'"
        )
    return (
        "the pipeline must end in OpenMMLab's own packing (PackDetInputs, "
        'PackSegInputs, PackInputs)'
    )


def _is_sample(part: Any) -> bool:
    """Whether it is a data sample, or begins with one."""
    first = part[0] if isinstance(part, list | tuple) and part else part
    return isinstance(first, BaseDataElement)
