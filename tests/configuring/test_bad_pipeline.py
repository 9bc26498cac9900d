"""Pipelines and losses that rule out per-image scoring are refused."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from commands import TRAIN, call
from ies_mm.configuring.preflight import check_config
from ies_mm.errors import ConfigError
from runs import ies_config, train, with_hook


def weighting(voc: Path, work_dir: Path) -> Config:
    """A config with a method that weights per-image losses."""
    config = ies_config(voc, work_dir)
    config.default_hooks.ies = dict(type='InfoBatchHook')
    return config


def test_an_image_mixing_transform(voc: Path, tmp_path: Path) -> None:
    """For methods that need the loss of every image in a batch."""
    config = weighting(voc, tmp_path)
    config.train_dataloader.dataset.pipeline.insert(
        2, dict(type='CachedMosaic', img_scale=(96, 72))
    )
    message = r'train_dataloader.dataset.pipeline\[2\] \(CachedMosaic\)'
    with pytest.raises(ConfigError, match=message):
        train(config)


def test_a_transform_that_makes_views(voc: Path, tmp_path: Path) -> None:
    """Detected before anything is built, and again at the start."""
    config = ies_config(voc, tmp_path, delta=0.1)
    pipeline = config.train_dataloader.dataset.pipeline
    views = dict(type='MultiBranch', branch_field=['weak', 'strong'])
    views |= dict(weak=[pipeline.pop()], strong=[])
    pipeline.append(views)
    message = r'pipeline\[4\] \(MultiBranch\) makes several views'
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    with pytest.raises(ConfigError, match=message):
        train(config)


@pytest.mark.parametrize('workers', [0, 1])
def test_views_that_nothing_says_before(
    voc: Path, tmp_path: Path, workers: int
) -> None:
    """One line in the main process, before the first step."""
    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_dataloader.num_workers = workers
    config.train_dataloader.dataset.pipeline.append(dict(type='AsViews'))
    with pytest.raises(ConfigError) as error:
        train(config)
    assert 'data_samples are a dict of weak, strong' in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            'train_dataloader.dataset.pipeline.2.type=CachedMosaic',
            'train_dataloader.dataset.pipeline[2] (CachedMosaic) mixes',
        ),
        (
            'model.rpn_head.loss_cls.type=GHMC',
            'rpn_head.loss_cls=GHMC weights every anchor by how many',
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is_written(
    voc: Path, tmp_path: Path, change: str, message: str
) -> None:
    config = weighting(voc, tmp_path / 'run')
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    result = call(TRAIN, path, '--cfg-options', change)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ('pipeline', r'pipeline[2].transforms[0] (CachedMosaic) mixes'),
        ('choice', r'pipeline[2].transforms[1][0] (CachedMosaic) mixes'),
        ('switch', r'custom_hooks[0].switch_pipeline[0] (CachedMosaic) mixes'),
        ('default', r'default_hooks.switch.switch_pipeline[0] (CachedMosa'),
        ('recipe', r'custom_hooks[0].schedule[1].train_pipeline[0] (CachedMo'),
        ('augments', r'custom_hooks[0].schedule[1].batch_augments: Mixup mix'),
    ],
)
def test_mixing_transforms_that_lie_deeper(
    voc: Path, tmp_path: Path, place: str, message: str
) -> None:
    """Before anything is built."""
    config = weighting(voc, tmp_path)
    mosaic = dict(type='CachedMosaic', img_scale=(96, 72))
    flip = dict(type='RandomFlip', prob=0.5)
    pipeline = config.train_dataloader.dataset.pipeline
    if place == 'pipeline':
        pipeline.insert(2, dict(type='RandomApply', transforms=mosaic))
    elif place == 'choice':
        choice = dict(type='RandomChoice', transforms=[[flip], [mosaic]])
        pipeline.insert(2, choice)
    elif place in ('recipe', 'augments'):
        mixup = dict(augments=[dict(type='Mixup', alpha=0.8)])
        config.custom_hooks = [
            dict(
                type='mmpretrain.SwitchRecipeHook',
                schedule=[
                    dict(action_epoch=1, train_pipeline=[flip]),
                    dict(action_epoch=2, train_pipeline=[mosaic])
                    if place == 'recipe'
                    else dict(action_epoch=3, batch_augments=mixup),
                ],
            )
        ]
    else:
        switch = dict(
            type='PipelineSwitchHook',
            switch_epoch=1,
            switch_pipeline=[mosaic],
        )
        if place == 'switch':
            config.custom_hooks = [switch]
        else:
            config.default_hooks.switch = switch
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ('pipeline', 'message'),
    [
        ([dict(type='Nowhere')], 'scoring.pipeline: '),
        (
            [dict(type='CachedMosaic', img_scale=(96, 72))],
            'scoring.pipeline: CachedMosaic mixes several images',
        ),
        (
            [dict(type='LoadAnnotations', with_keypoints=True)],
            r'which images are scored fails \(\w+: .*\); give another one',
        ),
        ([dict(type='LoadImageFromFile')], 'images are scored fails'),
    ],
)
def test_a_scoring_pipeline_that_fails(
    voc: Path, tmp_path: Path, pipeline: list, message: str
) -> None:
    """Before the first step, however late the first scoring pass."""
    config = ies_config(
        voc, tmp_path, delta=0.1, scoring=dict(pipeline=pipeline)
    )
    config.train_dataloader.dataset.pipeline.insert(
        2, dict(type='CachedMosaic', img_scale=(96, 72))
    )
    with pytest.raises(ConfigError, match=message):
        train(config, with_hook(NoStep()))


def test_the_pipeline_of_the_second_dataset_fails(
    voc: Path, tmp_path: Path
) -> None:
    """Each dataset is scored by a pipeline of its own."""
    config = ies_config(
        voc, tmp_path, delta=0.1, observe='scoring', scoring=dict(interval=9)
    )
    whole = config.train_dataloader.dataset
    broken = whole.copy()
    broken.pipeline = whole.pipeline[:-1]
    config.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[whole, broken]
    )
    with pytest.raises(ConfigError, match='images are scored fails'):
        train(config, with_hook(NoStep()))


class NoStep(Hook):
    """Training must not get this far."""

    priority = 'VERY_LOW'

    def before_train_epoch(self, runner: Runner) -> None:
        raise AssertionError
