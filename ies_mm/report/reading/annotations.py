"""Objects and classes of single images, from the files of the run's dataset.

They are read from VOC's XML, COCO's JSON, segmentation maps and class folders,
as given in the dumped config. Nothing is imported or executed: a work
directory may come from anywhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

_BROKEN = (
    OSError, ElementTree.ParseError, AttributeError, KeyError, TypeError,
    ValueError,
)  # fmt: skip

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Annotation:
    """The annotation of an image.

    Attributes:
        boxes (list of tuple): (x1, y1, x2, y2) in pixels of the file.
        labels (list of str): The class of each box; without boxes, the
            classes of the image or of its segmentation map.
        seg_map (Path, optional): Its segmentation map.
    """

    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    seg_map: Path | None = None


class Annotations:
    """The annotations of a run's training images.

    Args:
        config (dict): The run's dumped config.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        loader = config.get('train_dataloader') or {}
        self._leaves = list(_leaves(loader.get('dataset')))

    def of(self, path: Path) -> Annotation | None:
        """The annotation of an image file; None if no known file has one."""
        try:
            for leaf in self._leaves:
                if found := _found(leaf, path):
                    return found
            return self._in_coco(path)
        # Ignore a broken file, or one in another format.
        except _BROKEN:
            return None

    def _in_coco(self, path: Path) -> Annotation | None:
        # Longest first, since several folders may have a file of this name.
        # By its end, since the data may have moved.
        tails = (path.parts[first:] for first in range(len(path.parts)))
        return next((self._coco[t] for t in tails if t in self._coco), None)

    @cached_property
    def _coco(self) -> dict[tuple[str, ...], Annotation]:
        found: dict[tuple[str, ...], Annotation] = {}
        for leaf in self._leaves:
            file = _below_root(leaf, leaf.get('ann_file'))
            if file is not None and file.suffix == '.json' and file.is_file():
                found |= _read_coco(file, _image_folder(leaf))
        return found


def _image_folder(leaf: dict[str, Any]) -> Path:
    prefix = leaf.get('data_prefix')
    folder = prefix.get('img') if isinstance(prefix, dict) else prefix
    return Path(folder if isinstance(folder, str) else '')


def _leaves(dataset: Any) -> Iterator[dict[str, Any]]:
    """Yield the datasets inside any wrappers."""
    if isinstance(dataset, list):
        for part in dataset:
            yield from _leaves(part)
    elif isinstance(dataset, dict):
        inner = dataset.get('datasets') or dataset.get('dataset')
        if inner:
            yield from _leaves(inner)
        else:
            yield dataset


def _found(leaf: dict[str, Any], path: Path) -> Annotation | None:
    prefixes = leaf.get('data_prefix')
    prefixes = prefixes if isinstance(prefixes, dict) else {}
    if prefixes.get('seg_map_path'):
        return _of_map(leaf, prefixes, path)
    xml = path.parent.parent / 'Annotations' / f'{path.stem}.xml'
    if xml.is_file():
        return _read_voc(xml)
    if leaf.get('type') in ('ImageNet', 'CustomDataset', 'CIFAR10'):
        return Annotation(labels=[path.parent.name])
    return None


def _of_map(
    leaf: dict[str, Any], prefixes: dict[str, str], path: Path
) -> Annotation | None:
    folder = _below_root(leaf, prefixes['seg_map_path'])
    suffix = leaf.get('seg_map_suffix') or '.png'
    if folder is None:
        return None
    file = folder / f'{path.stem}{suffix}'
    if not file.is_file():
        return None
    return Annotation(labels=_classes_in(file, leaf), seg_map=file)


def _classes_in(file: Path, leaf: dict[str, Any]) -> list[str]:
    """Classes in a segmentation map, if the config names them."""
    classes = (leaf.get('metainfo') or {}).get('classes') or ()
    with Image.open(file) as stored:
        numbers = np.unique(np.asarray(stored)).astype(int)
    if _reduces_zero(leaf):
        # 0 is void, and 1 the first class.
        numbers = numbers[numbers > 0] - 1
    # Void pixels, 255, have no class.
    return [str(classes[n]) for n in numbers if n < len(classes)]


def _reduces_zero(leaf: dict[str, Any]) -> bool:
    """Whether the dataset or its pipeline says so; not by its type alone."""
    loads = [
        step
        for step in leaf.get('pipeline') or ()
        if step.get('type') == 'LoadAnnotations'
    ]
    return any(part.get('reduce_zero_label') for part in (leaf, *loads))


def _below_root(leaf: dict[str, Any], name: Any) -> Path | None:
    if not isinstance(name, str):
        return None
    return Path(leaf.get('data_root') or '') / name


def _read_voc(file: Path) -> Annotation:
    objects = ElementTree.parse(file).getroot().findall('object')
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    boxes = [
        tuple(float(thing.findtext(f'bndbox/{c}', '')) for c in corners)
        for thing in objects
    ]
    labels = [thing.findtext('name', '') for thing in objects]
    return Annotation(boxes, labels)  # type: ignore[arg-type]


def _read_coco(file: Path, folder: Path) -> dict[tuple[str, ...], Annotation]:
    """Annotations by the parts of a path, with and without its folder."""
    content = json.loads(file.read_text(encoding='utf-8'))
    names = {kind['id']: kind['name'] for kind in content['categories']}
    images = {
        image['id']: (Path(image['file_name']), Annotation())
        for image in content['images']
    }
    for thing in content['annotations']:
        # Captions and keypoints need no box.
        if thing.get('image_id') not in images or 'bbox' not in thing:
            continue
        _, found = images[thing['image_id']]
        x, y, width, height = thing['bbox']
        found.boxes.append((x, y, x + width, y + height))
        found.labels.append(names[thing['category_id']])
    return {
        path.parts: found
        for name, found in images.values()
        for path in (name, folder / name)
    }
