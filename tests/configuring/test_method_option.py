"""`--method` changes only the hook and the sampler of a config."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook
from mmengine.registry import HOOKS

from ies_mm import engine
from ies_mm.commands.arguments import read_config
from ies_mm.configuring.method_option import method_names, swap_method
from ies_mm.configuring.reading import selection_hooks
from ies_mm.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / 'configs'
METHODS = CONFIGS / '_base_' / 'methods'
HOOK_OF = {
    name: Config.fromfile(METHODS / f'{name}.py').default_hooks.ies
    for name in method_names(METHODS)
    if name != 'early_stopping'
}
# Methods that select images, and those that do not.
NAMES = [
    name
    for name, hook in HOOK_OF.items()
    if HOOKS.get(hook.type).needs_sampler
]
OTHERS = [name for name in HOOK_OF if name not in NAMES]
# An epoch loop, an iteration loop, other imports, sampler settings.
TASKS = [
    'faster_rcnn_voc', 'deeplabv3_voc12aug_20k', 'cifar/resnet18_cifar10',
    'cifar/resnet14_cifar10_2k',
]  # fmt: skip


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONFIGS.parent)


def read(task: str, prefix: str = '') -> Config:
    path = CONFIGS / f'{task}.py'
    return Config.fromfile(path.with_name(f'{prefix}{path.name}'))


def budget_of(hook: Any) -> Any:
    delta = hook.get('delta')
    return delta.saved if isinstance(delta, dict) else hook.get('saved')


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('prefix', ['', 'ies_'])
@pytest.mark.parametrize('name', NAMES)
def test_it_differs_from_ies_by_the_hook_alone(
    name: str, prefix: str, task: str
) -> None:
    """From the plain config as well as from the IES config."""
    config = swap_method(read(task, prefix), name, METHODS).to_dict()
    wanted = read(task, 'ies_').to_dict()
    hook = config['default_hooks'].pop('ies')
    wanted['default_hooks'].pop('ies')
    assert config == wanted
    written = Config.fromfile(METHODS / f'{name}.py').default_hooks
    assert type(HOOKS.build(hook)) is getattr(engine, written.ies.type)
    assert {*written} == {'ies'}
    assert {*written.ies} <= {*hook} <= {*written.ies, 'keep_history'}


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('name', OTHERS)
def test_what_leaves_nothing_out_leaves_the_sampler_alone(
    task: str, name: str
) -> None:
    plain = read(task)
    swapped = swap_method(plain, name, METHODS)
    [(_, hook)] = selection_hooks(swapped)
    kind = getattr(engine, HOOK_OF[name].type)
    assert type(HOOKS.build(hook)) is kind
    assert swapped.train_dataloader == plain.train_dataloader
    imports = swapped.custom_imports.imports
    assert 'ies_mm.engine' in imports


@pytest.mark.parametrize('name', NAMES)
def test_the_budget_and_the_history_stay(name: str) -> None:
    config = read('cifar/resnet14_cifar10_2k', 'ies_')
    assert config.default_hooks.ies.delta.saved == 0.4
    hook = swap_method(config, name, METHODS).default_hooks.ies
    assert hook.keep_history is True
    has_one = budget_of(HOOK_OF[name]) is not None
    assert budget_of(hook) == (0.4 if has_one else None)


def test_a_budget_beside_an_empty_saved_stays() -> None:
    config = read('faster_rcnn_voc', 'ies_')
    budget = dict(type='Budget', saved=0.37)
    config.default_hooks.ies = dict(type='IESHook', saved=None, delta=budget)
    hook = swap_method(config, 'random_removal', METHODS).default_hooks.ies
    assert hook.saved == 0.37


def test_a_number_for_delta_does_not_stay() -> None:
    """Each order has its own scale."""
    config = read('cifar/resnet18_cifar10', 'ies_')
    hook = swap_method(config, 'ies_order1', METHODS).default_hooks.ies
    assert hook.delta == dict(type='Budget', saved=0.2)


def test_a_method_among_the_custom_hooks_goes() -> None:
    config = read('faster_rcnn_voc')
    other = dict(type='EmptyCacheHook')
    ours = dict(type='RandomRemovalHook', ratio=dict(type='Budget', saved=0.3))
    config.custom_hooks = [ours, other]
    config.train_dataloader.sampler.type = 'IESSampler'
    swapped = swap_method(config, 'soft_ies', METHODS)
    assert swapped.custom_hooks == [other]
    [(key, hook)] = selection_hooks(swapped)
    assert (key, hook['saved']) == ('default_hooks.ies', 0.3)
    assert config.custom_hooks == [ours, other]


@pytest.mark.parametrize(
    ('task', 'metric'),
    [
        ('faster_rcnn_voc', 'pascal_voc/mAP'),
        ('deeplabv3_voc', 'mIoU'),
        ('cifar/resnet18_cifar10', 'accuracy/top1'),
    ],
)
def test_early_stopping_watches_the_evaluator_s_metric(
    task: str, metric: str
) -> None:
    plain = read(task)
    config = swap_method(plain, 'early_stopping', METHODS)
    hook = HOOKS.build(config.default_hooks.pop('early_stopping'))
    assert (hook.monitor, hook.rule) == (metric, 'greater')
    assert config.to_dict() == plain.to_dict()


@pytest.mark.parametrize('kind', ['EarlyStoppingHook', EarlyStoppingHook])
def test_early_stopping_keeps_the_metric_s_direction(kind: Any) -> None:
    """A config's own hook is replaced, even if it names the class."""
    plain = read('faster_rcnn_voc')
    plain.default_hooks.checkpoint = dict(
        type='CheckpointHook', save_best='loss', rule='less'
    )
    plain.custom_hooks = [dict(type=kind, monitor='x')]
    config = swap_method(plain, 'early_stopping', METHODS)
    assert config.default_hooks.early_stopping.rule == 'less'
    assert config.custom_hooks == []


def test_early_stopping_in_the_default_hooks_is_replaced() -> None:
    plain = read('faster_rcnn_voc')
    other = dict(type='EarlyStoppingHook', monitor='x', patience=99)
    plain.default_hooks |= dict(mine=other, early_stopping=other)
    hooks = swap_method(plain, 'early_stopping', METHODS).default_hooks
    assert 'mine' not in hooks
    assert hooks.early_stopping.patience == 5


@pytest.mark.parametrize('loss', ['loss', 'val/loss'])
def test_early_stopping_wants_a_loss_to_fall(loss: str) -> None:
    plain = read('faster_rcnn_voc')
    plain.default_hooks.checkpoint = dict(
        type='CheckpointHook', save_best=loss
    )
    config = swap_method(plain, 'early_stopping', METHODS)
    hook = HOOKS.build(config.default_hooks.early_stopping)
    theirs = HOOKS.build(plain.default_hooks.checkpoint)
    assert [hook.rule] == theirs.rules == ['less']


@pytest.mark.parametrize(
    ('option', 'monitor', 'rule'),
    [
        ('checkpoint.save_best=coco/bbox_mAP', 'coco/bbox_mAP', 'greater'),
        ('checkpoint.save_best=val/loss', 'val/loss', 'less'),
        ('early_stopping.monitor=mIoU', 'mIoU', 'greater'),
    ],
)
def test_early_stopping_is_told_its_metric(
    option: str, monitor: str, rule: str
) -> None:
    """By the command line, for a config that names none."""
    key, _, value = option.partition('=')
    args: Any = SimpleNamespace(
        config='configs/faster_rcnn_r18_demo.py', launcher='none',
        work_dir=None, cfg_options={f'default_hooks.{key}': value},
    )  # fmt: skip
    config = read_config(args, 'early_stopping')
    hook = HOOKS.build(config.default_hooks.early_stopping)
    assert (hook.monitor, hook.rule) == (monitor, rule)


def test_early_stopping_without_a_direction_is_refused() -> None:
    options = {'default_hooks.checkpoint.save_best': 'PQ'}
    plain = read('faster_rcnn_voc')
    with pytest.raises(ConfigError, match='early_stopping: Cannot infer'):
        swap_method(plain, 'early_stopping', METHODS, options)


@pytest.mark.parametrize(
    ('name', 'key'), [('ies', 'ies'), ('early_stopping', 'early_stopping')]
)
def test_another_hook_under_the_method_s_key_is_refused(
    name: str, key: str
) -> None:
    plain = read('faster_rcnn_voc')
    plain.default_hooks[key] = dict(type='LoggerHook', interval=10)
    message = f'default_hooks.{key}, where the config has .*LoggerHook.*give'
    with pytest.raises(ConfigError, match=message):
        swap_method(plain, name, METHODS)


@pytest.mark.parametrize('name', HOOK_OF)
def test_what_all_hooks_take_stays(name: str) -> None:
    """A control is trained on the model and the samples of its method."""
    config = read('faster_rcnn_voc', 'ies_')
    kept = dict(
        keep_history=True,
        allow_batch_augments=False,
        fallback=True,
        observe='mixtures',
        scoring=dict(batch_size=4),
    )
    config.default_hooks.ies |= kept | dict(dry_run=True)
    hook = swap_method(config, name, METHODS).default_hooks.ies
    assert {key: hook[key] for key in kept} == kept
    assert 'dry_run' not in hook
    HOOKS.build(hook)


def test_a_loader_without_a_sampler_shuffles() -> None:
    """Like MMEngine with shuffle=True."""
    config = read('faster_rcnn_voc')
    config.train_dataloader.sampler = None
    swapped = swap_method(config, 'ies', METHODS)
    sampler = dict(type='IESSampler', shuffle=True)
    assert swapped.train_dataloader.sampler == sampler


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(train_dataloader=None), 'has no train_dataloader'),
        (dict(custom_imports='mine'), 'custom_imports=.mine.: give dict'),
    ],
)
def test_an_odd_config(changes: dict, message: str) -> None:
    config = read('faster_rcnn_r18_demo')
    for key, value in changes.items():
        config[key] = value
    with pytest.raises(ConfigError, match=message):
        swap_method(config, 'ies', METHODS)


@pytest.mark.parametrize(
    ('config', 'method', 'folder'),
    [
        ('faster_rcnn_voc', None, 'faster_rcnn_voc'),
        ('faster_rcnn_voc', 'soft_ies', 'soft_ies_faster_rcnn_voc'),
        ('ies_faster_rcnn_voc', 'soft_ies', 'soft_ies_faster_rcnn_voc'),
        # That of the config ies_faster_rcnn_voc.py is for another training.
        ('faster_rcnn_voc', 'ies', 'faster_rcnn_voc_method_ies'),
    ],
)
def test_a_method_has_a_folder_of_its_own(
    config: str,
    method: str | None,
    folder: str,
) -> None:
    args: Any = SimpleNamespace(
        config=f'configs/{config}.py', cfg_options={}, launcher='none',
        work_dir=None,
    )  # fmt: skip
    assert read_config(args, method).work_dir == f'work_dirs/{folder}'
    args.cfg_options = dict(work_dir='mine')
    suffix = f'_{method}' if method else ''
    assert read_config(args, method).work_dir == f'mine{suffix}'


@pytest.mark.parametrize(
    ('config', 'name', 'message'),
    [
        (('faster_rcnn_voc', ''), 'inforbatch', 'no such method; there are b'),
        (('faster_rcnn_voc', ''), 'inforbatch', "did you mean 'infobatch'"),
        (
            ('faster_rcnn_voc', 'ies_'),
            'early_stopping',
            r'selects no images, and default_hooks\.ies does; give the plain',
        ),
        (
            ('faster_rcnn_r18_demo', ''),
            'early_stopping',
            'save_best=None; name it',
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    config: tuple[str, str], name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        swap_method(read(*config), name, METHODS)


@pytest.mark.parametrize('name', ['faster_rcnn_voc', 'deeplabv3_voc'])
def test_a_method_written_as_a_config(name: str) -> None:
    """As a user would write it without our train.py."""
    written = Config.fromfile(CONFIGS / 'methods' / f'infobatch_{name}.py')
    swapped = swap_method(read(name), 'infobatch', METHODS)
    assert written.to_dict() == swapped.to_dict()
