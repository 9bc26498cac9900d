"""Settings for a speed-up, against the compute of a simulated training."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import HOOKS
from torch import Tensor

import ies_mm.engine  # noqa: F401
from ies_mm.configuring.method_option import swap_method
from ies_mm.configuring.pipelines import mixes_at_first
from ies_mm.configuring.speedup_option import check_length, speed_up
from ies_mm.configuring.speedups import arguments_for
from ies_mm.core import LossHistory, Selection, Standing
from ies_mm.errors import ConfigError

IMAGES, EPOCHS, SCORING = 600, 100, 1 / 3
METHODS = Path('configs/_base_/methods').resolve()


class Simulated:
    """A training on random losses; counts steps and scoring passes."""

    def __init__(self, hook: dict) -> None:
        built: Any = HOOKS.build(dict(hook))
        self.method, self.every = built.method, 0
        if built.mixing.observe == 'scoring':
            self.every = built.mixing.scoring.interval
        self.method.begin_training(IMAGES, seed=0)
        self.history = LossHistory(IMAGES, 1, self.method.depth)
        self.draw = torch.Generator().manual_seed(1)
        self.excluded = 0
        self.compute = 0.0
        selection = self.method.first_selection(self.standing(0))
        for epoch in range(1, EPOCHS + 1):
            selection = self.epoch(epoch, selection)

    def standing(self, epoch: int) -> Standing:
        return Standing(
            IMAGES, epoch, EPOCHS, self.excluded, scored_every=self.every
        )

    def losses(self, ids: Tensor) -> Tensor:
        return torch.rand(len(ids), 1, generator=self.draw)

    def epoch(self, epoch: int, selection: Selection) -> Selection:
        left_out = ~selection.active
        scored = torch.zeros_like(left_out)
        if self.every:
            scored[:] = epoch % self.every == 0
        elif self.method.refreshes:
            scored = left_out & self.method.due(self.standing(epoch))
        self.excluded += int(left_out.sum())
        self.compute += int(selection.active.sum()) / IMAGES
        self.compute += SCORING * int(scored.sum()) / IMAGES
        observed = scored if self.every else selection.active | scored
        ids = torch.nonzero(observed).flatten()
        losses = self.losses(ids)
        self.history.observe(ids, losses)
        standing = self.standing(epoch)
        self.method.update(ids, losses, standing)
        decision = self.method.decide(self.history, ['loss'], standing)
        found: Selection = decision.selection
        return found


@pytest.mark.parametrize('speedup', [1.3, 2.0, 3.0])
@pytest.mark.parametrize(
    'hook',
    [
        dict(type='IESHook', saved=0.1),
        dict(type='IESHook', delta=0.1, order=0, refresh_interval=5),
        dict(
            type='IESHook',
            saved=0.1,
            observe='scoring',
            scoring=dict(interval=5),
        ),
        dict(type='SoftIESHook', saved=0.1),
        dict(
            type='SoftIESHook',
            saved=0.1,
            observe='scoring',
            scoring=dict(interval=5),
        ),
        dict(type='RandomRemovalHook', ratio=0.1, begin=6),
        dict(type='OrderDPHook', saved=0.1),
        dict(type='DIHCLHook', end=0.9),
    ],
    ids=lambda hook: '_'.join(map(str, hook.values())),
)
def test_the_compute_is_that_share_of_the_full_training(
    hook: dict, speedup: float
) -> None:
    changes = arguments_for(hook, speedup, EPOCHS)
    changed = {k: v for k, v in (hook | changes).items() if v is not None}
    if speedup == 3 and hook.get('observe') == 'scoring':
        with pytest.raises(ConfigError, match='out of reach for'):
            check_length(changed, speedup, EPOCHS)
        return
    check_length(changed, speedup, EPOCHS)
    found = Simulated(changed).compute
    assert found == pytest.approx(EPOCHS / speedup, rel=0.01)


def test_it_counts_scoring() -> None:
    """Without the scoring, half as much compute would need only 50% saved."""
    hook = dict(type='IESHook', delta=0.1)
    saved = [
        arguments_for(hook | dict(refresh_interval=k), 2, 100)['delta'][
            'saved'
        ]
        for k in (1, 5)
    ]
    assert saved == pytest.approx([0.75, 0.5357], abs=1e-4)


@pytest.mark.parametrize('speedup', [1.5, 2.0])
def test_selective_backprop(speedup: float) -> None:
    changes = arguments_for(dict(type='SelectiveBackpropHook'), speedup, 9)
    if speedup == 2:
        assert changes['beta'] == pytest.approx(5)
    method: Any = HOOKS.build(
        dict(type='SelectiveBackpropHook', **changes)
    ).method
    method.begin_training(IMAGES, seed=0)
    draw = torch.Generator().manual_seed(1)
    chosen = [
        method.choose(torch.rand(64, generator=draw), step).double().mean()
        for step in range(2000)
    ]
    # The first losses have few others to be ranked among.
    trained = float(torch.stack(chosen[100:]).mean())
    assert SCORING + trained == pytest.approx(1 / speedup, rel=0.01)


@pytest.mark.parametrize('speedup', [1.5, 2.0, 3.0])
def test_efficient_train(speedup: float) -> None:
    changes = arguments_for(dict(type='EfficientTrainHook'), speedup, EPOCHS)
    stages = HOOKS.build(
        dict(type='EfficientTrainHook', **changes)
    ).method.curriculum
    pixels = sum(
        stage.part * height * width / 2240**2
        for stage in stages
        for height, width in [stage.sides(2240, 2240)]
    )
    assert pixels == pytest.approx(1 / speedup, rel=0.01)
    assert [stage.magnitude for stage in stages] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ('hook', 'speedup', 'epochs', 'message'),
    [
        ('SelectiveBackpropHook', 3, 100, 'it scores every image.*below 3;'),
        ('EfficientTrainHook', 4, 100, 'a fifth of the epochs has full size'),
        ('DIHCLHook', 3, 20, 'shrinks its budget too slowly in 20 epochs'),
        ('RandomRemovalHook', 11, 100, 'keeps a tenth of the images.*10;'),
        ('InfoBatchHook', 2, 100, 'InfoBatchHook cannot be set to a speed-up'),
    ],
)
def test_what_a_method_cannot_reach_is_refused(
    hook: str, speedup: float, epochs: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        arguments_for(dict(type=hook), speedup, epochs)


@pytest.mark.parametrize(
    ('hook', 'message'),
    [
        (dict(type='IESHook', saved=0.1), 'give scoring=dict'),
        (dict(type='SoftIESHook', scoring=dict(interval=None)), 'give scorin'),
        (dict(type='DIHCLHook'), "cannot set DIHCLHook with observe='scorin"),
    ],
)
def test_passes_over_all_images_must_be_known(
    hook: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        arguments_for(hook | dict(observe='scoring'), 2, 100)


def test_scoring_whose_amount_is_not_known_is_refused() -> None:
    again = dict(type='Spaced', cap=8)
    with pytest.raises(ConfigError, match='how much is scored depends on'):
        arguments_for(
            dict(type='IESHook', saved=0.2, refresh_interval=again), 2, 100
        )


def config() -> Config:
    found = Config.fromfile('configs/cifar/resnet14_cifar10_2k.py')
    found.train_cfg.max_epochs = 40
    return found


def test_what_it_determines_is_not_given_too() -> None:
    cfg = swap_method(config(), 'ies', METHODS)
    with pytest.raises(ConfigError, match=r'determines default_hooks.ies.sav'):
        speed_up(cfg, 1.5, {'default_hooks.ies.saved': 0.1})
    speed_up(cfg, 1.5, {'default_hooks.ies.order': 1})
    other = copy.deepcopy(cfg)
    other.custom_hooks = [dict(other.default_hooks.pop('ies'))]
    with pytest.raises(ConfigError, match=r'es custom_hooks\.0\.saved'):
        speed_up(other, 1.5, {'custom_hooks.0.saved': 0.1})
    assert cfg.default_hooks.ies.saved == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    'name', ['ies', 'soft_ies', 'random_removal', 'dihcl', 'ies_order1']
)
def test_as_an_option(name: str) -> None:
    cfg = swap_method(config(), name, METHODS)
    speed_up(cfg, 2.0)
    hook = cfg.default_hooks.ies.to_dict()
    HOOKS.build(dict(hook))
    alone = arguments_for(
        swap_method(config(), name, METHODS).default_hooks.ies, 2.0, 40
    )
    assert alone.items() >= {k: hook.get(k) for k in alone}.items()


def test_a_training_that_is_too_short_is_refused() -> None:
    cfg = config()
    cfg.train_cfg.max_epochs = 12
    cfg = swap_method(cfg, 'ies', METHODS)
    with pytest.raises(ConfigError, match='12 epochs can save 45% at most'):
        speed_up(cfg, 2.0)


@pytest.mark.parametrize('mixing', [False, True])
def test_scoring_all_images_delays_the_first_decision(mixing: bool) -> None:
    """A training that mixes images prunes later, and so can save less."""
    cfg = config()
    cfg.train_cfg.max_epochs = 36
    if mixing:
        cfg.model.train_cfg = dict(augments=dict(type='Mixup', alpha=0.8))
    cfg = swap_method(cfg, 'ies', METHODS)
    if not mixing:
        speed_up(cfg, 3.0)
        return
    with pytest.raises(ConfigError, match='36 epochs can save 45% at most'):
        speed_up(cfg, 3.0)
    cfg.default_hooks.ies.observe = 'mixtures'
    speed_up(cfg, 3.0)


@pytest.mark.parametrize(
    ('name', 'mixing'),
    [
        ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', True),
        ('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', True),
        ('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', False),
        ('mmpretrain::deit/deit-tiny_4xb256_in1k.py', True),
        ('mmpretrain::resnet/resnet50_8xb32_in1k.py', False),
        ('mmpretrain::resnet/resnet50_8xb256-rsb-a3-100e_in1k.py', True),
    ],
)
def test_which_stock_configs_mix_images(name: str, mixing: bool) -> None:
    assert mixes_at_first(get_config(name)) is mixing


def test_a_batch_augment_without_a_type_is_left_to_the_registry() -> None:
    cfg = config()
    cfg.model.train_cfg = dict(augments=[dict(alpha=0.8)])
    assert not mixes_at_first(cfg)


def test_a_dry_run_may_be_too_short_to_be_evaluated() -> None:
    """That is a warning, not a reason to refuse the training."""
    cfg = config()
    cfg.train_cfg.max_epochs = 12
    cfg = swap_method(cfg, 'ies', METHODS)
    cfg.default_hooks.ies.dry_run = True
    speed_up(cfg, 1.5)


def test_a_delta_that_was_dropped_is_none() -> None:
    hook = dict(type='IESHook', saved=0.2, delta=None)
    assert arguments_for(hook, 2, 100) == dict(saved=0.5, delta=None)


def test_it_needs_a_method_and_epochs() -> None:
    with pytest.raises(ConfigError, match='found 0; add --method NAME, or'):
        speed_up(config(), 2.0)
    cfg = swap_method(config(), 'ies', METHODS)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
    with pytest.raises(ConfigError, match='counts iterations'):
        speed_up(cfg, 2.0)
