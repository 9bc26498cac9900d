"""Whether a batch shows the images that the sampler requested."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable
from ies_mm.training.data.tagging import INSTEAD, instances_of


class NotRequestedError(ConfigError):
    """A batch has an image that the sampler did not request."""


def batch_instances(data_batch: Any) -> Tensor:
    """The instance numbers of a batch returned by the data loader.

    Returns:
        Tensor: int64 (B,).

    Raises:
        ConfigError: The samples carry no number.
    """
    is_dict = isinstance(data_batch, Mapping)
    return instances_of(data_batch.get('data_samples') if is_dict else None)


def check_shown(
    instances: InstanceMap, data_batch: Any, ids: Tensor, asked_for: Tensor
) -> None:
    """Compare the images of a batch with those the sampler requested.

    Args:
        instances (InstanceMap): Numbering of the dataset.
        data_batch (Any): As returned by the data loader.
        ids (Tensor): int64 (B,), its :func:`batch_instances`.
        asked_for (Tensor): bool (B,), whether the sampler requested the
            image. It need not have if a pipeline returned None.

    Raises:
        NotRequestedError: An image was not requested.
        ConfigError: A sample names another image's path.
    """
    samples, paths = data_batch['data_samples'], instances.paths()
    for place in torch.nonzero(~asked_for).flatten().tolist():
        if not getattr(samples[place], INSTEAD, False):
            raise NotRequestedError(
                f'the data loader gave {readable(paths[ids[place]])}, which '
                'the sampler did not request; have each position of the '
                'dataset always show the same image, and leave shuffling and '
                'selecting to the sampler'
            )
    for sample, number in zip(samples, ids.tolist(), strict=True):
        expected = paths[number]
        path = str(getattr(sample, 'img_path', expected))
        # A transform may rewrite paths; only the path of another image of the
        # dataset shows a mix-up.
        if path != expected and instances.knows(path):
            raise ConfigError(
                f'the dataset showed {readable(path)} in place of '
                f'{readable(expected)}: get_data_info or a transform '
                'exchanges images; have each index always show the same image'
            )
