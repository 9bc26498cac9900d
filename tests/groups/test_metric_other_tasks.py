"""Metrics by group of segmentors and detectors, counted by hand."""

from typing import Any

import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from group_cases import evaluated
from ies_mm.errors import ConfigError
from ies_mm.groups.metric import GroupMetric
from ies_mm.groups.tasks import of_detector


def labelled(labels: list[int], predicted: list[int], group: str) -> Any:
    return BaseDataElement(
        gt_sem_seg=PixelData(data=torch.tensor(labels).view(1, 2, 2)),
        pred_sem_seg=PixelData(data=torch.tensor(predicted).view(1, 2, 2)),
        metainfo=dict(group=group),
    )


def test_a_segmentor_by_hand() -> None:
    samples = [
        labelled([0, 0, 1, 255], [0, 1, 1, 0], 'day'),
        labelled([1, 1, 1, 1], [1, 1, 1, 0], 'night'),
        labelled([0, 0, 0, 0], [0, 0, 0, 0], 'night'),
    ]
    found = evaluated(GroupMetric(), samples, ('road', 'car'))
    assert found['group/day/mIoU'] == pytest.approx(50)
    assert found['group/day/accuracy'] == pytest.approx(100 * 2 / 3)
    assert found['group/night/mIoU'] == pytest.approx(
        100 * (4 / 5 + 3 / 4) / 2
    )
    assert found['group/night/recall'] == pytest.approx(100 * (1 + 3 / 4) / 2)
    assert found['group/mIoU'] == pytest.approx(100 * (5 / 7 + 4 / 6) / 2)
    assert not any('parity' in name for name in found)


def boxes(*rows: tuple[int, int]) -> torch.Tensor:
    """10 x 10 pixel boxes, by their corners."""
    corner = torch.tensor(rows).view(-1, 2).float()
    return torch.cat([corner, corner + 10], dim=1)


def detected(given: list, found: list, group: str) -> Any:
    """Boxes as (class, x, y), detections as (class, x, y, score)."""
    return BaseDataElement(
        gt_instances=InstanceData(
            bboxes=boxes(*[(x, y) for _, x, y in given]),
            labels=torch.tensor([k for k, *_ in given], dtype=torch.long),
        ),
        pred_instances=InstanceData(
            bboxes=boxes(*[(x, y) for _, x, y, _ in found]),
            labels=torch.tensor([k for k, *_ in found], dtype=torch.long),
            scores=torch.tensor([score for *_, score in found]),
        ),
        metainfo=dict(group=group),
    )


def test_a_detector_by_hand() -> None:
    """Duplicates count once; wrong classes and low scores do not."""
    samples = [
        detected(
            [(0, 0, 0), (0, 40, 40), (1, 80, 80)],
            [(0, 1, 1, 0.9), (0, 0, 1, 0.8), (1, 41, 40, 0.9),
             (1, 80, 81, 0.2)],
            'young',
        ),
        detected([(1, 5, 5)], [(1, 5, 6, 0.5)], 'old'),
        detected([], [(0, 5, 6, 0.5)], 'old'),
        detected([(0, 5, 5), (0, 9, 9)], [], 'old'),
    ]  # fmt: skip
    found = evaluated(GroupMetric(), samples, ('cell', 'platelet'))
    assert found == pytest.approx(
        {
            'group/recall': 2 / 6,
            'group/young/recall': 1 / 3,
            'group/old/recall': 1 / 3,
        }
    )
    by_class = GroupMetric(dict(small=['platelet']), score_thr=0.1)
    found = evaluated(by_class, samples, ('cell', 'platelet'))
    assert found['group/small/recall'] == 1


def test_a_detection_of_a_difficult_object_does_not_count() -> None:
    """As in VOC: it is neither found nor false."""
    sample = detected(
        [(0, 0, 0)],
        [(0, 0, 1, 0.9), (0, 40, 41, 0.8), (0, 80, 80, 0.7), (1, 40, 40, 0.6)],
        'young',
    )
    sample.ignored_instances = InstanceData(
        bboxes=boxes((40, 40)), labels=torch.tensor([0])
    )
    counts = of_detector(sample.to_dict(), 2, 0.5, 0.3)
    assert counts.hits.tolist() == [1, 0]
    assert counts.predicted.tolist() == [2, 1]
    assert counts.actual.tolist() == [1, 0]


def test_ground_truth_that_was_not_loaded_is_missed() -> None:
    """mmdet packs an empty part then."""
    sample = detected([], [(0, 5, 6, 0.5)], 'old')
    sample.gt_instances = InstanceData()
    with pytest.raises(ConfigError, match='no ground-truth boxes'):
        of_detector(sample.to_dict(), 2, 0.5, 0.3)
