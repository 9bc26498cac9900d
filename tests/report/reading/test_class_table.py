"""The tables that evaluators log, with one value per class."""

from pathlib import Path

import pytest

from ies_mm.report.comparing.classes import worst_class
from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.reading.class_table import class_values
from ies_mm.report.reading.runs import read_run
from ies_mm.report.showing.page import class_rows
from ies_mm.report.showing.table import table
from work_dirs import config_of, epoch_scalars, write_start

# As logged by mmdet 3.5.1 and mmseg 1.3.
DETECTOR = """\
2026/11/29 06:00:08 - mmengine - INFO -
---------------iou_thr: 0.5---------------
2026/11/29 06:00:08 - mmengine - INFO -
+-----------+-----+------+--------+-------+
| class     | gts | dets | recall | ap    |
+-----------+-----+------+--------+-------+
| aeroplane | 30  | 193  | 0.900  | 0.753 |
| bicycle   | 38  | 117  | 0.895  | 0.256 |
+-----------+-----+------+--------+-------+
| mAP       |     |      |        | 0.504 |
+-----------+-----+------+--------+-------+
2026/11/29 06:00:09 - mmengine - INFO - Epoch(val) [20][80/80]
"""
SEGMENTOR = """\
2026/11/29 06:00:08 - mmengine - INFO - per class results:
2026/11/29 06:00:08 - mmengine - INFO -
+------------+-------+-------+
|   Class    |  IoU  |  Acc  |
+------------+-------+-------+
|    sky     | 90.12 | 95.0  |
| pedestrian |  nan  |  0.0  |
+------------+-------+-------+
"""


def test_a_detector_s() -> None:
    found = class_values(DETECTOR.splitlines())
    assert found == {'aeroplane': 0.753, 'bicycle': 0.256}


def test_a_segmentor_s() -> None:
    found = class_values(SEGMENTOR.splitlines())
    assert found.keys() == {'sky', 'pedestrian'}
    assert found['sky'] == 90.12


def test_a_class_that_the_validation_set_lacks_is_not_the_worst(
    tmp_path: Path,
) -> None:
    """A detector's has 0, a segmentor's nan."""
    predicted = SEGMENTOR.replace('|  nan  |  0.0  |', '|  0.0  |  nan  |')
    assert predicted != SEGMENTOR
    lacking = DETECTOR.replace('| bicycle   | 38 ', '| bicycle   | 0  ')
    for name, text, best in (
        ('d', lacking, 'aeroplane'),
        ('s', SEGMENTOR, 'sky'),
        ('t', predicted, 'sky'),
    ):
        work_dir = write_start(tmp_path / name, config_of(), [], [(0, text)])
        assert [*read_run(work_dir).classes] == [best]


def test_the_last_table_counts() -> None:
    later = DETECTOR.replace('0.256', '0.300')
    found = class_values((DETECTOR + later).splitlines())
    assert found['bicycle'] == 0.3


@pytest.mark.parametrize(
    'text',
    ['', '| class | gts |\n| a | 3 |\n', '| a | b |\n|---|---|\n| 1 | 2 |\n'],
)
def test_other_tables_say_nothing(text: str) -> None:
    assert class_values(text.splitlines()) == {}


def detector_run(work_dir: Path, seed: int, **changes: object) -> Path:
    config = config_of(seed, **changes)
    write_start(work_dir, config, epoch_scalars({4: 0.5}, 4), [(0, 'begin')])
    [log] = work_dir.glob('*/*.log')
    log.write_text(log.read_text() + DETECTOR)
    return work_dir


def test_classes_have_the_names_of_the_data_set(tmp_path: Path) -> None:
    """VOCMetric prints VOC's names, even for a detector of cats and dogs."""
    own = {'metainfo': {'classes': ('cat', 'dog')}}
    plain = detector_run(tmp_path / 'a', 0)
    named = detector_run(
        tmp_path / 'b', 0, val_dataloader=dict(dataset=dict(type='X', **own))
    )
    assert read_run(plain).classes == {'aeroplane': 0.753, 'bicycle': 0.256}
    assert read_run(named).classes == {'cat': 0.753, 'dog': 0.256}


def test_the_worst_class_and_the_table(tmp_path: Path) -> None:
    found = compare_runs(
        [detector_run(tmp_path / str(seed), seed) for seed in (0, 1)]
    )
    [row] = found.rows
    name, value = worst_class(row.group)
    assert (name, value.mean, value.deviation) == ('bicycle', 0.256, 0)
    assert class_rows(found.rows) == [
        ('bicycle', ['0.256 ± 0.000']),
        ('aeroplane', ['0.753 ± 0.000']),
    ]
    assert 'worst class: plain: bicycle 0.256' in table(found)


def test_a_list_of_a_classifier() -> None:
    """As logged by mmpretrain 1.3 with SingleLabelMetric(average=None)."""
    line = (
        '2026/11/29 06:00:09 - mmengine - INFO - Epoch(val) [3][8/8]    '
        'accuracy/top1: 50.0000  single-label/precision_classwise: [1.0, 2.0] '
        ' single-label/recall_classwise: [{}]  data_time: 0.0041'
    )
    lines = [line.format('10.0, 0.0, 5.0'), line.format('75.0, 25.5, 0.0')]
    wanted = {'class 0': 75.0, 'class 1': 25.5, 'class 2': 0.0}
    assert class_values(lines) == wanted
    assert class_values([line.format('not, numbers')]) == {}
