"""Wall times and ends are read from MMEngine's text log."""

from pathlib import Path

import pytest

from ies_mm.report.reading.log import Log, read_log

# Based on a log of mmengine 0.10.12 and mmdet 3.5.1.
LOG = """\
2026/11/25 23:59:50 - mmengine - INFO -
------------------------------------------------------------
System environment:
    Python: 3.11.2
2026/11/25 23:59:51 - mmengine - INFO - Config:
train_cfg = dict(max_epochs=2, type='EpochBasedTrainLoop')

2026/11/26 00:00:20 - mmengine - INFO - Epoch(train)  [1][20/26]  lr: 1e-04
2026/11/26 00:00:26 - mmengine - INFO - Exp name: faster_rcnn_20261125_235950
2026/11/26 00:00:30 - mmengine - INFO - IES epoch 1: trained 205 of 205 images
2026/11/26 00:00:30 - mmengine - INFO - Saving checkpoint at 1 epochs
2026/11/26 00:00:34 - mmengine - INFO - Epoch(val)  [1][50/87]    eta: 0:00:03
2026/11/26 00:00:37 - mmengine - INFO -
---------------iou_thr: 0.5---------------
2026/11/26 00:00:37 - mmengine - INFO -
+-------+-----+------+--------+-------+
2026/11/26 00:00:38 - mmengine - INFO - Epoch(val) [1][87/87]    mAP: 0.1
2026/11/26 00:00:39 - mmengine - INFO - The best checkpoint is saved
2026/11/26 00:01:08 - mmengine - INFO - Exp name: faster_rcnn_20261125_235950
2026/11/26 00:01:12 - mmengine - INFO - Saving checkpoint at 2 epochs
2026/11/26 00:01:13 - mmengine - INFO -
---------------iou_thr: 0.5---------------
2026/11/26 00:01:17 - mmengine - INFO - Epoch(val) [2][87/87]    mAP: 0.2
2026/11/26 00:01:20 - mmengine - INFO - The best checkpoint is saved
"""


def written(tmp_path: Path, text: str) -> Log:
    path = tmp_path / 'run.log'
    path.write_text(text)
    return read_log(path)


def test_seconds_from_the_first_to_the_last_line(tmp_path: Path) -> None:
    assert written(tmp_path, LOG).seconds == 90


def test_a_validation_begins_where_the_training_last_spoke(
    tmp_path: Path,
) -> None:
    """From the checkpoint lines to the validation lines: 8 s and 5 s."""
    assert written(tmp_path, LOG).validation_seconds == 8 + 5


def test_when_it_was_validated(tmp_path: Path) -> None:
    """40 s after the first line, and 82 s, including 8 s of validation."""
    assert written(tmp_path, LOG).validated_at == [40, 82 - 8]


def test_the_last_checkpoint(tmp_path: Path) -> None:
    assert written(tmp_path, LOG).saved_epoch == 2


def test_no_log_says_nothing(tmp_path: Path) -> None:
    assert read_log(tmp_path / 'none.log') == Log()
    assert written(tmp_path, '') == Log()


@pytest.mark.parametrize(
    'reason',
    [
        'Stopping threshold reached: `mAP` = 0.9 is greater than 0.8.',
        'the monitored metric did not improve in the last 3 records.',
        'Monitored metric mAP = nan is infinite. Previous best value was 0.8.',
        'IES stops the training after 9 epochs: all 205 images are mastered',
        'the training ended within epoch 9: 4 samples of it were trained',
    ],
)
def test_an_early_end_is_noticed(tmp_path: Path, reason: str) -> None:
    assert not written(tmp_path, LOG).stopped
    line = f'2026/11/26 00:02:00 - mmengine - INFO - {reason}\n'
    assert written(tmp_path, LOG + line).stopped


def test_the_iterations_last_announced(tmp_path: Path) -> None:
    text = ''.join(
        f'2026/11/25 10:00:00 - mmengine - INFO - Iter(train) {place}  lr: 1\n'
        for place in ('[ 10/400]', '[ 20/ 357]')
    )
    assert written(tmp_path, text).announced == 357
