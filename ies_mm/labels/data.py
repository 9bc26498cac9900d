"""The images of a training dataset, with identities and pixels."""

from collections.abc import Iterator
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, init_default_scope
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.labels.place import without_noise
from ies_mm.training.data.identity import InstanceMap
from ies_mm.training.data.names import below_root, readable

SIDE = 32
"""Side in pixels to which images are resized for projection; CIFAR's own."""

Info = dict[str, Any]


class Images:
    """The images of a training run, as its dataset lists them.

    Args:
        cfg (Config): The training config. It may already read noisy labels;
            the labels here are the clean ones.

    Attributes:
        classes (list of str): Names of the C classes.
        identity (list of str): Path of each of N images below its data root;
            empty if the images are not files.

    Raises:
        ConfigError: The dataset cannot be built, or its images cannot be told
            apart.
        ConfigError: The dataset has no class names.
    """

    def __init__(self, cfg: Config) -> None:
        # Without it, the root registry does not find a library's datasets.
        init_default_scope(cfg.get('default_scope') or 'mmengine')
        dataset = without_noise(cfg.train_dataloader.dataset)
        try:
            built = DATASETS.build(dataset)
        except OSError as error:
            raise ConfigError(
                f'train_dataloader.dataset cannot be built: {error}'
            ) from error
        self._leaves = InstanceMap(built).leaves
        self.classes = list(self._leaves[0].metainfo.get('classes') or ())
        if len(self.classes) < 2:
            name = type(self._leaves[0]).__name__
            raise ConfigError(
                f'train_dataloader.dataset: {name} has no class names; give '
                'them as metainfo=dict(classes=...)'
            )
        self.identity = self._identity()

    def __len__(self) -> int:
        """Number of images N."""
        return sum(len(leaf) for leaf in self._leaves)

    def infos(self) -> Iterator[Info]:
        """The annotations of every image, in order."""
        for leaf in self._leaves:
            for index in range(len(leaf)):
                yield leaf.get_data_info(index)

    def pixels(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pixels of some images, float32 (n, 3072), from 0 to 1.

        Args:
            numbers (ndarray): int64 (n,), indices of the images.
        """
        return np.stack([self._pixels(int(number)) for number in numbers])

    def _pixels(self, number: int) -> NDArray[np.float32]:
        for leaf in self._leaves:
            if number < len(leaf):
                break
            number -= len(leaf)
        info = leaf.get_data_info(number)
        image = info['img'] if 'img' in info else _loader(leaf)(info)['img']
        small = mmcv.imresize(image, (SIDE, SIDE), interpolation='area')
        flat = small.reshape(-1).astype(np.float32)
        return np.asarray(flat / np.float32(255))

    def _identity(self) -> list[str]:
        paths = [
            below_root(leaf, str(info['img_path']))
            for leaf in self._leaves
            for info in map(leaf.get_data_info, range(len(leaf)))
            if 'img_path' in info
        ]
        # Such images are identified by index, which is unique in a single
        # part.
        if not paths and len(self._leaves) == 1:
            return []
        if len(paths) < len(self):
            raise ConfigError(
                'train_dataloader.dataset has several parts whose images are '
                'not files, so they cannot be told apart; give one part'
            )
        _check_unique(paths)
        return paths


def _check_unique(paths: list[str]) -> None:
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ConfigError(
            f'train_dataloader.dataset lists {readable(twice)} more than '
            'once, so its labels cannot be told apart; list each image once'
        )


def _loader(leaf: BaseDataset) -> Any:
    """The transform that loads an image, with the config's settings."""
    transforms = getattr(leaf.pipeline, 'transforms', ())
    found = [t for t in transforms if isinstance(t, LoadImageFromFile)]
    return found[0] if found else LoadImageFromFile()
