"""A dataset of a dozen random images for any model of the three libraries."""

import copy
from collections.abc import Sequence
from typing import Any

from coverage_checks.data import Sizes, batch
from mmengine.config import Config
from mmengine.dataset import BaseDataset

IMAGES = 12
NUMBER = 'made_number'
"""Field of a data sample that holds the number of its image."""


class MadeImages(BaseDataset):
    """Random images with random annotations, some without an object.

    mmdet's PointRend, which cannot train on a batch without one, gets only
    images with objects.

    Args:
        cfg (Config): Config of the model.
        library (str): Library of the data samples.
        sizes (tuple): (height, width); all images have the first, as some
            models reject a batch of only small ones.
    """

    def __init__(self, cfg: Config, library: str, sizes: Sizes) -> None:
        raw = batch(cfg, library, (sizes[0],) * 2 * IMAGES)
        made = list(zip(raw['inputs'], raw['data_samples'], strict=True))
        if cfg.model.type == 'PointRend':
            made = [(i, s) for i, s in made if len(s.gt_instances)]
        self._made = made[:IMAGES]
        super().__init__(pipeline=[self._packed])

    def load_data_list(self) -> list[dict]:
        """One entry per image; the paths only identify them."""
        return [dict(img_path=f'{i}.jpg', number=i) for i in range(IMAGES)]

    def _packed(self, entry: dict) -> dict[str, Any]:
        number = entry['number']
        inputs, sample = copy.deepcopy(self._made[number])
        sample.set_metainfo({'img_path': entry['img_path'], NUMBER: number})
        return dict(inputs=inputs, data_samples=sample)


def numbers_in(data_batch: dict[str, Any]) -> Sequence[int]:
    """The numbers of the images in a batch."""
    return [sample.get(NUMBER) for sample in data_batch['data_samples']]
