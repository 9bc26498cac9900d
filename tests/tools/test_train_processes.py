"""tools/train.py in several processes, on a machine without a GPU."""

from pathlib import Path

import pytest
import torch
from mmengine.device import get_device

from commands import TRAIN, call
from runs import epochs_of
from task_runs import classifier_config, make_folders, with_ies

pytestmark = pytest.mark.skipif(
    get_device() != 'cpu', reason='MMEngine starts the processes of GPUs'
)


def config_file(tmp_path: Path) -> Path:
    folders = make_folders(tmp_path / 'folders', 8)
    config = with_ies(classifier_config(folders, tmp_path / 'run'), delta=0.1)
    config.custom_imports = dict(imports=['ies_mm.engine'])
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    return path


def test_torchrun_trains_with_two(tmp_path: Path) -> None:
    torchrun = ('-m', 'torch.distributed.run', '--standalone')
    result = call(
        *torchrun,
        *('--nproc_per_node=2', TRAIN, config_file(tmp_path)),
        *('--launcher', 'pytorch'),
        OMP_NUM_THREADS='1',
    )
    assert result.returncode == 0, result.stderr[-2000:]
    records = epochs_of(tmp_path / 'run')
    assert [record['trained'] for record in records] == [8, 8]
    # One batch of four for each of the two processes.
    last = torch.load(tmp_path / 'run' / 'epoch_2.pth', weights_only=False)
    assert last['meta']['iter'] == 2


def test_without_torchrun_one_line_says_how(tmp_path: Path) -> None:
    result = call(TRAIN, config_file(tmp_path), '--launcher', 'pytorch')
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert 'call torchrun --nproc_per_node=N -m ies_mm train' in line
    assert not (tmp_path / 'run').exists()
