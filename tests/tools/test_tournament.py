"""The tournament: its entries, and a small complete one."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config, DictAction
from mmengine.registry import HOOKS

from commands import call
from ies_mm.commands import tournament as tool
from ies_mm.commands import trainings
from ies_mm.commands.tournament_rounds import entries, rounds
from ies_mm.commands.trainings import train_once
from ies_mm.configuring.method_option import swap_method
from ies_mm.errors import ConfigError
from task_runs import classifier_config
from work_dirs import ies_run

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'tournament.py'
ENTRIES = [name for name in entries.ENTRIES if name not in ('plain', 'short')]


def test_plain_short_and_the_methods() -> None:
    filled = entries.filled
    assert filled(entries.ENTRIES['plain'], 0.2) == ([], [])
    assert filled(entries.ENTRIES['short'], 0.2) == (['--length', '0.8'], [])


def test_every_entry_is_scaled() -> None:
    """The shorter baseline relative to the scaled one."""
    arguments = {
        name: ' '.join(entries.filled(entry, 0.2, length=0.5)[0])
        for name, entry in entries.ENTRIES.items()
    }
    assert arguments.pop('short') == '--length 0.4'
    assert all(words.endswith('--length 0.5') for words in arguments.values())


def test_the_comparison_is_relative_to_the_scaled_length(
    folders: Path, tmp_path: Path
) -> None:
    config = classifier_config(folders, tmp_path / 'unused')
    config.train_cfg.max_epochs = 5
    # Without validation, the log tells that a plain run has finished.
    config.log_level = 'INFO'
    config.dump(tmp_path / 'config.py')
    done = call(
        TOOL, tmp_path / 'config.py', '--seeds', 1, '--saved', 0.1,
        '--length', 2, '--entries', 'plain', 'short', 'random',
        '--out', tmp_path / 'out',
    )  # fmt: skip
    assert not done.returncode, done.stderr
    assert done.stdout.count(', seed 0: trained') == 3
    assert 'relative to --length 2' in done.stdout
    assert 'short plain 90% ' in done.stdout


@pytest.mark.parametrize('name', ENTRIES)
def test_an_entry_is_a_hook_that_saves_as_much(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    arguments, options = entries.filled(entries.ENTRIES[name], 0.3)
    assert arguments[0] == '--method'
    config = swap_method(
        Config.fromfile('configs/faster_rcnn_r18_demo.py'),
        arguments[1],
        ROOT / 'configs' / '_base_' / 'methods',
    )
    config.merge_from_dict(
        {
            key: DictAction._parse_iterable(value)
            for key, _, value in (part.partition('=') for part in options)
        }
    )
    method = HOOKS.build(config.default_hooks.ies).method
    budgets = [getattr(method, key, None) for key in ('delta', 'ratio')]
    saved = [part['saved'] for part in budgets if isinstance(part, dict)]
    if not saved and not hasattr(method, 'saved'):
        assert 0.6 < method.ratio < 0.7, 'of what is below the mean loss'
    else:
        assert [*saved, getattr(method, 'saved', None)][0] == 0.3


def test_one_to_the_end_and_again(folders: Path, tmp_path: Path) -> None:
    config = classifier_config(folders, tmp_path / 'unused')
    config.train_cfg.max_epochs = 8
    config.dump(tmp_path / 'config.py')
    command = (
        TOOL, tmp_path / 'config.py', '--seeds', 1, '--saved', 0.05,
        '--entries', 'plain', 'random', '--out', tmp_path / 'out',
    )  # fmt: skip
    first = call(*command)
    assert not first.returncode, first.stderr
    said = first.stdout.splitlines()
    assert said[0] == 'No comparison with short: not in --entries'
    assert said[1] in ('plain, seed 0: trained', 'random, seed 0: trained')
    assert 'random pruning' in first.stdout
    again = call(*command)
    assert 'trained' not in again.stdout
    assert again.stdout.splitlines()[-3:] == first.stdout.splitlines()[-3:]
    assert (tmp_path / 'out' / 'compare' / 'compare.html').is_file()

    other = call(*command[:4], '--saved', 0.1, *command[6:])
    assert other.returncode == 2
    assert 'was trained with other settings' in other.stderr
    assert len(other.stderr.splitlines()) == 1

    config.optim_wrapper.optimizer.lr = 0.375
    config.dump(tmp_path / 'config.py')
    edited = call(*command)
    assert edited.returncode == 2
    assert 'was trained with other settings' in edited.stderr
    assert 'lr=0.375' in edited.stderr
    assert len(edited.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--saved', '0'], 'give a number above 0, at most 0.9'),
        (['--saved', '1'], 'give a number above 0, at most 0.9'),
        (['--saved', 'much'], 'give a number above 0, at most 0.9'),
        (['--length', '0'], 'give a number above 0'),
        (['--seeds', '0'], 'give an integer >= 1'),
        (['--jobs', '-1'], 'give an integer >= 1'),
        (['--threads', '0'], 'give an integer >= 1'),
        ([], 'there is no config file none.py'),
        (
            ['ies_mm::ies_faster_rcnn_r18_demo.py'],
            'has default_hooks.ies; give the plain config',
        ),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(ROOT)
    named = arguments and not arguments[0].startswith('-')
    config = [] if named else ['none.py']
    with pytest.raises(SystemExit) as end:
        tool.main([*config, *arguments, '--out', str(tmp_path)])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(', 'config.py cannot be read: '),
        ('model = dict()', 'config.py has no train_cfg, so it trains nothing'),
    ],
)
def test_a_config_that_trains_nothing_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    message: str,
) -> None:
    (tmp_path / 'config.py').write_text(text)
    with pytest.raises(SystemExit) as end:
        tool.main([str(tmp_path / 'config.py'), '--out', str(tmp_path / 'o')])
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_folder_of_another_training_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'seed0').mkdir()
    mine = tmp_path / 'seed0' / 'epoch_12.pth'
    mine.write_text('trained by hand')
    with pytest.raises(ConfigError, match='other than a run of this'):
        train_once(tmp_path / 'seed0', ['plain.py'], 'settings')
    assert mine.read_text() == 'trained by hand'


def test_a_folder_that_was_half_deleted_stays_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it starts over: the next call starts over again."""
    run = tmp_path / 'run'
    (run / 'logs').mkdir(parents=True)
    for name in ('a.pth', 'training_begun', 'z.pth'):
        (run / name).write_text('it')

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainings.shutil, 'rmtree', killed)
    with pytest.raises(KeyboardInterrupt):
        train_once(run, [], 'it')
    trainings.check_same(run, 'it')
    monkeypatch.undo()
    trainings._empty(run)
    assert [path.name for path in run.iterdir()] == ['training_begun']


@pytest.mark.parametrize(('entrants', 'left'), [(1, False), (12, True)])
def test_dropping_is_corrected_for_the_number_of_entries(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entrants: int,
    left: bool,
) -> None:
    """Below random by 2, 3 and 4 points: p = 0.02 for one, not for twelve."""
    ours, random = [], []
    for seed, less in enumerate((0.02, 0.03, 0.04)):
        hook = dict(type='RandomRemovalHook')
        ours.append(ies_run(tmp_path / f'i{seed}', seed, {4: 0.6 - less}))
        random.append(
            ies_run(
                tmp_path / f'r{seed}', seed, {4: 0.6},
                hook=hook, method='Random Remove',
            )
        )  # fmt: skip
    runs = dict(ies=ours, random=random)
    monkeypatch.setattr(
        rounds, 'ended', lambda args, name: runs.get(name, ours)
    )
    # The controls are not judged.
    names = [f'ies{number}' for number in range(entrants)]
    controls = ['plain', 'short', 'random']
    found = [*rounds._left(Namespace(), [*controls, *names])]
    assert found == [*controls, *(names if left else [])]


def test_entries_without_a_difference_correct_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above: twelve would keep it, but variants of random have none."""

    def drawn(name: str, seed: int, **more: Any) -> Path:
        hook = dict(type='RandomRemovalHook', **more)
        return ies_run(
            tmp_path / f'{name}{seed}', seed, {4: 0.6},
            hook=hook, method='Random Remove',
        )  # fmt: skip

    runs = dict(
        ies=[
            ies_run(tmp_path / f'i{seed}', seed, {4: 0.58 - seed / 100})
            for seed in range(3)
        ],
        random=[drawn('r', seed) for seed in range(3)],
    )
    annealed = [drawn('a', seed, anneal=0.05) for seed in range(3)]
    monkeypatch.setattr(
        rounds, 'ended', lambda args, name: runs.get(name, annealed)
    )
    others = [f'random_{number}' for number in range(11)]
    assert 'ies' not in rounds._left(Namespace(), ['random', 'ies', *others])


@pytest.fixture
def refusal(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs the command on a training that it refuses; returns the line."""

    def run(epochs: int, *arguments: str, **model: Any) -> str:
        config = classifier_config(folders, tmp_path / 'unused')
        config.train_cfg.max_epochs = epochs
        config.model |= model
        config.dump(tmp_path / 'config.py')
        out = ('--out', str(tmp_path / 'out'))
        with pytest.raises(SystemExit):
            tool.main([str(tmp_path / 'config.py'), *arguments, *out])
        assert not (tmp_path / 'out').exists()
        [line] = capsys.readouterr().err.splitlines()
        return line

    return run


def test_a_share_that_is_out_of_reach_is_refused(
    refusal: Callable[..., str],
) -> None:
    """Or the method would not have saved as much as its controls."""
    line = refusal(12, '--entries', 'plain', 'short', 'ies', '--saved', '0.6')
    assert 'ies: IES: saved=0.6: these 12 epochs can save 45% at most' in line


def test_what_cannot_be_trained_is_refused_before_any_training(
    refusal: Callable[..., str],
) -> None:
    mixup = dict(augments=[dict(type='Mixup', alpha=0.8)])
    entries = ('plain', 'random', 'infobatch')
    line = refusal(20, '--entries', *entries, train_cfg=mixup)
    assert 'infobatch: ' in line
    assert 'Mixup mixes the images of a batch' in line
    assert line.endswith('or leave infobatch out of --entries')
