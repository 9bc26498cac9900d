"""Checks that all processes of a training run train the same.

Each process keeps the whole history and decides by itself. They stay equal
unless something from outside sets them apart: data listed in another order, a
checkpoint that only one node has, a rule that draws from the global random
state. Losses would then belong to other images, or the processes would wait
for each other until the time-out.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_world_size
from torch import Tensor

from ies_mm.core import Selection
from ies_mm.errors import ConfigError
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import readable


def check_started_alike(iteration: int, instances: InstanceMap) -> None:
    """Refuse processes that begin at other places, or with other images.

    Args:
        iteration (int): Iterations that this process has completed.
        instances (InstanceMap): Its images.

    Raises:
        ConfigError: They differ, on all processes alike; says in what.
    """
    if get_world_size() == 1:
        return
    sums = instances.checksums()
    found = all_gather_object((iteration, len(sums), _digest(sums)))
    begun, images, digests = zip(*found, strict=True)
    if rank := _other_than_first(begun):
        raise _apart(
            rank,
            f'begins at iteration {begun[rank]}, process 0 at {begun[0]}',
            'to resume, give load_from a path that all of them can read',
        )
    if rank := _other_than_first(images):
        raise _apart(
            rank,
            f'has {images[rank]} images, process 0 has {images[0]}',
            'give all of them the whole dataset',
        )
    if rank := _other_than_first(digests):
        raise _other_order(rank, sums, instances)


def check_decided_alike(selection: Selection, method: str, epoch: int) -> None:
    """Refuse a decision that differs between processes.

    Args:
        selection (Selection): This process's next selection.
        method (str): Name of the method that decided.
        epoch (int): Number of epochs trained.

    Raises:
        ConfigError: They differ, on all processes alike.
    """
    if get_world_size() == 1:
        return
    weight = selection.weight
    own = _digest(selection.active, *([] if weight is None else [weight]))
    found = all_gather_object((int(selection.active.sum()), own))
    if rank := _other_than_first(found):
        raise _apart(
            rank,
            f'decided for other images after epoch {epoch} ({found[rank][0]} '
            f'are trained, on process 0 {found[0][0]})',
            f'{method} must draw only from self.generator() and read nothing '
            'that differs between processes',
        )


def _other_than_first(values: Sequence[Any]) -> int:
    """The first process whose value is not process 0's; 0 if there is none."""
    others = (r for r, value in enumerate(values) if value != values[0])
    return next(others, 0)


def _digest(*values: Tensor) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


def _other_order(
    rank: int, sums: Tensor, instances: InstanceMap
) -> ConfigError:
    """Name the first image that differs; call it on all processes."""
    every = all_gather_object(sums)
    first = int(torch.nonzero(every[rank] != every[0])[0])
    names = all_gather_object(readable(instances.names()[first]))
    return _apart(
        rank,
        f'has other images, or in another order: number {first + 1} is '
        f'{names[rank]}, on process 0 {names[0]}',
        'list the files in sorted order',
    )


def _apart(rank: int, what: str, instead: str) -> ConfigError:
    return ConfigError(
        f'the processes do not train the same: process {rank} {what}; '
        f'{instead}'
    )
