"""Specifics of classifiers and segmentors, in complete trainings."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from runs import FixedSelection, epochs_of, instances_of, train, with_hook
from task_runs import (
    classifier_config,
    make_folders,
    make_maps,
    segmentor_config,
    with_ies,
    with_sampler,
)


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp('folders'), 12)


def mixed(folders: Path, work_dir: Path, **hook: Any) -> Config:
    """A classifier trained with Mixup, and a hook for it."""
    config = classifier_config(folders, work_dir)
    config.model.train_cfg = dict(augments=dict(type='Mixup', alpha=1.0))
    config.model.data_preprocessor.num_classes = 3
    config.default_hooks.ies = hook
    return with_sampler(config)


def test_mixup_is_refused_with_its_key(folders: Path, tmp_path: Path) -> None:
    message = r'model.train_cfg.augments .*: Mixup mixes .*allow_batch_augment'
    config = mixed(folders, tmp_path, type='InfoBatchHook')
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    with pytest.raises(ConfigError, match=message):
        train(config)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    config = with_ies(
        classifier_config(tmp_path / 'nowhere', tmp_path / 'run'), delta=0.1
    )
    message = 'train_dataloader.dataset: looked for .*nowhere, which is not'
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    # A dataset that downloads itself may start without.
    config.train_dataloader.dataset = dict(
        type='CIFAR10', data_root=str(tmp_path / 'nowhere'), pipeline=[]
    )
    check_config(config)


def test_mixup_is_allowed_by_name(folders: Path, tmp_path: Path) -> None:
    """The mixture's loss goes to the image at its place in the batch."""
    seen: list[dict] = []

    def watch(runner: Any) -> None:
        head = runner.model.head
        head.register_forward_hook(
            lambda _, __, scores: seen.append({'scores': scores.detach()})
        )
        loss_module = head.loss_module
        loss_module.register_forward_hook(
            lambda _, args, __: seen[-1].update(target=args[1])
        )

    config = mixed(
        folders, tmp_path, type='IESHook', delta=0.1, allow_batch_augments=True
    )
    check_config(config)
    config.train_dataloader.sampler.shuffle = False
    config.train_dataloader.batch_size = 6  # of two classes
    config.train_cfg.max_epochs = 1
    train(config, watch)
    scores = torch.cat([batch['scores'] for batch in seen])
    target = torch.cat([batch['target'] for batch in seen])
    assert not torch.equal(target, target.round())
    expected = -(target * scores.log_softmax(dim=1)).sum(dim=1)
    found = torch.from_numpy(instances_of(tmp_path)['losses'][0, :, 0])
    torch.testing.assert_close(found, expected)


def test_images_without_a_valid_pixel_are_trained_and_not_judged(
    tmp_path: Path,
) -> None:
    maps = make_maps(tmp_path / 'maps', 8)
    void = np.full((48, 64), 255, dtype=np.uint8)
    for name in ('003', '006'):
        cv2.imwrite(str(maps / 'SegmentationClass' / f'{name}.png'), void)
    config = with_ies(segmentor_config(maps, tmp_path / 'run'), delta=1e9)
    config.train_cfg.max_epochs = 8
    train(config)
    records = epochs_of(tmp_path / 'run')
    assert [r['trained'] for r in records] == [8] * 6 + [2] * 2
    assert [r['non_finite'] for r in records] == [0] * 8
    assert records[-1]['mastered'] == 6
    losses = instances_of(tmp_path / 'run')['losses']
    assert np.isnan(losses[:, [3, 6]]).all()
    assert not np.isnan(np.delete(losses, [3, 6], axis=1)).any()


@pytest.mark.parametrize('left', [1, 5, 9])
def test_no_image_is_left_alone_in_a_batch(tmp_path: Path, left: int) -> None:
    """DeepLabv3's BatchNorm on a pooled image fails with a batch of one."""
    maps = make_maps(tmp_path / 'maps', 12)
    config = with_sampler(segmentor_config(maps, tmp_path / 'run'))
    config.train_cfg.max_epochs = 4
    plan = {epoch: list(range(left, 12)) for epoch in (1, 2, 3)}
    train(config, with_hook(FixedSelection(plan, keep_history=True)))
    records = epochs_of(tmp_path / 'run')
    assert [r['trained'] for r in records] == [12] + [left + 1] * 3
    assert [r['excluded'] for r in records] == [0] + [11 - left] * 3
    trained = instances_of(tmp_path / 'run')['trained'][1:]
    assert trained[:, :left].all()
    # A different one is re-included each time.
    back = [np.flatnonzero(row)[-1] for row in trained[:, left:]]
    assert len(set(back)) == min(3, 12 - left)


def test_less_than_a_batch_is_filled_up_where_the_last_is_dropped(
    folders: Path, tmp_path: Path
) -> None:
    config = with_sampler(classifier_config(folders, tmp_path))
    config.train_dataloader.drop_last = True
    train(config, with_hook(FixedSelection({1: list(range(2, 12))})))
    assert [r['trained'] for r in epochs_of(tmp_path)] == [12, 4]


def test_a_dropped_last_batch_is_not_pruned(
    folders: Path, tmp_path: Path
) -> None:
    """Of 12 images one is pruned, 8 are trained, and 3 fill no batch."""
    config = with_sampler(classifier_config(folders, tmp_path))
    config.train_dataloader.drop_last = True
    config.train_dataloader.batch_size = 4
    train(config, with_hook(FixedSelection({1: [5]})))
    found = instances_of(tmp_path)
    [row] = np.flatnonzero(found['epochs'] == 2)
    assert found['trained'][row].sum() == 8
    assert np.flatnonzero(found['excluded'][row]).tolist() == [5]
    assert epochs_of(tmp_path)[1]['excluded'] == 1


def test_refresh_leaves_a_loss_s_own_counts_alone(
    folders: Path, tmp_path: Path
) -> None:
    """SeesawLoss counts the classes it is trained on."""
    config = with_sampler(classifier_config(folders, tmp_path))
    config.model.head.loss = dict(type='SeesawLoss', num_classes=3)
    out = {1: [0, 1, 4, 8]}
    runner = train(config, with_hook(FixedSelection(out)))
    assert epochs_of(tmp_path)[1]['forward_only'] == 4
    # By folder, class 0 has instances 0 to 3, and so on.
    counts = runner.model.head.loss_module.cum_samples
    assert counts.tolist() == [4 + 2, 4 + 3, 4 + 3]
