"""A training scaled to a share of its length, against a hand-written one."""

import importlib
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models import BoxInstMaskHead
from mmdet.models.layers import ExpMomentumEMA
from mmengine.config import Config
from mmengine.model import MomentumAnnealingEMA

from commands import TRAIN, call
from ies_mm.configuring.shorter import shorten
from ies_mm.errors import ConfigError
from method_cases import config_of
from runs import parameters, train


def stock(library: str, name: str) -> Config:
    """A config shipped with a library."""
    file = importlib.import_module(library).__file__
    return Config.fromfile(Path(str(file)).parent / '.mim/configs' / name)


def check(cfg: Config, length: float, by_hand: dict[str, Any]) -> None:
    """Check that only the hand-written settings have changed."""
    before = cfg.to_dict()
    expected = cfg.copy()
    expected.merge_from_dict(by_hand)
    found = shorten(cfg, length)
    assert found.pop('ies_mm_length') == pytest.approx(length, abs=0.05)
    assert found.to_dict() == expected.to_dict()
    assert cfg.to_dict() == before


def test_faster_rcnn_with_warm_up_and_steps() -> None:
    cfg = stock('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py')
    by_hand = {
        'train_cfg.max_epochs': 12,
        'param_scheduler.0.end': 250,
        'param_scheduler.1.end': 12,
        'param_scheduler.1.milestones': [8, 11],
    }
    check(cfg, 0.5, by_hand)


def test_deeplabv3_by_iterations() -> None:
    cfg = stock(
        'mmseg', 'deeplabv3/deeplabv3_r50-d8_4xb4-40k_voc12aug-512x512.py'
    )
    by_hand = {
        'train_cfg.max_iters': 20000,
        'train_cfg.val_interval': 2000,
        'param_scheduler.0.end': 20000,
        'default_hooks.checkpoint.interval': 2000,
    }
    check(cfg, 0.5, by_hand)


def test_cosine_with_warm_up_and_ema() -> None:
    cfg = stock('mmpretrain', 'convnext/convnext-tiny_32xb128_in1k.py')
    cfg.custom_hooks[0].begin_iter = 1000
    assert cfg.param_scheduler[1].begin == 20
    by_hand = {
        'train_cfg.max_epochs': 180,
        'param_scheduler.0.end': 12,
        'param_scheduler.1.begin': 12,
        'custom_hooks.0.begin_iter': 600,
    }
    check(cfg, 0.6, by_hand)


def test_cosine_of_a_given_length_ends_with_the_training() -> None:
    cfg = stock('mmpretrain', 'resnet/resnet50_8xb256-rsb-a3-100e_in1k.py')
    cosine = cfg.param_scheduler[1]
    assert (cosine.T_max, cosine.begin, cosine.end) == (95, 5, 100)
    by_hand = {
        'train_cfg.max_epochs': 33,
        'param_scheduler.0.end': 2,
        'param_scheduler.1.begin': 2,
        'param_scheduler.1.end': 33,
        'param_scheduler.1.T_max': 31,
    }
    check(cfg, 0.33, by_hand)


def test_yolox_with_its_last_epochs() -> None:
    cfg = stock('mmdet', 'yolox/yolox_s_8xb8-300e_coco.py')
    by_hand = {
        'train_cfg.max_epochs': 30,
        'train_cfg.val_interval': 1,
        'param_scheduler.0.end': 1,
        'param_scheduler.1.begin': 1,
        'param_scheduler.1.T_max': 29,
        'param_scheduler.1.end': 29,
        'param_scheduler.2.begin': 29,
        'param_scheduler.2.end': 30,
        'custom_hooks.0.num_last_epochs': 1,
        'custom_hooks.2.gamma': 200,
        'default_hooks.checkpoint.interval': 1,
    }
    check(cfg, 0.1, by_hand)


def test_rtmdet_with_its_switch() -> None:
    cfg = stock('mmdet', 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    by_hand = {
        'train_cfg.max_epochs': 150,
        'train_cfg.val_interval': 5,
        'train_cfg.dynamic_intervals': [(141, 1)],
        'param_scheduler.0.end': 500,
        'param_scheduler.1.begin': 75,
        'param_scheduler.1.end': 150,
        'param_scheduler.1.T_max': 75,
        'custom_hooks.0.gamma': 1000,
        'custom_hooks.1.switch_epoch': 140,
        'default_hooks.checkpoint.interval': 5,
    }
    check(cfg, 0.5, by_hand)


@pytest.mark.parametrize(
    ('name', 'by_hand'),
    [
        (
            'tood/tood_r50_fpn_ms-2x_coco.py',
            {'model.train_cfg.initial_epoch': 2},
        ),
        (
            'dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py',
            {'model.train_cfg.rcnn.dynamic_rcnn.update_iter_interval': 50},
        ),
        (
            'boxinst/boxinst_r50_fpn_ms-90k_coco.py',
            {'model.mask_head.warmup_iters': 5000},
        ),
    ],
)
def test_a_model_that_counts_its_training(name: str, by_hand: dict) -> None:
    cfg = stock('mmdet', name)
    for key, value in by_hand.items():
        place: Any = shorten(cfg, 0.5)
        for part in key.split('.'):
            place = place[part]
        assert place == value


def test_the_warm_up_that_boxinst_does_not_write_out() -> None:
    default = signature(BoxInstMaskHead).parameters['warmup_iters'].default
    head = dict(type='BoxInstMaskHead')
    cfg = Config(dict(train_cfg=dict(max_iters=90), model=dict(head=head)))
    assert shorten(cfg, 1).model.head.warmup_iters == default
    assert 'warmup_iters' not in cfg.model.head


SCHEDULES = [
    (dict(type='ExponentialLR', gamma=0.81), dict(gamma=0.81**2)),
    (dict(type='StepLR', step_size=8, gamma=0.1), dict(step_size=4)),
    (dict(type='PolyLR', begin=2, end=20), dict(begin=1, end=10)),
    (
        dict(type='CosineRestartLR', periods=[4, 16], restart_weights=[1, 1]),
        dict(periods=[2, 8]),
    ),
    (dict(type='OneCycleLR', total_steps=20, eta_max=1), dict(total_steps=10)),
    (dict(type='ConstantLR', factor=0.1, end=1), dict(end=1)),
]


@pytest.mark.parametrize(('schedule', 'fitted'), SCHEDULES)
@pytest.mark.parametrize('several', [False, True])
def test_schedules(schedule: dict, fitted: dict, several: bool) -> None:
    """Including those of several optimisers."""
    schedules: Any = dict(g=[schedule], d=[schedule]) if several else schedule
    cfg = Config(
        dict(train_cfg=dict(max_epochs=20), param_scheduler=schedules)
    )
    got = shorten(cfg, 0.5).param_scheduler.to_dict()
    for one in [got['g'][0], got['d'][0]] if several else [got]:
        gamma = one.pop('gamma', None)
        wanted = schedule | fitted
        assert gamma == pytest.approx(wanted.pop('gamma', None))
        assert one == wanted


def test_the_training_is_the_one_written_by_hand(
    folders: Path, tmp_path: Path
) -> None:
    def config(epochs: int, end: int, milestone: int) -> Config:
        cfg = config_of(folders, tmp_path / str(epochs), epochs)
        cfg.train_dataloader.sampler.type = 'DefaultSampler'
        cfg.param_scheduler = [
            dict(type='LinearLR', by_epoch=False, start_factor=0.1, end=end),
            dict(type='MultiStepLR', milestones=[milestone]),
        ]
        return cfg

    ours = parameters(train(shorten(config(6, 10, 4), 0.5)))
    theirs = parameters(train(config(3, 5, 2)))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_length_that_leaves_nothing_is_refused() -> None:
    cfg = Config(dict(train_cfg=dict(max_epochs=12)))
    with pytest.raises(ConfigError, match='leaves nothing of train_cfg'):
        shorten(cfg, 0.01)
    with pytest.raises(ConfigError, match='no length of its own'):
        shorten(Config(dict(train_cfg=None)), 0.5)


def test_a_shortened_training_can_be_shortened_again() -> None:
    """Of the full length, which ``ies-mm compare`` pairs it by."""
    cfg = Config(dict(train_cfg=dict(max_epochs=100)))
    found = shorten(shorten(cfg, 0.5), 0.5)
    assert (found.train_cfg.max_epochs, found.ies_mm_length) == (25, 0.25)


@pytest.mark.parametrize('length', [16, 16.0, 0.3, 'long', None])
def test_a_variable_of_the_config_is_left_alone(length: Any) -> None:
    cfg = Config(dict(train_cfg=dict(max_epochs=10), length=length))
    found = shorten(cfg, 0.5)
    assert (found.length, found.ies_mm_length) == (length, 0.5)


def test_what_an_earlier_version_shortened_can_be_shortened_again() -> None:
    """It noted the share as ``length``."""
    cfg = Config(dict(train_cfg=dict(max_epochs=50), length=0.5))
    assert shorten(cfg, 0.5).ies_mm_length == 0.25


@pytest.mark.parametrize('key', ['begin', 'end', 'T_max'])
def test_infinity_stays(key: str) -> None:
    schedule = {'type': 'CosineAnnealingLR', key: float('inf')}
    cfg = Config(dict(train_cfg=dict(max_epochs=10), param_scheduler=schedule))
    assert shorten(cfg, 0.5).param_scheduler == schedule


def test_the_command(folders: Path, tmp_path: Path) -> None:
    cfg = config_of(folders, tmp_path / 'plain', 4)
    cfg.train_dataloader.sampler.type = 'DefaultSampler'
    cfg.dump(tmp_path / 'plain.py')
    result = call(TRAIN, tmp_path / 'plain.py', '--length', '0.5')
    assert result.returncode == 0, result.stderr
    made = (tmp_path / 'plain_length_0.5').glob('*.pth')
    assert sorted(path.name for path in made) == ['epoch_1.pth', 'epoch_2.pth']


@pytest.mark.parametrize('length', ['0', '80', '-1', 'nan', 'inf', 'half'])
def test_the_command_refuses_what_is_no_length(length: str) -> None:
    result = call(TRAIN, 'x.py', '--length', length)
    assert result.returncode == 2
    assert f'{length}: give a number above 0' in result.stderr


def test_own_hooks_that_mean_something_else_by_a_name() -> None:
    own = [
        dict(type='LogLR', schedule='cosine'),
        dict(type='Wait', patience='x', switch_epoch=None),
    ]
    cfg = Config(dict(train_cfg=dict(max_epochs=10), custom_hooks=own))
    assert shorten(cfg, 0.5).custom_hooks == own


@pytest.mark.parametrize(
    ('interval', 'patience', 'cooldown'),
    [(1, 4, 1), (10, 8, 2), (3, 6, 2)],
    ids=['half as many', 'as many', '33 of 100, 25 of 50'],
)
def test_patience_counts_validations(
    interval: int, patience: int, cooldown: int
) -> None:
    """Their interval is rescaled, so their number need not change."""
    hook = dict(type='EarlyStoppingHook', monitor='mAP', patience=8)
    rate = dict(type='ReduceOnPlateauLR', patience=8, cooldown=2)
    loop = dict(max_epochs=100, val_interval=interval)
    cfg = Config(
        dict(train_cfg=loop, custom_hooks=[hook], param_scheduler=[rate])
    )
    short = shorten(cfg, 0.5)
    [stopping], [plateau] = short.custom_hooks, short.param_scheduler
    assert stopping.patience == plateau.patience == patience
    assert plateau.cooldown == cooldown


@pytest.mark.parametrize('scope', ['', 'mmpretrain.'])
def test_the_stages_of_a_switched_recipe(scope: str) -> None:
    """They count epochs from 1: 5 is the one after four epochs."""
    stages = [
        dict(action_epoch=9, loss='a', train_pipeline=[]),
        dict(action_epoch=1),
        dict(action_epoch=5, loss='b', batch_augments=None),
    ]
    hook = dict(type=f'{scope}SwitchRecipeHook', schedule=stages)
    cfg = Config(dict(train_cfg=dict(max_epochs=10), custom_hooks=[hook]))
    [shorter] = shorten(cfg, 0.5).custom_hooks
    epochs = [stage.action_epoch for stage in shorter.schedule]
    assert epochs == [1, 3, 5]
    # The hook refuses two stages in one epoch.
    [shorter] = shorten(cfg, 0.2).custom_hooks
    assert shorter.schedule == [
        dict(action_epoch=1),
        dict(action_epoch=2, loss='a', batch_augments=None, train_pipeline=[]),
    ]


def hook_after(share: float, hook: dict, **loop: int) -> Config:
    """What becomes of a hook."""
    cfg = Config(
        dict(train_cfg=loop or dict(max_epochs=20), custom_hooks=[hook])
    )
    return shorten(cfg, share).custom_hooks[0]


@pytest.mark.parametrize('share', [0.1, 0.15, 0.25, 0.5, 0.55])
def test_a_switched_pipeline_trains_an_epoch(share: float) -> None:
    length = int(20 * share + 0.5)
    switch = hook_after(
        share, dict(type='PipelineSwitchHook', switch_epoch=19)
    )
    assert switch.switch_epoch == length - 1
    mode = dict(type='YOLOXModeSwitchHook', num_last_epochs=1)
    assert hook_after(share, mode).num_last_epochs == 1
    mode['num_last_epochs'] = 19
    assert hook_after(share, mode).num_last_epochs == length - 1


def test_a_switch_that_never_happens_does_not() -> None:
    switch = dict(type='PipelineSwitchHook', switch_epoch=20)
    assert hook_after(0.25, switch).switch_epoch == 5
    mode = dict(type='YOLOXModeSwitchHook', num_last_epochs=0)
    assert hook_after(0.25, mode).num_last_epochs == 0


def test_a_parameter_s_warm_up_lasts_an_epoch() -> None:
    """Of BLIP's, whose hook divides by it."""
    warm_up = dict(type='WarmupParamHook', warmup_epochs=2)
    assert hook_after(0.1, warm_up).warmup_epochs == 1


@pytest.mark.parametrize('kind', [ExpMomentumEMA, MomentumAnnealingEMA])
def test_the_warm_up_of_an_average(kind: type) -> None:
    """Written out or not, as in stock configs."""
    default = signature(kind).parameters['gamma'].default
    for name in (kind.__name__, kind):
        average = dict(type='EMAHook', ema_type=name)
        written = average | dict(gamma=default)
        assert hook_after(0.1, average).gamma == default // 10
        assert hook_after(0.1, written).gamma == default // 10
    assert 'gamma' not in hook_after(0.1, dict(type='EMAHook'))


def test_layers_that_swav_freezes() -> None:
    cfg = stock(
        'mmpretrain',
        'swav/swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px.py',
    )
    assert cfg.custom_hooks[0].frozen_layers_cfg == dict(prototypes=5005)
    hook = shorten(cfg, 0.1).custom_hooks[0]
    assert hook.frozen_layers_cfg == dict(prototypes=501)


@pytest.mark.parametrize('begin', [21, 25, 1000])
def test_validations_that_never_begin(begin: int) -> None:
    loop = dict(max_epochs=20, val_begin=begin)
    for share in (0.1, 0.25, 0.9):
        found = shorten(Config(dict(train_cfg=loop)), share).train_cfg
        assert found.val_begin > found.max_epochs


@pytest.mark.parametrize('share', [0.1, 0.25, 0.5])
def test_intervals_change_where_the_loop_counts(share: float) -> None:
    """Mask2Former validates once more, at the end: from 365,001 on."""
    loop = dict(
        max_iters=368750,
        val_interval=5000,
        dynamic_intervals=[(365001, 368750)],
    )
    found = shorten(Config(dict(train_cfg=loop)), share).train_cfg
    every, length = 5000 * share, 368750 * share
    [[begin, interval]] = found.dynamic_intervals
    assert begin == length // every * every + 1
    assert interval == pytest.approx(length, abs=1)
