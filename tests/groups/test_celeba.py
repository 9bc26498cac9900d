"""CelebA in torchvision's layout, with a few synthetic lines."""

from pathlib import Path

import pytest

from ies_mm.errors import ConfigError
from ies_mm.groups.celeba import CelebAAttribute

ATTRIBUTES = """\
4
Attractive Male Smiling
000001.jpg  1 -1  1
000002.jpg -1 -1  1
000003.jpg -1  1 -1
000004.jpg  1  1 -1
"""
PARTITION = """\
000001.jpg 0
000002.jpg 1
000003.jpg 1
000004.jpg 1
"""


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / 'list_attr_celeba.txt').write_text(ATTRIBUTES)
    (tmp_path / 'list_eval_partition.txt').write_text(PARTITION)
    return str(tmp_path)


def test_labels_and_groups_of_a_split(root: str) -> None:
    found = CelebAAttribute(root, 'val')
    rows = [found.get_data_info(i) for i in range(len(found))]
    assert [Path(row['img_path']).name for row in rows] == [
        '000002.jpg', '000003.jpg', '000004.jpg',
    ]  # fmt: skip
    assert [row['gt_label'] for row in rows] == [0, 0, 1]
    assert [row['group'] for row in rows] == ['not_Male', 'Male', 'Male']
    assert found.metainfo['classes'] == ('not_Attractive', 'Attractive')
    assert 'img_align_celeba' in rows[0]['img_path']


def test_other_attributes(root: str) -> None:
    found = CelebAAttribute(root, 'train', label='Smiling', group='Attractive')
    [row] = [found.get_data_info(i) for i in range(len(found))]
    assert (row['gt_label'], row['group']) == (1, 'Attractive')


def test_what_is_not_there(root: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='give one of train, val, test'):
        CelebAAttribute(root, 'all')
    with pytest.raises(ConfigError, match='no attribute'):
        CelebAAttribute(root, 'val', group='Young')
    with pytest.raises(ConfigError, match=r'torchvision\.datasets\.CelebA'):
        CelebAAttribute(str(tmp_path / 'none'), 'val')
