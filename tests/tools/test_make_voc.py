"""Checks the generated VOC data by reading back what was written."""

from __future__ import annotations

import csv
import filecmp
import importlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
VOC_CLASSES = [
    'background',
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
]
VOC_COLOURS = {
    0: (0, 0, 0),
    1: (128, 0, 0),
    2: (0, 128, 0),
    7: (128, 128, 128),
    8: (64, 0, 0),
    15: (192, 128, 128),
    20: (0, 64, 128),
    255: (224, 224, 192),
}
IMAGES = 40


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOLS / 'make_voc.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def refused(done: subprocess.CompletedProcess[str], word: str) -> bool:
    """One line on stderr that has the word, nothing on stdout, status 2."""
    lines = done.stderr.splitlines()
    wrote = len(lines) == 1 and word in lines[0] and not done.stdout
    return wrote and done.returncode == 2


def files(folder: Path) -> list[str]:
    found = (p for p in folder.rglob('*') if p.is_file())
    return sorted(str(p.relative_to(folder)) for p in found)


def boxes(xml: Path) -> list[tuple[str, list[int]]]:
    sides = ('xmin', 'ymin', 'xmax', 'ymax')
    return [
        (
            str(item.findtext('name')),
            [int(item.findtext(f'bndbox/{side}', '')) for side in sides],
        )
        for item in ET.parse(xml).iter('object')
    ]


def extent(pixels: np.ndarray) -> list[int]:
    """First and last column and row with a pixel, counted from 1."""
    columns = np.flatnonzero(pixels.any(axis=0)) + 1
    rows = np.flatnonzero(pixels.any(axis=1)) + 1
    return [columns[0], rows[0], columns[-1], rows[-1]]


@pytest.fixture(scope='module')
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('voc')
    done = run(out, '--images', IMAGES, '--seed', 3)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in out.iterdir()] == ['VOCdevkit']
    return out / 'VOCdevkit'


@pytest.fixture
def scenes() -> ModuleType:
    return importlib.import_module('ies_mm.commands.voc_images.scenes')


def ids(path: Path) -> list[str]:
    return path.read_text().split()


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


def test_boxes_are_the_extents_of_the_masks(devkit: Path) -> None:
    folder = devkit / 'VOC2012'
    exact = total = 0
    for path in (folder / 'SegmentationObject').iterdir():
        objects = np.asarray(Image.open(path))
        classes = np.asarray(
            Image.open(folder / 'SegmentationClass' / path.name)
        )
        found = boxes(folder / f'Annotations/{path.stem}.xml')
        assert set(np.unique(objects)) - {0, 255} == set(
            range(1, len(found) + 1)
        )
        for number, (label, box) in enumerate(found, start=1):
            pixels = objects == number
            assert set(classes[pixels]) == {VOC_CLASSES.index(label)}
            # The void of an object in front may take a pixel at a side, or
            # a thin end that peeks out from behind it.
            inner = extent(pixels)
            assert np.less_equal(box[:2], inner[:2]).all()
            assert np.greater_equal(box[2:], inner[2:]).all()
            exact += inner == box
            total += 1
        assert ((objects == 255) == (classes == 255)).all()
    assert exact > 0.9 * total


def test_void_lies_between_an_object_and_the_rest(devkit: Path) -> None:
    for path in (devkit / 'VOC2012/SegmentationObject').iterdir():
        mask = np.asarray(Image.open(path)).astype(int)
        for one, other in (
            (mask[:, 1:], mask[:, :-1]),
            (mask[1:], mask[:-1]),
        ):
            bare = (one != other) & (one != 255) & (other != 255)
            assert not bare.any(), path


@pytest.mark.parametrize('kind', ['SegmentationClass', 'SegmentationObject'])
def test_masks_have_the_palette_of_voc(devkit: Path, kind: str) -> None:
    path = next((devkit / 'VOC2012' / kind).iterdir())
    with Image.open(path) as mask:
        assert mask.mode == 'P'
        palette = mask.getpalette() or []
    for value, colour in VOC_COLOURS.items():
        assert tuple(palette[3 * value : 3 * value + 3]) == colour


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


def test_hidden_objects_are_taken_out(scenes: ModuleType) -> None:
    def square(left: int, name: str | None) -> object:
        sprite = Image.new('RGBA', (20, 20), (9, 9, 9, 255))
        return scenes.Item(name, sprite, left, 10)

    behind, front = square(0, 'cat'), square(13, None)
    _, instances, seen = scenes.settle([behind, front], (60, 40))
    assert [(s.name, s.box, s.share) for s in seen] == [
        ('cat', (1, 11, 13, 30), 0.65)
    ]
    assert (instances == 1).sum() == 13 * 20
    assert (instances == 2).sum() == 0


def test_share_seen_decides_and_not_only_the_size(scenes: ModuleType) -> None:
    def square(left: int, name: str) -> object:
        sprite = Image.new('RGBA', (40, 20), (9, 9, 9, 255))
        return scenes.Item(name, sprite, left, 10)

    for seen_columns, left_over in ((11, ['car']), (12, ['cat', 'car'])):
        pair = [square(0, 'cat'), square(seen_columns, 'car')]
        items, instances, seen = scenes.settle(pair, (60, 40))
        assert [s.name for s in seen] == left_over
        assert [item.name for item in items] == left_over
        box = [seen_columns + 1, 11, seen_columns + 40, 30]
        assert extent(instances == len(seen)) == box


def test_object_cut_at_the_edge(scenes: ModuleType) -> None:
    sprite = Image.new('RGBA', (20, 20), (9, 9, 9, 255))
    item = scenes.Item('boat', sprite, -8, -10)
    _, _, (seen,) = scenes.settle([item], (60, 40))
    assert seen.box == (1, 1, 12, 10)
    assert seen.share == pytest.approx(0.3)
    assert seen.difficult


def test_same_seed_same_bytes(devkit: Path, tmp_path: Path) -> None:
    run(tmp_path, '--images', IMAGES, '--seed', 3)
    again = tmp_path / 'VOCdevkit'
    names = files(devkit)
    assert files(again) == names
    same, *others = filecmp.cmpfiles(devkit, again, names, shallow=False)
    assert same == names
    assert others == [[], []]


def test_other_seed_other_pictures(devkit: Path, tmp_path: Path) -> None:
    run(tmp_path, '--images', 6, '--seed', 4)
    for path in tmp_path.glob('VOCdevkit/VOC2007/JPEGImages/*.jpg'):
        other = devkit / 'VOC2007/JPEGImages' / path.name
        assert other.read_bytes() != path.read_bytes()


def test_replaces_its_own_data(tmp_path: Path) -> None:
    assert run(tmp_path, '--images', 8).returncode == 0
    assert run(tmp_path, '--images', 4).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ['VOCdevkit']
    pictures = tmp_path / 'VOCdevkit/VOC2007/JPEGImages'
    assert len(list(pictures.iterdir())) == 6


def test_leaves_other_data_alone(tmp_path: Path) -> None:
    mine = tmp_path / 'VOCdevkit/VOC2007/notes.txt'
    mine.parent.mkdir(parents=True)
    mine.write_text('mine')
    assert refused(run(tmp_path, '--images', 4), 'not touched')
    assert files(tmp_path) == ['VOCdevkit/VOC2007/notes.txt']
    assert mine.read_text() == 'mine'


def test_leaves_what_was_added_to_its_data(tmp_path: Path) -> None:
    assert run(tmp_path, '--images', 4).returncode == 0
    devkit = tmp_path / 'VOCdevkit'
    (devkit / 'VOC2007/JPEGImages/mine.jpg').write_text('mine')
    before = {name: (devkit / name).read_bytes() for name in files(devkit)}
    done = run(tmp_path, '--images', 4, '--seed', 1)
    assert refused(done, 'VOC2007/JPEGImages/mine.jpg')
    after = {name: (devkit / name).read_bytes() for name in files(devkit)}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ['VOCdevkit']


def test_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / 'VOCdevkit').mkdir()
    assert run(tmp_path, '--images', 4).returncode == 0
    assert (tmp_path / 'VOCdevkit/difficulty.txt').exists()


@pytest.mark.parametrize(
    ('args', 'word'),
    [
        (('--images', '3'), '--images'),
        (('--images', 'many'), '--images'),
        (('--images', '4.5'), '--images'),
        (('--seed', '-1'), '--seed'),
        (('--colour', 'red'), '--colour'),
    ],
)
def test_bad_arguments(tmp_path: Path, args: tuple, word: str) -> None:
    assert refused(run(tmp_path, *args), word)
    assert files(tmp_path) == []


def test_out_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    path.write_text('x')
    assert refused(run(path, '--images', 4), 'file')
    assert path.read_text() == 'x'


def test_devkit_is_a_file(tmp_path: Path) -> None:
    (tmp_path / 'VOCdevkit').write_text('x')
    assert refused(run(tmp_path, '--images', 4), 'not touched')
    assert (tmp_path / 'VOCdevkit').read_text() == 'x'


def test_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = importlib.import_module('ies_mm.commands.make_voc')

    def fail(seed: int, index: int) -> None:
        raise OSError('disk full')

    assert tool.main([str(tmp_path), '--images', '4']) == 0
    before = files(tmp_path)
    monkeypatch.setattr(tool, 'make_scene', fail)
    assert tool.main([str(tmp_path), '--images', '4', '--seed', '1']) == 2
    assert files(tmp_path) == before
