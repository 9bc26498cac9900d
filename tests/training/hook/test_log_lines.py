"""Log lines about decisions, ends and resumed states."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import (
    IESHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
    SoftIESHook,
)
from ies_mm.training.hook.selection_hook import SelectionHook
from runs import FixedSelection, epochs_of, ies_config, train, with_hook
from same_runs import EPOCHS, by_epochs, by_iterations


def log_of(config: Config, hook: Any) -> list[str]:
    config.log_level = 'INFO'
    train(config, with_hook(hook))
    [path] = Path(config.work_dir).glob('*/*.log')
    return path.read_text().splitlines()


def decisions(lines: list[str]) -> list[str]:
    """The part of the epoch lines between scored and saved images."""
    return [
        line.partition('passes only, ')[2].rpartition('saved')[0]
        for line in lines
        if ' epoch ' in line and ': trained ' in line
    ]


def said(mastered: int, out: int, why: str = '') -> str:
    because = why and f' ({why})'
    return f'{mastered} are mastered, the next epoch prunes {out}{because}, '


@pytest.mark.parametrize('loop', [by_epochs, by_iterations])
def test_what_is_mastered_and_what_is_left_out(
    folders: Path, tmp_path: Path, loop: Any
) -> None:
    """15 of 20 leave a batch of one; the last epoch decides nothing."""
    plan = {1: list(range(15)), 2: [3, 4], 3: []}
    lines = log_of(loop(folders, tmp_path), FixedSelection(plan))
    filled = loop is by_epochs
    why = '1 kept to fill the last batch' if filled else ''
    expected = [said(15, 14 if filled else 15, why), said(2, 2), said(0, 0)]
    assert decisions(lines)[:3] == expected
    if filled:
        assert decisions(lines)[-1] == 'no epoch follows, '


@pytest.mark.parametrize(
    ('arguments', 'why'),
    [
        (dict(dry_run=True), 'dry_run=True'),
        (dict(begin=4), 'begin=4, anneal=0.0'),
    ],
)
def test_why_the_mastered_are_trained(
    folders: Path, tmp_path: Path, arguments: dict, why: str
) -> None:
    hook = IESHook(1e9, order=1, window=1, **arguments)
    lines = log_of(by_epochs(folders, tmp_path), hook)
    assert decisions(lines)[2] == said(20, 0, why)


def test_those_that_are_looked_at_by_training(
    folders: Path, tmp_path: Path
) -> None:
    """All are flat; half of each epoch's images take their turn."""
    spaced = dict(type='Spaced', cap=1, by='training')
    hook = IESHook(
        dict(type='Budget', saved=0.4), 0, 1, refresh_interval=spaced
    )
    lines = log_of(by_epochs(folders, tmp_path), hook)
    records = epochs_of(tmp_path)
    for line, record, following in zip(
        decisions(lines), records, records[1:], strict=False
    ):
        mastered, out = record['mastered'], following['excluded']
        assert line.startswith(said(mastered, out).removesuffix(', '))
        assert ('kept for a re-check' in line) == (out < mastered)


@pytest.mark.parametrize(
    'hook',
    [
        IESHook(saved=0.2, order=1, window=1),
        RandomRemovalHook(saved=0.2, begin=3),
        SoftIESHook(saved=0.2, order=0, window=2),
    ],
)
def test_what_a_budget_will_train_is_said_beforehand(
    folders: Path, tmp_path: Path, hook: SelectionHook
) -> None:
    """For each epoch from the fourth on, and it is kept to."""
    lines = log_of(by_epochs(folders, tmp_path), hook)
    [line] = [line for line in lines if 'planned to train' in line]
    assert f'INFO - {hook.method.name}: planned to train' in line
    assert 'from epoch 4 on: ' in line
    said = [int(part) for part in line.rpartition(': ')[2].split()]
    records = epochs_of(tmp_path)
    found = [100 * r['trained'] / r['instances'] for r in records[3:]]
    assert len(said) == len(found) == EPOCHS - 3
    # Within a batch, which is filled up.
    assert (
        np.abs(np.array(found) - said).max() <= 400 / records[0]['instances']
    )


def test_a_method_that_chooses_in_the_step(
    folders: Path, tmp_path: Path
) -> None:
    lines = log_of(by_epochs(folders, tmp_path), SelectiveBackpropHook())
    assert decisions(lines) == [''] * (EPOCHS - 1) + ['']


def test_an_early_end_is_a_warning_that_says_how_things_stand(
    folders: Path, tmp_path: Path
) -> None:
    config = by_epochs(folders, tmp_path)
    loader = config.train_dataloader
    config.val_dataloader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=loader.dataset,
    )
    config.val_evaluator = dict(type='Accuracy', topk=(1,))
    config.val_cfg = dict()
    lines = log_of(config, IESHook(1e9, order=1, window=1))
    [line] = [line for line in lines if 'stops the training after' in line]
    assert ' - WARNING - ' in line
    assert 'after 3 epochs: all 20 images are mastered. Of 5 epochs 2' in line
    values = [word for word in lines if 'accuracy/top1: ' in word]
    before = values[1].split('accuracy/top1: ')[1].split()[0]
    assert f'accuracy/top1 is {float(before):.4g}' in line
    assert 'the training loss is ' in line
    assert 'give a smaller delta' in line


@pytest.mark.parametrize('loop', [by_epochs, by_iterations])
def test_what_a_resumed_run_took_over(
    folders: Path, tmp_path: Path, loop: Any
) -> None:
    """After three epochs; in the endless stream, within the fourth pass."""
    plan = {1: [0], 2: [1, 2], 3: [3, 4, 5, 6]}
    train(loop(folders, tmp_path), with_hook(FixedSelection(plan)))
    config = loop(folders, tmp_path)
    config.resume, config.work_dir = True, str(tmp_path / 'again')
    name = 'epoch_3.pth' if loop is by_epochs else 'iter_16.pth'
    config.load_from = str(tmp_path / name)
    lines = log_of(config, FixedSelection(plan))
    [line] = [line for line in lines if 'resumes after epoch' in line]
    assert (
        'IES resumes after epoch 3: 20 of 20 images have a loss history, '
        'the next epoch prunes 4, saved 5.0% so far'
    ) in line


def test_resuming_a_finished_run(folders: Path, tmp_path: Path) -> None:
    config = by_epochs(folders, tmp_path)
    train(config, with_hook(FixedSelection({})))
    config = by_epochs(folders, tmp_path)
    config.resume, config.work_dir = True, str(tmp_path / 'again')
    config.load_from = str(
        tmp_path / f'epoch_{config.train_cfg.max_epochs}.pth'
    )
    [line] = [
        line
        for line in log_of(config, FixedSelection({}))
        if 'resumes after epoch' in line
    ]
    assert line.endswith('loss history, no epoch follows, saved 0.0% so far')


class Emptied(Hook):
    """Removes some images' annotations before they are indexed."""

    priority = 'VERY_HIGH'

    def __init__(self, images: list[int]) -> None:
        self.images = images

    def before_run(self, runner: Runner) -> None:
        leaf = runner.train_dataloader.dataset
        objects = [info['instances'] for info in leaf.data_list]
        some = next(filter(None, objects))
        for number, info in enumerate(leaf.data_list):
            info['instances'] = [] if number in self.images else some


@pytest.mark.parametrize('images', [[0, 2, 5, 7], []])
def test_how_many_of_the_left_out_show_nothing(
    voc: Path, tmp_path: Path, images: list[int]
) -> None:
    config = ies_config(voc, tmp_path, epochs=3)
    del config.default_hooks['ies']
    config.log_level = 'INFO'
    config.train_dataloader.dataset.serialize_data = False
    hook = FixedSelection({1: [0, 1, 2, 5], 2: [3]})

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(Emptied(images))

    train(config, register)
    [path] = tmp_path.glob('*/*.log')
    first, second, _ = decisions(path.read_text().splitlines())
    counts = [f'{n} of the 4 images without objects' for n in (3, 0)]
    expected = [said(4, 4, counts[0]), said(1, 1, counts[1])]
    if not images:
        expected = [said(4, 4), said(1, 1)]
    assert [first, second] == expected
