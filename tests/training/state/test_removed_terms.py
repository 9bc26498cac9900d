"""A loss term whose images are all pruned, or that is removed for good."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ies_mm.training.data.shown_images import batch_instances
from late_terms import NEW, Leaving, leaving_config
from runs import FixedSelection, train
from same_runs import assert_same_run, resumed

FEW = [0, 3, 4, 8]


class OfFew(Leaving):
    """Has the second loss only in batches that show one of a few images."""

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        shown = set(batch_instances(data_batch).tolist())
        self.have(runner, not shown.isdisjoint(FEW))


def test_resumed_where_all_images_of_a_term_are_pruned_is_never_stopped(
    maps: Path, tmp_path: Path
) -> None:
    """From before and after the epoch in which the term left."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'

    def run(config: Config) -> None:
        plan = {2: FEW, 3: FEW}
        hook = FixedSelection(plan, keep_history=True, refresh_interval=9)

        def register(runner: Runner) -> None:
            runner.register_hook(OfFew(), priority='VERY_HIGH')
            runner.register_hook(hook)

        train(config, register)

    run(few_config(maps, whole))
    log = '\n'.join(p.read_text() for p in whole.glob('*/*.log'))
    assert log.count(f'loss term {NEW} left in epoch 3:') == 1
    for epoch in (2, 3):
        config = few_config(maps, again)
        run(resumed(config, whole, f'epoch_{epoch}.pth'))
        assert_same_run(again, whole, 'epoch_4.pth')


class LeavingForGood(Hook):
    """Removes the second loss after two epochs, also when resumed there."""

    def before_train(self, runner: Runner) -> None:
        head: Any = runner.model.decode_head
        if runner.epoch >= 2:
            head.loss_decode = nn.ModuleList([head.loss_decode[0]])

    before_train_epoch = before_train


def test_a_loss_removed_before_the_training_starts_is_no_other_model(
    maps: Path, tmp_path: Path
) -> None:
    """Resumed, and where ``train`` is called again."""

    def run(name: str, epochs: int, checkpoint: str = '') -> Runner:
        config = few_config(maps, tmp_path / name)
        loss = config.model.decode_head.loss_decode
        late = dict(loss, loss_name='loss_late')
        config.model.decode_head.loss_decode = [loss, late]
        config.train_cfg.max_epochs = epochs
        if checkpoint:
            resumed(config, tmp_path / 'whole', checkpoint)

        def register(runner: Runner) -> None:
            runner.register_hook(LeavingForGood(), priority='VERY_HIGH')
            runner.register_hook(FixedSelection({}, keep_history=True))

        return train(config, register)

    run('whole', 4)
    run('resumed', 4, 'epoch_2.pth')
    again = run('again', 3)
    again.train_loop._max_epochs = 4
    again.train()
    for name in ('resumed', 'again'):
        assert_same_run(tmp_path / name, tmp_path / 'whole', 'epoch_4.pth')


def few_config(maps: Path, work_dir: Path) -> Config:
    config = leaving_config(maps, work_dir)
    config.default_hooks.pop('ies')
    config.train_cfg.max_epochs = 4
    return config
