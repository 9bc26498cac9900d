"""The transform that loads noisy labels for training."""

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
    """Replaces the dataset's labels with those of a noisy-label file.

    For the training pipeline only. Nothing is random here: an image has the
    same noisy labels in every epoch, worker and run.

    In a classifier's pipeline, put it last or anywhere before packing. After
    packing, it stores the clean label as ``clean_label`` in the data sample's
    metainfo; before, as ``results['clean_label']``, which ``PackInputs``
    keeps if its ``meta_keys`` include it. In a detector's pipeline, put it
    before ``LoadAnnotations``; it stores the clean boxes as
    ``results['clean_instances']``.

    Args:
        file (str): A file written by ``ies-mm make-noisy-labels``.

    Raises:
        ConfigError: The file cannot be read.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._labels = read_labels(Path(file))
        self.checksum = checksum_of(Path(file))
        """Detects changed content when a run is resumed."""
        self._of_path = {
            name: image for image, name in enumerate(self._labels.identity)
        }

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the labels of one image.

        Raises:
            ConfigError: The file is for other images.
            ConfigError: The transform is in the wrong place.
        """
        sample = results.get('data_samples')
        if sample is not None:
            self._relabel_packed(sample)
        elif self._labels.has_boxes:
            self._relabel_boxes(results)
        else:
            if 'gt_label' not in results:
                raise self._other_data(results)
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
        # The list is changed in place below; the dataset's own is safe, since
        # get_data_info returns a copy.
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
        # Only now, since the file counts boxes by their place in the full
        # list.
        results['instances'] = [
            found for i, found in enumerate(instances) if i not in gone
        ]

    def _is_own(self, row: int, instances: list[dict[str, Any]]) -> bool:
        """Whether the file's clean box matches the dataset's."""
        number = int(self._labels.number[row])
        if number >= len(instances):
            return False
        own = instances[number]
        # The file has rounded the dataset's numbers to float32.
        same_box = np.allclose(self._labels.clean_boxes[row], own['bbox'])
        return same_box and own['bbox_label'] == self._labels.clean[row]

    def _rows(self, info: Any) -> range:
        """Indices of the labels of an image."""
        image = self._image(info)
        if image is None:
            raise self._other_data(info)
        first, end = np.searchsorted(self._labels.image, [image, image + 1])
        if first == end and not self._labels.has_boxes:
            # An index beyond the images for which the file was made.
            raise self._other_data(info)
        return range(int(first), int(end))

    def _image(self, info: Any) -> int | None:
        if not self._of_path:
            index = info.get('sample_idx')
            return index if index is not None and index >= 0 else None
        # The data root may differ from when the file was made.
        folders = str(info.get('img_path')).split('/')
        tails = ('/'.join(folders[k:]) for k in range(len(folders)))
        known = (tail for tail in tails if tail in self._of_path)
        return next((self._of_path[tail] for tail in known), None)

    def _other_data(self, info: Any) -> ConfigError:
        name = info.get('img_path') or f'image {info.get("sample_idx")}'
        return ConfigError(
            f'{self.file} does not have {name} with its clean labels: it was '
            'made for other data. Make it with this config, and use '
            'LoadNoisyLabels in the training pipeline only'
        )


_BEFORE_LOADING = (
    'LoadNoisyLabels changes the boxes of a detector before they are loaded; '
    'put it before LoadAnnotations'
)
