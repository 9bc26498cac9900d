"""Checkpoints of other runs: refused, or taken over with a log line."""

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict

from ies_mm.engine import IESHook, InfoBatchHook, SelectiveBackpropHook
from ies_mm.errors import ConfigError
from ies_mm.training.state.checkpoint import KEY
from method_cases import METHODS, config_of
from runs import epochs_of, train, with_hook
from task_runs import classifier_config, segmentor_config, with_ies


@pytest.fixture(scope='module')
def checkpoint(
    folders: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint after two epochs of IES."""
    work_dir = tmp_path_factory.mktemp('ies')
    train(config_of(folders, work_dir, 2), with_hook(IESHook(0.1)))
    return work_dir / 'epoch_2.pth'


def resumed(config: Config, checkpoint: Path) -> Config:
    config.resume, config.load_from = True, str(checkpoint)
    return config


def changed(
    checkpoint: Path, folder: Path, change: Callable[[dict], Any]
) -> Path:
    """A copy of the checkpoint with a modified state."""
    content = torch.load(checkpoint, weights_only=False)
    change(content[KEY])
    torch.save(content, folder / 'changed.pth')
    return folder / 'changed.pth'


def log_of(work_dir: Path) -> str:
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


def test_of_another_data_set(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    config = resumed(config_of(folders, tmp_path, 3), checkpoint)
    config.train_dataloader.dataset.indices = 8
    with pytest.raises(ConfigError, match='of another dataset'):
        train(config, with_hook(IESHook(0.1)))


def test_of_another_method(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    config = resumed(config_of(folders, tmp_path, 3), checkpoint)
    with pytest.raises(ConfigError, match=r'method \(IES, here InfoBatch\)'):
        train(config, with_hook(InfoBatchHook()))


def test_of_another_order(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    """It would need observations that the checkpoint lacks."""
    config = resumed(config_of(folders, tmp_path, 3), checkpoint)
    with pytest.raises(ConfigError, match='order and window of the check'):
        train(config, with_hook(IESHook(0.1, order=3)))


def test_with_other_arguments(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    """They apply from now on, and the log says so. Nothing is reset."""
    hook = IESHook(0.2, order=1, window=4)
    config = resumed(config_of(folders, tmp_path, 3), checkpoint)
    train(config, with_hook(hook))
    log = log_of(tmp_path)
    assert 'delta=0.2 (was 0.1), order=1 (was 2), window=4 (was 3)' in log
    assert hook.session.state.history.count.tolist() == [3] * 20
    assert epochs_of(tmp_path)[-1]['delta'] == 0.2


def test_with_the_same_arguments_nothing_is_said(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    config = resumed(config_of(folders, tmp_path, 3), checkpoint)
    train(config, with_hook(IESHook(0.1)))
    assert 'other arguments' not in log_of(tmp_path)


def as_of_0_1_0(state: dict, paths: list[str]) -> None:
    """A single hash of the dataset's paths, no terms that disappeared."""
    del state['images'], state['absent'], state['built_losses']
    state['dataset'] = hashlib.sha256('\n'.join(paths).encode()).hexdigest()


def test_of_an_earlier_version(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    paths = [str(path) for path in sorted(folders.glob('*/*.png'))]
    config = config_of(folders, tmp_path, 3)
    hook = IESHook(0.1)
    old = changed(checkpoint, tmp_path, lambda s: as_of_0_1_0(s, paths))
    train(resumed(config, old), with_hook(hook))
    assert hook.session.state.history.count.tolist() == [3] * 20
    other = changed(checkpoint, tmp_path, lambda s: as_of_0_1_0(s, paths[1:]))
    with pytest.raises(ConfigError, match='of another dataset'):
        train(resumed(config, other), with_hook(IESHook(0.1)))


@pytest.mark.parametrize('after', ['loss_ce', 'loss_ce loss_seg'])
def test_of_other_terms(maps: Path, tmp_path: Path, after: str) -> None:
    """A model with fewer losses is another one; a new term may join."""

    def config(name: str, terms: list[str], epochs: int) -> Config:
        made = with_ies(segmentor_config(maps, tmp_path / name), delta=0.1)
        losses = [
            dict(type='CrossEntropyLoss', loss_name=name) for name in terms
        ]
        made.model.decode_head.loss_decode = losses
        made.train_cfg.max_epochs = epochs
        return made

    more = 'loss_seg' in after
    train(config('first', ['loss_ce'] if more else ['loss_ce', 'loss_seg'], 1))
    again = config('second', after.split(), 2)
    resume = resumed(again, tmp_path / 'first' / 'epoch_1.pth')
    if more:
        train(resume)
        last = epochs_of(tmp_path / 'second')[-1]
        assert last['epoch'] == 2
        assert last['loss']['decode.loss_seg'] > 0
        return
    message = r'model \(losses in decode_head\.loss_decode: 2, here 1\)'
    with pytest.raises(ConfigError, match=message):
        train(resume)
    assert not (tmp_path / 'second' / 'ies').exists()


@pytest.mark.parametrize(
    ('missing', 'part'), [('left_out', None), ('first_loss', 'of_method')]
)
def test_of_another_version(
    folders: Path,
    tmp_path: Path,
    checkpoint: Path,
    missing: str,
    part: str | None,
) -> None:
    """A state, or the method's part of it, with a missing key."""

    def take_out(state: dict) -> None:
        (state if part is None else state[part]).pop(missing)

    path = changed(checkpoint, tmp_path, take_out)
    config = resumed(config_of(folders, tmp_path / 'run', 3), path)
    with pytest.raises(ConfigError, match=f"no '{missing}', since"):
        train(config, with_hook(IESHook(0.1)))


def test_of_a_later_version(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    path = changed(checkpoint, tmp_path, lambda s: s.update(version=99))
    config = resumed(config_of(folders, tmp_path / 'run', 3), path)
    message = r'has version 99, and this ies_mm knows \d; update ies_mm'
    with pytest.raises(ConfigError, match=message):
        train(config, with_hook(IESHook(0.1)))


@pytest.mark.parametrize('argument', [dict(center=True), dict(smooth=0.5)])
def test_of_losses_that_were_centred_or_smoothed(
    folders: Path, tmp_path: Path, checkpoint: Path, argument: dict
) -> None:
    """Their differences from unmodified losses would be meaningless."""
    path = changed(
        checkpoint, tmp_path, lambda s: s['arguments'].update(argument)
    )
    config = resumed(config_of(folders, tmp_path / 'run', 3), path)
    with pytest.raises(ConfigError, match='holds centred or smoothed losses'):
        train(config, with_hook(IESHook(0.1)))


def test_of_an_option_that_is_gone(
    folders: Path, tmp_path: Path, checkpoint: Path
) -> None:
    gone = dict(fixed_refresh=True, average='mean', smooth=1.0, center=False)
    path = changed(checkpoint, tmp_path, lambda s: s['arguments'].update(gone))
    config = resumed(config_of(folders, tmp_path / 'run', 3), path)
    train(config, with_hook(IESHook(0.1)))
    said = 'checkpoint: fixed_refresh is gone (was True); they apply'
    assert said in log_of(tmp_path / 'run')


def test_of_a_plain_run(folders: Path, tmp_path: Path) -> None:
    """It is resumed and starts to observe; the log says so."""
    train(classifier_config(folders, tmp_path / 'plain'))
    config = config_of(folders, tmp_path / 'run', 3)
    resumed(config, tmp_path / 'plain' / 'epoch_2.pth')
    train(config, with_hook(IESHook(0.1)))
    assert [r['epoch'] for r in epochs_of(tmp_path / 'run')] == [3]
    assert 'holds no state of IES' in log_of(tmp_path / 'run')


@pytest.mark.parametrize(('hook', 'arguments'), METHODS)
def test_the_state_is_tensors_and_plain_values(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """So that loading it unpickles nothing else."""
    train(config_of(folders, tmp_path, 2), with_hook(hook(**arguments)))
    content = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    torch.save(content[KEY], tmp_path / 'state.pth')
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    assert state['arguments'].items() >= arguments.items()
    assert isinstance(state['history']['values'], torch.Tensor)


@pytest.mark.parametrize(
    ('hook', 'arguments'),
    [
        (IESHook, dict(delta=np.float64(0.1), terms={'loss': np.float64(2)})),
        (IESHook, dict(delta=ConfigDict(type='Relative', factor=0.1))),
        (InfoBatchHook, dict(ratio=np.float64(0.5))),
    ],
)
def test_numpys_numbers_are_plain_in_the_state(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    test_the_state_is_tensors_and_plain_values(
        folders, tmp_path, hook, arguments
    )


def test_an_object_in_the_state_would_be_noticed(tmp_path: Path) -> None:
    torch.save({'state': Path('x')}, tmp_path / 'state.pth')
    with pytest.raises(Exception, match=r'(?i)weights.only'):
        torch.load(tmp_path / 'state.pth', weights_only=True)


def test_a_queue_within_a_pass_is_plain_too(
    folders: Path, tmp_path: Path
) -> None:
    hook = SelectiveBackpropHook()
    train(config_of(folders, tmp_path, 1), with_hook(hook))
    hook._training._steps._queue = [(3, {'inputs': torch.zeros(1)})]
    state = copy.deepcopy(hook._training._steps.state_dict())
    torch.save(state, tmp_path / 'state.pth')
    assert torch.load(tmp_path / 'state.pth', weights_only=True)['queue'] == [
        3
    ]
