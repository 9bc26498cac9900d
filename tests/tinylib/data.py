"""Images with bright spots, and their number."""

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS
from mmengine.structures import BaseDataElement


@DATASETS.register_module()
class Spots(BaseDataset):
    """Generated from the image's index; nothing is read from disk."""

    def __init__(self, images: int, **kwargs) -> None:
        self.images = images
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        return [
            dict(img_path=f'spots/{number:03}', number=number)
            for number in range(self.images)
        ]


@TRANSFORMS.register_module()
class LoadSpots:
    """Up to five spots on noise; some images have an ignored border."""

    def __call__(self, results: dict) -> dict:
        random = np.random.default_rng(results['number'])
        image = random.random((12, 12), dtype=np.float32) / 4
        places = random.integers(0, 12, (results['number'] % 5 + 1, 2))
        spots = np.zeros_like(image)
        spots[places[:, 0], places[:, 1]] = 1
        valid = np.ones_like(image)
        valid[: results['number'] % 4] = 0
        return results | dict(img=image + spots, spots=spots, valid=valid)


@TRANSFORMS.register_module()
class PackSpots:
    """Packs like every OpenMMLab library: inputs and a data sample."""

    def __call__(self, results: dict) -> dict:
        sample = BaseDataElement(metainfo=dict(img_path=results['img_path']))
        sample.spots = torch.from_numpy(results['spots'])
        sample.valid = torch.from_numpy(results['valid'])
        image = torch.from_numpy(results['img'])[None]
        return dict(inputs=image, data_samples=sample)
