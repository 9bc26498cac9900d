"""Paths of images: in messages, and to know the images of a checkpoint by."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.errors import ConfigError


def readable(path: str) -> str:
    """A path for a message; not every file name is text."""
    return path.encode('utf-8', 'backslashreplace').decode()


def below_root(leaf: BaseDataset, path: str) -> str:
    """A path without the root of its data, where there is one.

    Args:
        leaf (BaseDataset): The data set.
        path (str): Of one of its images.
    """
    root = getattr(leaf, 'data_root', None)
    prefixes = dict(getattr(leaf, 'data_prefix', None) or {}).values()
    # Without a root the prefixes say where the data lies.
    for folder in [root] if root else prefixes:
        if isinstance(folder, str) and folder:
            start = folder.rstrip('/') + '/'
            if path.startswith(start):
                return path[len(start) :].lstrip('/')
    return path


def checksums_of(
    parts: Sequence[tuple[BaseDataset, Sequence[str]]],
    tell_apart: bool = True,
) -> Tensor:
    """What tells each image apart, wherever the data lies.

    Args:
        parts (sequence of tuple): Leaf data sets, each with the paths of its
            images; N in all.
        tell_apart (bool): Whether a file that several leaves show is known by
            what they say of it too. Defaults to True.

    Returns:
        Tensor: int64 (N,), of the path below the root and of the leaf's
        number.
    """
    times = Counter(path for _, paths in parts for path in paths)
    sums = []
    for number, (leaf, paths) in enumerate(parts):
        source = _source(leaf)
        for path in paths:
            more = source if tell_apart and times[path] > 1 else ''
            name = f'{number}/{below_root(leaf, path)}{more}'
            sums.append(_checksum(name))
    return torch.tensor(sums, dtype=torch.long)


def _source(leaf: BaseDataset) -> str:
    """What a data set says of its images: classes, where its labels lie."""
    prefixes = dict(getattr(leaf, 'data_prefix', None) or {})
    places = [getattr(leaf, 'ann_file', ''), *prefixes.values()]
    below = [below_root(leaf, str(place)) for place in places]
    # A place that is not below the root may have been moved with all folders.
    names = [Path(b).name if Path(b).is_absolute() else b for b in below]
    return f'|{leaf.metainfo.get("classes")}|{names}'


def check_same(
    names: Sequence[str], ours: Tensor, theirs: Tensor, again: bool = False
) -> None:
    """Compare the images of a run with those of a checkpoint.

    Args:
        names (sequence of str): Of the run's N images.
        ours (Tensor): int64 (N,), their checksums.
        theirs (Tensor): int64 (M,), those of the checkpoint.
        again (bool): Whether they are those of an earlier training of the
            same runner, instead of a checkpoint's. Defaults to False.

    Raises:
        ConfigError: They differ; names the first image that does.
    """
    if torch.equal(ours, theirs):
        return
    both = min(len(ours), len(theirs))
    other = torch.nonzero(ours[:both] != theirs[:both]).flatten().tolist()
    first = min([*other, both, len(ours) - 1])
    what, instead = (
        ("cannot go on: this runner's training", 'make a new runner')
        if again
        else ('cannot resume: the checkpoint', 'start over with load_from')
    )
    raise ConfigError(
        f'{what} is of another dataset ({len(theirs)} images, here '
        f'{len(ours)}; they differ from number {first + 1} on, here '
        f'{readable(names[first])}); go on with the same data, or {instead}'
    )


def _checksum(name: str) -> int:
    # File names that are no text are strings with surrogates.
    digest = hashlib.blake2b(
        name.encode('utf-8', 'surrogatepass'), digest_size=8
    ).digest()
    return int.from_bytes(digest, 'big', signed=True)
