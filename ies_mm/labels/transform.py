"""The transform that gives a training its noisy labels."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import TRANSFORMS

from ies_mm.errors import ConfigError
from ies_mm.labels.boxes import GONE
from ies_mm.labels.file import checksum_of, read_labels


@TRANSFORMS.register_module()
class LoadNoisyLabels:
    """Puts the labels of a file in the place of the data set's own.

    For the training's pipeline only. Nothing is random here: an image has
    the same noisy labels in every epoch, worker and run.

    In a classifier's pipeline it stands last, or anywhere before the packing.
    Behind it, the clean label is the data sample's ``clean_label``
    (metainfo); before it, ``results['clean_label']``, which ``PackInputs``
    keeps if its ``meta_keys`` name it. In a detector's pipeline it stands
    before ``LoadAnnotations``, and the clean boxes are
    ``results['clean_instances']``.

    Args:
        file (str): As ``tools/make_noisy_labels.py`` writes it.

    Raises:
        ConfigError: The file cannot be read.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._labels = read_labels(Path(file))
        self.checksum = checksum_of(Path(file))
        """Tells a resumed run of another content."""
        self._of_path = {
            name: image for image, name in enumerate(self._labels.identity)
        }

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Exchange the labels of one image.

        Raises:
            ConfigError: The file is of other images.
            ConfigError: The transform stands in the wrong place.
        """
        sample = results.get('data_samples')
        if sample is not None:
            self._relabel_packed(sample)
        elif self._labels.has_boxes:
            self._relabel_boxes(results)
        else:
            clean, noisy = self._classes(results, int(results['gt_label']))
            results.update(gt_label=noisy, clean_label=clean)
        return results

    def _relabel_packed(self, sample: Any) -> None:
        if self._labels.has_boxes:
            raise ConfigError(_BEFORE_LOADING)
        clean, noisy = self._classes(sample.metainfo, int(sample.gt_label))
        sample.set_gt_label(noisy)
        sample.set_metainfo({'clean_label': clean})

    def _classes(self, info: Any, own: int) -> tuple[int, int]:
        """The clean and the noisy class of an image."""
        [row] = self._rows(info)
        clean, noisy = self._labels.clean[row], self._labels.noisy[row]
        if clean != own:
            raise self._other_data(info)
        return int(clean), int(noisy)

    def _relabel_boxes(self, results: dict[str, Any]) -> None:
        if 'gt_bboxes' in results:
            raise ConfigError(_BEFORE_LOADING)
        instances = results['instances']
        results['clean_instances'] = copy.deepcopy(instances)
        gone = set()
        for row in self._rows(results):
            number = int(self._labels.number[row])
            if not self._is_own(row, instances):
                raise self._other_data(results)
            if self._labels.noisy[row] == GONE:
                gone.add(number)
            instances[number]['bbox_label'] = int(self._labels.noisy[row])
            instances[number]['bbox'] = self._labels.noisy_boxes[row].tolist()
        results['instances'] = [
            found for i, found in enumerate(instances) if i not in gone
        ]

    def _is_own(self, row: int, instances: list[dict[str, Any]]) -> bool:
        """Whether the file's clean box is that of the data set."""
        number = int(self._labels.number[row])
        if number >= len(instances):
            return False
        own = instances[number]
        same_box = np.allclose(self._labels.clean_boxes[row], own['bbox'])
        return same_box and own['bbox_label'] == self._labels.clean[row]

    def _rows(self, info: Any) -> range:
        """Numbers of the labels of an image."""
        image = self._image(info)
        if image is None:
            raise self._other_data(info)
        first, end = np.searchsorted(self._labels.image, [image, image + 1])
        return range(int(first), int(end))

    def _image(self, info: Any) -> int | None:
        if not self._of_path:
            index = info.get('sample_idx')
            return index if index is not None and index >= 0 else None
        # The data may lie below another root than when the file was made.
        folders = str(info.get('img_path')).split('/')
        tails = ('/'.join(folders[k:]) for k in range(len(folders)))
        known = (tail for tail in tails if tail in self._of_path)
        return next((self._of_path[tail] for tail in known), None)

    def _other_data(self, info: Any) -> ConfigError:
        name = info.get('img_path') or f'image {info.get("sample_idx")}'
        return ConfigError(
            f'{self.file} does not know {name} with its clean labels: it was '
            'made for other data. Make it with this config, and have '
            'LoadNoisyLabels in the training pipeline only'
        )


_BEFORE_LOADING = (
    'LoadNoisyLabels changes the boxes of a detector before they are loaded; '
    'put it before LoadAnnotations'
)
