"""A random batch for any model of the three libraries.

The images differ in size and number of objects, so that a normaliser of the
batch does not equal that of an image by chance.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample, MultiTaskDataSample
from mmseg.structures import SegDataSample
from torch import Tensor

Sizes = tuple[tuple[int, int], ...]

CLASSES = 4
# Number of objects in the images of a batch; from the third on, some have 0.
COUNTS = (3, 1, 0, 5, 2, 1, 4, 0)
# Offset into COUNTS for each further process.
FURTHER = 3
# (height, width) of the images of a batch, tried in this order: images are
# padded to the largest of the batch, but some models only take images of one
# size, or large or square ones.
_SMALL = ((96, 128), (80, 104))
SIZES: dict[str, list[Sizes]] = {
    'mmdet': [_SMALL, *(((side, side),) * 2 for side in (128, 192, 320, 512))],
    'mmseg': [((64, 96),) * 2, ((128, 128),) * 2, ((512, 512),) * 2],
    'mmpretrain': [((side, side),) * 2 for side in (64, 224, 256, 32)],
}


def prepared(
    model: Any, cfg: Config, library: str, sizes: Sizes, ignored: bool = False
) -> dict:
    """A preprocessed batch for the model's forward.

    Args:
        model (nn.Module): The model, whose preprocessor is used.
        cfg (Config): Its config.
        library (str): The library of its data samples.
        sizes (tuple): (height, width) of each image.
        ignored (bool): Whether mmseg's last semantic map has ignored pixels.
            Defaults to False.
    """
    if library == 'mmseg':
        # Otherwise it pads to the training crop size.
        model.data_preprocessor.size = sizes[0]
        model.data_preprocessor.size_divisor = None
    raw = batch(cfg, library, sizes)
    if library == 'mmseg' and ignored:
        raw['data_samples'][-1].gt_sem_seg.data[:, : sizes[-1][0] // 4] = 255
    data: dict = model.data_preprocessor(raw, True)
    return data


def batch(cfg: Config, library: str, sizes: Sizes) -> dict:
    """A raw batch as from a data loader."""
    draws = torch.Generator().manual_seed(0)
    first = FURTHER * get_rank()
    make = dict(mmdet=_detection, mmseg=_segmentation, mmpretrain=_label)
    inputs, samples = [], []
    for number, size in enumerate(sizes):
        shape = (_channels(cfg.model.to_dict()), *size)
        image = torch.randint(0, 256, shape, generator=draws)
        inputs.append(image.to(torch.uint8))
        samples.append(make[library](cfg, size, first + number, draws))
    return dict(inputs=inputs, data_samples=samples)


def _detection(
    cfg: Config, shape: tuple[int, int], number: int, draws: torch.Generator
) -> DetDataSample:
    model = cfg.model.to_dict()
    # Denoising queries are padded to the largest number of boxes.
    counts = [2] if any(_values(model, 'dn_cfg')) else COUNTS
    count = counts[number % len(counts)]
    sample = DetDataSample(metainfo=_meta(shape, number))
    boxes = _boxes(count, shape, draws)
    classes = min([*_values(model, 'num_classes'), CLASSES])
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.randint(0, classes, (count,), generator=draws),
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    # Some losses use masks if there are any.
    if any(_values(cfg.get('train_dataloader'), 'with_mask')):
        sample.gt_instances.masks = _masks(boxes, shape)
        sample.ignored_instances.masks = BitmapMasks(
            np.zeros((0, *shape), np.uint8), *shape
        )
    sample.proposals = InstanceData(
        bboxes=torch.cat([boxes, _boxes(20, shape, draws)]),
        scores=torch.rand(count + 20, generator=draws),
    )
    # In panoptic maps, thing classes come first.
    things = max([*_values(model, 'num_things_classes'), 0])
    sample.gt_sem_seg = PixelData(sem_seg=things + _map(shape, draws))
    return sample


def _segmentation(
    cfg: Config, shape: tuple[int, int], number: int, draws: torch.Generator
) -> SegDataSample:
    sample = SegDataSample(metainfo=_meta(shape, number))
    classes = min([*_values(cfg.model.to_dict(), 'num_classes'), CLASSES])
    sample.gt_sem_seg = PixelData(
        data=_map(shape, draws).clamp(max=classes - 1)
    )
    edges = (torch.rand(1, *shape, generator=draws) > 0.8).long()
    sample.gt_edge_map = PixelData(data=edges)
    return sample


def _label(
    cfg: Config, shape: tuple[int, int], number: int, draws: torch.Generator
) -> DataSample:
    head = cfg.model.get('head') or {}
    tasks = head.get('task_heads')
    if not tasks:
        # A head without a layer has the backbone's number of classes.
        return _label_of(
            (cfg.model.get('backbone') or {}) | head, number, draws
        )
    sample = MultiTaskDataSample()
    for task, task_head in tasks.items():
        sample.set_field(_label_of(task_head, number, draws), task)
    return sample


def _label_of(head: dict, number: int, draws: torch.Generator) -> DataSample:
    kind = head.get('type', '')
    classes = head.get('num_classes', CLASSES)
    sample = DataSample()
    if 'Regression' in kind:
        return sample.set_gt_score(torch.rand(classes, generator=draws))
    if 'MultiLabel' in kind or 'CSRA' in kind:
        # One label in the first image, two in the second, and so on.
        labels = torch.randperm(classes, generator=draws)
        labels = labels[: number % classes + 1]
        return sample.set_gt_label(labels)
    return sample.set_gt_label((number + 1) % classes)


def _boxes(count: int, shape: tuple[int, int], draws: Any) -> Tensor:
    corner = torch.rand(count, 2, generator=draws) * 0.5
    extent = torch.rand(count, 2, generator=draws) * 0.3 + 0.15
    scale = torch.tensor([shape[1], shape[0]] * 2)
    return torch.cat([corner, corner + extent], dim=1) * scale


def _masks(boxes: Tensor, shape: tuple[int, int]) -> BitmapMasks:
    """An ellipse in every box."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    masks = []
    for left, top, right, bottom in boxes.tolist():
        across = (columns - (left + right) / 2) / (right - left)
        down = (rows - (top + bottom) / 2) / (bottom - top)
        masks.append(across**2 + down**2 <= 0.25)
    if not masks:
        return BitmapMasks(np.zeros((0, *shape), np.uint8), *shape)
    return BitmapMasks(np.stack(masks).astype(np.uint8), *shape)


def _map(shape: tuple[int, int], draws: torch.Generator) -> Tensor:
    """Patches of four classes, (1, H, W)."""
    patches = torch.randint(0, CLASSES, (1, 1, 6, 8), generator=draws)
    return torch.nn.functional.interpolate(patches.float(), shape)[0].long()


def _meta(shape: tuple[int, int], number: int) -> dict:
    return dict(
        img_id=number,
        img_path=f'{number}.jpg',
        img_shape=shape,
        ori_shape=shape,
        pad_shape=shape,
        scale_factor=(1.0, 1.0),
        flip=False,
        flip_direction=None,
    )


def _channels(model: dict) -> int:
    preprocessor = model.get('data_preprocessor') or {}
    mean = preprocessor.get('mean') or [0.0] * 3
    return len(mean) if len(mean) != 1 else 1


def _values(config: Any, key: str) -> Iterator[Any]:
    """The values of a key at any depth."""
    if isinstance(config, dict):
        if key in config:
            yield config[key]
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _values(part, key)
