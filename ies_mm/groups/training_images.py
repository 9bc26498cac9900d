"""What a checkpoint of a detector finds on the training images."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import load_checkpoint

from ies_mm.errors import ConfigError
from ies_mm.groups.counts import Counts
from ies_mm.groups.tasks import of_detector
from ies_mm.training.data.identity import InstanceMap


class TrainingImages:
    """The training images of a detector, seen as in a test.

    Args:
        config (Config): The training's config; its test pipeline is used.

    Attributes:
        names (list of str): Paths of the N images, as in the records.

    Raises:
        ConfigError: The config has no test pipeline.
    """

    def __init__(self, config: Config) -> None:
        init_default_scope(config.get('default_scope') or 'mmengine')
        instances = InstanceMap(
            DATASETS.build(config.train_dataloader.dataset)
        )
        self.names = instances.names()
        self._leaves = instances.leaves
        self._classes = len(self._leaves[0].metainfo['classes'])
        self._pipeline = Compose(_test_pipeline(config))
        model = config.model.copy()
        model.setdefault('data_preprocessor', config.get('data_preprocessor'))
        self._model: Any = MODELS.build(model).to(get_device()).eval()

    def counts(
        self, checkpoint: Path, iou: float, score: float
    ) -> list[Counts]:
        """The boxes of each image that a checkpoint finds.

        Args:
            checkpoint (Path): Its file.
            iou (float): Minimum IoU for a box to count as found.
            score (float): Minimum score of a detection.

        Returns:
            list of Counts: One per image. Ignored boxes are not counted.
        """
        load_checkpoint(
            self._model,
            str(checkpoint),
            map_location='cpu',
            strict=True,
            logger='silent',
        )
        return [
            self._count(leaf.get_data_info(index), iou, score)
            for leaf in self._leaves
            for index in range(len(leaf))
        ]

    @torch.no_grad()
    def _count(self, info: dict[str, Any], iou: float, score: float) -> Counts:
        # Before the pipeline, which may remove them.
        boxes = info['instances']
        batch = pseudo_collate([self._pipeline(info)])
        [sample] = self._model.test_step(batch)
        counted = dict(
            gt_instances=_given(b for b in boxes if not b['ignore_flag']),
            ignored_instances=_given(b for b in boxes if b['ignore_flag']),
            pred_instances=sample.pred_instances.to_dict(),
        )
        return of_detector(counted, self._classes, iou, score)


def _given(boxes: Iterable[dict[str, Any]]) -> dict[str, torch.Tensor]:
    found = [(box['bbox'], box['bbox_label']) for box in boxes]
    return dict(
        bboxes=torch.tensor([corners for corners, _ in found]).reshape(-1, 4),
        labels=torch.tensor([label for _, label in found]).long(),
    )


def _test_pipeline(config: Config) -> list[dict]:
    for loader in ('test_dataloader', 'val_dataloader'):
        dataset = (config.get(loader) or {}).get('dataset') or {}
        # A wrapper has it further down.
        while 'pipeline' not in dataset and 'dataset' in dataset:
            dataset = dataset['dataset']
        if dataset.get('pipeline'):
            return list(dataset['pipeline'])
    raise ConfigError(
        'the config has no test_dataloader.dataset.pipeline to load the '
        'images with'
    )
