"""Invalid input is refused in one line that says what to change."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.registry import LOOPS
from mmengine.runner import BaseLoop, Runner

from commands import TRAIN, call
from ies_mm.errors import ConfigError
from ies_mm.training.preflight import check_config
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
        ({'observe': 'all'}, "observe='all': give 'scoring' or 'mixtures'"),
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
    assert 'cannot exclude anything in 1 epochs' in log
    assert 'it needs 10 or more' in log


def test_the_command_gives_one_line_and_writes_nothing(
    voc: Path, tmp_path: Path
) -> None:
    config = ies_config(voc, tmp_path / 'run', delta=0.1)
    config.custom_imports = dict(imports=['ies_mm.engine'])
    root = tmp_path / 'VOCdevkit'
    config.train_dataloader.dataset.data_root = str(root)
    path = tmp_path / 'config.py'
    path.write_text(config.pretty_text)
    result = call(TRAIN, path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert f'{root}/VOC2007/ImageSets/Main/trainval.txt' in line
    assert f'ies-mm get-voc 2007 --root {tmp_path}` fetches' in line
    assert 'ies-mm demo' in line
    assert not (tmp_path / 'run').exists()


def test_the_command_without_a_config(tmp_path: Path) -> None:
    result = call(TRAIN, tmp_path / 'none.py')
    assert result.returncode == 2
    assert result.stderr.count('\n') == 1
    assert 'there is no config file' in result.stderr


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--amp'], '--amp needs an accelerator'),
        (['--resume', 'gone.pth'], 'there is no file gone.pth'),
        (['--cfg-options', 'log_level'], 'log_level: give KEY=VALUE'),
        (['--cfg-options', 'default_hooks.ies.delta=-1'], 'delta=-1'),
    ],
)
def test_arguments_of_the_command(
    voc: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    if '--amp' in arguments and get_device() != 'cpu':
        pytest.skip('there is an accelerator')
    path = tmp_path / 'config.py'
    path.write_text(ies_config(voc, tmp_path / 'run', delta=0).pretty_text)
    result = call(TRAIN, path, *arguments)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'run').exists()


def test_a_broken_config_file(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    path.write_text("_base_ = './gone.py'")
    result = call(TRAIN, path)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert f'{path} cannot be read: FileNotFoundError' in line


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


def test_a_dict_on_the_command_line(voc: Path, tmp_path: Path) -> None:
    """MMEngine's parser recurses forever on ``dict(...)``."""
    path = tmp_path / 'config.py'
    path.write_text(ies_config(voc, tmp_path / 'run', delta=0).pretty_text)
    option = "default_hooks.ies.delta=dict(type='Budget', saved=0.2)"
    result = call(TRAIN, path, '--cfg-options', option)
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert 'KEY._delete_=True KEY.type=TYPE' in result.stderr.splitlines()[-1]


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


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ('pipeline', r'pipeline[2].transforms[0] (CachedMosaic) mixes'),
        ('choice', r'pipeline[2].transforms[1][0] (CachedMosaic) mixes'),
        ('switch', r'custom_hooks[0].switch_pipeline[0] (CachedMosaic) mixes'),
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
    else:
        config.custom_hooks = [
            dict(
                type='PipelineSwitchHook',
                switch_epoch=1,
                switch_pipeline=[mosaic],
            )
        ]
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


class NoStep(Hook):
    """Training must not get this far."""

    priority = 'VERY_LOW'

    def before_train_epoch(self, runner: Runner) -> None:
        raise AssertionError
