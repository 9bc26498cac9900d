"""The group metric, for evaluators of all three libraries."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from ies_mm.core.arguments import check_ratio
from ies_mm.errors import ConfigError
from ies_mm.groups.annotations import GroupFile
from ies_mm.groups.counts import (
    Counts,
    accuracy,
    demographic_parity_difference,
    mean_iou,
    recall,
)
from ies_mm.groups.tasks import (
    CLASSIFIER,
    DETECTOR,
    SEGMENTOR,
    of_classifier,
    of_detector,
    of_segmentor,
    task_of,
)


@METRICS.register_module()
class GroupMetric(BaseMetric):
    """Metrics over all images and by group (appendix I of the paper).

    Groups consist of images (by a file or a key of the samples) or of classes
    (head, middle and tail). The measures depend on the task:

    - classifiers: ``accuracy`` and ``recall``, in percent as in mmpretrain,
      of the positive class, else the mean over classes; with a positive class
      and groups of images also ``demographic_parity_difference``, from 0 to
      1: the largest minus the smallest fraction of images predicted positive.
    - segmentors: ``mIoU``, pixel ``accuracy`` and ``recall`` (mmseg's mAcc),
      in percent, over the pixels of the group's images or classes. Parity of
      predictions is not defined for pixels.
    - detectors: ``recall`` of boxes, from 0 to 1, at fixed IoU and score
      thresholds, over all boxes of the group's images or classes. Average
      precision by image group would compare rankings of different images.

    Names are ``group/<measure>`` overall and ``group/<group>/<measure>``.
    Undefined measures (a group without a positive image) are omitted.

    Args:
        groups (str or dict, optional): A ``.json`` or ``.csv`` file, see
            :class:`GroupFile`; or groups of classes, group -> class names.
            Defaults to None: ``groups`` of the dataset's ``metainfo`` (class
            groups), else the samples' own ``key``.
        key (str): The samples' meta information that names the group of an
            image; packing must keep it (``meta_keys``). Defaults to 'group'.
        positive (int or str, optional): The positive class, or its name.
            Defaults to None: the second of two classes, else none.
        iou_thr (float): Minimum IoU for a box to count as found. Defaults to
            0.5.
        score_thr (float): Minimum score of a detection. Defaults to 0.3.
        collect_device (str): See MMEngine's ``BaseMetric``. Defaults to
            'cpu'.
        prefix (str, optional): See ``BaseMetric``. Defaults to None:
            ``group``.
        collect_dir (str, optional): See ``BaseMetric``. Defaults to None.

    Raises:
        ConfigError: The file cannot be read or is malformed.
        TypeError: ``groups`` has another type.
        ConfigError: When MMEngine sets the dataset's meta information, before
            the training: it has no such class.
        ValueError: A threshold is out of range.
    """

    default_prefix = 'group'

    def __init__(
        self,
        groups: str | Mapping[str, Sequence[str]] | None = None,
        key: str = 'group',
        positive: int | str | None = None,
        iou_thr: float = 0.5,
        score_thr: float = 0.3,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        check_ratio('iou_thr', iou_thr)
        check_ratio('score_thr', score_thr)
        if not (isinstance(groups, str | None) or _is_of_classes(groups)):
            raise TypeError(
                f'groups={groups!r}: give a file, or a dict group -> list of '
                'class names'
            )
        self._file = GroupFile(groups) if isinstance(groups, str) else None
        self._of_classes = groups if isinstance(groups, Mapping) else None
        self._key = key
        self._positive = positive
        self._thresholds = iou_thr, score_thr

    @property
    def dataset_meta(self) -> dict | None:
        """The meta information of the evaluated dataset."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict | None) -> None:
        self._dataset_meta = meta
        if not self._names():
            return
        for classes in (self._classes_of_groups() or {}).values():
            self._indices(classes)
        self._positive_class(len(self._names()))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add the counts of each sample of a batch.

        Raises:
            ConfigError: The task is not supported, or an image has no group.
        """
        by_class = self._classes_of_groups() is not None
        for sample in data_samples:
            task = task_of(sample)
            group = None if by_class else self._group_of(sample)
            # One entry per sample: MMEngine drops what padded a rank by
            # cutting the list to the length of the dataset.
            self.results.append((task, group, self._count(task, sample)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """The measures overall and of each group.

        Args:
            results (list): Tuple (task, group, counts) of every image.
        """
        task = results[0][0]
        total: Counts = reduce(add, [counts for _, _, counts in results])
        of_classes = self._classes_of_groups()
        if of_classes is not None:
            groups = {
                name: total.of(self._indices(classes))
                for name, classes in of_classes.items()
            }
        else:
            groups = _by_group(results)
        positive = self._positive_class(len(total.actual))
        found = _measures(task, total, positive)
        for name, counts in sorted(groups.items()):
            # Among the classes of a group, the index would mean another class.
            of_group = None if of_classes is not None else positive
            for measure, value in _measures(task, counts, of_group).items():
                found[f'{name}/{measure}'] = value
        if task == CLASSIFIER and positive is not None and of_classes is None:
            apart = demographic_parity_difference(groups, positive)
            found['demographic_parity_difference'] = apart
        return {k: v for k, v in found.items() if not math.isnan(v)}

    def _count(self, task: str, sample: Mapping[str, Any]) -> Counts:
        classes = len(self._names())
        if not classes and (task != CLASSIFIER or 'pred_score' not in sample):
            raise ConfigError(
                'GroupMetric: the dataset has no class names; give them as '
                'metainfo=dict(classes=...)'
            )
        if task == CLASSIFIER:
            return of_classifier(sample, classes or len(sample['pred_score']))
        if task == SEGMENTOR:
            return of_segmentor(sample, classes)
        return of_detector(sample, classes, *self._thresholds)

    def _group_of(self, sample: Mapping[str, Any]) -> str:
        if self._file is not None:
            return self._file.group_of(str(sample.get('img_path')))
        if self._key not in sample:
            raise ConfigError(
                f'GroupMetric: the samples have no {self._key!r} to name '
                'their group; give groups=FILE or groups of classes, or add '
                'the key to meta_keys of the packing transform'
            )
        return str(sample[self._key])

    def _names(self) -> Sequence[str]:
        return (self.dataset_meta or {}).get('classes') or ()

    def _classes_of_groups(self) -> Mapping[str, Sequence[str]] | None:
        if self._file is not None:
            return None
        of_data_set = (self.dataset_meta or {}).get('groups')
        return self._of_classes or of_data_set

    def _indices(self, classes: Sequence[str]) -> list[int]:
        names = [*self._names()]
        for name in classes:
            if name not in names:
                raise ConfigError(
                    f'GroupMetric: there is no class {name!r}; the dataset '
                    f'has {", ".join(names) or "no class names"}'
                )
        return [names.index(name) for name in classes]

    def _positive_class(self, classes: int) -> int | None:
        if isinstance(self._positive, str):
            return self._indices([self._positive])[0]
        if self._positive is None:
            return 1 if classes == 2 else None
        if not 0 <= self._positive < classes:
            raise ConfigError(
                f'GroupMetric: positive={self._positive}, but there are '
                f'{classes} classes'
            )
        return self._positive


def _is_of_classes(groups: Any) -> bool:
    return isinstance(groups, Mapping) and all(
        isinstance(classes, list | tuple) for classes in groups.values()
    )


def _by_group(results: Sequence[tuple[str, str, Counts]]) -> dict[str, Counts]:
    groups: dict[str, Counts] = {}
    for _, name, counts in results:
        groups[name] = groups[name] + counts if name in groups else counts
    return groups


def _measures(
    task: str, counts: Counts, positive: int | None
) -> dict[str, float]:
    if task == DETECTOR:
        return {'recall': accuracy(counts)}
    of_images = task == CLASSIFIER
    found = {
        'accuracy': 100 * accuracy(counts),
        'recall': 100 * recall(counts, positive if of_images else None),
    }
    return found if of_images else {'mIoU': 100 * mean_iou(counts)} | found
