"""Rows of the coverage tool: families whose losses are exact."""

from typing import Any

import pytest

# One row per adapter, which an OpenMMLab update must not change.
EXACT = {
    'mmdet': ['Faster R-CNN', 'RetinaNet'],
    'mmseg': ['FCN', 'DeepLabv3', 'SegFormer', 'OCRNet'],
    'mmpretrain': ['LinearClsHead', 'MultiLabelLinearClsHead'],
}


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    ('library', 'name'),
    [(library, name) for library, names in EXACT.items() for name in names],
)
def test_families_that_are_exact(
    monkeypatch: pytest.MonkeyPatch,
    tool: Any,
    family: Any,
    library: str,
    name: str,
) -> None:
    monkeypatch.setattr(tool('rows'), 'BUDGET', 0.0)
    row = tool('rows').check_family(family(library, name))
    assert (row.verdict, row.note) == ('exact', '')
    assert row.overhead > 0
    assert row.adapters


# Heads whose losses are split by rows, one for every way to flatten and
# to count; several images, some without objects. Small ones of Mask2Former and
# Sparse R-CNN are in tests/losses; these would take half a minute each.
BY_ROWS = [
    'CenterNet',
    'CondInst',
    'DETR',
    'FCOS',
    'GFL',
    'Mask R-CNN',
    'RepPoints',
    'RTMDet',
    'RTMDet-Ins',
    'SOLOv2',
    'TOOD',
    'YOLOF',
    'YOLOv3',
    'YOLOX',
]


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', BY_ROWS)
def test_losses_by_rows_are_exact_and_cost_little(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any, name: str
) -> None:
    monkeypatch.setattr(tool('rows'), 'BUDGET', 0.0)
    four = tool('settings').Setting('', 4, counts=True)
    row = tool('rows').check_family(family('mmdet', name), four)
    assert (row.verdict, row.note) == ('exact', '') or row.family.share_exact
    assert row.counts.captured < 1.1
    assert row.counts.waits <= 4


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', ['DETR', 'FCOS'])
def test_losses_are_exact_in_two_processes(
    tool: Any, family: Any, name: str
) -> None:
    two = tool('settings').SETTINGS['processes']
    row = tool('processes').isolated(family('mmdet', name), two)
    assert (row.verdict, row.note) == ('exact', '')


@pytest.mark.filterwarnings('ignore')
def test_a_refused_family_says_why(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any
) -> None:
    small = family('mmpretrain', 'ShuffleNetV2')
    reduction = dict(head=dict(loss=dict(reduction='sum')))
    monkeypatch.setattr(type(small), 'changes', reduction)
    row = tool('rows').check_family(small)
    assert row.verdict == 'refused'
    assert "need reduction='mean'" in row.note


@pytest.mark.filterwarnings('ignore')
def test_a_config_that_cannot_be_built_says_why(
    monkeypatch: pytest.MonkeyPatch, tool: Any, family: Any
) -> None:
    small = family('mmpretrain', 'ShuffleNetV2')
    wrong = dict(backbone=dict(type='NoSuchNet'))
    monkeypatch.setattr(type(small), 'changes', wrong)
    row = tool('rows').check_family(small)
    assert row.verdict == 'not built'
    assert 'NoSuchNet' in row.note
