"""Groups, files and samples that GroupMetric refuses."""

from pathlib import Path

import pytest
import torch
from mmengine.structures import BaseDataElement

from group_cases import evaluated, faces, image
from ies_mm.errors import ConfigError
from ies_mm.groups.annotations import GroupFile
from ies_mm.groups.metric import GroupMetric


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('a.json', '[1]', 'one JSON object, path -> group'),
        ('a.json', '{"a": ["b"]}', 'one JSON object, path -> group'),
        ('a.json', '{"a"', 'is not a JSON file'),
        ('a.csv', 'a,b\nc\n', 'line 2: expected two columns'),
        ('a.csv', 'a,b\n\nc,d\na,d\n', 'line 4: a is in b and in d'),
        ('a.csv', 'path,group\na,b\n', 'line 1: found a header, path,group'),
        ('a.txt', 'a b', 'give a .json file'),
        ('none.csv', None, 'cannot be read: No such file'),
    ],
)
def test_files_that_cannot_be_used(
    name: str, content: str | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=words):
        GroupMetric(str(tmp_path / name))


def test_a_csv_file_has_its_own_words(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text('a,b,c\n')
    with pytest.raises(ConfigError) as error:
        GroupMetric(str(tmp_path / 'a.csv'))
    assert 'JSON' not in str(error.value)


def test_an_image_that_the_file_does_not_name(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text('{"b.jpg": "x"}')
    with pytest.raises(ConfigError, match=r'names no group for c/d\.jpg'):
        evaluated(
            GroupMetric(str(tmp_path / 'a.json')),
            [image(0, 0, path='c/b.jpg'), image(0, 0, path='c/d.jpg')],
            ('a', 'b'),
        )


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(key='age'), "the samples have no 'age'"),
        (dict(positive=2), 'positive=2, but there are 2 classes'),
        (dict(positive='c'), "there is no class 'c'; the dataset has a, b"),
        (dict(groups=dict(x=['c'])), "there is no class 'c'"),
    ],
)
def test_arguments_that_do_not_fit_the_data(
    arguments: dict, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        evaluated(GroupMetric(**arguments), faces(), ('a', 'b'))


@pytest.mark.parametrize(
    'arguments',
    [dict(positive=2), dict(positive='c'), dict(groups=dict(x=['c']))],
)
def test_classes_are_checked_before_any_image(arguments: dict) -> None:
    """MMEngine tells the classes when it builds the loops."""
    metric = GroupMetric(**arguments)
    with pytest.raises(ConfigError, match=r'there is no class|2 classes'):
        metric.dataset_meta = dict(classes=('a', 'b'))


@pytest.mark.parametrize(
    ('sample', 'classes', 'words'),
    [
        (dict(gt_label=[0], pred_label=[0]), None, 'has no class names'),
        (
            dict(
                gt_sem_seg=dict(data=torch.zeros(1, 2, 2)),
                pred_sem_seg=dict(data=torch.zeros(1, 2, 2)),
            ),
            None,
            'has no class names',
        ),
        (
            dict(
                gt_instances=dict(bboxes=torch.rand(1, 5), labels=[0]),
                pred_instances=dict(
                    bboxes=torch.rand(1, 5), labels=[0], scores=[0.9]
                ),
            ),
            ('a',),
            'boxes of four numbers, found 5',
        ),
    ],
)
def test_samples_that_cannot_be_counted(
    sample: dict, classes: tuple | None, words: str
) -> None:
    metric = GroupMetric()
    metric.dataset_meta = dict(classes=classes) if classes else {}
    with pytest.raises(ConfigError, match=words):
        metric.process(None, [dict(sample, group='x')])


def test_a_name_that_two_images_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text('a.jpg,one\nx/b.jpg,two\nb.jpg,three\n')
    file = GroupFile(str(tmp_path / 'a.csv'))
    # Twice the same image, and two images with lines of their own.
    asked = ('x/a.jpg', 'x/a.jpg', 'x/b.jpg', 'y/b.jpg')
    found = [file.group_of(path) for path in asked]
    assert found == ['one', 'one', 'two', 'three']
    with pytest.raises(ConfigError, match=r'a\.jpg, which may be x/a\.jpg or'):
        file.group_of('y/a.jpg')


def test_a_json_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_bytes(b'\xef\xbb\xbf{"a.jpg": "x"}')
    assert GroupFile(str(tmp_path / 'a.json')).group_of('d/a.jpg') == 'x'


def test_paths_of_a_file_are_normalised(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text('./x/a.jpg, one\n x//b.jpg ,two\n')
    file = GroupFile(str(tmp_path / 'a.csv'))
    assert file.group_of('/data/x/a.jpg') == 'one'
    assert file.group_of('x/b.jpg') == 'two'


def test_images_of_several_classes_are_refused() -> None:
    sample = BaseDataElement(
        gt_label=torch.tensor([0, 1]), pred_score=torch.rand(2)
    )
    with pytest.raises(ConfigError, match='one of 2 classes'):
        evaluated(GroupMetric(dict(x=['a'])), [sample], ('a', 'b'))
