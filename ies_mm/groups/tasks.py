"""Counting of a sample's predictions, by task."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ies_mm.errors import ConfigError
from ies_mm.groups.counts import Counts

CLASSIFIER, SEGMENTOR, DETECTOR = 'classifier', 'segmentor', 'detector'

IGNORED = 255
"""The label of void pixels, as in mmseg's metrics."""


def task_of(sample: Mapping[str, Any]) -> str:
    """The task of a sample with predictions.

    Raises:
        ConfigError: The task is unknown.
    """
    if 'pred_sem_seg' in sample:
        return SEGMENTOR
    if 'pred_instances' in sample:
        return DETECTOR
    if 'pred_score' in sample or 'pred_label' in sample:
        return CLASSIFIER
    raise ConfigError(
        'GroupMetric supports predictions of classifiers (pred_score, '
        'pred_label), segmentors (pred_sem_seg) and detectors '
        f'(pred_instances), found {", ".join(map(str, sample))}; remove it '
        'from the evaluator'
    )


def of_classifier(sample: Mapping[str, Any], classes: int) -> Counts:
    """The counts of one image.

    Args:
        sample (mapping): Has ``gt_label`` and ``pred_score`` or
            ``pred_label``.
        classes (int): C.

    Raises:
        ConfigError: The image has no label or several.
    """
    labels = _array(sample.get('gt_label', [])).ravel()
    if len(labels) != 1:
        raise ConfigError(
            'GroupMetric supports images of one class each, found one of '
            f'{len(labels)} classes; remove it from the evaluator'
        )
    if 'pred_score' in sample:
        predicted = _array(sample['pred_score']).argmax()
    else:
        predicted = _array(sample['pred_label']).ravel()[0]
    return _of_labels(labels, np.array([predicted]), classes)


def of_segmentor(sample: Mapping[str, Any], classes: int) -> Counts:
    """The counts of an image's pixels that are not void.

    Args:
        sample (mapping): Has ``pred_sem_seg`` and ``gt_sem_seg``.
        classes (int): C.
    """
    predicted = _array(sample['pred_sem_seg']['data']).ravel()
    labels = _array(sample['gt_sem_seg']['data']).ravel()
    valid = labels != IGNORED
    return _of_labels(labels[valid], predicted[valid], classes)


def of_detector(
    sample: Mapping[str, Any], classes: int, iou: float, score: float
) -> Counts:
    """The counts of an image's boxes; boxes matched by a detection are found.

    Within a class, detections in descending order of score take the box that
    they overlap most, if it is free, following PASCAL VOC. If that box is
    ignored (difficult), neither counts.

    Args:
        sample (mapping): Has ``pred_instances``, ``gt_instances`` and, if
            some boxes are ignored, ``ignored_instances``, all in pixels of
            the original image.
        classes (int): C.
        iou (float): Minimum IoU for a box to count as found.
        score (float): Minimum score of a detection.

    Raises:
        ConfigError: The samples have no ground truth.
    """
    found = sample['pred_instances']
    if 'bboxes' not in sample['gt_instances']:
        raise ConfigError(
            'the samples have no ground-truth boxes; add '
            "dict(type='LoadAnnotations', with_bbox=True) to the pipeline of "
            'the evaluated dataset'
        )
    boxes, labels = _boxes_of(sample['gt_instances'])
    difficult, difficult_labels = _boxes_of(
        sample.get('ignored_instances') or {}
    )
    scores = _array(found['scores'])
    order = np.argsort(-scores, kind='stable')
    order = order[scores[order] >= score]
    dets, names = _array(found['bboxes'])[order], _array(found['labels'])
    names = names[order]
    matched = [
        _matched(
            boxes[labels == k],
            difficult[difficult_labels == k],
            dets[names == k],
            iou,
        )
        for k in range(classes)
    ]
    hits, counted = np.array(matched, dtype=np.int64).reshape(-1, 2).T
    return Counts(hits, counted, _count(labels, classes))


def _boxes_of(part: Mapping[str, Any]) -> tuple[NDArray, NDArray]:
    """The boxes (N, 4) and labels (N,) of a part of a sample, if any."""
    if 'bboxes' not in part:
        return np.zeros((0, 4)), np.zeros(0)
    boxes = _array(part['bboxes'])
    if len(boxes) and boxes.shape[-1] != 4:
        raise ConfigError(
            'GroupMetric supports boxes of four numbers, found '
            f'{boxes.shape[-1]}, as rotated boxes have; remove it from the '
            'evaluator'
        )
    return boxes.reshape(-1, 4), _array(part['labels'])


def _of_labels(labels: NDArray, predicted: NDArray, classes: int) -> Counts:
    return Counts(
        _count(labels[labels == predicted], classes),
        _count(predicted, classes),
        _count(labels, classes),
    )


def _count(labels: NDArray, classes: int) -> NDArray[np.int64]:
    # Labels beyond the last class would make the array longer than C.
    return np.bincount(labels.astype(np.int64), minlength=classes)[:classes]


def _matched(
    boxes: NDArray, ignored: NDArray, detections: NDArray, iou: float
) -> tuple[int, int]:
    """Boxes found by detections in order of score, and detections that count.

    A detection whose best box is ignored does not.
    """
    taken: set[int] = set()
    counted = len(detections)
    every = np.concatenate([boxes, ignored])
    for detection in detections if len(every) else ():
        overlaps = _overlaps(every, detection)
        # As in VOC, a detection whose best box is taken does not get another
        # one.
        best = int(overlaps.argmax())
        if overlaps[best] >= iou:
            counted -= best >= len(boxes)
            taken.add(best)
    return sum(box < len(boxes) for box in taken), counted


def _overlaps(boxes: NDArray, box: NDArray) -> NDArray:
    """IoU of boxes (N, 4) with one box (4,)."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    shared = (high - low).clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union = areas + (box[2:] - box[:2]).prod() - shared
    # Two boxes without an area have the union 0.
    return shared / np.maximum(union, 1e-9)


def _array(value: Any) -> NDArray:
    if hasattr(value, 'cpu'):
        value = value.cpu()
    if hasattr(value, 'tensor'):  # mmdet's boxes
        value = value.tensor
    return np.asarray(value)
