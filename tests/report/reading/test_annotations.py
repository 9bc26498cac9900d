"""An image's objects are read from the dataset's files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ies_mm.report.reading.annotations import Annotation, Annotations


def of(path: Path, **dataset: Any) -> Annotation | None:
    return Annotations(dict(train_dataloader=dict(dataset=dataset))).of(path)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    folder = tmp_path / 'VOC2007' / 'Annotations'
    folder.mkdir(parents=True)
    things = ''.join(
        f'<object><name>{name}</name><bndbox><xmin>{x}</xmin>'
        f'<ymin>2</ymin><xmax>{x + 10}</xmax><ymax>9</ymax></bndbox></object>'
        for name, x in (('cat', 1), ('dog', 5))
    )
    (folder / 'a.xml').write_text(f'<annotation>{things}</annotation>')
    (folder / 'broken.xml').write_text('<annotation>')
    return tmp_path / 'VOC2007' / 'JPEGImages'


def test_voc_within_wrappers(voc: Path) -> None:
    leaf = dict(type='VOCDataset', data_prefix=dict(sub_data_root='VOC2007/'))
    both = dict(type='ConcatDataset', datasets=[dict(type='X'), leaf])
    found = of(voc / 'a.jpg', type='RepeatDataset', times=3, dataset=both)
    assert found == Annotation([(1, 2, 11, 9), (5, 2, 15, 9)], ['cat', 'dog'])


def test_what_cannot_be_read_is_nothing(voc: Path, tmp_path: Path) -> None:
    assert of(voc / 'broken.jpg', type='VOCDataset') is None
    assert of(voc / 'gone.jpg', type='VOCDataset') is None
    (tmp_path / 'a.json').write_text('{"images": 3}')
    leaf = dict(type='CocoDataset', data_root=str(tmp_path), ann_file='a.json')
    assert of(tmp_path / 'a.jpg', **leaf) is None
    for config in ({}, dict(train_dataloader=dict(dataset='text'))):
        assert Annotations(config).of(tmp_path / 'a.jpg') is None


def test_coco_by_the_file_s_name(tmp_path: Path) -> None:
    content = dict(
        categories=[dict(id=7, name='bus')],
        images=[
            dict(id=1, file_name='x/a.jpg'),
            dict(id=2, file_name='b.jpg'),
        ],
        annotations=[
            dict(image_id=1, category_id=7, bbox=[1, 2, 3, 4]),
            # Without an image, or without a box, as captions are.
            dict(image_id=9, category_id=7, bbox=[1, 2, 3, 4]),
            dict(image_id=2, caption='a bus'),
        ],
    )
    (tmp_path / 'train.json').write_text(json.dumps(content))
    leaf = dict(
        type='CocoDataset', data_root=str(tmp_path), ann_file='train.json'
    )
    assert of(Path('x/a.jpg'), **leaf) == Annotation([(1, 2, 4, 6)], ['bus'])
    assert of(Path('b.jpg'), **leaf) == Annotation()
    assert of(Path('c.jpg'), **leaf) is None


def test_coco_images_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """In one file, and in two whose image folders differ."""
    content: dict[str, Any] = dict(
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
        images=[
            dict(id=1, file_name='a/1.jpg'),
            dict(id=2, file_name='1.jpg'),
        ],
        annotations=[
            dict(image_id=k, category_id=k, bbox=[0, 0, 1, 1]) for k in (1, 2)
        ],
    )
    (tmp_path / 'one.json').write_text(json.dumps(content))
    one = dict(
        data_root=str(tmp_path),
        ann_file='one.json',
        data_prefix=dict(img='i/'),
    )
    content['annotations'] = []
    (tmp_path / 'two.json').write_text(json.dumps(content))
    two = one | dict(ann_file='two.json', data_prefix=dict(img='j'))
    found = {
        name: of(Path('/moved') / name, datasets=[one, two])
        for name in ('i/a/1.jpg', 'i/1.jpg', 'j/1.jpg')
    }
    assert [found[n] and found[n].labels for n in found] == [
        ['cat'], ['dog'], []
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'classes'),
    [
        (dict(reduce_zero_label=True), ['sky', 'road']),
        (
            dict(
                pipeline=[dict(type='LoadAnnotations', reduce_zero_label=True)]
            ),
            ['sky', 'road'],
        ),
        (dict(), ['sky', 'car']),
    ],
)
def test_a_map_whose_zero_is_void(
    tmp_path: Path, arguments: dict, classes: list[str]
) -> None:
    labels = np.array([[0, 1], [3, 255]], dtype=np.uint8)
    (tmp_path / 'maps').mkdir()
    Image.fromarray(labels).save(tmp_path / 'maps' / 'a.png')
    found = of(
        tmp_path / 'images' / 'a.jpg',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='maps'),
        metainfo=dict(classes=['sky', 'car', 'road']),
        **arguments,
    )
    assert found is not None
    assert found.labels == classes


def test_a_segmentation_map_and_its_classes(tmp_path: Path) -> None:
    (tmp_path / 'maps').mkdir()
    labels = np.array([[0, 2], [2, 255]], dtype=np.uint8)
    Image.fromarray(labels).save(tmp_path / 'maps' / 'a_map.png')
    leaf = dict(
        type='Own',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='maps'),
        seg_map_suffix='_map.png',
        metainfo=dict(classes=['sky', 'car', 'road']),
    )
    found = of(tmp_path / 'images' / 'a.jpg', **leaf)
    file = tmp_path / 'maps' / 'a_map.png'
    assert found == Annotation(labels=['sky', 'road'], seg_map=file)


def test_a_folder_of_a_class() -> None:
    found = of(Path('train/frog/1.png'), type='CustomDataset')
    assert found == Annotation(labels=['frog'])
