"""Image paths in messages, and checksums that identify images."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dataset import BaseDataset
from torch import Tensor

from ies_mm.errors import ConfigError


def readable(path: str) -> str:
    """A printable path; not every file name is valid text."""
    return path.encode('utf-8', 'backslashreplace').decode()


def below_root(leaf: BaseDataset, path: str) -> str:
    """Strip the data root, if there is one, from a path.

    Args:
        leaf (BaseDataset): The dataset.
        path (str): Path of one of its images.
    """
    root = getattr(leaf, 'data_root', None)
    prefixes = dict(getattr(leaf, 'data_prefix', None) or {}).values()
    # Without a root, the prefixes say where the data is.
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
    """Checksums that identify the images wherever the data is stored.

    Args:
        parts (sequence of tuple): Leaf datasets, each with the paths of its
            images; N in all.
        tell_apart (bool): Whether to distinguish the leaves that show the
            same file by their metadata too. Defaults to True.

    Returns:
        Tensor: int64 (N,), checksums of the path below the root and the
        leaf's number.
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
    """A dataset's metadata: its classes and where its labels are."""
    prefixes = dict(getattr(leaf, 'data_prefix', None) or {})
    places = [getattr(leaf, 'ann_file', ''), *prefixes.values()]
    below = [below_root(leaf, str(place)) for place in places]
    # Absolute places outside the root may be moved: use only their names.
    names = [Path(b).name if Path(b).is_absolute() else b for b in below]
    return f'|{leaf.metainfo.get("classes")}|{names}'


def check_same(
    names: Sequence[str], ours: Tensor, theirs: Tensor, again: bool = False
) -> None:
    """Compare the images of a run with those of a checkpoint.

    Args:
        names (sequence of str): Of the run's N images.
        ours (Tensor): int64 (N,), their checksums.
        theirs (Tensor): int64 (M,), checksums of the checkpoint's images.
        again (bool): Whether ``theirs`` is from an earlier training of the
            same runner instead of a checkpoint. Defaults to False.

    Raises:
        ConfigError: They differ; names the first image that does.
    """
    if torch.equal(ours, theirs):
        return
    both = min(len(ours), len(theirs))
    other = torch.nonzero(ours[:both] != theirs[:both]).flatten().tolist()
    first = min([*other, both, len(ours) - 1])
    what, instead = (
        ("cannot continue: this runner's training", 'make a new runner')
        if again
        else ('cannot resume: the checkpoint', 'start over with load_from')
    )
    raise ConfigError(
        f'{what} is of another dataset ({len(theirs)} images, here '
        f'{len(ours)}; they differ from number {first + 1} on, here '
        f'{readable(names[first])}); continue with the same data, or {instead}'
    )


def _checksum(name: str) -> int:
    # File names that are not valid text are strings with surrogates.
    digest = hashlib.blake2b(
        name.encode('utf-8', 'surrogatepass'), digest_size=8
    ).digest()
    # Signed, to fit into an int64.
    return int.from_bytes(digest, 'big', signed=True)
