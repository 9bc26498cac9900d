"""Classified images of two groups, and their evaluation."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement

from ies_mm.groups.metric import GroupMetric


def evaluated(
    metric: GroupMetric, samples: Sequence[Any], classes: Any
) -> Any:
    """Evaluate as MMEngine's evaluator does, in two batches."""
    metric.dataset_meta = dict(classes=classes)
    half = len(samples) // 2
    for part in (samples[:half], samples[half:]):
        metric.process(None, [sample.to_dict() for sample in part])
    return metric.evaluate(len(samples))


def image(label: int, predicted: int, group: str = '', path: str = '') -> Any:
    """A classified image; the scores of three classes give the prediction."""
    score = torch.full((3,), 0.1)
    score[predicted] = 0.8
    return BaseDataElement(
        gt_label=torch.tensor([label]),
        pred_score=score,
        metainfo=dict(group=group, img_path=path),
    )


# 6 women and 4 men; by hand:
#            women            men
#          pred 0  pred 1   pred 0  pred 1
# true 0      1       1        2       0
# true 1      1       3        1       1
TABLE = {
    'women': [[1, 1], [1, 3]],
    'men': [[2, 0], [1, 1]],
}


def faces(table: dict = TABLE, path: str = '{}/{}.jpg') -> list[Any]:
    found = []
    for group, rows in table.items():
        for label, row in enumerate(rows):
            for predicted, number in enumerate(row):
                for _ in range(number):
                    name = path.format(group, len(found))
                    found.append(image(label, predicted, group, name))
    return found
