"""tools/test.py: a checkpoint's accuracy, and what it refuses."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpretrain.registry import DATASETS

from commands import call
from runs import train
from task_runs import classifier_config

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'test.py'


@pytest.fixture(scope='module')
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config and the checkpoint of its training."""
    root = tmp_path_factory.mktemp('test')
    config = classifier_config(folders, root / 'run')
    dataset = config.train_dataloader.dataset.copy()
    dataset.pipeline = [t for t in dataset.pipeline if 'Flip' not in t.type]
    config.test_dataloader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dataset,
    )
    config.test_cfg = dict()
    config.test_evaluator = dict(type='Accuracy')
    config.log_level = 'INFO'
    runner = train(config)
    config.dump(root / 'config.py')
    right = 0
    images = DATASETS.build(dataset)
    model = runner.model.eval()
    for image in images:
        data = model.data_preprocessor(pseudo_collate([image]))
        with torch.no_grad():
            [sample] = model(**data, mode='predict')
        right += int(sample.pred_label) == int(sample.gt_label)
    (root / 'accuracy').write_text(f'{100 * right / len(images):.4f}')
    return root


def test_the_accuracy_of_a_checkpoint(run: Path, tmp_path: Path) -> None:
    result = call(
        TOOL,
        run / 'config.py',
        run / 'run/epoch_2.pth',
        '--work-dir',
        tmp_path,
    )
    assert result.returncode == 0, result.stderr
    [log] = tmp_path.glob('*/*.log')
    assert f'accuracy/top1: {(run / "accuracy").read_text()}' in (
        log.read_text()
    )


def test_the_config_of_a_resumed_run_needs_no_training_data(
    run: Path, tmp_path: Path
) -> None:
    config = Config.fromfile(run / 'config.py')
    config.resume = True
    config.train_dataloader.dataset.data_root = str(tmp_path / 'moved')
    config.dump(tmp_path / 'resumed.py')
    result = call(
        TOOL, tmp_path / 'resumed.py', run / 'run/epoch_2.pth',
        '--work-dir', tmp_path / 'out',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ('config', 'checkpoint', 'message'),
    [
        ('config.py', 'gone.pth', 'there is no checkpoint'),
        ('gone.py', 'run/epoch_2.pth', 'there is no config file'),
        (
            'no_test.py',
            'run/epoch_2.pth',
            'has no test_dataloader, test',
        ),
    ],
)
def test_what_cannot_be_tested_is_one_line(
    run: Path, tmp_path: Path, config: str, checkpoint: str, message: str
) -> None:
    without = Config.fromfile(run / 'config.py')
    for key in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        without.pop(key)
    without.dump(run / 'no_test.py')
    result = call(
        TOOL, run / config, run / checkpoint, '--work-dir', tmp_path / 'out'
    )
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert message in line
    assert not (tmp_path / 'out').exists()
