"""Sets, annotations and difficulties of the generated data."""

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from voc_files import IMAGES, VOC_CLASSES, boxes, ids


def test_sets_have_the_promised_sizes(devkit: Path) -> None:
    main = devkit / 'VOC2007/ImageSets/Main'
    sets = {path.stem: ids(path) for path in main.iterdir()}
    assert len(sets['trainval']) == IMAGES
    assert len(sets['test']) == IMAGES // 2
    assert sorted(sets['train'] + sets['val']) == sets['trainval']
    assert not set(sets['trainval']) & set(sets['test'])
    masks = devkit / 'VOC2012/ImageSets/Segmentation'
    assert ids(masks / 'train.txt') == sets['trainval']
    assert ids(masks / 'val.txt') == sets['test']
    assert len(ids(masks / 'trainval.txt')) == IMAGES * 3 // 2


def test_no_test_scene_in_any_training_set(devkit: Path) -> None:
    test = set(ids(devkit / 'VOC2007/ImageSets/Main/test.txt'))
    for path in devkit.glob('VOC20*/ImageSets/Main/train*.txt'):
        assert not test & set(ids(path)), path


@pytest.mark.parametrize('year', ['VOC2007', 'VOC2012'])
def test_annotation_fits_picture(devkit: Path, year: str) -> None:
    folder = devkit / year
    names = [path.stem for path in (folder / 'JPEGImages').iterdir()]
    assert len(names) == IMAGES * 3 // 2
    for name in names:
        root = ET.parse(folder / f'Annotations/{name}.xml').getroot()
        with Image.open(folder / f'JPEGImages/{name}.jpg') as picture:
            assert picture.mode == 'RGB'
            width, height = picture.size
        assert root.findtext('folder') == year
        assert root.findtext('filename') == f'{name}.jpg'
        size = [root.findtext(f'size/{k}') for k in ('width', 'height')]
        assert size == [str(width), str(height)]
        found = boxes(folder / f'Annotations/{name}.xml')
        assert found
        for label, (left, top, right, bottom) in found:
            assert label in VOC_CLASSES
            assert 1 <= left <= right - 5 <= width - 5
            assert 1 <= top <= bottom - 5 <= height - 5


def test_every_object_has_all_voc_fields(devkit: Path) -> None:
    for path in (devkit / 'VOC2007/Annotations').iterdir():
        items = ET.parse(path).findall('object')
        assert any(item.findtext('difficult') == '0' for item in items)
        for item in items:
            tags = [child.tag for child in item]
            assert tags == ['name', 'pose', 'truncated', 'difficult', 'bndbox']
            assert item.findtext('truncated') in ('0', '1')


def test_both_shapes_and_difficulties_occur(devkit: Path) -> None:
    with (devkit / 'difficulty.txt').open() as file:
        rows = list(csv.DictReader(file))
    hard = [row['id'] for row in rows if row['difficulty'] == 'hard']
    assert len(rows) == IMAGES * 3 // 2
    assert len(hard) == pytest.approx(0.4 * len(rows), abs=1)
    sizes = [
        Image.open(devkit / f'VOC2007/JPEGImages/{row["id"]}.jpg').size
        for row in rows
    ]
    assert set(sizes) == {(160, 120), (120, 160)}
    assert 0.05 < sizes.count((120, 160)) / len(sizes) < 0.4


def test_hard_scenes_have_more_and_smaller_objects(devkit: Path) -> None:
    with (devkit / 'difficulty.txt').open() as file:
        kinds = {row['id']: row['difficulty'] for row in csv.DictReader(file)}
    counts: dict[str, list[int]] = {'easy': [], 'hard': []}
    sides: dict[str, list[int]] = {'easy': [], 'hard': []}
    labels: set[str] = set()
    for name, kind in kinds.items():
        found = boxes(devkit / f'VOC2007/Annotations/{name}.xml')
        counts[kind].append(len(found))
        sides[kind] += [max(b[2] - b[0], b[3] - b[1]) for _, b in found]
        labels |= {label for label, _ in found}
    assert max(counts['easy']) <= 2 < np.mean(counts['hard'])
    assert np.mean(sides['hard']) < 0.6 * np.mean(sides['easy'])
    assert len(labels) == 6


def test_torchvision_reads_it(devkit: Path) -> None:
    datasets = pytest.importorskip('torchvision.datasets')
    detection = datasets.VOCDetection(devkit.parent, '2007', 'test')
    picture, target = detection[1]
    assert len(detection) == IMAGES // 2
    size = target['annotation']['size']
    assert (int(size['width']), int(size['height'])) == picture.size
    masks = datasets.VOCSegmentation(devkit.parent, '2012', 'val')
    picture, mask = masks[1]
    assert len(masks) == IMAGES // 2
    assert mask.size == picture.size
