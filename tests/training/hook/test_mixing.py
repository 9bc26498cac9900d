"""Trainings of detectors whose samples are mixtures of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ies_mm.engine import IESHook
from ies_mm.training.scoring.seeding import seed_all
from mixing_runs import PLAIN, rtmdet, rtmdet_ins, selecting, yolox
from runs import (
    FixedSelection,
    epochs_of,
    instances_of,
    parameters,
    train,
    with_hook,
)
from same_runs import assert_equal, assert_same_run, resumed
from unmixed_losses import STOCK, Watch

OUT = {2: [0, 3, 5, 8], 3: [1, 3, 5, 7, 9, 10]}


@STOCK
def test_off_is_bit_identical_to_the_plain_run(
    voc: Path, tmp_path: Path, make: Callable
) -> None:
    """Even with scoring passes in between."""
    expected = parameters(train(make(voc, tmp_path / 'plain', 2)))
    hook = IESHook(delta=0, scoring=dict(interval=1))
    config = selecting(make(voc, tmp_path / 'ies', 2))
    found = parameters(train(config, with_hook(hook)))
    assert_equal(found, expected)
    records = epochs_of(tmp_path / 'ies')
    assert [r['forward_only'] for r in records] == [12, 0]


@STOCK
def test_images_are_scored_alone_and_the_pruned_are_in_no_sample(
    voc: Path, tmp_path: Path, make: Callable
) -> None:
    config = selecting(make(voc, tmp_path, 4))
    config.voc = str(voc)
    config.train_dataloader.batch_size = 6
    hook = FixedSelection(OUT, keep_history=True, scoring=dict(interval=2))
    watch = Watch(2, PLAIN[make])

    def register(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(watch)

    train(config, register)
    arrays, records = instances_of(tmp_path), epochs_of(tmp_path)
    assert [r['forward_only'] for r in records] == [0, 12, 0, 0]
    assert np.isnan(arrays['losses'][[0, 2, 3]]).all()
    found = torch.from_numpy(arrays['losses'][1])
    torch.testing.assert_close(found, watch.alone, rtol=1e-4, atol=1e-5)
    every = set(range(12))
    assert watch.shown[0] | watch.shown[1] == every
    assert watch.shown[2] <= every - set(OUT[2])
    assert watch.shown[3] <= every - set(OUT[3])
    assert [r['excluded'] for r in records] == [0, 0, 4, 6]
    assert records[1]['scoring_share'] > records[3]['scoring_share'] > 0


class Reseed(Hook):
    """MMEngine does not save the random state of the augmentation."""

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        seed_all(5, runner.epoch)


DELTA = {rtmdet: 0.02, rtmdet_ins: 0.02, yolox: 0.1}
SWITCH = 2
"""Epochs before the mixing ends."""


def train_repeatably(config: Config, hook: IESHook, other: Hook) -> str:
    """Train so that a resumed run can equal the whole; returns the log."""
    # Caches in the main process are lost with it.
    config.train_dataloader.num_workers = 1
    config.train_dataloader.batch_size = 6
    # BatchSyncRandomResize does not save its size, either.
    config.model.data_preprocessor.pop('batch_augments', None)

    def register(runner: Runner) -> None:
        for each in (Reseed(), hook, other):
            runner.register_hook(each)

    train(config, register)
    logs = Path(config.work_dir).glob('*/*.log')
    return ''.join(path.read_text() for path in logs)


MIXING = ['Mosaic', 'RandomAffine', 'MixUp']


class ModeSwitch(Hook):
    """What YOLOX's own hook does, except for the L1 loss."""

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch >= SWITCH:
            runner.train_dataloader.dataset.update_skip_type_keys(MIXING)


class L1AtFirst(Hook):
    """Has YOLOX's L1 loss in the first epoch."""

    def before_train_epoch(self, runner: Runner) -> None:
        runner.model.bbox_head.use_l1 = runner.epoch == 0


def flat(losses: np.ndarray, delta: float) -> list[int]:
    """The number mastered after each epoch, by a plain loop."""
    counts = []
    for last in range(len(losses)):
        steps = np.abs(np.diff(losses[: last + 1].sum(axis=2), axis=0))
        if last >= SWITCH:
            steps[SWITCH - 1] = 0.0
        enough = last + 1 >= 4
        mean = steps[-2:].mean(axis=0) if enough else np.full(12, np.inf)
        counts.append(int((mean < delta).sum()))
    return counts


@STOCK
def test_resumed_across_the_switch_is_never_stopped(
    voc: Path, tmp_path: Path, make: Callable
) -> None:
    """Then training observes images, and the jump affects no decision."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'

    def run(config: Config) -> str:
        hook = IESHook(
            DELTA[make],
            order=1,
            window=2,
            keep_history=True,
            scoring=dict(interval=1),
        )
        switch = (
            ModeSwitch()
            if make is yolox
            else PipelineSwitchHook(SWITCH, PLAIN[make])
        )
        return train_repeatably(config, hook, switch)

    log = run(selecting(make(voc, whole, 5)))
    assert log.count(f'the pipeline was switched in epoch {SWITCH + 1}') == 1
    losses = instances_of(whole)['losses'].astype(float)
    assert np.isfinite(losses).all()
    records = epochs_of(whole)
    assert [r['forward_only'] for r in records[:3]] == [12, 12, 0]
    assert [r['mastered'] for r in records] == flat(losses, DELTA[make])
    assert 0 < records[-1]['excluded'] < 12
    # The first from before the switch, the last from after it.
    epochs = (SWITCH - 1,) if make is yolox else (SWITCH - 1, 4)
    for epoch in epochs:
        config = selecting(make(voc, again, 5))
        run(resumed(config, whole, f'epoch_{epoch}.pth'))
        assert_same_run(again, whole, 'epoch_5.pth')


def test_resumed_after_a_term_left_is_never_stopped(
    voc: Path, tmp_path: Path
) -> None:
    """Scoring passes alone know the terms."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'

    def run(config: Config) -> str:
        hook = IESHook(0.1, keep_history=True, scoring=dict(interval=1))
        return train_repeatably(config, hook, L1AtFirst())

    log = run(selecting(yolox(voc, whole, 4)))
    assert log.count('loss term loss_l1 left in epoch 2:') == 1
    run(resumed(selecting(yolox(voc, again, 4)), whole, 'epoch_2.pth'))
    assert_same_run(again, whole, 'epoch_4.pth')
