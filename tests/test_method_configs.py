"""A method's config is the IES config, or the plain one, but for its hook."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS

from ies_mm.engine import (
    DIHCLHook,
    IESHook,
    InfoBatchHook,
    RandomRemovalHook,
    SelectiveBackpropHook,
    SmallLossRescaleHook,
    SoftIESHook,
)
from ies_mm.training.preflight import selection_hooks

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(path.stem for path in (CONFIGS / 'methods').glob('*.py'))
METHODS = {
    'infobatch': InfoBatchHook,
    'small_loss_rescale': SmallLossRescaleHook,
    'random_removal': RandomRemovalHook,
    'selective_backprop': SelectiveBackpropHook,
    'dihcl': DIHCLHook,
    'soft_ies': SoftIESHook,
    'ies_spaced': IESHook,
    'ies_order0': IESHook,
    'ies_order1': IESHook,
    'ies_order3': IESHook,
    'early_stopping': None,
}
TASKS = ['faster_rcnn_voc', 'deeplabv3_voc', 'resnet18_cifar10_sgd_e']


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)


def split(name: str) -> tuple[str, str]:
    """Method and task."""
    [method] = [m for m in METHODS if name.startswith(f'{m}_')]
    return method, name[len(method) + 1 :]


def find(task: str) -> Path:
    [path] = [
        path
        for path in CONFIGS.rglob(f'{task}.py')
        if 'methods' not in path.parts
    ]
    return path


def test_every_method_has_every_task() -> None:
    expected = {f'{method}_{task}' for method in METHODS for task in TASKS}
    assert expected <= set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_it_differs_from_its_twin_by_the_hook_alone(name: str) -> None:
    method, task = split(name)
    config = Config.fromfile(CONFIGS / 'methods' / f'{name}.py').to_dict()
    if method == 'early_stopping':
        twin = Config.fromfile(find(task)).to_dict()
        hook = config['default_hooks'].pop('early_stopping')
        assert hook['type'] == 'EarlyStoppingHook'
        assert HOOKS.build(hook).rule == 'greater'
    else:
        twin = Config.fromfile(find(f'ies_{task}')).to_dict()
        ies = twin['default_hooks'].pop('ies')
        hook = config['default_hooks'].pop('ies')
        assert type(HOOKS.build(hook)) is METHODS[method]
        if method.startswith('ies_order'):
            assert hook['order'] == int(method[-1])
            assert {*hook} <= {*ies, 'order', 'delta'}
        if method == 'ies_spaced':
            assert hook.pop('refresh_interval')['by'] == 'training'
            assert hook == ies
    assert config == twin


def test_the_monitored_metric_is_the_evaluator_s() -> None:
    metrics = dict(
        VOCMetric='pascal_voc/mAP', IoUMetric='mIoU', Accuracy='accuracy/top1'
    )
    for task in TASKS:
        path = CONFIGS / 'methods' / f'early_stopping_{task}.py'
        config = Config.fromfile(path)
        hook = config.default_hooks.early_stopping
        assert hook.monitor == metrics[config.val_evaluator.type]
        assert not list(selection_hooks(config))
