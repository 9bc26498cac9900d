"""An invalid config is refused in one line that says what to change."""

import copy
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop, Runner

from ies_mm.configuring.preflight import check_config
from ies_mm.engine import IESHook, PerImageLossHook
from ies_mm.errors import ConfigError
from runs import ies_config, plain_config, train, with_hook


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'delta': -0.1}, 'delta=-0.1: give a number >= 0'),
        ({'delta': 'small'}, "delta='small': give a number"),
        ({'window': 0}, 'window=0: give an integer from 1 to 1000'),
        ({'window': 1001}, 'window=1001: give an integer from 1 to 1000'),
        ({'begin': 10**5000}, 'begin is beyond 2**53: give a smaller number'),
        ({'delta': 10**400}, 'delta is beyond 2**53: give a smaller number'),
        ({'order': 4}, 'order=4: give an integer from 0 to 3'),
        ({'begin': 0}, 'begin=0: give an integer >= 1'),
        ({'anneal': 1.5}, 'anneal=1.5: give a number from 0 to 1'),
        ({'refresh_interval': 0.5}, 'refresh_interval=0.5: give an integer'),
        ({'terms': 'most'}, "terms='most': give 'sum', 'all', 'any'"),
        ({'delta': {'type': 'Budget'}}, "needs 'saved'"),
        ({'delta': {'type': 'Bugdet'}}, "the type 'Relative', 'Budget'"),
        *(
            ({name: 0.5}, f'{name} was removed in 0.2.0 because it did not')
            for name in ('average', 'center', 'smooth', 'expected')
        ),
        (
            {'fixed_refresh': True},
            'fixed_refresh was removed in 0.2.0 because',
        ),
        ({'delta': {'type': 'NoiseFloor'}}, 'NoiseFloor was removed in 0.2.0'),
        ({'observe': 'all'}, "observe='all': give 'training', 'scoring'"),
        ({'scoring': 5}, 'scoring=5: give a dict with batch_size, interval'),
        ({'scoring': {'size': 2}}, "scoring has no option 'size'; it takes"),
        ({'scoring': {'interval': 0}}, 'scoring.interval=0: give an integer'),
        ({'scoring': {'batch_size': 1.5}}, 'scoring.batch_size=1.5: give an'),
        ({'scoring': {'pipeline': 'a'}}, 'scoring.pipeline must be a list of'),
        ({'detla': 1}, "unexpected keyword argument 'detla'"),
    ],
)
def test_arguments_of_the_hook(
    voc: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    config = ies_config(voc, tmp_path, **({'delta': 0.1} | changes))
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert str(error.value).startswith('default_hooks.ies: ')
    assert message in str(error.value)
    assert '\n' not in str(error.value)


def test_a_missing_delta(voc: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='neither of delta and saved'):
        check_config(ies_config(voc, tmp_path))


def test_a_good_config_passes(voc: Path, tmp_path: Path) -> None:
    check_config(plain_config(voc, tmp_path))
    check_config(ies_config(voc, tmp_path, delta=0.1))
    config = ies_config(voc, tmp_path, delta=0.1)
    config.custom_hooks = [config.default_hooks.pop('ies')]
    check_config(config)


def test_hook_without_sampler(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_dataloader.sampler.type = 'DefaultSampler'
    message = "found train_dataloader.sampler.type='DefaultSampler'"
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    with pytest.raises(ConfigError, match="found 'DefaultSampler'"):
        train(config)


def test_sampler_without_hook(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    del config.default_hooks['ies']
    with pytest.raises(ConfigError, match='needs a selection hook'):
        check_config(config)


def test_two_hooks(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.custom_hooks = [copy.deepcopy(config.default_hooks.ies)]
    message = r'default_hooks.ies and custom_hooks\[0\] would both'
    with pytest.raises(ConfigError, match=message):
        check_config(config)
    with pytest.raises(ConfigError, match='both write the records'):
        train(config)


def test_one_hook_registered_twice(voc: Path, tmp_path: Path) -> None:
    hook = IESHook(delta=0.1)
    config = plain_config(voc, tmp_path)
    config.train_dataloader.sampler = dict(type='IESSampler')

    def prepare(runner: Runner) -> None:
        runner.register_hook(hook)
        runner.register_hook(hook)

    with pytest.raises(ConfigError, match='IESHook and IESHook would both'):
        train(config, prepare)


def test_malformed_configs(voc: Path, tmp_path: Path) -> None:
    """Also in one's own train.py, which calls this."""
    config = ies_config(voc, tmp_path, delta=0.1)
    config.custom_hooks = [1]
    with pytest.raises(ConfigError, match=r'custom_hooks\[0\]=1: give'):
        check_config(config)
    config.custom_hooks = (dict(type='EMAHook'), PerImageLossHook())
    check_config(config)


def test_known_hooks_are_not_called_unknown(voc: Path, tmp_path: Path) -> None:
    """mmdet's own are found in its scope."""
    config = ies_config(voc, tmp_path)
    config.default_hooks = dict(
        visualization=dict(type='DetVisualizationHook'),
        ies=dict(type='IESHok'),
    )
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert "default_hooks.ies.type='IESHok' is not a" in str(error.value)
    assert 'DetVisualizationHook' not in str(error.value)

    config.default_hooks = {}
    config.custom_hooks = [dict(type='IESHok')]
    with pytest.raises(ConfigError, match=r'custom_hooks\[0\].type=.IESHok'):
        check_config(config)


def test_a_left_over_argument_names_its_key_once(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_dataloader.sampler = dict(type='IESSampler', boost=3)
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert str(error.value).count('train_dataloader.sampler') == 1


@pytest.mark.parametrize(
    ('place', 'part', 'message'),
    [
        ('custom_hooks', dict(type='HeadOnlyHook', foo=1), "argument 'foo'"),
        (
            'custom_hooks',
            dict(type='TrainingDynamicsHook', interval=0, images=8),
            'interval=0: give',
        ),
        ('val_evaluator', dict(type='GroupMetric', iou_thr=7), 'iou_thr=7'),
        (
            'val_evaluator',
            dict(type='GroupMetric', groups=dict(a='bird')),
            'a dict group -> list of class names',
        ),
        ('sampler', dict(num_repeats=0), 'num_repeats=0: give an integer'),
        ('sampler', dict(seed='foo'), "seed='foo': give an integer"),
        ('sampler', dict(shuffle='x'), "shuffle='x': give True or False"),
    ],
)
def test_arguments_of_our_other_classes(
    voc: Path, tmp_path: Path, place: str, part: dict, message: str
) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    if place == 'sampler':
        config.train_dataloader.sampler.update(part)
        place = 'train_dataloader.sampler'
    else:
        config[place] = [part]
        place += '[0]'
    with pytest.raises(ConfigError) as error:
        check_config(config)
    assert str(error.value).startswith(f'{place}: ')
    assert message in str(error.value)


LMDB = [dict(type='LoadImageFromFile', backend_args=dict(backend='lmdb'))]
OWN = [dict(type='LoadMyImage')]


@pytest.mark.parametrize(
    ('changes', 'missing'),
    [
        (dict(data_root='mem://gone/'), None),
        (dict(ann_file='s3://gone/a.txt'), None),
        (dict(data_root='gone'), 'gone/VOC2007/ImageSets'),
        (dict(data_prefix=dict(sub_data_root='gone/')), 'VOCdevkit/gone'),
        (dict(data_prefix=dict(seg='gone/')), None),
        (dict(data_root='~/gone'), str(Path.home() / 'gone')),
        (dict(data_prefix=dict(img='gone/'), pipeline=LMDB), None),
        (dict(data_prefix=dict(img='gone/'), pipeline=OWN), None),
    ],
)
def test_data_that_is_not_there(
    voc: Path, tmp_path: Path, changes: dict, missing: str | None
) -> None:
    """Images are looked for, masks and remote data are not."""
    config = plain_config(voc, tmp_path)
    config.train_dataloader.dataset.update(changes)
    if missing is None:
        check_config(config)
        return
    with pytest.raises(ConfigError, match=f'looked for .*{missing}'):
        check_config(config)


def test_no_image_is_left(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_dataloader.dataset.update(serialize_data=False, indices=0)
    with pytest.raises(ConfigError, match=r'no images, or its filter_cfg'):
        train(config)


def test_batches_that_reorder_an_endless_stream(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
    message = 'batch_sampler=AspectRatioBatchSampler changes the order'
    with pytest.raises(ConfigError, match=message):
        train(config)


@pytest.mark.parametrize('priority', ['LOW', 'LOWEST'])
def test_a_hook_that_comes_too_late(
    voc: Path, tmp_path: Path, priority: str
) -> None:
    config = ies_config(voc, tmp_path, delta=0.1)
    config.default_hooks.ies.priority = priority
    message = 'IESHook comes after ParamSchedulerHook, .* a higher priority'
    with pytest.raises(ConfigError, match=message):
        train(config)


def test_an_unknown_loop(voc: Path, tmp_path: Path) -> None:
    @LOOPS.register_module(force=True)
    class OwnLoop(BaseLoop):
        epoch = iter = max_epochs = max_iters = 0

        def run(self) -> None:
            self.runner.call_hook('before_train')

    config = ies_config(voc, tmp_path, delta=0.1)
    config.train_cfg = dict(type='OwnLoop')
    with pytest.raises(ConfigError, match="type='OwnLoop': selection hooks"):
        train(config)


def test_what_mmengine_reads_of_a_hook_s_dict(
    voc: Path, tmp_path: Path
) -> None:
    """They are not arguments of the hook."""
    config = ies_config(voc, tmp_path, epochs=1, delta=0.1)
    config.default_hooks.ies._scope_ = 'mmdet'
    config.default_hooks.ies.priority = 'NORMAL'
    config.train_dataloader.sampler._scope_ = 'mmengine'
    check_config(config)
    train(config)
    config.default_hooks.ies.delta = -1
    with pytest.raises(ConfigError, match='delta=-1'):
        check_config(config)


def test_an_unknown_term(voc: Path, tmp_path: Path) -> None:
    config = ies_config(voc, tmp_path, delta=0.1, terms=['loss_mask'])
    message = "no term 'loss_mask'; it has loss_rpn_cls, loss_rpn_bbox"
    with pytest.raises(ConfigError, match=message):
        train(config)


def test_too_few_epochs_are_warned_of(voc: Path, tmp_path: Path) -> None:
    train(ies_config(voc, tmp_path, epochs=1, delta=0.1, begin=9))
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert 'cannot prune anything in 1 epochs' in log
    assert 'it needs 10 or more' in log


@pytest.mark.parametrize(('epochs', 'said'), [(7, 1), (19, 0)])
def test_a_dry_run_says_what_calibrate_will_not(
    voc: Path, tmp_path: Path, epochs: int, said: int
) -> None:
    """At its start, not when it is over."""

    class StopAtOnce(Hook):
        def before_train_epoch(self, runner: Runner) -> None:
            raise KeyboardInterrupt

    config = ies_config(voc, tmp_path, epochs, delta=0.1, dry_run=True)
    with pytest.raises(KeyboardInterrupt):
        train(config, with_hook(StopAtOnce()))
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert log.count('which takes 19 epochs or more') == said
